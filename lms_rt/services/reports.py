"""The weekly report: what each learner of a timezone did in the week that ended there last night. How mails leave: `mails.py`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from documents.base import Row
from documents.course import CourseHead
from documents.enrollment import PRESENT, Enrollment, is_present_row
from documents.enums import EnrollmentStatus
from lms_rt.clock import Clock
from lms_rt.contracts.jobs import LocalDayArgs, MailArgs
from lms_rt.contracts.mails import CourseProgress, WeeklyProgress
from lms_rt.services.jobs import Jobs
from lms_rt.services.learners import (
    by_student,
    course_link,
    done_lessons,
    is_too_late,
    pages_of_zone,
    progress_text,
    shown_courses,
)
from lms_rt.services.local_days import day_begins, moment_of

DUE = time(9)
MAX_COURSES = 50
_DAYS = 7

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Week:
    """The week that is told of, its days from `begin` to before `end`; `due_at` the report was to be written."""

    first_day: date
    last_day: date
    begin: datetime
    end: datetime
    due_at: datetime

    @classmethod
    def that_ended(cls, timezone: str, day: date) -> _Week:
        """The one before this day there."""
        first, end = day - timedelta(days=_DAYS), day_begins(timezone, day)
        due_at = moment_of(timezone, day, DUE) or end
        return cls(first, day - timedelta(days=1), day_begins(timezone, first), end, due_at)


class Reports:
    """Asks for the mails of a week's report."""

    def __init__(self, *, clock: Clock, jobs: Jobs) -> None:
        self._clock, self._jobs = clock, jobs

    async def order_weekly(self, args: LocalDayArgs) -> int:
        """One mail for everybody there with an active enrolment; how many. Again asks for the same ones."""
        day, ordered = date.fromisoformat(args.date), 0
        if is_too_late(args.timezone, day, DUE, self._clock.now()):
            _log.warning("the weekly report of %s for %s is not sent: it was due more than a day ago", *_named(args))
            return 0
        week = _Week.that_ended(args.timezone, day)
        async for student_ids in pages_of_zone(args.timezone):
            rows = await Enrollment.rows_of_students(student_ids, PRESENT)
            courses = await shown_courses(rows)
            own = by_student(rows, courses)
            made = {student_id: self._report(own[student_id], courses, week) for student_id in own}
            reports = {student_id: report for student_id, report in made.items() if report is not None}
            await self._jobs.put_all("mail.send", dict(_order(one, day, report) for one, report in reports.items()))
            ordered += len(reports)
        return ordered

    def _report(self, rows: Sequence[Row], courses: dict[str, CourseHead], week: _Week) -> WeeklyProgress | None:
        """None for whoever has no active enrolment, or had none when the report was due."""
        now_ms, begin, end = self._clock.now_ms(), week.begin, week.end
        active = [row for row in rows if _is_active(row, now_ms) and row["enrolled_at"] <= week.due_at]
        if not active:
            return None
        finished = [row for row in rows if (at := row.get("completed_at")) is not None and begin <= at < end]
        told = [*active, *(row for row in finished if row not in active)]
        told.sort(key=lambda row: row.get("last_accessed_at") or row["enrolled_at"], reverse=True)
        return WeeklyProgress(
            first_day=week.first_day,
            last_day=week.last_day,
            lessons_completed=sum(_completed_between(row, courses[row["course_id"]], begin, end) for row in told),
            courses=[_course(row, courses[row["course_id"]]) for row in told[:MAX_COURSES]],
        )


def _order(student_id: str, day: date, report: WeeklyProgress) -> tuple[str, dict[str, Any]]:
    """The job's id and its arguments."""
    mail = MailArgs(template="weekly_progress", user_id=student_id, data=report.model_dump(mode="json"))
    return f"weekly:{student_id}:{day.isoformat()}", mail.model_dump()


def _named(args: LocalDayArgs) -> tuple[str, str]:
    return args.timezone, args.date


def _is_active(row: Row, now_ms: int) -> bool:
    return row["status"] == EnrollmentStatus.ACTIVE and is_present_row(row, now_ms)


def _completed_between(row: Row, course: CourseHead, begin: datetime, end: datetime) -> int:
    progress = row.get("progress", {})
    moments = (progress.get(lesson_id, {}).get("completed_at") for lesson_id in course.published_lesson_ids)
    return sum(moment is not None and begin <= moment < end for moment in moments)


def _course(row: Row, course: CourseHead) -> CourseProgress:
    return CourseProgress(
        title=course.title,
        progress_percentage=progress_text(row, course),
        lessons_completed=done_lessons(row, course),
        lessons_total=len(course.published_lesson_ids),
        link=course_link(course),
    )
