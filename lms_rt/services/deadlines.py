"""The one formula of deadlines, and what follows from a deadline: time left, lateness, the moment of closing.

Everything is epoch milliseconds; None means untimed. No clock and no database. `docs/exams.md` publishes the formula.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_MS = 60_000
CLOSING_SLACK_MS = 1_000
"""An attempt closes so long after the grace, so that what arrived in time is written first."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An accommodation as the formula takes it; as it stands here, none at all."""

    factor_percent: int = 100
    extra_minutes: int = 0
    break_minutes: int = 0
    stretches_closing: bool = False

    @property
    def added_ms(self) -> int:
        """Minutes that are added as they are, whatever the limit is. Breaks are time like any other, only shown apart."""
        return (self.extra_minutes + self.break_minutes) * MINUTE_MS

    @property
    def is_plain(self) -> bool:
        """Does it change nothing?"""
        return self.factor_percent == 100 and not self.added_ms


NO_PROFILE = Profile()


@dataclass(frozen=True, slots=True)
class Sitting:
    """The times of a quiz for one student: the limit with everything that is added, and their closing time."""

    limit_ms: int | None
    closes_ms: int | None

    def deadline_ms(self, started_ms: int) -> int | None:
        """Until when one who starts then may answer: the earlier of both, and never before the start."""
        ends = [self.closes_ms] if self.closes_ms is not None else []
        if self.limit_ms is not None:
            ends.append(started_ms + self.limit_ms)
        return max(started_ms, min(ends)) if ends else None


def sitting_of(
    *, limit_minutes: int | None, opens_ms: int | None, closes_ms: int | None, profile: Profile = NO_PROFILE
) -> Sitting:
    """The times as they apply to a student with this profile. Nothing is ever rounded away: all of it is whole milliseconds.

    limit = limit × factor + extra + breaks. A profile that stretches the closing time moves it by what the limit grew; where
    there is no limit, by what the window from opening to closing would grow (without an opening: by extra and breaks).
    """
    limit_ms = None if limit_minutes is None else _stretched_ms(limit_minutes * MINUTE_MS, profile)
    if closes_ms is None or not profile.stretches_closing:
        return Sitting(limit_ms, closes_ms)
    if limit_minutes is not None and limit_ms is not None:
        return Sitting(limit_ms, closes_ms + limit_ms - limit_minutes * MINUTE_MS)
    window_ms = 0 if opens_ms is None else max(0, closes_ms - opens_ms)
    return Sitting(None, closes_ms + _stretched_ms(window_ms, profile) - window_ms)


def _times(span_ms: int, factor_percent: int) -> int:
    return -(-span_ms * factor_percent // 100)


def _stretched_ms(span_ms: int, profile: Profile) -> int:
    return _times(span_ms, profile.factor_percent) + profile.added_ms


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
