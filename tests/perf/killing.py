"""Workers that are killed while they work: who is killed when, and what became of the jobs. Judged by tests and benchmarks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.perf.job_place import JobPlace, killed
from tests.perf.programs import ProgramError

_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Toll:
    """What a run has cost. Nothing of it may be lost or counted twice; repeats are what a crash allows."""

    kills: int
    seconds: float
    missing: int
    """Jobs that nobody ever ran."""
    undone: int
    """Jobs that are not done in the end, dead letters among them."""
    repeats: int
    """Runs beyond the first of a job."""
    miscounted: int
    """Accounts in our own data that have counted a job twice, or not at all."""


def killed_while_working(
    place: JobPlace, *, tasks: int, workers: int, accounts: int, wait: Callable[[], object]
) -> Toll:
    """Let workers do so many tasks. The oldest dies by `kill -9` a `wait` after it was ready, and a new one is started."""
    place.put(tasks, "kill", accounts=accounts)
    crew = deque(place.start_worker() for _ in range(workers))
    began, kills = time.monotonic(), 0
    while True:
        crew[0].line()
        wait()
        if is_over(place):
            return _toll(place, tasks=tasks, accounts=accounts, kills=kills, seconds=time.monotonic() - began)
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise ProgramError(f"after {kills} kills there were {place.states()}")
        killed(crew.popleft())
        crew.append(place.start_worker())
        kills += 1


def is_over(place: JobPlace) -> bool:
    """Is every job done, or dead?"""
    return not place.states().keys() & {"waiting", "running"}


def _toll(place: JobPlace, *, tasks: int, accounts: int, kills: int, seconds: float) -> Toll:
    ran = [job_id for job_id, _ in place.noted()]
    totals = place.maker.answer("totals").values()
    return Toll(
        kills=kills,
        seconds=seconds,
        missing=tasks - len(set(ran)),
        undone=tasks - place.states().get("done", 0),
        repeats=len(ran) - len(set(ran)),
        miscounted=sum(total != tasks // accounts for total in totals),
    )
