"""Courses over HTTP."""

from __future__ import annotations

from handlers.rest.access import PUBLIC, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.conditions import preferred
from handlers.rest.operations import Operation
from lms_rt.contracts.announcements import AnnouncementDraft, AnnouncementView
from lms_rt.contracts.base import Page
from lms_rt.contracts.courses import (
    CourseChange,
    CourseDetailView,
    CourseDraft,
    CourseQuery,
    CourseRemovalQuery,
    CourseView,
    OwnCourseQuery,
)
from lms_rt.contracts.enrollments import RosterQuery, RosterView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach

_TABLE = "text/csv"
_GIVES = ("application/json", _TABLE)


async def list_courses(call: Call) -> Reply:
    """The catalogue."""
    return Reply(await call.services.courses.list(call.actor, call.query))


async def list_own_courses(call: Call) -> Reply:
    """The caller's own courses."""
    return Reply(await call.services.courses.list_own(call.actor, call.query))


async def create_course(call: Call) -> Reply:
    """Create a course."""
    course = await call.services.courses.create(call.actor, call.body)
    return Reply(course, made={"course_id": course.id})


async def show_course(call: Call) -> Reply:
    """One course."""
    return Reply(await call.services.courses.show(call.actor, call.path["course_id"]))


async def change_course(call: Call) -> Reply:
    """Change a course."""
    courses, course_id = call.services.courses, call.path["course_id"]
    return Reply(await courses.change(call.actor, course_id, call.body, expected_version=call.expected_version))


async def remove_course(call: Call) -> Reply:
    """Delete or archive a course."""
    await call.services.courses.remove(
        call.actor,
        call.path["course_id"],
        is_archiving=call.query.archive,
        expected_version=call.expected_version,
    )
    return Reply(None)


async def publish_course(call: Call) -> Reply:
    """Publish a course."""
    courses, course_id = call.services.courses, call.path["course_id"]
    return Reply(await courses.publish(call.actor, course_id, expected_version=call.expected_version))


async def unpublish_course(call: Call) -> Reply:
    """Unpublish a course."""
    courses, course_id = call.services.courses, call.path["course_id"]
    return Reply(await courses.unpublish(call.actor, course_id, expected_version=call.expected_version))


async def list_students(call: Call) -> Reply:
    """The students of a course, by the page or all of them as a table."""
    wished = {"csv": _TABLE, "json": _GIVES[0]}.get(call.query.format or "")
    if (wished or preferred(call.find_header("Accept"), _GIVES)) == _TABLE:
        stream = call.services.rosters.table(call.actor, call.path["course_id"], call.query)
        headers = {"Content-Disposition": 'attachment; filename="students.csv"', "X-Content-Type-Options": "nosniff"}
        return Reply(stream=stream, content_type=f"{_TABLE}; charset=utf-8", headers=headers)
    return Reply(await call.services.enrollments.list_students(call.actor, call.path["course_id"], call.query))


_CREATE, _UPDATE, _DELETE = needs("course:create"), needs("course:update"), needs("course:delete")


async def announce(call: Call) -> Reply:
    """Tell everybody in the course."""
    announcements, course_id = call.services.announcements, call.path["course_id"]
    return Reply(await announcements.announce(call.actor, course_id, call.body, request_seed=call.idempotency_seed))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/courses",
        list_courses,
        PUBLIC,
        reach=Reach.PUBLISHED,
        query=CourseQuery,
        reply=Page[CourseView],
        summary="The catalogue",
    ),
    Operation(
        "GET",
        "/courses/me",
        list_own_courses,
        _CREATE,
        reach=Reach.OWN_COURSES,
        query=OwnCourseQuery,
        reply=Page[CourseView],
        summary="My own courses, drafts too",
    ),
    Operation(
        "POST",
        "/courses",
        create_course,
        _CREATE,
        reach=Reach.SELF,
        body=CourseDraft,
        reply=CourseDetailView,
        status=201,
        location="/courses/{course_id}",
        codes=(Code.COURSE_NOT_READY,),
        audit="course.create",
        summary="Create a course",
    ),
    Operation(
        "GET",
        "/courses/{course_id}",
        show_course,
        PUBLIC,
        reach=Reach.VISIBLE,
        reply=CourseDetailView,
        summary="One course with its lessons, by id or slug",
    ),
    Operation(
        ("PATCH", "PUT"),
        "/courses/{course_id}",
        change_course,
        _UPDATE,
        reach=Reach.TAUGHT,
        body=CourseChange,
        reply=CourseDetailView,
        codes=(Code.VERSION_MISMATCH, Code.SLUG_TAKEN, Code.COURSE_NOT_READY, Code.CONFLICT, Code.TOO_LARGE),
        audit="course.change",
        summary="Change a course",
    ),
    Operation(
        "DELETE",
        "/courses/{course_id}",
        remove_course,
        _DELETE,
        reach=Reach.TAUGHT,
        query=CourseRemovalQuery,
        status=204,
        codes=(Code.VERSION_MISMATCH, Code.COURSE_HAS_STUDENTS),
        audit="course.remove",
        summary="Delete a course, or archive it",
    ),
    Operation(
        "POST",
        "/courses/{course_id}/publish",
        publish_course,
        _UPDATE,
        reach=Reach.TAUGHT,
        reply=CourseDetailView,
        codes=(Code.COURSE_NOT_READY, Code.VERSION_MISMATCH),
        audit="course.publish",
        summary="Publish a course",
    ),
    Operation(
        "POST",
        "/courses/{course_id}/unpublish",
        unpublish_course,
        _UPDATE,
        reach=Reach.TAUGHT,
        reply=CourseDetailView,
        codes=(Code.VERSION_MISMATCH,),
        audit="course.unpublish",
        summary="Unpublish a course",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/students",
        list_students,
        needs("enrollments:manage"),
        reach=Reach.TAUGHT,
        query=RosterQuery,
        reply=Page[RosterView],
        gives=_GIVES,
        summary="The students of a course, with progress",
        description=(
            "By status, group, progress and words of name or address. With `Accept: text/csv` or `format=csv` all of them as a "
            "table in which nothing runs as a formula (`bom=true` begins it with a byte order mark); that it was taken stands "
            "in the audit log."
        ),
    ),
    Operation(
        "POST",
        "/courses/{course_id}/announcements",
        announce,
        _UPDATE,
        reach=Reach.TAUGHT,
        body=AnnouncementDraft,
        reply=AnnouncementView,
        status=201,
        is_idempotent=True,
        audit="announcement.create",
        summary="Tell everybody in a course",
        description="At once on `course:{id}`; each student by a notification and, as they wish, by mail.",
    ),
)
