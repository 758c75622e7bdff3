"""The gradebook: what every student of a course has, how that comes together, and what one student is shown of it.

Nothing of it is stored but the settings: grades follow from attempts and submissions whenever somebody looks. Grades by hand
are `grade_overrides.py`, tables for spreadsheets `gradebook_export.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from documents.base import Row
from documents.course import CourseHead
from documents.enrollment import is_present_row
from documents.grade_override import TOTAL, GradeOverride, key_of
from documents.gradebook import Gradebook, learners_of
from documents.names import names_of
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import View, find_instant, refuse_changed_read_only
from lms_rt.contracts.channels import course_staff_channel
from lms_rt.contracts.gradebook import GradebookChange, GradebookSettingsView, GradebookView, GradesView
from lms_rt.contracts.outbox import Deed, Write, event
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.ids import new_id
from lms_rt.security.access.courses import require_course, require_learner, require_taught_course
from lms_rt.security.access.quizzes import ATTEMPT_PERMISSIONS
from lms_rt.security.permissions import Permission
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.gradebook_facts import Facts, find_settings, gathered, outlined
from lms_rt.services.gradebook_views import gradebook_view, grades_view, settings_view
from lms_rt.services.relay import Relay


class Gradebooks:
    """Shows what a course's students have, and sets how it comes together."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay
        self._turn = asyncio.Semaphore(2)

    async def show(self, actor: Actor, course_id: str, *, student_ids: Collection[str] | None = None) -> GradebookView:
        """Every student of a course with every grade; or those who are named, and then no averages."""
        course = await require_taught_course(actor, course_id, *ATTEMPT_PERMISSIONS)
        async with self._turn:  # each is heavy: more at once would only wait for each other
            facts = await gathered(course.id, now_ms=self._clock.now_ms(), whose=student_ids)
            names = await names_of(row["student_id"] for row in facts.learners)
            return await asyncio.to_thread(gradebook_view, facts, names, has_averages=student_ids is None)

    async def outline(self, actor: Actor, course_id: str) -> GradebookView:
        """How a course is graded and what is graded in it, without the students."""
        course = await require_taught_course(actor, course_id, *ATTEMPT_PERMISSIONS)
        return gradebook_view(await outlined(course.id, now_ms=self._clock.now_ms()), {})

    async def find_students(self, actor: Actor, course_id: str, wanted: str) -> list[str]:
        """Who is in a course and has `wanted` in their name, in the gradebook's order."""
        course = await require_taught_course(actor, course_id, *ATTEMPT_PERMISSIONS)
        now_ms = self._clock.now_ms()
        present = [row["student_id"] for row in await learners_of(course.id) if is_present_row(row, now_ms)]
        names = await names_of(present)
        named = {one: (names.get(one, {}).get("full_name") or "").casefold() for one in present}
        return sorted((one for one in present if wanted.casefold() in named[one]), key=lambda one: (named[one], one))

    async def settings(self, actor: Actor, course_id: str) -> GradebookSettingsView:
        """How a course is graded."""
        course = await require_taught_course(actor, course_id, *ATTEMPT_PERMISSIONS)
        return settings_view(await find_settings(course.id))

    async def explain(self, actor: Actor, course_id: str, student_id: str) -> GradesView:
        """A student's grades and how they came about, for who teaches there."""
        course = await require_taught_course(actor, course_id, *ATTEMPT_PERMISSIONS)
        return await self._explained(course, student_id)

    async def explain_own(self, actor: Actor, course_id: str) -> GradesView:
        """One's own grades and how they came about; who teaches there has none."""
        course = await require_course(actor, course_id)
        if await require_learner(actor, course, now_ms=self._clock.now_ms()) is None:
            raise Refused(Code.NOT_ENROLLED, course_id=course.id)
        return await self._explained(course, actor.user_id, is_for_staff=False)

    async def _explained(self, course: CourseHead, student_id: str, *, is_for_staff: bool = True) -> GradesView:
        now_ms = self._clock.now_ms()
        facts = await gathered(course.id, now_ms=now_ms, whose=student_id, is_for_staff=is_for_staff)
        learner_in(facts)
        names = await names_of([student_id])
        total = await GradeOverride.find_row(key_of(course.id, student_id, TOTAL))
        return grades_view(facts, course, full_name=names.get(student_id, {}).get("full_name"), total=total)

    async def change(
        self, actor: Actor, course_id: str, change: GradebookChange, *, expected_version: int | None = None
    ) -> GradebookSettingsView:
        """Set how a course is graded. Whoever looks at it is told, since every grade may be another one."""
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        given = _stored(change)

        async def step() -> Row | None:
            row = await find_settings(course.id)
            refuse_other_version(row["version"], expected_version)
            refuse_changed_read_only(change, await self._as_read(actor, course, change, row))
            after = row | given
            fields = {name: after[name] for name in ("categories", "placed", "scale", "missing")}
            _check(fields, await outlined(course.id, now_ms=self._clock.now_ms()), sent=change.given())
            if all(row[name] == value for name, value in fields.items()):
                return row
            now = self._clock.now()
            write = Write(row["version"] + 1, now)
            data = {"gradebook_id": course.id, "course_id": course.id}
            told = event(write, "gradebook_updated", n=0, channels=[course_staff_channel(course.id)], data=data)
            before = {name: row[name] for name in fields}
            deed = Deed(actor, "gradebook.change", course.id, is_of_all=True)
            intents = [told, *deed.intents(write, before=before, after=fields)]
            if not await Gradebook.put_at(course.id, row["version"], fields, intents=intents, at=now):
                return None
            return {"created_at": now, **row, **fields, "version": write.version, "updated_at": now}

        row = await until_written(step)
        await self._relay.hand_over(Gradebook, course.id)
        return settings_view(row)

    async def _as_read(self, actor: Actor, course: CourseHead, change: GradebookChange, row: Row) -> View:
        """What is sent back is held against: the settings alone, or the whole book where some of that came along.

        `as_of` is of the moment at which it was read: any that has been is taken.
        """
        if change.echoed.keys() <= GradebookSettingsView.model_fields.keys():
            return settings_view(row)
        book = await self.show(actor, course.id)
        read_at = find_instant(change.echoed.get("as_of"))
        return book if read_at is None or read_at > book.as_of else book.model_copy(update={"as_of": read_at})


