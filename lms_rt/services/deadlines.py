"""The one formula of deadlines, and what follows from a deadline: time left, lateness, the moment of closing.

Everything is epoch milliseconds; None means untimed. No clock and no database.
"""

from __future__ import annotations

MINUTE_MS = 60_000
CLOSING_SLACK_MS = 1_000
"""An attempt closes so long after the grace, so that what arrived in time is written first."""


def deadline_of(
    started_ms: int, *, limit_minutes: int | None, closes_ms: int | None, factor_percent: int = 100, extra_ms: int = 0
) -> int | None:
    """min(start + limit × accommodation + extra, closing time as it applies to this student).

    `factor_percent` is the accommodation (125: a quarter more), rounded up to the millisecond in favour of the student.
    """
    ends = [closes_ms] if closes_ms is not None else []
    if limit_minutes is not None:
        ends.append(started_ms + -(-limit_minutes * MINUTE_MS * factor_percent // 100) + extra_ms)
    return max(started_ms, min(ends)) if ends else None


def is_late(received_ms: int, deadline_ms: int | None, grace_ms: int) -> bool:
    """Did it arrive too late to count?"""
    return deadline_ms is not None and received_ms > deadline_ms + grace_ms


def closes_at_ms(deadline_ms: int, grace_ms: int) -> int:
    """When an attempt with this deadline is closed."""
    return deadline_ms + grace_ms + CLOSING_SLACK_MS


def due_deadline_ms(now_ms: int, grace_ms: int) -> int:
    """Deadlines up to this one are to be closed at `now_ms`."""
    return now_ms - grace_ms - CLOSING_SLACK_MS


def remaining_ms(deadline_ms: int | None, now_ms: int, *, paused_at_ms: int | None = None) -> int | None:
    """The time left, never negative; while paused it stands still."""
    if deadline_ms is None:
        return None
    return max(0, deadline_ms - (now_ms if paused_at_ms is None else paused_at_ms))
