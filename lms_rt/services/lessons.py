"""Lessons: listed, made, changed, ordered, deleted, inside their course. Learning them is `progress.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from documents.course import Course, Lesson
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of, refuse_changed_read_only
from lms_rt.contracts.lessons import MAX_LESSONS, LessonChange, LessonDraft, LessonQuery, LessonView
from lms_rt.contracts.outbox import Deed
from lms_rt.errors import Code, FieldError, Refused, invalid
from lms_rt.ids import new_id
from lms_rt.security.access.courses import (
    require_course_of_lesson,
    require_taught_course_of_lesson,
    require_whole_course,
    require_whole_taught_course,
)
from lms_rt.security.access.lessons import refuse_locked
from lms_rt.services.course_edits import CourseEdit, CourseEdits, refuse_other_version
from lms_rt.services.course_views import Reader, lesson_view, lesson_views
from lms_rt.services.courses import reader_of, surroundings_of
from lms_rt.services.folding import slug as slug_of
from lms_rt.services.lesson_files import FILE_FIELDS, LessonFiles
from lms_rt.services.lesson_rules import completion_faults, prerequisite_faults
from lms_rt.services.public_views import Kind, PublicViews
from lms_rt.services.relay import Relay

_TEACHER = Reader(is_teacher=True)
_WATCHED_BY = frozenset({"completion", "content_type", "video_url", "file_id", "duration_seconds"})

Load = Callable[[], Awaitable[Course]]


class Lessons:
    """What can be done with the lessons of courses. `course_id` beside a lesson's id is the one that a path names."""

    def __init__(
        self, *, clock: Clock, relay: Relay, files: LessonFiles | None = None, views: PublicViews | None = None
    ) -> None:
        self._clock, self._files = clock, files or LessonFiles()
        self._views = views or PublicViews()
        self._edits = CourseEdits(clock=clock, relay=relay, views=self._views)

    async def list(
        self, actor: Actor, course_id: str, query: LessonQuery, *, is_filter: bool = False
    ) -> Page[LessonView]:
        """The lessons of a course. As a filter, a course that the actor may not know of gives an empty list."""

        async def make() -> Page[LessonView]:
            return await self._listed(actor, course_id, query)

        try:
            return await self._views.find(actor, Kind.LESSONS, f"{course_id} {query.model_dump_json()}", make)
        except Refused as refused:
            if is_filter and refused.code is Code.NOT_FOUND:
                return page_of([], query, 0)
            raise

    async def _listed(self, actor: Actor, course_id: str, query: LessonQuery) -> Page[LessonView]:
        course = await require_whole_course(actor, course_id)
        reader = await reader_of(actor, course, now_ms=self._clock.now_ms())
        views = lesson_views(course, reader, await surroundings_of(course.id))
        name = query.sort.removeprefix("-")
        views.sort(key=lambda view: getattr(view, name), reverse=query.sort.startswith("-"))
        return page_of(views[query.skip : query.skip + query.page_size], query, len(views))

    async def show(self, actor: Actor, lesson_id: str, *, course_id: str | None = None) -> LessonView:
        """One lesson with its content; 403 `not_enrolled` for who may know of it but not open it, `forbidden` before it opens."""
        course = await require_course_of_lesson(actor, lesson_id, course_id)
        lesson = course.lessons[lesson_id]
        reader = await reader_of(actor, course, now_ms=self._clock.now_ms())
        if not reader.may_read(lesson):
            raise Refused(Code.NOT_ENROLLED, course_id=course.id)
        if not reader.is_teacher:
            refuse_locked(course, lesson_id, reader.enrollment if reader.is_learner else None, self._clock.now())
        return await _shown(course, lesson, reader)

    async def create(self, actor: Actor, course_id: str, draft: LessonDraft) -> LessonView:
        """A new lesson, at the place that `order` asks for, else the last."""
        lesson_id, fields = new_id("les"), draft.model_dump(exclude={"course_id", "order"})

        async def decide(course: Course) -> CourseEdit | None:
            _refuse_other_course(course, draft.course_id)
            if len(course.lesson_ids) >= MAX_LESSONS:
                raise Refused(Code.CONFLICT, f"A course has {MAX_LESSONS} lessons at most.")
            now = self._clock.now()
            slug = _free_slug(course, draft.title)
            lesson = Lesson(id=lesson_id, slug=slug, created_at=now, updated_at=now, **fields)
            course.lessons[lesson_id] = lesson
            _refuse_prerequisites(course, lesson)
            _refuse_impossible(lesson)
            _place(course, lesson_id, draft.order)
            return _told(lesson_id)

        deed, load = Deed(actor, "lesson.create", lesson_id), _taught(actor, course_id)
        async with self._files.hung_on(actor, lesson_id, load, fields):
            course = await self._edits.apply(load, decide, deed)
        return await _shown(course, course.lessons[lesson_id], _TEACHER)

    async def change(
        self,
        actor: Actor,
        lesson_id: str,
        change: LessonChange,
        *,
        course_id: str | None = None,
        expected_version: int | None = None,
    ) -> LessonView:
        """A partial update; another `order` moves the lesson."""
        given = change.given()

        async def decide(course: Course) -> CourseEdit | None:
            lesson = course.lessons[lesson_id]
            refuse_other_version(lesson.version, expected_version)
            if change.echoed:
                refuse_changed_read_only(change, await _shown(course, lesson, _TEACHER))
            return _told(lesson_id) if self._set(course, lesson, given) else None

        deed, load = Deed(actor, "lesson.change", lesson_id), _holding(actor, lesson_id, course_id)
        if given.keys().isdisjoint(FILE_FIELDS):
            course = await self._edits.apply(load, decide, deed)
        else:
            async with self._files.hung_on(actor, lesson_id, load, given):
                course = await self._edits.apply(load, decide, deed)
        return await _shown(course, course.lessons[lesson_id], _TEACHER)

    async def remove(
        self, actor: Actor, lesson_id: str, *, course_id: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a lesson; what students did in it stays with their enrolments, and counts no more."""

        async def decide(course: Course) -> CourseEdit | None:
            refuse_other_version(course.lessons[lesson_id].version, expected_version)
            del course.lessons[lesson_id]
            course.lesson_ids.remove(lesson_id)
            return _told(lesson_id, *self._wait_no_more(course, lesson_id))

        await self._edits.apply(_holding(actor, lesson_id, course_id), decide, Deed(actor, "lesson.remove", lesson_id))
        await self._files.take_off(lesson_id)

    async def reorder(
        self,
        actor: Actor,
        course_id: str,
        lesson_ids: Sequence[str],
        *,
        named_course: str | None = None,
        expected_version: int | None = None,
    ) -> Page[LessonView]:
        """Put all lessons of a course into another order, or nothing: each id has to be named once. All of them.

        `named_course` is what the body calls the course, if it does.
        """
        wanted = list(lesson_ids)

        async def decide(course: Course) -> CourseEdit | None:
            _refuse_other_course(course, named_course)
            refuse_other_version(course.version, expected_version)
            if faults := _order_faults(course, wanted):
                raise Refused(Code.VALIDATION_FAILED, fields=faults)
            moved = [new for old, new in zip(course.lesson_ids, wanted, strict=True) if old != new]
            course.lesson_ids = wanted
            return _told(*moved) if moved else None

        course = await self._edits.apply(_taught(actor, course_id), decide, Deed(actor, "course.reorder"))
        views = lesson_views(course, _TEACHER, await surroundings_of(course.id))
        return Page(items=views, page=1, page_size=max(1, len(views)), total=len(views), pages=1 if views else 0)

    def _set(self, course: Course, lesson: Lesson, given: dict[str, Any]) -> bool:
        """Set the given fields in place; is anything another than it was?"""
        before = (lesson.model_copy(), list(course.lesson_ids))
        for name, value in given.items():
            if name == "order":
                course.lesson_ids.remove(lesson.id)
                _place(course, lesson.id, value)
            else:
                setattr(lesson, name, value)
        if (lesson, course.lesson_ids) == before:
            return False
        if "prerequisite_lesson_ids" in given:
            _refuse_prerequisites(course, lesson)
        if not _WATCHED_BY.isdisjoint(given):
            _refuse_impossible(lesson)
        lesson.version, lesson.updated_at = lesson.version + 1, self._clock.now()
        return True

    def _wait_no_more(self, course: Course, gone_id: str) -> Sequence[str]:
        """Let no lesson wait for one that is gone; those that did."""
        waiting = [lesson for lesson in course.lessons.values() if gone_id in lesson.prerequisite_lesson_ids]
        for lesson in waiting:
            lesson.prerequisite_lesson_ids = [one for one in lesson.prerequisite_lesson_ids if one != gone_id]
            lesson.version, lesson.updated_at = lesson.version + 1, self._clock.now()
        return [lesson.id for lesson in waiting]


def _refuse_impossible(lesson: Lesson) -> None:
    if faults := completion_faults(lesson):
        raise Refused(Code.VALIDATION_FAILED, fields=faults)


def _refuse_prerequisites(course: Course, lesson: Lesson) -> None:
    if faults := prerequisite_faults(course.lessons, lesson):
        raise Refused(Code.VALIDATION_FAILED, fields=faults)


def _refuse_other_course(course: Course, named: str | None) -> None:
    """A body may name the course again, by id or slug, but no other."""
    if named not in (None, course.id, course.slug, *course.old_slugs):
        raise invalid("course_id", "The path names another course.", "mismatch")


def _taught(actor: Actor, course_id: str) -> Load:
    async def load() -> Course:
        return await require_whole_taught_course(actor, course_id)

    return load


def _holding(actor: Actor, lesson_id: str, course_id: str | None) -> Load:
    async def load() -> Course:
        return await require_taught_course_of_lesson(actor, lesson_id, course_id)

    return load


def _told(*lesson_ids: str) -> CourseEdit:
    return CourseEdit({"lessons": list(lesson_ids)})


async def _shown(course: Course, lesson: Lesson, reader: Reader) -> LessonView:
    return lesson_view(course, lesson, reader, await surroundings_of(course.id))


def _place(course: Course, lesson_id: str, order: int | None) -> None:
    """Put the lesson at a place, counted from 1; beyond the last one is the last."""
    index = len(course.lesson_ids) if order is None else max(0, order - 1)
    course.lesson_ids.insert(index, lesson_id)


def _free_slug(course: Course, title: str) -> str:
    """A slug that no other lesson of the course has."""
    base, taken = slug_of(title, fallback="lesson"), {lesson.slug for lesson in course.lessons.values()}
    candidates = (base if number == 1 else f"{base[:75]}-{number}" for number in range(1, MAX_LESSONS + 2))
    return next(slug for slug in candidates if slug not in taken)


def _order_faults(course: Course, wanted: Sequence[str]) -> list[FieldError]:
    """Why this is no order of the course's lessons: ids that are foreign, doubled or missing."""
    known, seen, faults = set(course.lesson_ids), set[str](), []
    for place, lesson_id in enumerate(wanted):
        if lesson_id not in known:
            faults.append(FieldError(f"lesson_ids.{place}", "This is no lesson of the course.", "foreign"))
        elif lesson_id in seen:
            faults.append(FieldError(f"lesson_ids.{place}", "This lesson is named twice.", "duplicate"))
        seen.add(lesson_id)
    if missing := [lesson_id for lesson_id in course.lesson_ids if lesson_id not in seen]:
        faults.append(FieldError("lesson_ids", f"These lessons are missing: {', '.join(missing[:20])}.", "missing"))
    return faults
