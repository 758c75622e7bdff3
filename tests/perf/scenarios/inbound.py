"""Inbound: a command of a client and its reply, without a database."""

from __future__ import annotations

from contextlib import ExitStack

from tests.perf.arena import Arena, Running
from tests.perf.tables import Goal, Sample, Table
from tests.perf.toolchains import Absent

_PEERS = ("floor", "tornado-str", "websockets", "aiohttp", "fastapi", "ws", "socketio", "gorilla")
_EACH = 20
_WINDOW = 50
_REST_SECONDS = 0.7
"""A client of ours may send 60 commands at once and 30 a second: this long before each run, and nobody sends too many."""

GOALS = (
    Goal("inbound", "must", 0.8, "Tornado `WebSocketHandler`"),
    Goal("inbound", "aim", 0.8, "Node `ws`"),
)


def inbound(arena: Arena) -> list[Table]:
    """`ping`, which is parsed, dispatched and answered."""
    clients = arena.scaled(1_000, least=_WINDOW * 2)
    table = Table("inbound", "Inbound command and its reply", "server CPU, µs per command")
    with ExitStack() as stack:
        running = []
        for contestant in [*arena.find_peers(_PEERS), arena.ours(is_listening=False)]:
            arena.say(f"{table.title}: {contestant.name}, {clients} clients")
            try:
                running.append(arena.start(stack, contestant, clients=clients))
            except Absent as absent:
                table.absent[_name(contestant.name)] = str(absent)
        for turn in range(arena.repeat + 1):
            for one in running:
                arena.settle(_REST_SECONDS)
                sample = _asked(one, clients)
                if turn:
                    table.add(_name(one.contestant.name), sample)
    return [table]


def _asked(running: Running, clients: int) -> Sample:
    return running.run(lambda load: load.ask(clients * _EACH, _WINDOW, running.contestant.ping))


def _name(name: str) -> str:
    """Both of Tornado's peers read alike."""
    return "Tornado `WebSocketHandler`" if name.startswith("Tornado") else name
