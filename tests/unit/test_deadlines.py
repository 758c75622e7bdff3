"""The formula of deadlines, over random starts, limits, closing times and accommodations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lms_rt.services.deadlines import (
    CLOSING_SLACK_MS,
    closes_at_ms,
    deadline_of,
    due_deadline_ms,
    is_late,
    remaining_ms,
)

STARTS = st.integers(0, 2**41)
LIMITS = st.none() | st.integers(1, 10_080)
CLOSINGS = st.none() | st.integers(0, 2**41)
FACTORS = st.integers(100, 300)
EXTRAS = st.integers(0, 7_200_000)
GRACES = st.integers(0, 60_000)


@given(start=STARTS, limit=LIMITS, closes=CLOSINGS, factor=FACTORS, extra=EXTRAS)
def test_the_earlier_of_limit_and_closing_time_ends_it(
    *, start: int, limit: int | None, closes: int | None, factor: int, extra: int
) -> None:
    deadline = deadline_of(start, limit_minutes=limit, closes_ms=closes, factor_percent=factor, extra_ms=extra)
    if limit is None and closes is None:
        assert deadline is None
        return
    assert deadline is not None
    assert deadline >= start
    exact = None if limit is None else start + limit * 60_000 * factor / 100 + extra
    if exact is not None:
        assert deadline < exact + 1
    if closes is not None:
        assert deadline <= max(start, closes)
    assert deadline in {start, closes} or (exact is not None and exact <= deadline)


@given(STARTS, st.integers(1, 10_080), FACTORS, EXTRAS)
def test_an_accommodation_never_takes_time_away(start: int, limit: int, factor: int, extra: int) -> None:
    plain = deadline_of(start, limit_minutes=limit, closes_ms=None)
    stretched = deadline_of(start, limit_minutes=limit, closes_ms=None, factor_percent=factor, extra_ms=extra)
    assert plain == start + limit * 60_000
    assert stretched is not None
    assert stretched >= plain


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
