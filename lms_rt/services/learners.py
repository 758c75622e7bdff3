"""The learners of a timezone, in pages, and how far each is: what the weekly report and the reminders both look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, datetime, time

from documents.base import Row
from documents.course import Course, CourseHead
from documents.enums import ProgressStatus
from documents.user import User
from lms_rt.contracts.base import hundredths_text
from lms_rt.services.learning import percentage
from lms_rt.services.local_days import moment_of
from lms_rt.services.schedules import LATEST

PAGE = 100
IDS_AT_ONCE = 5_000
"""Who lives in a zone is asked for less often than what they learn: the embedded store walks through everybody each time."""


async def pages_of_zone(timezone: str) -> AsyncIterator[list[str]]:
    """The ids of all accounts there that are in use, a page at a time."""
    after = ""
    while ids := await User.ids_in_timezone(timezone, after=after, limit=IDS_AT_ONCE):
        for start in range(0, len(ids), PAGE):
            yield ids[start : start + PAGE]
        if len(ids) < IDS_AT_ONCE:
            return
        after = ids[-1]


async def shown_courses(rows: Iterable[Row]) -> dict[str, CourseHead]:
    """The courses of these enrolments that students can open, by id."""
    heads = await Course.heads(row["course_id"] for row in rows)
    return {course_id: head for course_id, head in heads.items() if head.is_published and not head.is_archived}


def by_student(rows: Iterable[Row], courses: Mapping[str, CourseHead]) -> dict[str, list[Row]]:
    """The enrolments in these courses, by student."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["course_id"] in courses:
            found.setdefault(row["student_id"], []).append(row)
    return found


def is_too_late(timezone: str, day: date, at: time, now: datetime) -> bool:
    """Is what was due there at that time of that day not to be sent any more?"""
    due_at = moment_of(timezone, day, at)
    return due_at is None or now - due_at > LATEST


def done_lessons(row: Row, course: CourseHead) -> int:
    """How many of the course's published lessons this enrolment has completed."""
    progress = row.get("progress", {})
    return sum(
        progress.get(lesson_id, {}).get("status") == ProgressStatus.COMPLETED
        for lesson_id in course.published_lesson_ids
    )


def progress_text(row: Row, course: CourseHead) -> str:
    """The same as a percentage for people."""
    return hundredths_text(percentage(done_lessons(row, course), len(course.published_lesson_ids)))


def course_link(course: CourseHead) -> str:
    """Where a student goes on."""
    return f"/learn/{course.slug}"
