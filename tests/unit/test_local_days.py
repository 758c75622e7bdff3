"""Nine in the morning by a wall clock: once on every day that exists, whatever is done to the clock there."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.services.local_days import day_begins, local_date, moment_of, moments_between

ZONES = sorted(available_timezones())
DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_CASES = {
    "no change": ("Europe/Berlin", "2026-11-23", "09:00", "2026-11-23 08:00"),
    "east of the date line": ("Pacific/Kiritimati", "2026-11-23", "09:00", "2026-11-22 19:00"),
    "west of it": ("Pacific/Niue", "2026-11-23", "09:00", "2026-11-23 20:00"),
    "a quarter of an hour": ("Asia/Kathmandu", "2026-11-23", "09:00", "2026-11-23 03:15"),
    "the day the clock is put forward": ("Europe/Berlin", "2026-03-29", "09:00", "2026-03-29 07:00"),
    "a missing hour": ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29 01:00"),
    "the first minute of a missing hour": ("America/New_York", "2026-03-08", "02:00", "2026-03-08 07:00"),
    "the last minute before one": ("America/New_York", "2026-03-08", "01:59", "2026-03-08 06:59"),
    "a missing hour at midnight": ("Africa/Cairo", "2026-04-24", "00:15", "2026-04-23 22:00"),
    "half an hour is missing": ("Australia/Lord_Howe", "2026-10-04", "02:10", "2026-10-03 15:30"),
    "a doubled hour": ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25 00:30"),
    "half an hour comes twice": ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04 14:45"),
    "a doubled hour before midnight": ("Africa/Cairo", "2026-10-29", "23:30", "2026-10-29 20:30"),
    "Ramadan": ("Africa/Casablanca", "2026-02-15", "02:30", "2026-02-15 01:30"),
    "negative winter time": ("Europe/Dublin", "2026-03-29", "01:30", "2026-03-29 01:00"),
    "no such zone": ("Mars/Olympus", "2026-11-23", "09:00", "2026-11-23 09:00"),
    "no name at all": ("", "2026-11-23", "09:00", "2026-11-23 09:00"),
}


@pytest.mark.parametrize("name", _CASES)
def test_the_moment_of_an_hour_on_a_day(name: str) -> None:
    zone, day, at, moment = _CASES[name]
    assert moment_of(zone, date.fromisoformat(day), time.fromisoformat(at)) == utc(moment)


def test_a_day_that_a_country_left_out_has_no_hours() -> None:
    left_out = date(2011, 12, 30)
    assert moment_of("Pacific/Apia", left_out, time(9)) is None
    assert day_begins("Pacific/Apia", left_out) == day_begins("Pacific/Apia", left_out + DAY)
    found = moments_between(
        "Pacific/Apia", time(9), weekday=None, after=utc("2011-12-29 00:00"), until=utc("2011-12-31 12:00")
    )
    assert [day.day for day, _ in found] == [29, 31]


@given(
    zone=st.sampled_from(ZONES),
    at=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    start=st.integers(0, 60 * 366 * 24 * 60).map(lambda minutes: utc("1975-01-01 00:00") + timedelta(minutes=minutes)),
    steps=st.lists(st.timedeltas(timedelta(seconds=1), timedelta(hours=30)), max_size=8),
)
def test_every_local_day_has_the_hour_exactly_once_however_often_it_is_asked(
    zone: str, at: time, start: datetime, steps: list[timedelta]
) -> None:
    """Whoever looks from time to time, at any moments, sees the same days as whoever looks once."""
    marks = [start]
    for step in steps:
        marks.append(marks[-1] + step)
    seen = [
        found
        for after, until in itertools.pairwise(marks)
        for found in moments_between(zone, at, weekday=None, after=after, until=until)
    ]
    assert seen == list(moments_between(zone, at, weekday=None, after=start, until=marks[-1]))
    assert len({day for day, _ in seen}) == len(seen)
    there = ZoneInfo(zone)
    for day, moment in seen:
        local = moment.astimezone(there).replace(tzinfo=None)
        assert local == datetime.combine(day, at) or _is_first_after_a_gap(there, day, at, moment)


def _is_first_after_a_gap(there: ZoneInfo, day: date, at: time, moment: datetime) -> bool:
    """The wall clock jumped over the hour in the minute before (rules of old times had odd seconds)."""
    wanted = datetime.combine(day, at)
    before = (moment - timedelta(minutes=1)).astimezone(there).replace(tzinfo=None)
    return before < wanted < moment.astimezone(there).replace(tzinfo=None)


@given(zone=st.sampled_from(ZONES), day=st.dates(date(1975, 1, 1), date(2036, 1, 1)), hour=st.integers(0, 23))
def test_no_day_that_exists_is_left_out(zone: str, day: date, hour: int) -> None:
    begins, ends = day_begins(zone, day), day_begins(zone, day + DAY)
    moment = moment_of(zone, day, time(hour))
    if begins == ends:
        assert moment is None
    else:
        assert moment is not None
        assert begins <= moment <= ends
        assert local_date(zone, begins) == day


def test_mondays_alone() -> None:
    found = moments_between(
        "Africa/Cairo", time(9), weekday=0, after=utc("2026-11-01 00:00"), until=utc("2026-11-30 07:00")
    )
    assert [day.isoformat() for day, _ in found] == [
        "2026-11-02", "2026-11-09", "2026-11-16", "2026-11-23", "2026-11-30",
    ]  # fmt: skip
