"""A thousand honest listeners, alone and beside clients of every bad kind: how long events take to reach them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from tests.perf.arena import Arena, Running
from tests.perf.load import ROOT, Report
from tests.perf.nuisances import KINDS
from tests.perf.programs import LOAD_CORE, Program, cpu_seconds
from tests.perf.tables import Goal, Sample, Table

_EVENTS, _EVENTS_PER_SECOND = 300, 20
_OF_EACH_KIND = 3

GOALS = (Goal("abuse-wait", "must", 1.2),)


def abuse(arena: Arena) -> list[Table]:
    """The same events with and without them, by turns, in one run."""
    clients, events = arena.scaled(1_000, least=10), arena.scaled(_EVENTS, least=5)
    title = f"{len(KINDS) * _OF_EACH_KIND} nuisances beside {clients:,}"
    wait = Table("abuse-wait", f"{title}: the others' wait", "p99 beside them ÷ median p99 alone")
    cost = Table("abuse-cpu", f"{title}: what they cost", "% of a core, above the same without them")
    with arena.started(arena.ours(), clients=clients) as running:
        running.load.pace(events, _EVENTS_PER_SECOND)
        waits: list[tuple[Report, Report]] = []
        for _ in range(arena.repeat):
            alone, spent_alone = _paced(running, events)
            with _nuisances(arena, running, clients) as those:
                beside, spent_beside = _paced(running, events)
                ends = those.answer("report")
            waits.append((alone, beside))
            cost.add(running.contestant.name, Sample((spent_beside - spent_alone) * 100))
        usual_us = median(alone.p99_us for alone, _ in waits)  # one run's own is noise: it moves by half
        for _, beside in waits:
            wait.add(running.contestant.name, Sample(beside.p99_us / usual_us, beside.load_share))
        cost.note = "; ".join(f"{name}: {_told(found)}" for name, found in ends.items())
    return [wait, cost]


def _paced(running: Running, events: int) -> tuple[Report, float]:
    """What the clients saw, and the server's share of its core meanwhile."""
    before = cpu_seconds(running.program.pid)
    report = running.load.pace(events, _EVENTS_PER_SECOND)
    return report, (cpu_seconds(running.program.pid) - before) / report.seconds


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
