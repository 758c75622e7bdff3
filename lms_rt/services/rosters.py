"""Who is meant by the filters of a course's roster, and the roster as a table for spreadsheets. Its pages are `enrollments.py`'s."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from documents.base import Row
from documents.course import CourseHead
from documents.enrollment import Enrollment
from documents.enums import EnrollmentStatus
from documents.names import names_of
from documents.people import ids_among
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.enrollments import RosterQuery, RosterView
from lms_rt.interchange.csv_rows import csv_lines
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.permissions import Permission
from lms_rt.services.audit import Audit
from lms_rt.services.enrollment_views import roster_view
from lms_rt.services.user_search import named_filter

TABLE_PAGE = 500
BOM = "\ufeff".encode()
"""Without it some spreadsheets take UTF-8 for something else."""
_COLUMNS = (
    "full_name", "email", "status", "group", "progress_percentage", "completed_lessons_count", "total_lessons_count",
    "total_time_spent_seconds", "enrolled_at", "last_accessed_at", "completed_at", "student_id",
)  # fmt: skip


class Rosters:
    """Rosters as tables."""

    def __init__(self, *, clock: Clock, audit: Audit) -> None:
        self._clock, self._audit = clock, audit

    async def table(self, actor: Actor, course_id: str, query: RosterQuery) -> AsyncGenerator[bytes, None]:
        """All students that the filters mean, as CSV, in the order of their ids. That it was taken is recorded."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        wanted = await roster_filter(course, query)
        await self._audit.record(actor, "course.export_roster", kind="course", target_id=course.id)
        yield (BOM if query.bom else b"") + csv_lines([_COLUMNS])
        after, now_ms = "", self._clock.now_ms()
        while found := await _page_after(wanted, after):
            people = await names_of(one.student_id for one in found)
            for one in found:
                if one.is_over(now_ms):
                    one.status = EnrollmentStatus.EXPIRED.value
            yield csv_lines(_cells(roster_view(one, course, people.get(one.student_id, {}))) for one in found)
            after = found[-1].id


async def roster_filter(course: CourseHead, query: RosterQuery) -> Row:
    """Which enrolments of a course the filters mean: by status, group, how far they came, and words of name or address."""
    asked = {"status": query.status, "group": query.group}
    wanted: Row = {"course_id": course.id, **{name: value for name, value in asked.items() if value is not None}}
    parts = [wanted]
    if query.progress is not None:
        parts.append(_PROGRESS[query.progress])
    if query.q is not None and (named := named_filter(query.q)):
        found = [one async for page in Enrollment.students_of([course.id]) for one in await ids_among(page, named)]
        parts.append({"student_id": {"$in": sorted(found)}})
    return wanted if len(parts) == 1 else {"$and": parts}


_DONE = EnrollmentStatus.COMPLETED.value
_PROGRESS: dict[str, Row] = {
    "not_started": {"started_at": {"$exists": False}, "status": {"$ne": _DONE}},
    "in_progress": {"started_at": {"$exists": True}, "status": {"$ne": _DONE}},
    "completed": {"status": _DONE},
}


async def _page_after(wanted: Row, after: str) -> list[Enrollment]:
    which = {"$and": [wanted, {"_id": {"$gt": after}}]}
    found, _ = await Enrollment.page(which, [("_id", 1)], skip=0, limit=TABLE_PAGE)
    return found


def _cells(view: RosterView) -> list[object]:
    shown = dict(view)
    shown["progress_percentage"] = hundredths_text(view.progress_percentage)
    return [rfc3339(shown[name]) if name.endswith("_at") and shown[name] else shown[name] for name in _COLUMNS]
