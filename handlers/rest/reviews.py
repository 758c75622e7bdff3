"""Ratings and reviews of courses over HTTP."""

from __future__ import annotations

from handlers.rest.access import PUBLIC, SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.enrollments import EnrollmentView
from lms_rt.contracts.reviews import ReviewDraft, ReviewModeration, ReviewPage, ReviewQuery, ReviewView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def write_review(call: Call) -> Reply:
    """Rate the course."""
    return Reply(await call.services.course_reviews.write(call.actor, call.path["enrollment_id"], call.body))


async def list_reviews(call: Call) -> Reply:
    """What students think of a course."""
    return Reply(await call.services.course_reviews.list(call.actor, call.path["course_id"], call.query))


async def moderate_review(call: Call) -> Reply:
    """Hide the words of a review, or show them."""
    moderated = await call.services.course_reviews.moderate(
        call.actor,
        call.path["course_id"],
        call.path["enrollment_id"],
        call.body,
        expected_version=call.expected_version,
    )
    return Reply(moderated)


ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/enrollments/{enrollment_id}/review",
        write_review,
        SIGNED_IN,
        reach=Reach.LEARNING,
        body=ReviewDraft,
        reply=EnrollmentView,
        codes=(Code.NOT_ENROLLED, Code.FORBIDDEN),
        audit="enrollment.review",
        summary="Rate the course, 1 to 5 stars and some words",
        description="One of each student; said again, it takes the place of what was said before.",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/reviews",
        list_reviews,
        PUBLIC,
        reach=Reach.VISIBLE,
        query=ReviewQuery,
        reply=ReviewPage,
        summary="The reviews of a course, and what they come to",
    ),
    Operation(
        "PATCH",
        "/courses/{course_id}/reviews/{enrollment_id}",
        moderate_review,
        needs("enrollments:manage"),
        reach=Reach.TAUGHT,
        body=ReviewModeration,
        reply=ReviewView,
        codes=(Code.VERSION_MISMATCH,),
        audit="enrollment.moderate_review",
        summary="Hide the words of a review, with a reason, or show them again",
        description="The stars count all the same. The author reads the reason.",
    ),
)
