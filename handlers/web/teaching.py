"""Where teachers start, and the editor of one course: details, lessons, quizzes, students."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from handlers.rest.access import Access, needs_one_of
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.clock import rfc3339
from lms_rt.contracts.base import PageQuery
from lms_rt.contracts.courses import CourseDetailView, OwnCourseQuery
from lms_rt.contracts.enrollments import RosterQuery
from lms_rt.contracts.quizzes import QuizQuery, QuizView
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.access.courses import teaches
from lms_rt.security.permissions import TEACHING, Permission
from lms_rt.security.rights import Reach

TEACHERS: Access = needs_one_of(*sorted(TEACHING))
TABS = ("details", "lessons", "quizzes", "students")
_SHEETS = ("pages.css", "teach.css")


class TeachPage(PageHandler):
    """/teach: own courses and running quizzes."""

    access = TEACHERS
    reach = Reach.OWN_COURSES

    async def get(self) -> None:
        """Running quizzes first, then the courses, drafts too."""
        courses = await self.services.courses.list_own(self.actor, OwnCourseQuery(page_size=100, sort="-updated_at"))
        quizzes = await self.services.quizzes.list(self.actor, QuizQuery(is_published=True, page_size=100))
        titles = {view.id: view.title for view in courses.items}
        running = [view for view in quizzes.items if self._is_running(view, titles)]
        screen = Screen(
            "teach.html",
            title=(self.t("teach.title"),),
            groups=("errors", "teach"),
            scripts=("shell.js", "teach.js"),
            sheets=_SHEETS,
        )
        self.show(screen, courses=shape(courses), running=[shape(view) for view in running], titles=titles)

    def _is_running(self, quiz: QuizView, own: Collection[str]) -> bool:
        """Can it be sat now, in a course that the reader teaches? Those they learn in are on their other page."""
        now = self.services.clock.now()
        is_open = (not quiz.opens_at or quiz.opens_at <= now) and (not quiz.closes_at or quiz.closes_at > now)
        return is_open and (self.actor.is_admin or quiz.course_id in own)


class CourseEditor(PageHandler):
    """/teach/courses/{id}/{tab}."""

    access = TEACHERS
    reach = Reach.TAUGHT

    async def get(self, course_id: str, tab: str = "details") -> None:
        """One tab of the editor; a course of somebody else is not there, and students are for who sees to them."""
        course = await self.services.courses.show(self.actor, course_id)
        if tab not in TABS or not teaches(self.actor, course):
            raise Refused(Code.NOT_FOUND)
        tabs = self._tabs(course)
        if tab not in tabs:
            raise Refused(Code.FORBIDDEN)
        values = await getattr(self, f"_{tab}")(course)
        screen = Screen(
            f"teach_{tab}.html",
            title=(self.t(f"teach.tab_{tab}"), course.title),
            data={"course_id": course.id, "version": course.version, **values.pop("data", {})},
            groups=("errors", "teach"),
            scripts=("shell.js", "teach.js", *(("roster.js",) if tab == "students" else ())),
            sheets=_SHEETS,
        )
        self.show(screen, course=shape(course), tab=tab, tabs=tabs, **values)

    def _tabs(self, course: CourseDetailView) -> tuple[str, ...]:
        """Those that the reader may open."""
        return TABS if teaches(self.actor, course, Permission.ENROLLMENTS_MANAGE) else TABS[:-1]

    async def _details(self, course: CourseDetailView) -> dict[str, Any]:
        categories = await self.services.categories.list(self.actor, PageQuery(page_size=100))
        checklist = [
            ("title", bool(course.title.strip())),
            ("description", bool(course.description and course.description.strip())),
            ("lessons", any(lesson.is_published for lesson in course.lessons)),
        ]
        return {"categories": shape(categories)["items"], "checklist": checklist}

    async def _lessons(self, course: CourseDetailView) -> dict[str, Any]:
        """The list, and the form of the lesson that the address names ("new" for another one)."""
        wanted = self.get_query_argument("lesson", "")
        chosen = next((lesson for lesson in course.lessons if lesson.id == wanted), None)
        if wanted and wanted != "new" and chosen is None:
            raise Refused(Code.NOT_FOUND)
        return {"chosen": shape(chosen) if chosen else None, "is_new": wanted == "new"}

    async def _quizzes(self, course: CourseDetailView) -> dict[str, Any]:
        quizzes = await self.services.quizzes.list(self.actor, QuizQuery(course_id=course.id, page_size=100))
        return {"quizzes": shape(quizzes)["items"], "now": rfc3339(self.services.clock.now())}

    async def _students(self, course: CourseDetailView) -> dict[str, Any]:
        page = self.get_query_argument("page", "1")
        number = int(page) if page.isdecimal() and 0 < len(page) < 7 else 1
        query = RosterQuery(page=max(1, number), page_size=50)
        listed = await self.services.enrollments.list_students(self.actor, course.id, query)
        return {"listed": shape(listed), "once": new_id("req")}


PAGES = [
    (r"/teach/?", TeachPage),
    (r"/teach/courses/([^/]+)/?", CourseEditor),
    (r"/teach/courses/([^/]+)/([a-z]+)", CourseEditor),
]
