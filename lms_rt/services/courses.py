"""Courses: found, made, changed, published, archived, deleted. Their lessons are `lessons.py`, who is in them `enrollments.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documents.base import Row
from documents.course import Course, DuplicateSlugError
from documents.enrollment import Enrollment
from documents.lesson_assignment import published_assignments
from documents.lesson_quiz import published_quizzes
from documents.names import names_of
from documents.stored_file import FileUse
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of, refuse_changed_read_only
from lms_rt.contracts.courses import (
    CourseChange,
    CourseDetailView,
    CourseDraft,
    CourseQuery,
    CourseView,
    OwnCourseQuery,
)
from lms_rt.contracts.outbox import Deed, Intent, Write
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import looks_like_id, new_id
from lms_rt.security.access.courses import require_whole_course, require_whole_taught_course, teaches
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import CourseEdit, CourseEdits, refuse_other_version
from lms_rt.services.course_search import catalogue_filter, derived_fields, own_filter, sorting
from lms_rt.services.course_views import Reader, Surroundings, course_detail_view, course_view
from lms_rt.services.folding import slug as slug_of
from lms_rt.services.pictures import Pictures
from lms_rt.services.public_views import Kind, PublicViews
from lms_rt.services.relay import Relay

_RESERVED_SLUGS = frozenset({"me", "new", "search", "reorder"})
_MAX_SLUG = 80


class Courses:
    """What can be done with courses."""

    def __init__(self, *, clock: Clock, relay: Relay, views: PublicViews | None = None) -> None:
        self._clock, self._relay = clock, relay
        self._views = views or PublicViews()
        self._edits = CourseEdits(clock=clock, relay=relay, views=self._views)
        self._pictures: Pictures | None = None

    def keep_pictures_by(self, pictures: Pictures) -> None:
        """Let the pictures of courses be theirs."""
        self._pictures = pictures

    async def list(self, actor: Actor, query: CourseQuery) -> Page[CourseView]:
        """The catalogue: published courses, for everybody."""

        async def make() -> Page[CourseView]:
            return await self._listed(actor, query)

        return await self._views.find(actor, Kind.CATALOGUE, query.model_dump_json(), make)

    async def _listed(self, actor: Actor, query: CourseQuery) -> Page[CourseView]:
        rows, total = await Course.page(
            catalogue_filter(query), sorting(query.sort), skip=query.skip, limit=query.page_size
        )
        names = await names_of(row["instructor_id"] for row in rows)
        views = [course_view(row, Reader(is_teacher=actor.is_admin), names) for row in rows]
        return page_of(views, query, total)

    async def list_own(self, actor: Actor, query: OwnCourseQuery) -> Page[CourseView]:
        """The actor's own courses, drafts too."""
        rows, total = await Course.page(
            own_filter(query, actor.user_id), sorting(query.sort), skip=query.skip, limit=query.page_size
        )
        names = await names_of(row["instructor_id"] for row in rows)
        return page_of([course_view(row, Reader(is_teacher=True), names) for row in rows], query, total)

    async def create(self, actor: Actor, draft: CourseDraft) -> CourseDetailView:
        """A new course of the actor's own, unpublished."""
        if draft.is_published:
            raise Refused(Code.COURSE_NOT_READY, missing=_missing(None, draft.description))
        now, course_id = self._clock.now(), new_id("crs")
        fields = {**draft.model_dump(exclude={"is_published"}), "category": draft.category or None}
        if self._pictures is not None:
            await self._pictures.attach_to_course(actor, course_id, draft.thumbnail_url)
            await self._pictures.attach_to_text(
                actor, course_id, draft.description, use=FileUse.COURSE_IMAGE, subject_id=course_id
            )

        async def step() -> Course | None:
            slug = await free_slug(draft.title)
            course = Course(
                id=course_id, title_key="", slug=slug, instructor_id=actor.user_id, created_at=now,
                updated_at=now, **fields,
            )  # fmt: skip
            for name, value in derived_fields(course).items():
                setattr(course, name, value)
            course.outbox = Deed(actor, "course.create").intents(Write(1, now), course.id, after=fields)
            course.outbox_at = now if course.outbox else None
            return course if await course.insert_new() else None

        made = await until_written(step)
        if made.outbox:
            await self._relay.hand_over(Course, made.id)
        return await self._detail(actor, made)

    async def show(self, actor: Actor, id_or_slug: str) -> CourseDetailView:
        """One course with the lessons that the actor may know of."""

        async def make() -> CourseDetailView:
            return await self._detail(actor, await require_whole_course(actor, id_or_slug))

        return await self._views.find(actor, Kind.COURSE, id_or_slug, make)

    async def change(
        self, actor: Actor, course_id: str, change: CourseChange, *, expected_version: int | None = None
    ) -> CourseDetailView:
        """A partial update; `is_published` runs the same checks as publishing."""
        given = change.given()
        if "category" in given:
            given["category"] = given["category"] or None
        if "slug" in given:
            given["slug"] = _clean_slug(given["slug"])

        async def decide(course: Course) -> CourseEdit | None:
            refuse_other_version(course.version, expected_version)
            if change.echoed:
                refuse_changed_read_only(change, await self._detail(actor, course))
            if self._pictures is not None and given.get("thumbnail_url", course.thumbnail_url) != course.thumbnail_url:
                await self._pictures.attach_to_course(actor, course.id, given["thumbnail_url"])
            if self._pictures is not None and given.get("description", course.description) != course.description:
                await self._pictures.attach_to_text(
                    actor, course.id, given["description"], use=FileUse.COURSE_IMAGE, subject_id=course.id
                )
            return await _changed(course, given)

        changed = await self._edit(Deed(actor, "course.change"), course_id, decide)
        if self._pictures is not None and not given.keys().isdisjoint(("thumbnail_url", "description")):
            await self._pictures.keep_of_course(changed.id, changed.thumbnail_url, changed.description)
        return changed

    async def publish(self, actor: Actor, course_id: str, *, expected_version: int | None = None) -> CourseDetailView:
        """Let everybody see the course, if it is ready; one that was archived comes back."""
        deed = Deed(actor, "course.publish")
        return await self._set(deed, course_id, {"is_published": True, "is_archived": False}, expected_version)

    async def unpublish(self, actor: Actor, course_id: str, *, expected_version: int | None = None) -> CourseDetailView:
        """Hide the course from all but its owner."""
        return await self._set(Deed(actor, "course.unpublish"), course_id, {"is_published": False}, expected_version)

    async def remove(
        self, actor: Actor, course_id: str, *, is_archiving: bool = False, expected_version: int | None = None
    ) -> None:
        """Delete a course without students, or archive one: unpublished, and only in its owner's list when asked for."""
        if is_archiving:
            deed = Deed(actor, "course.archive")
            await self._set(deed, course_id, {"is_published": False, "is_archived": True}, expected_version)
            return
        told: list[Intent] = []

        async def step() -> bool | None:
            course = await require_whole_taught_course(actor, course_id)
            refuse_other_version(course.version, expected_version)
            if students := await Enrollment.count_present(course.id):
                raise Refused(Code.COURSE_HAS_STUDENTS, students=students)
            if not told:  # once, and before: what is gone has no outbox
                now = self._clock.now()
                told.extend(Deed(actor, "course.remove").intents(Write(course.version, now), course.id))
                await Course.put_intents(course.id, told, now)
            await self._relay.hand_over(Course, course.id)
            return await Course.remove(course.id, course.version) or None

        await until_written(step)
        await self._views.move()

    async def _set(
        self, deed: Deed, course_id: str, fields: dict[str, Any], expected_version: int | None
    ) -> CourseDetailView:
        async def decide(course: Course) -> CourseEdit | None:
            refuse_other_version(course.version, expected_version)
            return await _changed(course, fields)

        return await self._edit(deed, course_id, decide)

    async def _edit(self, deed: Deed, course_id: str, decide: Any) -> CourseDetailView:
        async def load() -> Course:
            return await require_whole_taught_course(deed.actor, course_id)

        try:
            course = await self._edits.apply(load, decide, deed)
        except DuplicateSlugError:
            raise Refused(Code.SLUG_TAKEN) from None
        return await self._detail(deed.actor, course)

    async def _detail(self, actor: Actor, course: Course) -> CourseDetailView:
        around = await surroundings_of(course.id, await names_of([course.instructor_id]))
        return course_detail_view(course, await reader_of(actor, course, now_ms=self._clock.now_ms()), around)


