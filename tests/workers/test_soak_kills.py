"""Workers die by `kill -9` again and again while there is work: every task is run, and counts once in our own data."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.perf.job_place import JobPlace, job_place, wait_until
from tests.perf.killing import Toll, is_over, killed_while_working
from tests.perf.programs import Program

TASKS, TASKS_BETWEEN_KILLS, WORKERS = 200, 60, 2
SOAK_TASKS, SOAK_WORKERS = 5_000, 3
ACCOUNTS = 10
AT_ONCE = 4
"""So many tasks of the queue run at once in a worker: so many can one crash let run again."""


def after_more_work(place: JobPlace) -> Callable[[], None]:
    """Wait until some more tasks have begun since the last time, or all are over."""
    seen = 0

    def wait() -> None:
        nonlocal seen
        seen += TASKS_BETWEEN_KILLS
        wait_until(lambda: len(place.noted()) >= seen or is_over(place))

    return wait


def check(toll: Toll) -> None:
    """What holds however often somebody was killed."""
    assert (toll.missing, toll.undone, toll.miscounted) == (0, 0, 0), toll
    assert toll.repeats <= toll.kills * AT_ONCE, toll


@pytest.mark.real
def test_workers_that_die_lose_no_task_and_count_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "is_forked", True)
    with job_place(tmp_path) as place:
        wait = after_more_work(place)
        toll = killed_while_working(place, tasks=TASKS, workers=WORKERS, accounts=ACCOUNTS, wait=wait)
    check(toll)
    assert toll.kills >= TASKS // TASKS_BETWEEN_KILLS - 1, toll


@pytest.mark.real
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_worker_dies_every_second_while_thousands_of_tasks_run(tmp_path: Path) -> None:
    with job_place(tmp_path) as place:
        toll = killed_while_working(
            place, tasks=SOAK_TASKS, workers=SOAK_WORKERS, accounts=ACCOUNTS, wait=lambda: time.sleep(1.0)
        )
    check(toll)
    assert toll.kills >= 10, toll
