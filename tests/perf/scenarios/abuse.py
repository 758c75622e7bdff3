"""A thousand honest listeners, alone and beside clients of every bad kind: how long events take to reach them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.perf.arena import Arena, Running
from tests.perf.load import ROOT
from tests.perf.nuisances import KINDS
from tests.perf.programs import LOAD_CORE, Program
from tests.perf.tables import Goal, Sample, Table

_EVENTS, _EVENTS_PER_SECOND = 300, 20
_OF_EACH_KIND = 3

GOALS = (Goal("abuse-wait", "must", 1.2),)


def abuse(arena: Arena) -> list[Table]:
    """The same events with and without them, by turns, in one run."""
    clients, events = arena.scaled(1_000, least=10), arena.scaled(_EVENTS, least=5)
    table = Table(
        "abuse-wait", f"{len(KINDS) * _OF_EACH_KIND} nuisances beside {clients:,}", "p99 beside them ÷ p99 alone"
    )
    with arena.started(arena.ours(), clients=clients) as running:
        running.load.pace(events, _EVENTS_PER_SECOND)
        for _ in range(arena.repeat):
            alone = running.load.pace(events, _EVENTS_PER_SECOND)
            with _nuisances(arena, running, clients) as those:
                beside = running.load.pace(events, _EVENTS_PER_SECOND)
                ends = those.answer("report")
            table.add(running.contestant.name, Sample(beside.p99_us / alone.p99_us, beside.load_share))
        table.note = "; ".join(f"{name}: {_told(found)}" for name, found in ends.items())
    return [table]


@contextmanager
def _nuisances(arena: Arena, running: Running, clients: int) -> Iterator[Program]:
    file = arena.new_file()
    paths = running.paths[clients : clients + len(KINDS) * _OF_EACH_KIND]
    file.write_text("".join(f"{path}\n" for path in paths))
    command = [sys.executable, "-m", "tests.perf.nuisances", str(running.port), str(file)]
    with Program([*command, running.contestant.opening.hello], core=LOAD_CORE, log=arena.log, cwd=ROOT) as program:
        program.line()
        yield program


def _told(ends: dict[str, int]) -> str:
    """How one kind was ended, and how often."""
    return ", ".join(f"{end} × {number}" for end, number in ends.items()) or "at it"
