"""Erasures that nobody is at work on: found by night, and asked for again, until the account is erased."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from documents.base import Row
from documents.job import Job
from documents.user import User
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.services import figures
from lms_rt.services.erasure_sweep import FAR_TOO_LATE, LATE, ErasureSweep
from lms_rt.services.jobs import Jobs

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sweep(clock: FakeClock) -> ErasureSweep:
    return ErasureSweep(clock=clock, jobs=Jobs(clock=clock, wake_ups=memory_bus(clock).wake_ups))


async def closed(clock: FakeClock, user_id: str, ago: timedelta, **more: Any) -> None:
    """An account that should have been erased so long ago."""
    row: Row = {"email": user_id, "email_key": user_id, "full_name": "Z", "role": "student", "is_active": False}
    await User.rows().insert_one({"_id": user_id, **row, "erase_at": clock.now() - ago} | more)


async def jobs_of(user_id: str) -> list[Row]:
    return [row async for row in Job.rows().find({"task": "erasure.run", "args.user_id": user_id})]


async def put(user_id: str, state: str) -> None:
    job: Row = {"queue": "progress", "task": "erasure.run", "state": state, "args": {"user_id": user_id}}
    await Job.rows().insert_one({"_id": f"job_{user_id}", **job})


async def test_what_no_job_carries_any_more_gets_one_and_one_alone(clock: FakeClock, sweep: ErasureSweep) -> None:
    await closed(clock, "usr_lost", timedelta(days=1))
    await closed(clock, "usr_dead", timedelta(days=1))
    await put("usr_dead", "dead")
    for state in ("waiting", "running"):
        await closed(clock, f"usr_{state}", timedelta(days=1))
        await put(f"usr_{state}", state)
    assert await sweep.sweep() == 2
    assert await sweep.sweep() == 0
    assert [row["state"] for row in await jobs_of("usr_lost")] == ["waiting"]
    assert sorted(row["state"] for row in await jobs_of("usr_dead")) == ["dead", "waiting"]
    for state in ("waiting", "running"):
        assert [row["state"] for row in await jobs_of(f"usr_{state}")] == [state]
    assert figures.ERASURES_OVERDUE._value.get() == 4


async def test_it_goes_on_asking_day_after_day(
    clock: FakeClock, sweep: ErasureSweep, caplog: pytest.LogCaptureFixture
) -> None:
    await closed(clock, "usr_lost", timedelta(days=1))
    for days in range(3):
        assert await sweep.sweep() == 1
        await Job.rows().update_many({}, {"$set": {"state": "dead"}})
        assert ("usr_lost should have been erased" in caplog.text) == (days > 1)
        clock.advance(86_400)
    assert timedelta(days=1) < FAR_TOO_LATE < timedelta(days=3)
    assert len(await jobs_of("usr_lost")) == 3


async def test_who_is_not_due_who_stays_and_who_is_erased_are_left_alone(clock: FakeClock, sweep: ErasureSweep) -> None:
    await closed(clock, "usr_in_time", LATE / 2)
    await closed(clock, "usr_later", -timedelta(days=9))
    await closed(clock, "usr_erased", timedelta(days=9), erased_at=clock.now())
    await closed(clock, "usr_kept", timedelta(days=9), is_active=True)
    assert await sweep.sweep() == 0
    assert await Job.rows().count_documents({}) == 0
    assert figures.ERASURES_OVERDUE._value.get() == 0
