"""The catalogue of tasks, the table of who does them, and the table of schedules: each name in one is in the other."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from lms_rt.contracts.jobs import QUEUES, TASK_KINDS, task_kind
from lms_rt.services.schedules import Schedule
from workers.schedule import SCHEDULES
from workers.tasks import TASKS


def test_every_task_has_somebody_who_does_it() -> None:
    assert sorted(TASKS) == sorted(kind.name for kind in TASK_KINDS)


def test_every_task_is_of_a_queue_that_there_is_and_ends_in_time() -> None:
    assert {kind.queue for kind in TASK_KINDS} <= set(QUEUES)
    assert all(kind.time_limit_seconds > 0 for kind in TASK_KINDS)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: one.name)
def test_every_schedule_gives_its_task_what_it_takes(schedule: Schedule) -> None:
    task_kind(schedule.task).args.model_validate(schedule.args("Africa/Cairo", date(2026, 3, 23)))


def test_no_two_firings_have_one_id() -> None:
    moments = [datetime(2026, 3, day, 3, tzinfo=UTC) for day in (23, 24)]
    ids = [one.job_id(zone, at.date(), at) for one in SCHEDULES for zone in ("UTC", "Asia/Tokyo") for at in moments]
    assert len(set(ids)) == sum(4 if one.is_local else 2 for one in SCHEDULES)
