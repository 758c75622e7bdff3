"""Where a student starts: what to go on with, and how far each course is."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.clock import rfc3339
from lms_rt.contracts.enrollments import EnrollmentQuery
from lms_rt.contracts.quizzes import QuizQuery
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css",)


class HomePage(PageHandler):
    """/home."""

    access = SIGNED_IN
    reach = Reach.SELF

    async def get(self) -> None:
        """Continue, quizzes, progress."""
        listed = await self.services.enrollments.list(
            self.actor, EnrollmentQuery(page_size=50, sort="-last_accessed_at")
        )
        enrollments = [row for row in shape(listed)["items"] if row["status"] in {"active", "completed"}]
        quizzes = await self._quizzes({row["course_id"] for row in enrollments})
        screen = Screen(
            "home.html",
            title=(self.t("home.title"),),
            groups=("course",),
            scripts=("shell.js", "home.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            current=next((row for row in enrollments if row["status"] == "active"), None),
            enrollments=enrollments,
            quizzes=quizzes,
            now=rfc3339(self.services.clock.now()),
        )

    async def _quizzes(self, course_ids: set[str]) -> list[dict[str, object]]:
        """Those of one's courses that can be sat now or soon, the next to close first."""
        if not course_ids:
            return []
        listed = await self.services.quizzes.list(self.actor, QuizQuery(is_published=True, page_size=100))
        now = self.services.clock.now()
        open_ones = [
            view
            for view in listed.items
            if view.course_id in course_ids and (not view.closes_at or view.closes_at > now)
        ]
        open_ones.sort(key=lambda view: (view.closes_at is None, view.closes_at or now))
        return [shape(view) for view in open_ones[:6]]


PAGES = [(r"/home", HomePage)]
