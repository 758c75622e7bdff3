"""The open pages: the catalogue, and one course with its one button."""

from __future__ import annotations

from pydantic import ValidationError

from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.base import PageQuery
from lms_rt.contracts.courses import CourseDetailView, CourseQuery
from lms_rt.contracts.enrollments import EnrollmentDraft, EnrollmentView
from lms_rt.contracts.plans import PlanQuery
from lms_rt.contracts.reviews import ReviewQuery
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import teaches
from lms_rt.security.rights import Reach
from lms_rt.services.picture_sizes import sized

CARDS = 12
NEWEST_REVIEWS = 3
_SHEETS = ("pages.css",)


async def present_enrollment(handler: PageHandler, course: CourseDetailView) -> EnrollmentView | None:
    """The reader's enrolment in a course, unless there is none or they have left."""
    if course.enrollment_id is None:
        return None
    enrollment = await handler.services.enrollments.show(handler.actor, course.enrollment_id)
    return enrollment if enrollment.status in {"active", "completed"} else None


class CataloguePage(PageHandler):
    """/ with its filters in the address."""

    access = PUBLIC
    reach = Reach.PUBLISHED

    async def get(self) -> None:
        """Search, filters, cards, pager."""
        query = self._query()
        courses = await self.services.courses.list(self.actor, query)
        categories = await self.services.categories.list(self.actor, PageQuery(page_size=100))
        screen = Screen("courses.html", title=(self.t("courses.title"),), sheets=_SHEETS)
        self.show(screen, courses=shape(courses), categories=shape(categories)["items"], query=query.model_dump())

    def _query(self) -> CourseQuery:
        """The filters of the address; what cannot be read counts as not said."""
        names = ("q", "category", "difficulty_level", "sort", "page")
        given = {name: self.get_query_argument(name) for name in names if self.get_query_argument(name, "")}
        while True:
            try:
                return CourseQuery.model_validate({**given, "page_size": CARDS})
            except ValidationError as error:
                for fault in error.errors():
                    given.pop(str(fault["loc"][0]), None)


class CoursePage(PageHandler):
    """/courses/{slug}."""

    access, form_access = PUBLIC, SIGNED_IN
    reach = Reach.VISIBLE

    async def get(self, slug: str) -> None:
        """Title, price, one button, lessons. An id or a former slug is sent on to the present one."""
        course = await self.services.courses.show(self.actor, slug)
        if course.slug != slug:
            self.redirect(f"/courses/{course.slug}", status=301)
            return
        await self._show(course)

    async def post(self, slug: str) -> None:
        """Enrol, and go to the first lesson."""
        course = await self.services.courses.show(self.actor, slug)
        try:
            await self.services.enrollments.enroll(self.actor, EnrollmentDraft(course_id=course.id))
        except Refused as refused:
            if refused.code is not Code.ALREADY_ENROLLED:
                await self._show(course, refusal=refused)
                return
        self.redirect(f"/learn/{course.slug}", status=303)

    async def _show(self, course: CourseDetailView, refusal: Refused | None = None) -> None:
        enrollment = await present_enrollment(self, course)
        is_teacher = teaches(self.actor, course)
        shown = None if enrollment is None else shape(enrollment)
        screen = Screen(
            "course.html",
            title=(course.title,),
            data={"course_id": course.id, "is_enrolled": shown is not None},
            scripts=("shell.js", "course.js"),
            sheets=(*_SHEETS, "chat.css"),
        )
        self.show(
            screen,
            course=shape(course) | {"description_html": await sized(course.description_html)},
            enrollment=shown,
            progress_of={row["lesson_id"]: row for row in shown["progress"]} if shown else {},
            is_teacher=is_teacher,
            reviews=shape(
                await self.services.course_reviews.list(self.actor, course.id, ReviewQuery(page_size=NEWEST_REVIEWS))
            ),
            refusal=self._words_of(refusal),
            has_plan=shown is None and not course.is_free and await self._has_plan(course.id),
        )

    async def _has_plan(self, course_id: str) -> bool:
        """Does a plan open it that somebody can subscribe to?"""
        query = PlanQuery(course_id=course_id, is_active=True, page_size=1)
        return bool((await self.services.plans.list(self.actor, query)).total)

    def _words_of(self, refused: Refused | None) -> str:
        if refused is None:
            return ""
        key = f"errors.{refused.code.code}"
        return self.t(key) if self.t.knows(key) else refused.detail


PAGES = [(r"/", CataloguePage), (r"/courses/([^/]+)/?", CoursePage)]