async def surroundings_of(course_id: str, names: Mapping[str, Row] | None = None) -> Surroundings:
    """What belongs to the lessons of a course."""
    return Surroundings(names or {}, await published_quizzes(course_id), await published_assignments(course_id))


async def reader_of(actor: Actor, course: Course, *, now_ms: int) -> Reader:
    """How the actor reads the course."""
    enrollment = None if actor.is_stranger else await Enrollment.find_of(actor.user_id, course.id)
    return Reader(
        is_teacher=teaches(actor, course),
        is_learner=enrollment is not None and enrollment.is_present(now_ms),
        enrollment=enrollment,
        now=from_ms(now_ms),
    )


async def _changed(course: Course, given: dict[str, Any]) -> CourseEdit | None:
    """Set the given fields; what of them is new, if anything is."""
    changes = {name: value for name, value in given.items() if getattr(course, name) != value}
    if not changes:
        return None
    if "slug" in changes:
        await _take_slug(course, changes["slug"])
    for name, value in changes.items():
        setattr(course, name, value)
    records = []
    if "is_published" in changes:
        if course.is_published and (missing := _missing(course, course.description)):
            raise Refused(Code.COURSE_NOT_READY, missing=missing)
        records = ["course.published" if course.is_published else "course.unpublished"]
    if course.is_published and course.is_archived:
        raise Refused(Code.CONFLICT, "A published course cannot be archived.")
    return CourseEdit(changes, records)


