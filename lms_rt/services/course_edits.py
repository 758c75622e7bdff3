"""The one way to edit a course or its lessons: authorise, decide, one compare-and-set with its events, hand over.

Editors who meet decide again on what the other one wrote, so nobody's fields are lost. What may be edited is decided by
`courses.py` and `lessons.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from documents.base import with_intents
from documents.course import Course
from lms_rt.clock import Clock
from lms_rt.contracts.channels import course_channel
from lms_rt.contracts.outbox import Deed, Intent, Write, event, job
from lms_rt.errors import Code, Refused
from lms_rt.services.contended import until_written
from lms_rt.services.course_search import derived_fields
from lms_rt.services.public_views import PublicViews
from lms_rt.services.relay import Relay

MAX_CONTENT_BYTES = 2 * 1024 * 1024
"""All texts of a course together: one update copies the document, and 3.5 MB would hold up the loop for 0.8 s."""


@dataclass(frozen=True, slots=True)
class CourseEdit:
    """What was decided: `changes` for the listeners, and the types under which the edit is also kept."""

    changes: dict[str, Any] = field(default_factory=dict)
    records: Sequence[str] = ()


Decide = Callable[[Course], Awaitable[CourseEdit | None]]
"""Given a course to change in place; None leaves everything as it is."""


def refuse_other_version(present: int, expected: int | None) -> None:
    """412 when the client expected another version than there is."""
    if expected is not None and expected != present:
        raise Refused(Code.VERSION_MISMATCH, current_version=present)


class CourseEdits:
    """Edits of courses."""

    def __init__(self, *, clock: Clock, relay: Relay, views: PublicViews) -> None:
        self._clock, self._relay, self._views = clock, relay, views

    async def apply(self, load: Callable[[], Awaitable[Course]], decide: Decide, deed: Deed) -> Course:
        """Load (and authorise), decide, write; again while somebody else is first. The course as it is afterwards."""

        async def step() -> Course | None:
            course = await load()
            before = _stored(course)
            edit = await decide(course)
            if edit is None:
                return course
            _refuse_too_large(course)
            for name, value in derived_fields(course).items():
                setattr(course, name, value)
            return await self._write(course, before, edit, deed)

        course = await until_written(step)
        await self._views.move()
        await self._relay.hand_over(Course, course.id)
        return course

    async def _write(self, course: Course, before: dict[str, Any], edit: CourseEdit, deed: Deed) -> Course | None:
        read = course.version
        course.version, course.updated_at = read + 1, self._clock.now()
        intents = _intents(course, edit, asks_otherwise=_asked(before) != _asked(_stored(course)))
        intents += _deed_intents(course, before, deed)
        update = with_intents(_difference(before, _stored(course)), intents, course.updated_at)
        return course if await Course.write(course.id, read, update) else None


def _asked(fields: dict[str, Any]) -> tuple[set[str], int | None]:
    """What decides when somebody has completed the course."""
    return set(fields["published_lesson_ids"]), fields["minimum_minutes"]


def _intents(course: Course, edit: CourseEdit, *, asks_otherwise: bool) -> list[Intent]:
    write = Write(course.version, course.updated_at)
    data = {"course_id": course.id, "changes": edit.changes}
    told = event(write, "course_updated", n=0, channels=[course_channel(course.id)], data=data, record="course.updated")
    kept = [
        event(write, record, n=place, channels=[], data={"course_id": course.id}, record=record)
        for place, record in enumerate(edit.records, start=1)
    ]
    if not (asks_otherwise and course.enrollments_count):  # a course is mostly made before anybody is in it
        return [told, *kept]
    return [told, *kept, job(write, "progress.recalculate", {"course_id": course.id})]


def _deed_intents(course: Course, before: dict[str, Any], deed: Deed) -> list[Intent]:
    """For the audit log: what was decided, without what follows from it by itself."""
    if not deed.is_recorded:
        return []
    follows = {"version", "updated_at", *derived_fields(course)}
    was, now = (
        {name: value for name, value in fields.items() if name not in follows} for fields in (before, _stored(course))
    )
    return deed.intents(Write(course.version, course.updated_at), course.id, before=was, after=now)


_RATINGS = {"rating_average", "ratings_count", "ratings", "rating_moves", "rated", "rated_ms"}
_COUNTERS = {"id", "outbox", "outbox_at", "enrollments_count", "counted", *_RATINGS}
"""What edits never write: it moves beside them."""


def _stored(course: Course) -> dict[str, Any]:
    fields: dict[str, Any] = course.model_dump(exclude=_COUNTERS)
    lessons = fields.pop("lessons")
    return {**fields, **{f"lessons.{lesson_id}": lesson for lesson_id, lesson in lessons.items()}}


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Only the fields that differ: `$set`, and `$unset` for what is gone or null."""
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    update = {"$set": {name: value for name, value in changed.items() if value is not None}}
    gone = [name for name, value in changed.items() if value is None] + [name for name in before if name not in after]
    if gone:
        update["$unset"] = dict.fromkeys(gone, "")
    return update


def _refuse_too_large(course: Course) -> None:
    texts = [course.description, *(lesson.content for lesson in course.lessons.values())]
    if sum(len((text or "").encode()) for text in texts) > MAX_CONTENT_BYTES:
        raise Refused(Code.TOO_LARGE, "The texts of a course and its lessons may have 2 MiB together.")
