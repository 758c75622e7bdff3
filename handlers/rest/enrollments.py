"""Enrolments and progress over HTTP."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.enrollments import (
    EnrollmentChange,
    EnrollmentDraft,
    EnrollmentQuery,
    EnrollmentView,
    ProgressDraft,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_enrollments(call: Call) -> Reply:
    """The caller's enrolments, or those that staff look for."""
    return Reply(await call.services.enrollments.list(call.actor, call.query))


async def enroll(call: Call) -> Reply:
    """Enrol in a course: 201 when new, 200 for who comes back."""
    enrolled = await call.services.enrollments.enroll(call.actor, call.body, request_seed=call.idempotency_seed)
    made = {"enrollment_id": enrolled.view.id} if enrolled.is_new else None
    return Reply(enrolled.view, status=201 if enrolled.is_new else 200, made=made)


async def show_enrollment(call: Call) -> Reply:
    """One enrolment."""
    return Reply(await call.services.enrollments.show(call.actor, call.path["enrollment_id"]))


async def change_enrollment(call: Call) -> Reply:
    """Leave a course, or come back."""
    enrollments, enrollment_id = call.services.enrollments, call.path["enrollment_id"]
    return Reply(await enrollments.change(call.actor, enrollment_id, call.body, expected_version=call.expected_version))


async def drop_enrollment(call: Call) -> Reply:
    """Leave a course; progress is kept."""
    enrollments, enrollment_id = call.services.enrollments, call.path["enrollment_id"]
    await enrollments.drop(call.actor, enrollment_id, expected_version=call.expected_version)
    return Reply(None)


async def record_progress(call: Call) -> Reply:
    """What happened in a lesson."""
    return Reply(await call.services.progress.record(call.actor, call.path["enrollment_id"], call.body))


async def complete_lesson(call: Call) -> Reply:
    """Complete a lesson."""
    progress, enrollment_id = call.services.progress, call.path["enrollment_id"]
    return Reply(await progress.complete_lesson(call.actor, enrollment_id, call.path["lesson_id"]))


async def complete_enrollment(call: Call) -> Reply:
    """Complete the course."""
    return Reply(await call.services.progress.complete(call.actor, call.path["enrollment_id"]))


_ONE = "/enrollments/{enrollment_id}"
_LEAVING = "Who leaves hands in what they have open in the course, as it was saved."

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/enrollments",
        list_enrollments,
        SIGNED_IN,
        reach=Reach.SHARED,
        also=("/enrollments/my-courses",),
        query=EnrollmentQuery,
        reply=Page[EnrollmentView],
        summary="My enrolments; for staff also those of a course or a student",
    ),
    Operation(
        "POST",
        "/enrollments",
        enroll,
        SIGNED_IN,
        reach=Reach.VISIBLE,
        body=EnrollmentDraft,
        reply=EnrollmentView,
        status=201,
        more_statuses=(200,),
        location=_ONE,
        is_idempotent=True,
        codes=(Code.NOT_FOUND, Code.FORBIDDEN, Code.PAYMENT_REQUIRED, Code.ALREADY_ENROLLED),
        audit="enrollment.create",
        summary="Enrol in a course",
    ),
    Operation(
        "GET",
        _ONE,
        show_enrollment,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=EnrollmentView,
        summary="One enrolment with its progress",
    ),
    Operation(
        ("PUT", "PATCH"),
        _ONE,
        change_enrollment,
        SIGNED_IN,
        reach=Reach.SHARED,
        body=EnrollmentChange,
        reply=EnrollmentView,
        codes=(Code.VERSION_MISMATCH, Code.PAYMENT_REQUIRED),
        audit="enrollment.drop",
        summary="Leave a course, or come back",
        description=_LEAVING,
    ),
    Operation(
        "DELETE",
        _ONE,
        drop_enrollment,
        SIGNED_IN,
        reach=Reach.SHARED,
        status=204,
        codes=(Code.VERSION_MISMATCH,),
        audit="enrollment.drop",
        summary="Leave a course; progress is kept",
        description=_LEAVING,
    ),
    Operation(
        ("POST", "PUT"),
        "/enrollments/{enrollment_id}/progress",
        record_progress,
        SIGNED_IN,
        reach=Reach.LEARNING,
        body=ProgressDraft,
        reply=EnrollmentView,
        codes=(Code.NOT_ENROLLED, Code.FORBIDDEN, Code.NOT_COMPLETE),
        summary="Record progress in a lesson",
    ),
    Operation(
        "POST",
        "/enrollments/{enrollment_id}/lessons/{lesson_id}/complete",
        complete_lesson,
        SIGNED_IN,
        reach=Reach.LEARNING,
        reply=EnrollmentView,
        codes=(Code.NOT_ENROLLED, Code.FORBIDDEN, Code.NOT_COMPLETE),
        summary="Complete a lesson",
    ),
    Operation(
        "POST",
        "/enrollments/{enrollment_id}/complete",
        complete_enrollment,
        SIGNED_IN,
        reach=Reach.LEARNING,
        reply=EnrollmentView,
        codes=(Code.NOT_ENROLLED, Code.NOT_COMPLETE, Code.MINIMUM_TIME),
        summary="Complete the course",
    ),
)