def _missing(course: Course | None, description: str | None) -> list[str]:
    """What a course still needs before it can be published; a title it always has."""
    has_lesson = course is not None and any(lesson.is_published for lesson in course.lessons.values())
    has_description = bool(description and description.strip())
    return [name for name, is_there in (("description", has_description), ("lessons", has_lesson)) if not is_there]


async def _take_slug(course: Course, slug: str) -> None:
    """Refuse a slug of another course; the one that is left goes on leading here."""
    if await Course.is_slug_taken(slug, but_of=course.id):
        raise Refused(Code.SLUG_TAKEN)
    course.old_slugs = [old for old in dict.fromkeys([*course.old_slugs, course.slug]) if old != slug][-20:]


def _clean_slug(wished: str) -> str:
    slug = slug_of(wished, fallback="")
    if not slug:
        raise invalid("slug", "A slug needs a letter or a digit.")
    if _is_reserved(slug):
        raise Refused(Code.SLUG_TAKEN)
    return slug


async def free_slug(title: str) -> str:
    """A slug from the title; a taken one, a route's word or what looks like an id gets -2, -3 …

    The number is sought by doubling and halving: the thousandth course of a name asks for some twenty of them.
    """
    base = slug_of(title, fallback="course")
    taken, free = 0, 1
    while not await _is_free(_numbered(base, free)):
        taken, free = free, free * 2
    while free - taken > 1:
        middle = (taken + free) // 2
        if await _is_free(_numbered(base, middle)):
            free = middle
        else:
            taken = middle
    return _numbered(base, free)


def _numbered(base: str, number: int) -> str:
    suffix = f"-{number}" if number > 1 else ""
    return base[: _MAX_SLUG - len(suffix)].rstrip("-") + suffix


async def _is_free(slug: str) -> bool:
    return not _is_reserved(slug) and not await Course.is_slug_taken(slug)


def _is_reserved(slug: str) -> bool:
    return slug in _RESERVED_SLUGS or looks_like_id(slug)
