"""Reminders: once a day, learners of a timezone are told which of their courses have waited for 7, 14 or 28 of their days."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from documents.base import Row
from documents.course import CourseHead
from documents.enrollment import Enrollment, is_present_row
from lms_rt.clock import Clock
from lms_rt.contracts.jobs import LocalDayArgs, MailArgs
from lms_rt.contracts.mails import CourseReminder, RestingCourse
from lms_rt.services.jobs import Jobs
from lms_rt.services.learners import by_student, course_link, is_too_late, pages_of_zone, progress_text, shown_courses
from lms_rt.services.local_days import day_begins, local_date

DUE = time(10)
DAYS_AWAY = (7, 14, 28)
"""None after these: who has not come back by then is left in peace."""
MAX_COURSES = 50

_log = logging.getLogger(__name__)


class Reminders:
    """Asks for the mails of a day's reminders."""

    def __init__(self, *, clock: Clock, jobs: Jobs) -> None:
        self._clock, self._jobs = clock, jobs

    async def order_daily(self, args: LocalDayArgs) -> int:
        """One mail for everybody there whose courses wait; how many. Again asks for the same ones."""
        day, ordered = date.fromisoformat(args.date), 0
        if is_too_late(args.timezone, day, DUE, self._clock.now()):
            _log.warning("reminders of %s for %s are not sent: due more than a day ago", args.timezone, args.date)
            return 0
        spans = [_day_there(args.timezone, day - timedelta(days=days)) for days in DAYS_AWAY]
        async for student_ids in pages_of_zone(args.timezone):
            found = await Enrollment.rows_rested(student_ids, spans)
            rows = [row for row in found if is_present_row(row, self._clock.now_ms())]
            courses = await shown_courses(rows)
            own = by_student(rows, courses)
            await self._jobs.put_all("mail.send", dict(_order(one, args, own[one], courses) for one in own))
            ordered += len(own)
        return ordered


def _order(
    student_id: str, args: LocalDayArgs, rows: Sequence[Row], courses: dict[str, CourseHead]
) -> tuple[str, dict[str, Any]]:
    """The job's id and its arguments."""
    day = date.fromisoformat(args.date)
    resting = [_resting(row, courses[row["course_id"]], _days_away(row, args.timezone, day)) for row in rows]
    resting.sort(key=lambda one: (one.days_away, one.title))
    reminder = CourseReminder(courses=resting[:MAX_COURSES])
    mail = MailArgs(template="course_reminder", user_id=student_id, data=reminder.model_dump(mode="json"))
    return f"reminder:{student_id}:{args.date}", mail.model_dump()


def _day_there(timezone: str, day: date) -> tuple[datetime, datetime]:
    return day_begins(timezone, day), day_begins(timezone, day + timedelta(days=1))


def _days_away(row: Row, timezone: str, day: date) -> int:
    return (day - local_date(timezone, row.get("last_accessed_at") or row["enrolled_at"])).days


def _resting(row: Row, course: CourseHead, days_away: int) -> RestingCourse:
    return RestingCourse(
        title=course.title,
        progress_percentage=progress_text(row, course),
        days_away=days_away,
        link=course_link(course),
    )
