"""Groups of a course: who sits together. A control of an exam can be for one group; an attempt keeps the group of its start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from documents.assignment import Assignment
from documents.enrollment import Enrollment, enrollment_id_of
from lms_rt.clock import Clock
from lms_rt.contracts.accommodations import GroupingDraft, GroupingView, GroupView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, PageQuery, page_of
from lms_rt.contracts.outbox import Write, job
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.permissions import Permission
from lms_rt.services.assignments import RETELL_TASK
from lms_rt.services.audit import Audit
from lms_rt.services.relay import Relay
from lms_rt.storage.faults import again_on_conflict

_NAMED = 100


class Groups:
    """Puts the students of a course into groups."""

    def __init__(self, *, clock: Clock, relay: Relay, audit: Audit) -> None:
        self._clock, self._relay, self._audit = clock, relay, audit

    async def list(self, actor: Actor, course_id: str, query: PageQuery) -> Page[GroupView]:
        """The groups of a course by name, those in none last."""
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        counted = await Enrollment.count_groups(course.id)
        ordered = sorted(counted.items(), key=lambda item: (item[0] is None, item[0] or ""))
        shown = [GroupView(group=group, students_count=count) for group, count in ordered]
        return page_of(shown[query.skip : query.skip + query.page_size], query, len(shown))

    async def find(self, actor: Actor, course_id: str, wanted: str, *, limit: int) -> Sequence[str]:
        """The groups of a course that have `wanted` in their names, by name."""
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        counted = await Enrollment.count_groups(course.id)
        named = sorted(group for group in counted if group is not None and wanted.casefold() in group.casefold())
        return named[:limit]

    async def assign(self, actor: Actor, course_id: str, draft: GroupingDraft) -> tuple[GroupingView, bool]:
        """Put these students into a group, or (null) into none, and whether it is a new one.

        Who is not in the course is named, and nobody is moved.
        """
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        student_ids = list(dict.fromkeys(draft.student_ids))
        enrollment_ids = [enrollment_id_of(student_id, course.id) for student_id in student_ids]
        known = await Enrollment.find_known(enrollment_ids)
        unknown = [
            FieldError(f"student_ids.{place}", "The course has no such student.", "unknown")
            for place, enrollment_id in enumerate(enrollment_ids)
            if enrollment_id not in known
        ]
        if unknown:
            raise Refused(Code.VALIDATION_FAILED, fields=unknown[:_NAMED])
        is_new = draft.group is not None and not await Enrollment.has_group(course.id, draft.group)
        after = {"group": draft.group, "student_ids": student_ids}
        await self._audit.record(actor, "course.group", kind="course", target_id=course.id, after=after)
        await put_into_group(self._relay, course.id, enrollment_ids, draft.group, now=self._clock.now())
        return GroupingView(group=draft.group, student_ids=student_ids), is_new


async def put_into_group(
    relay: Relay, course_id: str, enrollment_ids: Sequence[str], group: str | None, *, now: datetime
) -> None:
    """Put them there. Where groups have dates of their own, grades may be others by it: whose are is told so by a job."""
    write = Write(0, now)
    dated = await Assignment.has_group_dates(course_id)
    told = [job(write, RETELL_TASK, {"assignment_id": assignment_id}) for assignment_id in dated]
    await again_on_conflict(partial(Enrollment.put_into_group, enrollment_ids, group, intents=told, at=now))
    for enrollment_id in enrollment_ids if told else ():
        await relay.hand_over(Enrollment, enrollment_id)
