"""Reviews: one of each student, who may change it; shown to everybody, its words hidden by staff with a reason.

Whose words are hidden still counts with their stars: nobody polishes their own average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment
from documents.names import names_of
from documents.review import find_counts, page_of_reviews
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import page_of
from lms_rt.contracts.channels import course_staff_channel
from lms_rt.contracts.enrollments import EnrollmentView
from lms_rt.contracts.outbox import Deed
from lms_rt.contracts.reviews import ReviewDraft, ReviewModeration, ReviewPage, ReviewQuery, ReviewView
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.access.courses import (
    require_course,
    require_own_enrollment,
    require_taught_course,
    teaches,
)
from lms_rt.security.permissions import Permission
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.course_search import sorting
from lms_rt.services.enrollment_edits import EnrollmentEdits, Told
from lms_rt.services.enrollment_views import enrollment_view
from lms_rt.services.ratings import counts_of
from lms_rt.services.relay import Relay


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads reviews, and whether they see to the course's students."""

    user_id: str
    is_staff: bool


class CourseReviews:
    """What can be done with reviews."""

    def __init__(self, *, clock: Clock, relay: Relay, bus: Bus) -> None:
        self._clock = clock
        self._edits = EnrollmentEdits(clock=clock, relay=relay, bus=bus)

    async def write(self, actor: Actor, enrollment_id: str, draft: ReviewDraft) -> EnrollmentView:
        """Rate the course of one's enrolment, for the first time or anew; the same again changes nothing."""

        async def load() -> Enrollment:
            return await require_own_enrollment(actor, enrollment_id)

        async def decide(enrollment: Enrollment) -> Sequence[Told] | None:
            await self._require_may_rate(enrollment)
            if (enrollment.rating, enrollment.review) == (draft.rating, draft.review):
                return None
            is_new = enrollment.rating is None
            self._move(enrollment)
            enrollment.rating, enrollment.review = draft.rating, draft.review
            enrollment.reviewed_at = self._clock.now()
            return [await _received(enrollment, is_new=is_new)]

        deed = Deed(actor, "enrollment.review", enrollment_id)
        enrollment = await self._edits.apply(load, decide, deed)
        return enrollment_view(enrollment, await Course.find_head(enrollment.course_id))

    async def list(self, actor: Actor, course_id: str, query: ReviewQuery) -> ReviewPage:
        """The reviews of a course that the actor may know of, and what they come to."""
        course = await require_course(actor, course_id)
        wanted: Row = {"course_id": course.id, "rating": query.rating or {"$gt": 0}}
        rows, total = await page_of_reviews(wanted, sorting(query.sort), skip=query.skip, limit=query.page_size)
        people = await names_of(row["student_id"] for row in rows)
        reader = _Reader(actor.user_id, teaches(actor, course, Permission.ENROLLMENTS_MANAGE))
        shown = [_view(row, people.get(row["student_id"], {}), reader) for row in rows]
        counts = await find_counts(course.id) or {}
        return ReviewPage(
            **dict(page_of(shown, query, total)),
            rating_average=counts.get("rating_average"),
            ratings_count=counts.get("ratings_count", 0),
            ratings=counts_of(counts),
        )

    async def moderate(
        self,
        actor: Actor,
        course_id: str,
        enrollment_id: str,
        change: ReviewModeration,
        *,
        expected_version: int | None = None,
    ) -> ReviewView:
        """Hide the words of a review of the actor's own course, or show them again; the version is the review's own."""

        async def load() -> Enrollment:
            course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
            enrollment = await Enrollment.find_one_by_id(enrollment_id)
            if enrollment is None or enrollment.course_id != course.id or enrollment.rating is None:
                raise Refused(Code.NOT_FOUND)
            return enrollment

        async def decide(enrollment: Enrollment) -> Sequence[Told] | None:
            refuse_other_version(_version_of(enrollment), expected_version)
            is_hidden, reason = enrollment.review_hidden_at is not None, enrollment.review_hidden_reason
            wanted = change.reason if change.is_hidden else None
            if (is_hidden, reason) == (change.is_hidden, wanted):
                return None
            self._move(enrollment)
            hidden_at = enrollment.review_hidden_at or self._clock.now()
            enrollment.review_hidden_at = hidden_at if change.is_hidden else None
            enrollment.review_hidden_reason = wanted
            return None

        deed = Deed(actor, "enrollment.moderate_review", enrollment_id, is_of_all=True)
        enrollment = await self._edits.apply(load, decide, deed)
        people = await names_of([enrollment.student_id])
        row = {"_id": enrollment.id, **enrollment.model_dump(include=set(_FIELDS))}
        return _view(row, people.get(enrollment.student_id, {}), _Reader(actor.user_id, is_staff=True))

    def _move(self, enrollment: Enrollment) -> None:
        """The review is about to be another one: its version moves, and its times."""
        now = self._clock.now()
        enrollment.review_version = _version_of(enrollment) + 1
        enrollment.review_created_at = enrollment.review_created_at or enrollment.reviewed_at or now
        enrollment.review_updated_at = now

    async def _require_may_rate(self, enrollment: Enrollment) -> None:
        """Who is in the course, and does not teach it."""
        course = await Course.find_head(enrollment.course_id)
        if course is not None and course.instructor_id == enrollment.student_id:
            raise Refused(Code.FORBIDDEN, "Who teaches a course does not rate it.")
        if not enrollment.is_present(self._clock.now_ms()):
            raise Refused(Code.NOT_ENROLLED, course_id=enrollment.course_id)


_FIELDS = (
    "student_id", "course_id", "rating", "review", "reviewed_at", "review_hidden_at", "review_hidden_reason",
    "review_version", "review_created_at", "review_updated_at",
)  # fmt: skip


def _version_of(enrollment: Enrollment) -> int:
    """0: there is no review yet. One from before they were counted is the first."""
    return enrollment.review_version or (0 if enrollment.rating is None else 1)


async def _received(enrollment: Enrollment, *, is_new: bool) -> Told:
    person = (await names_of([enrollment.student_id])).get(enrollment.student_id, {})
    data = {
        "course_id": enrollment.course_id,
        "enrollment_id": enrollment.id,
        "student_id": enrollment.student_id,
        "student_name": person.get("full_name") or "",
        "rating": enrollment.rating,
        "review": enrollment.review,
        "is_new": is_new,
    }
    return Told("review_received", (course_staff_channel(enrollment.course_id),), data, "review.created")


def _view(row: Row, person: Row, reader: _Reader) -> ReviewView:
    is_own = bool(reader.user_id) and row["student_id"] == reader.user_id
    sees_all, is_hidden = is_own or reader.is_staff, row.get("review_hidden_at") is not None
    name = person.get("full_name")
    return ReviewView(
        id=derived_id("rev", row["_id"]),
        enrollment_id=row["_id"] if sees_all else None,
        student_id=row["student_id"] if sees_all else None,
        student_name=name if sees_all or name is None else short_name(name),
        rating=row["rating"],
        review=row.get("review") if sees_all or not is_hidden else None,
        is_hidden=is_hidden,
        hidden_reason=row.get("review_hidden_reason") if sees_all else None,
        is_own=is_own,
        reviewed_at=row.get("reviewed_at"),
        version=row.get("review_version") or 1,
        created_at=row.get("review_created_at") or row.get("reviewed_at"),
        updated_at=row.get("review_updated_at") or row.get("reviewed_at"),
    )


def short_name(full_name: str) -> str:
    """What strangers are told of a name: its first word, and with what its last begins."""
    words = full_name.split()
    return words[0] if len(words) < 2 else f"{words[0]} {words[-1][0]}."
