"""Memory of an idle connection: what the second half of the clients adds, so that what the first half warmed is not counted."""

from __future__ import annotations

from contextlib import ExitStack

from tests.perf.arena import Arena, named
from tests.perf.contestants import OURS, Contestant
from tests.perf.load import Load
from tests.perf.programs import resident_kib
from tests.perf.tables import Goal, Sample, Table
from tests.perf.toolchains import Absent

_PEERS = ("tornado-str", "websockets", "aiohttp", "fastapi", "ws", "socketio", "gorilla")
_LISTENING = f"{OURS}, listening to a course"
_SETTLE_SECONDS = 1.0
_MOST_TURNS = 3

GOALS = (
    Goal("memory", "must", 20),
    Goal("memory", "aim", 7),
)


def memory(arena: Arena) -> list[Table]:
    """Ours are signed in, each as somebody with a session of their own."""
    each = arena.scaled(2_500, least=20)
    table = Table("memory", f"Memory of an idle connection, {2 * each:,} clients", "KiB resident per connection")
    table.note = (
        f"What the second {each:,} clients add; each of ours is signed in with an account and a session of its own."
    )
    ours = [arena.ours(is_listening=False), named(arena.ours(), _LISTENING)]
    for _ in range(min(arena.repeat, _MOST_TURNS)):
        for contestant in [*arena.find_peers(_PEERS), *ours]:
            if contestant.name in table.absent:
                continue
            arena.say(f"{table.title}: {contestant.name}")
            try:
                table.add(contestant.name, Sample(_added_kib(arena, contestant, each)))
            except Absent as absent:
                table.absent[contestant.name] = str(absent)
    return [table]


def _added_kib(arena: Arena, contestant: Contestant, each: int) -> float:
    with ExitStack() as stack:
        running = arena.start(stack, contestant, clients=each)
        arena.settle(_SETTLE_SECONDS)
        half = resident_kib(running.program.pid)
        more = stack.enter_context(Load(running.port, running.program, contestant.opening, log=arena.log))
        more.open(running.paths[each : 2 * each] or running.paths[:each], arena.new_file())
        arena.settle(_SETTLE_SECONDS)
        return (resident_kib(running.program.pid) - half) / each
