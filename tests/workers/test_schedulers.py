"""Schedulers as processes of their own on MongoDB and Redis: several at once, killed, away for days; and inside the one process."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from documents.enums import JobState
from documents.job import Job
from documents.schedule import ScheduleMark
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.services.background import running
from lms_rt.services.local_days import moments_between
from lms_rt.storage.mongo import open_database
from tests.conftest import settings_on
from tests.house import House
from tests.servers.schedulers import LmsScheduler
from tests.servers.workers import LmsWorker
from tests.zones import live_in
from workers import schedule, scheduler
from workers.scheduler import keeping_time

PATIENCE_SECONDS = 40
ZONES = ("UTC", "Africa/Cairo", "Pacific/Kiritimati", "Pacific/Niue")
DAILY = tuple(
    one for one in schedule.SCHEDULES if not one.is_hourly
)  # of hours only the last is asked for: test_schedules
TASKS = {one.task for one in DAILY}
DAY = timedelta(days=1)


@dataclass
class Place:
    """A school's database, and schedulers beside it."""

    settings: Settings
    folder: Path
    stack: ExitStack
    clock: Clock = field(default_factory=Clock)
    started: int = 0

    def one_more(self) -> LmsScheduler:
        """A scheduler that has not been started."""
        self.started += 1
        made = LmsScheduler(self.settings, log=self.folder / f"scheduler{self.started}.log")
        made.is_forked = self.started > 1  # the first as an operator starts it
        self.stack.callback(made.kill)
        return made

    async def worker(self) -> None:
        """A worker beside them."""
        worker = LmsWorker(self.settings, "progress", log=self.folder / "worker.log")
        self.stack.callback(worker.kill)
        await asyncio.to_thread(worker.start)

    def due_between(self, after: datetime, until: datetime, zones: Iterable[str] = ZONES) -> set[str]:
        """The ids of all firings in this time."""
        return {
            one.job_id(zone, day, moment)
            for one in DAILY
            for zone in (zones if one.is_local else ("UTC",))
            for day, moment in moments_between(zone, one.at, weekday=one.weekday, after=after, until=until)
        }


@asynccontextmanager
async def opened(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Place]:
    settings = settings_on("real", request, folder)
    with ExitStack() as stack:
        async with open_database(settings) as database:
            yield Place(settings, folder, stack)
            await database.motor.client.drop_database(settings.mongodb_database)


@pytest.fixture
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with opened(request, tmp_path) as made:
        await live_in(ZONES, made.clock.now())
        yield made


async def asked(**facts: str) -> set[str]:
    """The ids of what schedulers asked for."""
    return {row["_id"] async for row in Job.rows().find({"task": {"$in": sorted(TASKS)}, **facts}, {"_id": 1})}


async def until(is_so: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def all_asked(place: Place, begun: datetime, zones: Iterable[str] = ZONES) -> None:
    """Wait until nothing is missing; what was a day old before a scheduler looked is not asked for any more."""

    async def is_so() -> bool:
        return place.due_between(place.clock.now() - DAY, begun, zones) <= await asked()

    await until(is_so)


@pytest.mark.real
async def test_two_schedulers_ask_for_everything_once_and_end_when_told_to(place: Place) -> None:
    begun = place.clock.now()
    both = [place.one_more(), place.one_more()]
    await asyncio.gather(place.worker(), *(asyncio.to_thread(one.start) for one in both))
    await all_asked(place, begun)

    async def is_tidied() -> bool:
        ended = {row["_id"].split(":")[0] async for row in Job.rows().find({"state": JobState.DONE.value}, {"_id": 1})}
        return {"clean-ups", "counters-reconcile"} <= ended

    await until(is_tidied)
    assert await asyncio.gather(*(asyncio.to_thread(one.stop) for one in both)) == [0, 0]
    assert await asked() <= place.due_between(begun - DAY - timedelta(seconds=30), place.clock.now())
    assert len(await asked()) >= len(ZONES) + 2


@pytest.mark.real
async def test_a_scheduler_killed_again_and_again_leaves_nothing_out_and_doubles_nothing(place: Place) -> None:
    zones = [f"Etc/GMT{hours:+}" for hours in range(-14, 13)]
    await live_in(zones, place.clock.now())
    begun, one, done = place.clock.now(), place.one_more(), set[str]()
    for _ in range(2):
        await asyncio.to_thread(one.start)

        async def has_more(done: set[str] = done) -> bool:
            return len(await asked()) > len(done)

        await until(has_more)
        one.kill()
        # as if it had died earlier: some firings were not asked for, and of none it is noted that they were
        await Job.rows().delete_many({"_id": {"$in": sorted(await asked())[1:6]}})
        await Job.rows().update_many({}, {"$set": {"state": JobState.DONE.value}})
        await ScheduleMark.rows().delete_many({})
        done = await asked(state=JobState.DONE.value)  # what a dying one had just sent may come now
    await asyncio.to_thread(one.start)
    await all_asked(place, begun, [*ZONES, *zones])
    states = {row["_id"]: row["state"] async for row in Job.rows().find({"task": {"$in": sorted(TASKS)}})}
    assert {states[job_id] for job_id in done} == {JobState.DONE.value}  # asked for again, and not run again
    assert set(states) <= place.due_between(begun - DAY - timedelta(seconds=60), place.clock.now(), [*ZONES, *zones])


@pytest.mark.real
async def test_one_that_was_away_for_days_does_the_last_day_and_tells_of_the_others(place: Place) -> None:
    away_since = place.clock.now() - 4 * DAY
    marks = [f"{one.name}:{zone}" for one in DAILY if one.is_local for zone in ZONES]
    marks += [one.name for one in DAILY if not one.is_local]
    await ScheduleMark.rows().insert_many([{"_id": mark, "dealt_until": away_since} for mark in marks])
    begun = place.clock.now()
    one = place.one_more()
    await asyncio.to_thread(one.start)
    await all_asked(place, begun)
    await asyncio.to_thread(one.stop)
    assert await asked() <= place.due_between(begun - DAY - timedelta(seconds=30), place.clock.now())
    told = one.log.read_text()
    assert all(f"{name} of " in told for name in ("clean-ups", "daily-course-reminders"))
    assert "more than a day ago" in told


async def test_inside_a_house_schedules_go_on_after_a_fault(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    find, faults = User.timezones, [OSError("the database is away")]

    async def fail_once() -> list[str]:
        if faults:
            raise faults.pop()
        return await find()

    monkeypatch.setattr(User, "timezones", fail_once)
    monkeypatch.setattr(scheduler, "LOOK_SECONDS", 0.01)
    await house.student()
    with caplog.at_level(logging.ERROR):
        async with running({"schedules": keeping_time(house.services)}):

            async def has_any() -> bool:
                return bool(await asked())

            await until(has_any)
    told = [record.getMessage() for record in caplog.records if record.name == scheduler.__name__]
    assert told == ["the schedules could not be looked at"]


def test_the_scheduler_is_not_for_the_embedded_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert scheduler.main(argparse.Namespace()) == 1
    told = capsys.readouterr().err
    assert told.startswith("the scheduler cannot start: the embedded store belongs to one process")
    assert told.count("\n") == 1
