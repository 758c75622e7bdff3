"""Courses copied, taken out as one file, and put in again. How far that is, `/imports/{id}` tells."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.bulk import RunView
from lms_rt.contracts.course_archives import CourseCopyDraft, CourseImportDraft
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def copy_course(call: Call) -> Reply:
    """Begin a copy."""
    run = await call.services.course_copies.begin(call.actor, call.path["course_id"], call.body)
    return Reply(run, made={"import_id": run.id})


async def export_course(call: Call) -> Reply:
    """Begin an archive."""
    run = await call.services.course_archives.begin_export(call.actor, call.path["course_id"])
    return Reply(run, made={"import_id": run.id})


async def import_course(call: Call) -> Reply:
    """Begin a course out of an archive."""
    run = await call.services.course_archives.begin_import(call.actor, call.body)
    return Reply(run, made={"import_id": run.id})


_RUN = "/imports/{import_id}"
_CODES = (Code.NOT_FOUND, Code.CONFLICT, Code.RATE_LIMITED)

ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/courses/{course_id}/copy",
        copy_course,
        needs("course:create"),
        reach=Reach.TAUGHT,
        body=CourseCopyDraft,
        reply=RunView,
        status=202,
        location=_RUN,
        codes=_CODES,
        is_idempotent=True,
        audit="course.copy",
        summary="Copy a course",
        description="Lessons, quizzes, questions, assignments, the gradebook's settings, the template of certificates and "
        "files; no people. The copy is unpublished, and there whole or not at all.",
    ),
    Operation(
        "POST",
        "/courses/{course_id}/export",
        export_course,
        needs("course:update"),
        reach=Reach.TAUGHT,
        reply=RunView,
        status=202,
        location=_RUN,
        codes=_CODES,
        is_idempotent=True,
        audit="course.export",
        summary="Take a course out as one file",
    ),
    Operation(
        "POST",
        "/courses/import",
        import_course,
        needs("course:create"),
        reach=Reach.SELF,
        body=CourseImportDraft,
        reply=RunView,
        status=202,
        location=_RUN,
        codes=_CODES,
        is_idempotent=True,
        audit="course.import",
        summary="Make a course out of an archive",
        description="The archive is a file of one's own, uploaded before. What it must not hold is refused with the reason, "
        "and nothing is half done.",
    ),
)
