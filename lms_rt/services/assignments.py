"""Assignments: making, showing, changing and removing them, with the other dates that some students have.

What students hand in is `assignment_work.py`'s, grades `assignment_grading.py`'s. Moving a date writes no grade: what comes off
follows from the dates. Whose grade is another one by it is told so by a job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from documents.assignment import Assignment
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment, enrollment_id_of
from documents.names import names_of
from documents.stored_file import FileUse
from documents.submission import Submission
from documents.user import User
from lms_rt import ids
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.assignments import (
    AssignmentChange,
    AssignmentDraft,
    AssignmentQuery,
    AssignmentView,
    OverrideDraft,
)
from lms_rt.contracts.base import Page, hundredths_text, page_of, refuse_changed_read_only
from lms_rt.contracts.outbox import Deed, Intent, Write, job
from lms_rt.contracts.rubrics import RubricDraft
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.assignments import GRADING, require_assignment, require_taught_assignment
from lms_rt.security.access.courses import is_visible, may_teach, require_taught_course, teaches
from lms_rt.security.access.lessons import is_lesson_shown, lock_of, there_for_students
from lms_rt.services.assignment_views import assignment_view, your_view
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.gradebook_moves import told_of_item
from lms_rt.services.pictures import Pictures
from lms_rt.services.relay import Relay

RETELL_TASK = "assignments.retell"
_DATES = frozenset({"due_date", "timezone", "late_penalty", "overrides"})
"""What a grade that counts follows from, beside the facts of the submission."""
_DONE_ALREADY = "Work was handed in; archive the assignment instead."


class Assignments:
    """What teachers do with their assignments, and students see of them."""

    def __init__(self, *, clock: Clock, relay: Relay, pictures: Pictures | None = None) -> None:
        self._clock, self._relay, self._pictures = clock, relay, pictures

    async def create(self, actor: Actor, draft: AssignmentDraft) -> AssignmentView:
        """Make an assignment: students see it at once, unless it is said to be a draft."""
        course = await require_taught_course(actor, draft.course_id, GRADING)
        fields = _stored({name: getattr(draft, name) for name in AssignmentDraft.model_fields})
        await _check(course, fields, fields)
        now = self._clock.now()
        row: Row = {
            "_id": ids.new_id("asg"),
            **{name: value for name, value in fields.items() if value is not None},
            "timezone": draft.timezone or await _timezone_of(actor.user_id),
            "course_id": course.id,
            "instructor_id": course.instructor_id,
            "is_archived": False,
            "salt": ids.random_token(),
            "version": 1,
            "created_at": now,
            "updated_at": now,
            "outbox": [],
        }
        await self._attach(actor, row, fields)
        write = Write(1, now)
        told = Deed(actor, "assignment.create").intents(write, row["_id"], after=draft.model_dump())
        if told := told + _follow_up({}, row, write):
            row |= {"outbox": told, "outbox_at": now}
        await Assignment.add(row)
        if told:
            await self._relay.hand_over(Assignment, row["_id"])
        return await _taught_view(row)

    async def list(self, actor: Actor, query: AssignmentQuery) -> Page[AssignmentView]:
        """The assignments of the courses that the actor teaches, and the published ones of those they are enrolled in."""
        scope = await self._scope(actor, query.course_id)
        if scope is None:
            return page_of([], query, 0)
        wanted: Row = {"$and": [{"is_archived": query.is_archived}, scope]}
        for name in ("lesson_id", "is_published"):
            if (value := getattr(query, name)) is not None:
                wanted["$and"].append({name: value})
        field, order = query.sort.lstrip("-"), -1 if query.sort.startswith("-") else 1
        rows, total = await Assignment.find_page(
            wanted, [(field, order), ("_id", order)], skip=query.skip, limit=query.page_size
        )
        return page_of(await self._views(actor, rows), query, total)

    async def due(self, actor: Actor, *, limit: int) -> Sequence[AssignmentView]:
        """What the actor can still hand in and has not, the next to be due by their own dates first."""
        learned = await Enrollment.present_course_ids(actor.user_id, self._clock.now_ms())
        heads = {
            course_id: head
            for course_id, head in (await Course.heads(learned)).items()
            if is_visible(actor, head) and not teaches(actor, head)
        }
        rows = await Assignment.find_of_courses(heads)
        shown = [row for row in rows if is_lesson_shown(heads[row["course_id"]], row.get("lesson_id"))]
        waiting = [
            (view.yours.due_date, view)
            for view in await self._views(actor, shown)
            if view.yours is not None and view.yours.can_submit and view.yours.state in ("none", "draft")
        ]
        waiting.sort(key=lambda pair: (pair[0] is None, pair[0] or self._clock.now(), pair[1].id))
        return [view for _, view in waiting[:limit]]

    async def titles(self, listed: Sequence[AssignmentView]) -> dict[str, str]:
        """What the courses of these are called, by id."""
        heads = await Course.heads({one.course_id for one in listed})
        return {course_id: head.title for course_id, head in heads.items()}

    async def show(self, actor: Actor, assignment_id: str) -> AssignmentView:
        """One assignment: to a student with their own dates and how far they are."""
        access = await require_assignment(actor, assignment_id, now_ms=self._clock.now_ms())
        if access.is_taught:
            return await _taught_view(access.assignment)
        return (await self._views(actor, [access.assignment]))[0]

    async def show_taught(self, actor: Actor, assignment_id: str) -> AssignmentView:
        """One of the actor's own, for who grades there: to everybody else it is not there."""
        return await _taught_view((await require_taught_assignment(actor, assignment_id, GRADING)).assignment)

    async def change(
        self, actor: Actor, assignment_id: str, change: AssignmentChange, *, expected_version: int | None = None
    ) -> AssignmentView:
        """Change what was sent."""
        access = await require_taught_assignment(actor, assignment_id, GRADING)
        refuse_other_version(access.assignment["version"], expected_version)
        refuse_changed_read_only(change, await _taught_view(access.assignment))
        fields = _stored(change.given())
        await _check(access.course, {**access.assignment, **fields}, fields)
        await _check_work(access.assignment, fields)
        await self._attach(actor, access.assignment, fields)
        deed = Deed(actor, "assignment.change", assignment_id)
        view = await self._write(assignment_id, fields, expected_version, deed)
        if self._pictures is not None and "description" in fields:
            await self._pictures.keep_of_text(FileUse.ASSIGNMENT, assignment_id, view.description)
        return view

    async def remove(
        self, actor: Actor, assignment_id: str, *, archive: bool = False, expected_version: int | None = None
    ) -> None:
        """Remove one for which nobody has done anything, or put it away."""
        await require_taught_assignment(actor, assignment_id, GRADING)
        if archive:
            fields, deed = (
                {"is_published": False, "is_archived": True},
                Deed(actor, "assignment.archive", assignment_id),
            )
            await self._write(assignment_id, fields, expected_version, deed)
            return
        if await Submission.has_any(assignment_id):
            raise Refused(Code.CONFLICT, _DONE_ALREADY)
        # Unpublished first, unless somebody began: who would begin a moment later finds nothing (`Assignment.begin`).
        deed = Deed(actor, "assignment.remove", assignment_id)
        view = await self._write(assignment_id, {"is_published": False}, expected_version, deed, is_unbegun=True)
        await self._relay.empty(Assignment, assignment_id)
        if not await Assignment.remove_at(assignment_id, view.version):
            raise Refused(Code.BUSY, retry_after_seconds=1)

    # --- how ---

    async def _attach(self, actor: Actor, row: Row, fields: Row) -> None:
        """Let the files that its text names be used for it."""
        if self._pictures is not None:
            named, use = fields.get("description"), FileUse.ASSIGNMENT
            await self._pictures.attach_to_text(actor, row["course_id"], named, use=use, subject_id=row["_id"])

    async def _scope(self, actor: Actor, course_id: str | None) -> Row | None:
        """The assignments that the actor may know of; None: none at all."""
        if course_id is None:
            return {} if actor.is_admin else await self._scope_of_all(actor)
        course = await Course.find_head(course_id)
        if course is not None and teaches(actor, course):
            return {"course_id": course.id}
        enrollment = await Enrollment.find_of(actor.user_id, course_id if course is None else course.id)
        is_inside = enrollment is not None and enrollment.is_present(self._clock.now_ms())
        if course is None or not is_inside or not is_visible(actor, course):
            return None
        return there_for_students([course])

    async def _scope_of_all(self, actor: Actor) -> Row:
        taught = await Course.ids_of_instructor(actor.user_id) if may_teach(actor) else []
        learned = await Enrollment.present_course_ids(actor.user_id, self._clock.now_ms())
        shown = [head for head in (await Course.heads(learned)).values() if is_visible(actor, head)]
        return {"$or": [{"course_id": {"$in": taught}}, there_for_students(shown)]}

    async def _views(self, actor: Actor, rows: Sequence[Row]) -> Sequence[AssignmentView]:
        """With counts those of courses that the actor teaches, the others as they stand for the actor."""
        heads = await Course.heads({row["course_id"] for row in rows})
        taught = {course_id for course_id, head in heads.items() if teaches(actor, head)}
        counts = await Submission.counts_of([row["_id"] for row in rows if row["course_id"] in taught])
        learned = [row for row in rows if row["course_id"] not in taught]
        work = await Submission.find_of_student(actor.user_id, [row["_id"] for row in learned])
        enrolled = {
            course_id: await Enrollment.find_of(actor.user_id, course_id)
            for course_id in {row["course_id"] for row in learned}
        }
        now = self._clock.now()
        return [
            assignment_view(row, names={}, counts=counts.get(row["_id"], (0, 0)))
            if row["course_id"] in taught
            else _learned_view(
                row,
                heads[row["course_id"]],
                work.get(row["_id"]),
                student_id=actor.user_id,
                enrollment=enrolled[row["course_id"]],
                now=now,
            )
            for row in rows
        ]

    async def _write(
        self,
        assignment_id: str,
        fields: Row,
        expected_version: int | None,
        deed: Deed,
        *,
        is_unbegun: bool = False,
    ) -> AssignmentView:
        row = await until_written(
            lambda: self._try_to_write(assignment_id, fields, expected_version, deed, is_unbegun=is_unbegun)
        )
        if row.pop("has_intents", False):
            await self._relay.hand_over(Assignment, assignment_id)
        return await _taught_view(row)

    async def _try_to_write(
        self, assignment_id: str, fields: Row, expected_version: int | None, deed: Deed, *, is_unbegun: bool
    ) -> Row | None:
        """One compare-and-set: the row as it now is, or None when somebody was faster. `is_unbegun`: while nobody began."""
        row = await Assignment.find_row(assignment_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        if is_unbegun and row.get("is_begun"):
            raise Refused(Code.CONFLICT, _DONE_ALREADY)
        refuse_other_version(row["version"], expected_version)
        changed = {name: value for name, value in fields.items() if row.get(name) != value}
        if not changed:
            return row
        now = self._clock.now()
        after, write = {**row, **changed}, Write(row["version"] + 1, now)
        was = {name: row.get(name) for name in changed}
        intents = _follow_up(row, after, write) + deed.intents(write, before=was, after=changed)
        which = {"is_begun": {"$ne": True}} if is_unbegun else {}
        if not await Assignment.change_at(assignment_id, row["version"], changed, intents=intents, at=now, **which):
            return None
        return {**after, "version": write.version, "updated_at": now, "has_intents": bool(intents)}


def _learned_view(
    row: Row,
    course: CourseHead,
    work: Row | None,
    *,
    student_id: str,
    enrollment: Enrollment | None,
    now: datetime,
) -> AssignmentView:
    lesson_id, group = row.get("lesson_id"), None if enrollment is None else enrollment.group
    lock = None if lesson_id is None else lock_of(course, lesson_id, enrollment, now)
    yours = your_view(row, work, student_id=student_id, group=group, now=now)
    return assignment_view(row, yours=yours, lock=lock)


def _follow_up(before: Mapping[str, Any], after: Row, write: Write) -> list[Intent]:
    """The jobs that follow: lessons may ask for more or less by it, and grades may be others."""
    intents: list[Intent] = []
    was, is_now = _bars(before), _bars(after)
    if was is not None and was != is_now:
        intents.append(job(write, "progress.recalculate", {"course_id": after["course_id"]}))
    if before and any(before.get(name) != after.get(name) for name in _DATES):
        intents.append(job(write, RETELL_TASK, {"assignment_id": after["_id"]}))
    return intents + told_of_item(write, before, after)


def _bars(row: Mapping[str, Any]) -> str | None:
    """The lesson that cannot be completed before this is handed in."""
    return row.get("lesson_id") if row.get("is_published") else None


def _stored(given: Mapping[str, Any]) -> Row:
    """Fields of a draft or a change as they are stored."""
    stored = dict(given)
    if "late_penalty_percentage" in stored:
        stored["late_penalty"] = stored.pop("late_penalty_percentage")
    if "overrides" in stored:
        drafts: Sequence[OverrideDraft] = stored["overrides"]
        stored["overrides"] = [one.stored() for one in drafts]
    rubric = stored.get("rubric")
    if isinstance(rubric, RubricDraft):
        stored["rubric"] = rubric.stored(lambda: ids.new_id("rub"))
    return stored


async def _check(course: CourseHead, after: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """What cannot be said by one field alone. Only what was sent is looked at."""
    lesson_id = fields.get("lesson_id")
    if lesson_id is not None and lesson_id not in course.lesson_ids:
        raise invalid("lesson_id", "The course has no such lesson.", "unknown_lesson")
    if "rubric" in fields or "points" in fields:
        _check_rubric(after)
    await _check_overrides(course, fields.get("overrides") or ())


async def _check_work(assignment: Row, fields: Mapping[str, Any]) -> None:
    """What was handed in and graded forbids: fewer points than were given, and names while work still waits."""
    points = fields.get("points")
    highest = None if points is None else await Submission.highest_grade(assignment["_id"])
    if points is not None and highest is not None and highest > points:
        words = f"Somebody has {hundredths_text(highest)} of them already."
        raise invalid("points", words, "below_grades")
    is_shown = fields.get("is_marking_anonymous") is False and assignment["is_marking_anonymous"]
    if is_shown and await Submission.has_waiting(assignment["_id"]):
        raise Refused(Code.CONFLICT, "Grade what waits before names are shown.", reason="work_waits")


def _check_rubric(after: Mapping[str, Any]) -> None:
    rubric = after.get("rubric")
    if rubric is None:
        return
    best = sum(max(level["points"] for level in one["levels"]) for one in rubric["criteria"])
    if best != after["points"]:
        words = (
            f"The best levels come to {hundredths_text(best)}, the assignment to {hundredths_text(after['points'])}."
        )
        raise invalid("rubric", words, "rubric_points")


async def _check_overrides(course: CourseHead, overrides: Sequence[Mapping[str, Any]]) -> None:
    by_place = {place: one["student_id"] for place, one in enumerate(overrides) if "student_id" in one}
    known = await Enrollment.find_known([enrollment_id_of(one, course.id) for one in by_place.values()])
    for place, student_id in by_place.items():
        if enrollment_id_of(student_id, course.id) not in known:
            raise invalid(f"overrides.{place}.student_id", "The course has no such student.", "unknown")
    for place, one in enumerate(overrides):
        if "group" in one and not await Enrollment.has_group(course.id, one["group"]):
            raise invalid(f"overrides.{place}.group", "The course has no such group.", "unknown")


async def _taught_view(row: Row) -> AssignmentView:
    names = await names_of(one["student_id"] for one in row.get("overrides") or () if "student_id" in one)
    counts = await Submission.counts_of([row["_id"]])
    return assignment_view(row, names=names, counts=counts.get(row["_id"], (0, 0)))


async def _timezone_of(user_id: str) -> str:
    user = await User.find_by_id(user_id)
    return "UTC" if user is None else user.timezone
