"""What students think of a course, as a page: the stars, the words, one's own, and hiding words that nobody should read."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.catalogue import present_enrollment
from lms_rt.contracts.base import read_model
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.reviews import ReviewDraft, ReviewModeration, ReviewQuery
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import teaches
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach

SHOWN = 20
_SHEETS = ("pages.css", "chat.css")


class ReviewsPage(PageHandler):
    """/courses/{slug}/reviews."""

    access, form_access = PUBLIC, SIGNED_IN
    reach, form_reach = Reach.VISIBLE, Reach.LEARNER

    async def get(self, slug: str) -> None:
        """The newest first; the stars and the page stand in the address."""
        await self._show(await self.services.courses.show(self.actor, slug))

    async def post(self, slug: str) -> None:
        """Rate the course, or (for its staff) hide the words of a review."""
        course = await self.services.courses.show(self.actor, slug)
        try:
            if enrollment_id := self.field("moderate"):
                await self._moderate(course, enrollment_id)
            else:
                await self._rate(course)
        except Refused as refused:
            if refused.code is not Code.VALIDATION_FAILED:
                raise
            self.set_status(422)
            await self._show(course, refused)
            return
        self.redirect(f"/courses/{course.slug}/reviews", status=303)

    async def _rate(self, course: CourseDetailView) -> None:
        if course.enrollment_id is None:
            raise Refused(Code.NOT_ENROLLED, course_id=course.id)
        rating = self.field("rating")
        said = {
            "rating": int(rating) if rating in {"1", "2", "3", "4", "5"} else None,
            "review": self.field("review") or None,
        }
        await self.services.course_reviews.write(self.actor, course.enrollment_id, read_model(ReviewDraft, said))

    async def _moderate(self, course: CourseDetailView, enrollment_id: str) -> None:
        wish = {"is_hidden": self.field("act") == "hide", "reason": self.field("reason") or None}
        change = read_model(ReviewModeration, wish)
        await self.services.course_reviews.moderate(self.actor, course.id, enrollment_id, change)

    async def _show(self, course: CourseDetailView, refused: Refused | None = None) -> None:
        query = self._query()
        page = await self.services.course_reviews.list(self.actor, course.id, query)
        enrollment = await present_enrollment(self, course)
        is_own_course = self.actor.user_id == course.instructor_id
        screen = Screen("reviews.html", title=(self.t("reviews.title"), course.title), sheets=_SHEETS)
        self.show(
            screen,
            course=shape(course),
            listed=shape(page),
            chosen=query.rating,
            mine=None if enrollment is None or is_own_course else shape(enrollment),
            may_moderate=teaches(self.actor, course, Permission.ENROLLMENTS_MANAGE),
            faults=[(fault.field, self.t(f"reviews.fault_{fault.field}")) for fault in _faults(refused)],
        )

    def _query(self) -> ReviewQuery:
        """The page and the stars of the address; what cannot be read counts as not said."""
        asked: dict[str, Any] = {name: self.get_query_argument(name, "") for name in ("page", "rating")}
        try:
            return ReviewQuery.model_validate({name: one for name, one in asked.items() if one} | {"page_size": SHOWN})
        except ValidationError:
            return ReviewQuery(page_size=SHOWN)


def _faults(refused: Refused | None) -> list[Any]:
    known = {"rating", "review", "reason"}
    return [] if refused is None else [fault for fault in refused.fields if fault.field in known]


PAGES = [(r"/courses/([^/]+)/reviews/?", ReviewsPage)]
