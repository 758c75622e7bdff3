"""Lessons over HTTP: beside their course and by themselves."""

from __future__ import annotations

from handlers.rest.access import PUBLIC, SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.enrollments import EnrollmentView
from lms_rt.contracts.lessons import LessonChange, LessonDraft, LessonOrder, LessonPlaceQuery, LessonQuery, LessonView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_lessons(call: Call) -> Reply:
    """The lessons of a course."""
    is_filter = "course_id" not in call.path
    course_id = call.named("course_id")
    return Reply(await call.services.lessons.list(call.actor, course_id, call.query, is_filter=is_filter))


async def create_lesson(call: Call) -> Reply:
    """Create a lesson."""
    lesson = await call.services.lessons.create(call.actor, call.named("course_id"), call.body)
    return Reply(lesson, made={"lesson_id": lesson.id})


async def show_lesson(call: Call) -> Reply:
    """One lesson."""
    course_id = call.path.get("course_id")
    return Reply(await call.services.lessons.show(call.actor, call.path["lesson_id"], course_id=course_id))


async def change_lesson(call: Call) -> Reply:
    """Change a lesson."""
    lesson = await call.services.lessons.change(
        call.actor,
        call.path["lesson_id"],
        call.body,
        course_id=call.path.get("course_id"),
        expected_version=call.expected_version,
    )
    return Reply(lesson)


async def remove_lesson(call: Call) -> Reply:
    """Delete a lesson."""
    await call.services.lessons.remove(
        call.actor,
        call.path["lesson_id"],
        course_id=call.path.get("course_id"),
        expected_version=call.expected_version,
    )
    return Reply(None)


async def reorder_lessons(call: Call) -> Reply:
    """Put the lessons of a course into another order."""
    view = await call.services.lessons.reorder(
        call.actor,
        call.named("course_id"),
        call.body.lesson_ids,
        named_course=call.body.course_id,
        expected_version=call.expected_version,
    )
    return Reply(view)


async def complete_lesson(call: Call) -> Reply:
    """Complete a lesson in the caller's own enrolment."""
    progress, course_id = call.services.progress, call.path.get("course_id")
    return Reply(await progress.complete_lesson_of(call.actor, call.path["lesson_id"], course_id=course_id))


_UPDATE = needs("course:update")
_ONE, _ALSO = "/lessons/{lesson_id}", ("/courses/{course_id}/lessons/{lesson_id}",)

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/courses/{course_id}/lessons",
        list_lessons,
        PUBLIC,
        reach=Reach.VISIBLE,
        also=("/lessons",),
        query=LessonQuery,
        reply=Page[LessonView],
        summary="The lessons of a course",
    ),
    Operation(
        "POST",
        "/courses/{course_id}/lessons",
        create_lesson,
        _UPDATE,
        reach=Reach.TAUGHT,
        also=("/lessons",),
        query=LessonPlaceQuery,
        body=LessonDraft,
        reply=LessonView,
        status=201,
        location="/lessons/{lesson_id}",
        codes=(Code.CONFLICT, Code.TOO_LARGE),
        audit="lesson.create",
        summary="Create a lesson",
    ),
    Operation(
        "PATCH",
        "/lessons/reorder",
        reorder_lessons,
        _UPDATE,
        reach=Reach.TAUGHT,
        also=("/courses/{course_id}/lessons/reorder",),
        body=LessonOrder,
        reply=Page[LessonView],
        codes=(Code.VERSION_MISMATCH, Code.NOT_FOUND),
        audit="course.reorder",
        summary="Put the lessons of a course into another order, all or nothing",
    ),
    Operation(
        "GET",
        _ONE,
        show_lesson,
        PUBLIC,
        reach=Reach.INSIDE,
        also=_ALSO,
        reply=LessonView,
        codes=(Code.NOT_ENROLLED, Code.FORBIDDEN),
        summary="One lesson",
    ),
    Operation(
        ("PATCH", "PUT"),
        _ONE,
        change_lesson,
        _UPDATE,
        reach=Reach.TAUGHT,
        also=_ALSO,
        body=LessonChange,
        reply=LessonView,
        codes=(Code.VERSION_MISMATCH, Code.TOO_LARGE),
        audit="lesson.change",
        summary="Change a lesson",
    ),
    Operation(
        "DELETE",
        _ONE,
        remove_lesson,
        _UPDATE,
        reach=Reach.TAUGHT,
        also=_ALSO,
        status=204,
        codes=(Code.VERSION_MISMATCH,),
        audit="lesson.remove",
        summary="Delete a lesson",
    ),
    Operation(
        "POST",
        "/lessons/{lesson_id}/complete",
        complete_lesson,
        SIGNED_IN,
        reach=Reach.LEARNER,
        reply=EnrollmentView,
        codes=(Code.NOT_ENROLLED, Code.FORBIDDEN, Code.NOT_COMPLETE),
        summary="Complete a lesson",
    ),
)