def learner_in(facts: Facts) -> Row:
    """The student of whom the facts were read; 404 for who never was in the course."""
    if not facts.learners:
        raise Refused(Code.NOT_FOUND)
    return facts.learners[0]


def _stored(change: GradebookChange) -> dict[str, Any]:
    """What was sent, as it is stored; categories without an id get one."""
    given: dict[str, Any] = {}
    for name in change.given():
        value = getattr(change, name)
        given[name] = [one.model_dump() for one in value] if name in ("categories", "scale") else value
    if "placed" in given:
        given["placed"] = {one.item_id: one.category_id or "" for one in given["placed"]}
    for category in given.get("categories", ()):
        category["id"] = category["id"] or new_id("cat")
    return given


def _check(fields: Row, facts: Facts, *, sent: Collection[str]) -> None:
    """Items and categories that are named must be there; what is placed where a category was taken away is in none."""
    ids = {one["id"] for one in fields["categories"]}
    known = {one.id for one in facts.items} | set(facts.settings["placed"])
    faults: list[FieldError] = []
    for number, (item_id, place) in enumerate(fields["placed"].items()):
        if item_id not in known:
            words = "The course has no such graded item."
            faults.append(FieldError(f"placed.{number}.item_id", words, "unknown"))
        if place and place not in ids and "placed" in sent:
            words = "The gradebook has no such category."
            faults.append(FieldError(f"placed.{number}.category_id", words, "unknown"))
    fields["placed"] = {item_id: place if place in ids else "" for item_id, place in fields["placed"].items()}
    if faults:
        raise Refused(Code.VALIDATION_FAILED, fields=faults[:100])
