"""A thousand honest listeners beside one bad client of each kind, and beside a crowd: how long events take to reach them.

Time is measured by the second, by turns alone and beside each kind, round after round. The p99 of a second is compared with
the median p99 of those alone in the same round, so that what drifts slowly goes out of the ratio; and the median of many
seconds counts, since a single one is noise: it moves by half. One in which strangers had much of the machine is measured
again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.perf.arena import Arena, Running
from tests.perf.load import ROOT, Report
from tests.perf.nuisances import HONEST, KINDS
from tests.perf.programs import LOAD_CORE, Program, cpu_seconds, strangers_seconds
from tests.perf.tables import Goal, Sample, Table

_EVENTS_PER_SECOND = 50
_SECONDS_ALONE, _SECONDS_BESIDE = 1, 3
_LEFT_SECONDS = 0.2
_QUIET_SHARE = 0.03
"""Of a core: a second in which strangers had more says little."""
_SPARE_SECONDS = 10
"""So many are measured again at most, in a round."""

_NOISE, _CROWD, _CROWDED = f"{HONEST}: the noise", "33 at once", 33
_GUESTS = {_NOISE: f"1 {HONEST}", **{kind: f"1 {kind}" for kind in KINDS}, _CROWD: f"{_CROWDED}"}
"""Who is measured: how many, and of which kind; of all by turns where none is named."""

GOALS = tuple(Goal("abuse-wait", "must", 1.2, row=kind) for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Second:
    """A short time in which events were sent."""

    report: Report
    server_share: float
    """How busy the server's core was."""
    strangers_share: float


class Round:
    """The honest clients of one server, beside whom others come and go, each kind once."""

    def __init__(self, arena: Arena, running: Running, those: Program) -> None:
        self._arena, self._running, self._those = arena, running, those
        self._events, self._spare = arena.scaled(_EVENTS_PER_SECOND, least=3), arena.scaled(_SPARE_SECONDS, least=0)
        self._mine = {os.getpid(), running.program.pid, running.load.pid, those.pid}
        self._alone: list[Second] = []
        self._beside: dict[str, list[Second]] = {}

    def measure(self, name: str) -> dict[str, Any]:
        """Some seconds with nobody beside them, and some with these; how all that came so far were ended."""
        self._alone += self._seconds(_SECONDS_ALONE)
        self._those.answer(f"begin {_GUESTS[name]}")
        self._beside[name] = self._seconds(_SECONDS_BESIDE)
        ends = self._those.answer("end")
        self._arena.settle(_LEFT_SECONDS)
        return ends

    def _seconds(self, number: int) -> list[Second]:
        """So many, the quietest that were to be had."""
        found = [self._second() for _ in range(number)]
        while self._spare and sum(second.strangers_share <= _QUIET_SHARE for second in found) < number:
            self._spare -= 1
            found.append(self._second())
        loudest = sorted(found, key=lambda second: second.strangers_share)[number:]
        return [second for second in found if second not in loudest]

    def _second(self) -> Second:
        server = self._running.program.pid
        spent, strangers = cpu_seconds(server), strangers_seconds(self._mine)
        report = self._running.load.pace(self._events, _EVENTS_PER_SECOND)
        spent = cpu_seconds(server) - spent
        theirs = sum(now - strangers.get(pid, 0.0) for pid, now in strangers_seconds(self._mine).items())
        return Second(report, spent / report.seconds, theirs / report.seconds)

    def tell(self, name: str, *, wait: Table, cost: Table) -> None:
        """Add each second beside these: its p99 against the usual one, and what the server had to do more."""
        usual_us = median(second.report.p99_us for second in self._alone)
        usual_share = median(second.server_share for second in self._alone)
        for second in self._beside[name]:
            wait.add(name, Sample(second.report.p99_us / usual_us, second.report.load_share))
            cost.add(name, Sample((second.server_share - usual_share) * 100))


def abuse(arena: Arena) -> list[Table]:
    """Each kind in its turn, and the crowd; as often as scenarios are repeated."""
    clients = arena.scaled(1_000, least=10)
    beside, unit = f"beside {clients:,}: the others' wait", "p99 of a second with them ÷ of the usual one without"
    wait = Table("abuse-wait", f"One nuisance {beside}", unit)
    crowd = Table("abuse-crowd", f"A crowd of nuisances, more than is asked, {beside}", unit)
    cost = Table(
        "abuse-cpu", f"Nuisances beside {clients:,}: what they cost", "% of a core, above the same without them"
    )
    ends: dict[str, Any] = {}
    with arena.started(arena.ours(), clients=clients) as running, _nuisances(arena, running, clients) as those:
        Round(arena, running, those).measure(_NOISE)  # does not count
        for number in range(arena.repeat):
            arena.say(f"{wait.title}: round {number + 1}")
            turn = Round(arena, running, those)
            for name in _GUESTS:
                ends = turn.measure(name)
            for name in _GUESTS:
                turn.tell(name, wait=crowd if name == _CROWD else wait, cost=cost)
    wait.note = _worst(wait)
    cost.note = "; ".join(f"{name}: {_told(found)}" for name, found in ends.items())
    return [wait, crowd, cost]


@contextmanager
def _nuisances(arena: Arena, running: Running, clients: int) -> Iterator[Program]:
    file = arena.new_file()
    file.write_text("".join(f"{path}\n" for path in running.paths[clients : clients + _CROWDED]))
    command = [sys.executable, "-m", "tests.perf.nuisances", str(running.port), str(file)]
    with Program([*command, running.contestant.opening.hello], core=LOAD_CORE, log=arena.log, cwd=ROOT) as program:
        program.line()
        yield program


def _worst(wait: Table) -> str:
    found = {kind: wait.value(kind) or 0.0 for kind in KINDS}
    worst = max(found, key=found.__getitem__)
    return f"The worst: {worst}, {found[worst]:.2f}."


def _told(ends: dict[str, int]) -> str:
    """How one kind was ended, and how often."""
    return ", ".join(f"{end} × {number}" for end, number in ends.items()) or "at it"
