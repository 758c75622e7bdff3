"""The formula of deadlines, over random starts, limits, windows and accommodations, and over the hour that clocks lose or win."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import run
from lms_rt.clock import to_ms
from lms_rt.services.deadlines import (
    CLOSING_SLACK_MS,
    MINUTE_MS,
    Profile,
    closes_at_ms,
    due_deadline_ms,
    is_late,
    remaining_ms,
    sitting_of,
)

STARTS = st.integers(0, 2**41)
LIMITS = st.none() | st.integers(1, 10_080)
CLOSINGS = st.none() | st.integers(0, 2**41)
PROFILES = st.builds(
    Profile,
    factor_percent=st.integers(100, 400),
    extra_minutes=st.integers(0, 1_440),
    break_minutes=st.integers(0, 1_440),
    stretches_closing=st.booleans(),
)
GRACES = st.integers(0, 60_000)


@given(start=STARTS, limit=LIMITS, opens=CLOSINGS, closes=CLOSINGS, profile=PROFILES)
def test_the_earlier_of_limit_and_closing_time_ends_it(
    *, start: int, limit: int | None, opens: int | None, closes: int | None, profile: Profile
) -> None:
    times = sitting_of(limit_minutes=limit, opens_ms=opens, closes_ms=closes, profile=profile)
    deadline = times.deadline_ms(start)
    if limit is None and closes is None:
        assert deadline is None
        return
    assert deadline is not None
    assert deadline >= start
    if limit is not None:
        exact = start + limit * 600 * profile.factor_percent + profile.added_ms  # a percent of a minute is 600 ms
        assert deadline <= exact
    if times.closes_ms is not None:
        assert deadline <= max(start, times.closes_ms)
    assert deadline in {start, times.closes_ms} or deadline == exact


@given(start=STARTS, limit=LIMITS, opens=CLOSINGS, closes=CLOSINGS, profile=PROFILES)
def test_an_accommodation_never_takes_time_away(
    *, start: int, limit: int | None, opens: int | None, closes: int | None, profile: Profile
) -> None:
    plain = sitting_of(limit_minutes=limit, opens_ms=opens, closes_ms=closes)
    own = sitting_of(limit_minutes=limit, opens_ms=opens, closes_ms=closes, profile=profile)
    plain_deadline, own_deadline = plain.deadline_ms(start), own.deadline_ms(start)
    assert (plain_deadline is None) == (own_deadline is None)
    if plain_deadline is not None and own_deadline is not None:
        assert own_deadline >= plain_deadline
    assert (closes is None) == (own.closes_ms is None)
    if closes is not None and own.closes_ms is not None:
        assert own.closes_ms >= closes
        if not profile.stretches_closing:
            assert own.closes_ms == closes


@given(limit=LIMITS, opens=CLOSINGS, closes=CLOSINGS, stretches=st.booleans())
def test_without_more_time_nothing_is_stretched(
    *, limit: int | None, opens: int | None, closes: int | None, stretches: bool
) -> None:
    plain = sitting_of(limit_minutes=limit, opens_ms=opens, closes_ms=closes)
    profile = Profile(stretches_closing=stretches)
    assert profile.is_plain
    assert sitting_of(limit_minutes=limit, opens_ms=opens, closes_ms=closes, profile=profile) == plain


@given(start=STARTS, limit=st.integers(1, 10_080), closes=STARTS, profile=PROFILES)
def test_who_starts_when_others_must_at_the_latest_has_all_of_their_own_time(
    *, start: int, limit: int, closes: int, profile: Profile
) -> None:
    stretching = Profile(profile.factor_percent, profile.extra_minutes, profile.break_minutes, True)
    closes = max(closes, start + limit * MINUTE_MS)
    own = sitting_of(limit_minutes=limit, opens_ms=None, closes_ms=closes, profile=stretching)
    assert own.limit_ms is not None
    assert own.deadline_ms(start) == start + own.limit_ms


def at(text: str, zone: str = "UTC") -> int:
    """A local time as the clock on that wall shows it."""
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def examples() -> list[list[str]]:
    """The table of the documentation."""
    text = (Path(run.__file__).parent / "docs" / "exams.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *(?:\d+)? *\|[^\n]*\|$", text, flags=re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_documentation_has_examples_with_and_without_each_part() -> None:
    columns = list(zip(*examples(), strict=True))
    assert len(columns) == 9
    assert all(len(set(column)) > 1 for column in columns)


@pytest.mark.parametrize("row", examples(), ids=" ".join)
def test_the_worked_examples_of_the_documentation(row: list[str]) -> None:
    limit, opens, closes, factor, extra, breaks, stretches, start, deadline = row

    def today(clock: str) -> int | None:
        return at(f"2026-05-04T{clock}") if clock else None

    times = sitting_of(
        limit_minutes=int(limit) if limit else None,
        opens_ms=today(opens),
        closes_ms=today(closes),
        profile=Profile(int(factor), int(extra), int(breaks), stretches == "yes"),
    )
    assert times.deadline_ms(at(f"2026-05-04T{start}")) == today(deadline)


@pytest.mark.parametrize(
    ("zone", "opens", "start", "end", "closes"),
    [  # the hour from two to three is not there, or is there twice
        ("Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:45", "2026-03-29T03:15", "2026-03-29T04:00"),
        ("Europe/Berlin", "2026-10-25T00:00", "2026-10-25T01:45", "2026-10-25T02:15", "2026-10-25T04:00"),
        ("Africa/Cairo", "2026-04-23T22:00", "2026-04-23T23:45", "2026-04-24T01:15", "2026-04-24T03:00"),
        ("America/St_Johns", "2026-03-08T00:00", "2026-03-08T01:45", "2026-03-08T03:15", "2026-03-08T05:00"),
    ],
)
def test_half_an_hour_is_half_an_hour_when_the_clocks_change(
    *, zone: str, opens: str, start: str, end: str, closes: str
) -> None:
    times = sitting_of(limit_minutes=30, opens_ms=at(opens, zone), closes_ms=at(closes, zone))
    assert times.deadline_ms(at(start, zone)) == at(end, zone) == at(start, zone) + 30 * MINUTE_MS


def test_a_window_over_the_change_is_stretched_by_what_really_passes() -> None:
    profile = Profile(200, stretches_closing=True)
    opens, closes = at("2026-03-29T01:00", "Europe/Berlin"), at("2026-03-29T04:00", "Europe/Berlin")
    times = sitting_of(limit_minutes=None, opens_ms=opens, closes_ms=closes, profile=profile)
    assert closes - opens == 120 * MINUTE_MS
    assert times.closes_ms == at("2026-03-29T06:00", "Europe/Berlin")


@given(STARTS, GRACES)
def test_what_arrives_in_the_grace_counts_and_is_written_before_the_closing(deadline: int, grace: int) -> None:
    assert not is_late(deadline + grace, deadline, grace)
    assert is_late(deadline + grace + 1, deadline, grace)
    assert not is_late(deadline, None, grace)
    assert closes_at_ms(deadline, grace) == deadline + grace + CLOSING_SLACK_MS


@given(STARTS, GRACES, st.integers(-5_000, 5_000))
def test_the_closing_filter_is_the_moment_of_closing(deadline: int, grace: int, offset: int) -> None:
    now = closes_at_ms(deadline, grace) + offset
    assert (deadline <= due_deadline_ms(now, grace)) == (offset >= 0)


@given(CLOSINGS, STARTS, st.none() | STARTS)
def test_time_left_is_never_negative_and_stands_still_while_paused(
    deadline: int | None, now: int, paused: int | None
) -> None:
    left = remaining_ms(deadline, now, paused_at_ms=paused)
    if deadline is None:
        assert left is None
    else:
        assert left == max(0, deadline - (now if paused is None else paused))
