"""Fan-out: one event to many clients, an event at a time, and ten events in one turn of the server's loop."""

from __future__ import annotations

from tests.perf.arena import Arena
from tests.perf.load import Load, Report
from tests.perf.tables import Goal, Table

_ALL = ("floor", "tornado-dict", "tornado-str", "websockets", "aiohttp", "fastapi", "ws", "socketio", "gorilla")
_SOME = ("floor", "tornado-str", "websockets", "ws", "gorilla")
_UNIT = "server CPU, µs per delivered event"
_BURST = 10

GOALS = (
    Goal("fan-out-1000", "must", 1.0, "Node `ws`"),
    Goal("fan-out-1000", "must", 0.35, "Tornado `write_message(str)`"),
    Goal("fan-out-1000", "aim", 1.35, "C floor"),
    Goal("fan-out-1000", "aim", 0.85, "Node `ws`"),
    Goal("fan-out-5000", "must", 1.0, "Node `ws`"),
    Goal("fan-out-5000", "must", 0.35, "Tornado `write_message(str)`"),
    Goal("fan-out-5000", "aim", 1.35, "C floor"),
    Goal("fan-out-5000", "aim", 0.85, "Node `ws`"),
)
BURST_GOALS = (
    Goal("burst", "must", 0.3, "Node `ws`"),
    Goal("burst", "aim", 0.2, "Node `ws`"),
)


def fan_out(arena: Arena) -> list[Table]:
    """One event at a time, to 1,000 and to 5,000 clients."""
    return [
        _one_by_one(arena, "fan-out-1000", 1_000, events=100, peers=_ALL),
        _one_by_one(arena, "fan-out-5000", 5_000, events=25, peers=_SOME),
    ]


def _one_by_one(arena: Arena, key: str, full: int, *, events: int, peers: tuple[str, ...]) -> Table:
    clients = arena.scaled(full, least=10)
    table = Table(key, f"Fan-out to {clients:,} clients", _UNIT)

    def work(load: Load) -> Report:
        return load.rounds(events)

    arena.contest(table, [*arena.find_peers(peers), arena.ours()], work, clients=clients)
    return table


def burst(arena: Arena) -> list[Table]:
    """Ten events in one turn."""
    clients = arena.scaled(500, least=10)
    table = Table("burst", f"Bursts of {_BURST} events to {clients:,} clients", _UNIT)

    def work(load: Load) -> Report:
        return load.rounds(20, _BURST)

    arena.contest(table, [*arena.find_peers(_ALL), arena.ours()], work, clients=clients)
    return [table]
