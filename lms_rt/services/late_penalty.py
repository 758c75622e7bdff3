"""What being late costs: pure arithmetic on stored facts, never stored itself. `docs/assignments.md` has worked examples.

A day of lateness begins with the due moment, and each following one at the same time by the wall clock of the assignment's
timezone: a day on which clocks change has 23 or 25 hours, and is one day. Each day begun takes the percentage off what the
work is worth; more than all of it cannot go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from lms_rt.services.local_days import moment_of, zone_of

WHOLE = 10_000
"""A hundred percent, in hundredths."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one student: until when, and whether later is taken at all."""

    due_at: datetime | None
    allows_late: bool
    penalty_per_day: int
    timezone: str
    is_own: bool
    """Is it another date than everybody's?"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a submission comes to. Percentages and grades are hundredths; `grade` is None until somebody graded."""

    terms: Terms
    is_late: bool
    late_days: int
    penalty: int
    raw_grade: int | None
    grade: int | None


def terms_of(assignment: Mapping[str, Any], student_id: str, group: str | None) -> Terms:
    """What holds for this student: what is theirs alone before what is their group's, else what is everybody's."""
    own = _override(assignment, student_id, group)
    due_at = assignment.get("due_date") if own is None else own.get("due_date")
    allows = None if own is None else own.get("allow_late_submission")
    return Terms(
        due_at=due_at,
        allows_late=bool(assignment.get("allow_late_submission")) if allows is None else allows,
        penalty_per_day=assignment.get("late_penalty", 0),
        timezone=assignment.get("timezone", "UTC"),
        is_own=own is not None,
    )


def standing_of(terms: Terms, submitted_at: datetime | None, raw_grade: int | None) -> Standing:
    """What comes off, and what is left."""
    days = 0 if submitted_at is None else late_days(submitted_at, terms.due_at, terms.timezone)
    penalty = min(WHOLE, days * terms.penalty_per_day)
    grade = None if raw_grade is None else reduced(raw_grade, penalty)
    return Standing(terms, is_late=days > 0, late_days=days, penalty=penalty, raw_grade=raw_grade, grade=grade)


def standing(assignment: Mapping[str, Any], submission: Mapping[str, Any], *, group: str | None) -> Standing:
    """The same from the stored rows; `group` is that of the student's enrolment."""
    terms = terms_of(assignment, submission["student_id"], group)
    return standing_of(terms, submission.get("submitted_at"), submission.get("raw_grade"))


def reduced(raw_grade: int, penalty: int) -> int:
    """The grade less so many hundredths of a percent of it, rounded half up to hundredths, never below nothing."""
    left = raw_grade * max(0, WHOLE - penalty)
    return (2 * left + WHOLE) // (2 * WHOLE)


def late_days(submitted_at: datetime, due_at: datetime | None, timezone: str) -> int:
    """How many days of lateness have begun: none at the due moment itself, one a millisecond later."""
    if due_at is None or submitted_at <= due_at:
        return 0
    days = max(1, (submitted_at - due_at) // _DAY - 1)
    while _after_days(due_at, days, timezone) < submitted_at:
        days += 1
    return days


def _after_days(due_at: datetime, days: int, timezone: str) -> datetime:
    """So many days later by the wall clock there."""
    wall = due_at.astimezone(zone_of(timezone))
    return _at(timezone, wall.date() + days * _DAY, wall.time().replace(fold=0))


def _at(timezone: str, day: date, at: time) -> datetime:
    """That time on that day there; where a country left the day out, on the next one."""
    while (moment := moment_of(timezone, day, at)) is None:
        day += _DAY
    return moment


def _override(assignment: Mapping[str, Any], student_id: str, group: str | None) -> Mapping[str, Any] | None:
    rows = assignment.get("overrides") or ()
    for row in rows:
        if row.get("student_id") == student_id:
            return dict(row)
    if group is None:
        return None
    return next((dict(row) for row in rows if row.get("group") == group), None)
