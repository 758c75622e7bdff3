"""Schedules: every hour of every place once, by any number of schedulers, however long they were away."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from documents.job import Job
from documents.schedule import ScheduleMark
from lms_rt.bus.memory import SilentWakeUps
from lms_rt.clock import FakeClock
from lms_rt.services.jobs import Jobs
from lms_rt.services.schedules import Schedule, Schedules
from tests.zones import live_in

NIGHTLY = Schedule("tidy", "retention.clean_up", time(3))
DAILY = Schedule("daily", "reminders.daily", time(10), is_local=True)
HOURLY = Schedule("look", "payments.look_again", time(0, 17), is_hourly=True)
WEEKLY = Schedule("weekly", "reports.weekly", time(9), weekday=0, is_local=True)
MONDAY = datetime(2026, 3, 23, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("database")


def clock_at(text: str) -> FakeClock:
    return FakeClock(datetime.fromisoformat(text).replace(tzinfo=UTC))


def scheduler(clock: FakeClock) -> Schedules:
    """One more of them."""
    return Schedules(clock=clock, jobs=Jobs(clock=clock, wake_ups=SilentWakeUps()))


async def people_in(*zones: str) -> None:
    """Somebody in each of these timezones."""
    await live_in(zones, MONDAY)


async def jobs() -> dict[str, dict[str, Any]]:
    """What was asked for, by id."""
    return {row["_id"]: row["args"] async for row in Job.rows().find({})}


async def let_pass(clock: FakeClock, schedules: Schedules, plan: tuple[Schedule, ...], *, hours: int) -> None:
    """Look every quarter of an hour."""
    for _ in range(hours * 4):
        clock.advance(900)
        await schedules.look(plan)


async def test_a_nightly_task_is_asked_for_once_a_night() -> None:
    clock = clock_at("2026-03-23 12:00")
    await let_pass(clock, scheduler(clock), (NIGHTLY,), hours=49)
    assert sorted(await jobs()) == [
        "tidy:2026-03-23T03:00:00.000Z", "tidy:2026-03-24T03:00:00.000Z", "tidy:2026-03-25T03:00:00.000Z",
    ]  # fmt: skip


async def test_an_hourly_task_is_asked_for_each_hour_and_once_for_all_that_were_missed() -> None:
    clock = clock_at("2026-03-23 12:10")
    one, other = scheduler(clock), scheduler(clock)
    assert (await one.look((HOURLY,)), await other.look((HOURLY,)), await one.look((HOURLY,))) == (1, 1, 0)
    assert sorted(await jobs()) == ["look:2026-03-23T11:17:00.000Z"]
    clock.advance(7 * 60)
    assert await one.look((HOURLY,)) == 1
    clock.advance(5 * 3600)  # nobody was there for five hours: one look sees what five would have seen
    assert (await one.look((HOURLY,)), await other.look((HOURLY,))) == (1, 1)
    assert sorted(await jobs()) == [
        "look:2026-03-23T11:17:00.000Z", "look:2026-03-23T12:17:00.000Z", "look:2026-03-23T17:17:00.000Z",
    ]  # fmt: skip


async def test_everybodys_morning_comes_when_it_is_morning_there(caplog: pytest.LogCaptureFixture) -> None:
    await people_in("Africa/Cairo", "America/New_York", "UTC")
    clock = clock_at("2026-03-24 00:00")
    one = scheduler(clock)
    await one.look((DAILY,))  # yesterday's mornings are less than a day old, all three
    assert sorted(await jobs()) == [f"daily:{zone}:2026-03-23" for zone in ("Africa/Cairo", "America/New_York", "UTC")]
    for until, zone in ((8, "Africa/Cairo"), (10, "UTC"), (14, "America/New_York")):
        clock.advance((datetime(2026, 3, 24, until, tzinfo=UTC) - clock.now()).total_seconds() - 1)
        assert await one.look((DAILY,)) == 0
        clock.advance(1)
        assert await one.look((DAILY,)) == 1
        assert (await jobs())[f"daily:{zone}:2026-03-24"] == {"timezone": zone, "date": "2026-03-24"}
    assert not caplog.records


async def test_the_week_begins_on_monday_by_the_clock_of_the_place() -> None:
    await people_in("Pacific/Kiritimati", "Pacific/Niue")
    clock = clock_at("2026-03-21 12:00")
    await let_pass(clock, scheduler(clock), (WEEKLY,), hours=24 * 9)
    mondays = ["2026-03-23", "2026-03-30"]
    there = [job_id.rsplit(":", 1) for job_id in sorted(await jobs())]
    assert there == [
        ["weekly:Pacific/Kiritimati", mondays[0]], ["weekly:Pacific/Kiritimati", mondays[1]],
        ["weekly:Pacific/Niue", mondays[0]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "hour", "begins"),
    [
        ("Europe/Berlin", time(2, 30), "2026-03-27 12:00"),
        ("Europe/Berlin", time(2, 30), "2026-10-23 12:00"),
        ("Africa/Cairo", time(0, 15), "2026-04-22 12:00"),
        ("Africa/Cairo", time(23, 30), "2026-10-27 12:00"),
        ("Australia/Lord_Howe", time(2, 10), "2026-10-02 12:00"),
    ],
)
async def test_a_day_on_which_the_clock_is_changed_is_one_day(zone: str, hour: time, begins: str) -> None:
    await people_in(zone)
    clock = clock_at(begins)
    plan = (Schedule("daily", "reminders.daily", hour, is_local=True),)
    one = scheduler(clock)
    await one.look(plan)
    fired = await jobs()
    for _ in range(4 * 24):
        clock.advance(3600)
        await one.look(plan)
    days = sorted(args["date"] for job_id, args in (await jobs()).items() if job_id not in fired)
    first = datetime.fromisoformat(days[0]).date()
    assert days == [(first + timedelta(days=one)).isoformat() for one in range(len(days))]
    assert len(days) == 4


async def test_two_schedulers_ask_for_the_same() -> None:
    zones = ["Africa/Cairo", "Asia/Riyadh", "UTC"]
    await people_in(*zones)
    clock = clock_at("2026-03-23 12:00")
    both = [scheduler(clock), scheduler(clock)]
    for _ in range(26):
        await asyncio.gather(*(one.look((NIGHTLY, DAILY, WEEKLY)) for one in both))
        clock.advance(3600)
    wanted = {f"daily:{zone}:2026-03-{day}" for zone in zones for day in (23, 24)}
    wanted |= {f"weekly:{zone}:2026-03-23" for zone in zones}
    wanted |= {f"tidy:2026-03-{day}T03:00:00.000Z" for day in (23, 24)}
    assert set(await jobs()) == wanted


async def test_one_that_died_before_it_made_its_mark_is_followed_without_doubling() -> None:
    clock = clock_at("2026-03-23 12:00")
    await scheduler(clock).look((NIGHTLY,))
    await Job.rows().update_many({}, {"$set": {"state": "done"}})
    await ScheduleMark.rows().delete_many({})
    await scheduler(clock).look((NIGHTLY,))
    assert [row["state"] async for row in Job.rows().find({})] == ["done"]


async def test_what_is_late_by_less_than_a_day_is_done_and_what_is_later_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await people_in("Africa/Cairo")
    clock = clock_at("2026-03-23 12:00")
    await scheduler(clock).look((DAILY, WEEKLY))
    clock.advance(timedelta(days=8, hours=19, minutes=59).total_seconds())  # the last morning was 24 h ago but a minute
    with caplog.at_level(logging.WARNING):
        await scheduler(clock).look((DAILY, WEEKLY))
    assert sorted(await jobs()) == [
        "daily:Africa/Cairo:2026-03-23", "daily:Africa/Cairo:2026-03-31", "weekly:Africa/Cairo:2026-03-23",
    ]  # fmt: skip
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "daily of Africa/Cairo was not asked for on 7 days from 2026-03-24 to 2026-03-30: that was more than a day ago",
        "weekly of Africa/Cairo was not asked for on 1 days from 2026-03-30 to 2026-03-30: that was more than a day ago",
    ]
    caplog.clear()
    await scheduler(clock).look((DAILY, WEEKLY))
    assert not caplog.records


async def test_a_discarded_firing_does_not_come_back() -> None:
    clock = clock_at("2026-03-23 12:00")
    await scheduler(clock).look((NIGHTLY,))
    await Job.rows().delete_many({})
    clock.advance(60)
    await scheduler(clock).look((NIGHTLY,))
    assert await jobs() == {}


async def test_who_moves_to_a_new_place_is_seen_within_a_minute() -> None:
    clock = clock_at("2026-03-23 12:00")
    one = scheduler(clock)
    await one.look((DAILY,))
    assert await jobs() == {}
    await people_in("Asia/Tokyo")
    clock.advance(60)
    await one.look((DAILY,))
    assert sorted(await jobs()) == ["daily:Asia/Tokyo:2026-03-23"]
