"""Where a student starts: what to go on with, and how far each course is."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.clock import rfc3339
from lms_rt.contracts.enrollments import EnrollmentQuery
from lms_rt.contracts.quizzes import QuizQuery
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css",)
_MOST_DUE = 6
"""So many of each kind are shown; all of them are on the pages of their courses."""


class HomePage(PageHandler):
    """/home."""

    access = SIGNED_IN
    reach = Reach.SELF

    async def get(self) -> None:
        """Continue, what is due, progress."""
        listed = await self.services.enrollments.list(
            self.actor, EnrollmentQuery(page_size=50, sort="-last_accessed_at")
        )
        enrollments = [row for row in shape(listed)["items"] if row["status"] in {"active", "completed"}]
        course_ids = {row["course_id"] for row in enrollments}
        quizzes, assignments = await self._quizzes(course_ids), await self._assignments(course_ids)
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
            assignments=assignments,
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
            if view.course_id in course_ids and not view.is_locked and (not view.closes_at or view.closes_at > now)
        ]
        open_ones.sort(key=lambda view: (view.closes_at is None, view.closes_at or now))
        return [shape(view) for view in open_ones[:_MOST_DUE]]

    async def _assignments(self, course_ids: set[str]) -> list[dict[str, object]]:
        """What can still be handed in and was not, the next to be due first."""
        if not course_ids:
            return []
        return [shape(view) for view in await self.services.assignments.due(self.actor, limit=_MOST_DUE)]


PAGES = [(r"/home", HomePage)]
