"""Where teachers start, and the editor of one course: details, lessons, quizzes, students."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from handlers.rest.access import Access, needs_one_of
from handlers.web import teach_lessons
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.clock import rfc3339
from lms_rt.contracts.accommodations import AccommodationQuery
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import PageQuery
from lms_rt.contracts.courses import CourseDetailView, OwnCourseQuery
from lms_rt.contracts.enrollments import RosterQuery
from lms_rt.contracts.quizzes import QuizQuery
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.access.courses import teaches
from lms_rt.security.permissions import TEACHING, Permission
from lms_rt.security.rights import Reach

TEACHERS: Access = needs_one_of(*sorted(TEACHING))
TABS = ("details", "lessons", "quizzes", "students", "accommodations")
MORE_TABS: Mapping[str, Permission] = {
    "assignments": Permission.QUIZZES_MANAGE,
    "gradebook": Permission.ANALYTICS_VIEW,
    "revenue": Permission.ANALYTICS_VIEW,
    "certificates": Permission.COURSE_UPDATE,
    "bulk": Permission.ENROLLMENTS_MANAGE,
}
"""Tabs whose pages are modules of their own (before this one in `pages.py`), and what each needs."""
_SHEETS = ("pages.css", "teach.css")
_TAB_SCRIPTS = {"students": ("roster.js",), "lessons": teach_lessons.SCRIPTS}
_MOST_WAITING = 5
_MOST_RUNNING = 10
"""So many quizzes are shown that nobody is sitting; all others are on the pages of their courses."""


class TeachPage(PageHandler):
    """/teach: own courses and running quizzes."""

    access = TEACHERS
    reach = Reach.OWN_COURSES

    async def get(self) -> None:
        """Running quizzes first, those that are being sat before all, then the courses, drafts too."""
        courses = await self.services.courses.list_own(self.actor, OwnCourseQuery(page_size=100, sort="-updated_at"))
        running, is_cut = await self.services.running_quizzes.overview(self.actor, most=_MOST_RUNNING)
        titles = {view.id: view.title for view in courses.items}
        may_mark = self.actor.has_permission(Permission.QUIZZES_MANAGE)
        waiting = await self.services.grading_queue.overview(self.actor) if may_mark else []
        screen = Screen(
            "teach.html",
            title=(self.t("teach.title"),),
            groups=("errors", "teach"),
            scripts=("shell.js", "teach.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            courses=shape(courses),
            running=[shape(view) for view in running],
            is_cut=is_cut,
            waiting=[shape(view) for view in waiting[:_MOST_WAITING]],
            titles=titles,
        )


class CourseEditor(PageHandler):
    """/teach/courses/{id}/{tab}."""

    access = TEACHERS
    reach = Reach.TAUGHT

    async def get(self, course_id: str, tab: str = "details") -> None:
        """One tab of the editor; a course of somebody else is not there, and students are for who sees to them."""
        if tab not in TABS:
            raise Refused(Code.NOT_FOUND)
        course, tabs = await course_with_tab(self, course_id, tab)
        values = await getattr(self, f"_{tab}")(course)
        screen = Screen(
            f"teach_{tab}.html",
            title=(self.t(f"teach.tab_{tab}"), course.title),
            data={"course_id": course.id, "version": course.version, **values.pop("data", {})},
            groups=("errors", "compare", "teach", *(teach_lessons.GROUPS if tab == "lessons" else ())),
            scripts=("shell.js", "teach.js", *_TAB_SCRIPTS.get(tab, ())),
            sheets=(*_SHEETS, *(teach_lessons.SHEETS if tab == "lessons" else ())),
        )
        self.show(screen, course=shape(course), tab=tab, tabs=tabs, **values)

    def _tabs(self, course: CourseDetailView) -> tuple[str, ...]:
        """Those that the reader may open."""
        if not teaches(self.actor, course, Permission.ENROLLMENTS_MANAGE):
            return TABS[:-2]
        return TABS if teaches(self.actor, course, Permission.QUIZZES_MANAGE) else TABS[:-1]

    async def _details(self, course: CourseDetailView) -> dict[str, Any]:
        categories = await self.services.categories.list(self.actor, PageQuery(page_size=100))
        checklist = [
            ("title", bool(course.title.strip())),
            ("description", bool(course.description and course.description.strip())),
            ("lessons", any(lesson.is_published for lesson in course.lessons)),
        ]
        return {"categories": shape(categories)["items"], "checklist": checklist}

    async def _lessons(self, course: CourseDetailView) -> dict[str, Any]:
        return await teach_lessons.values_of(self, course)

    async def _quizzes(self, course: CourseDetailView) -> dict[str, Any]:
        quizzes = await self.services.quizzes.list(self.actor, QuizQuery(course_id=course.id, page_size=100))
        return {"quizzes": shape(quizzes)["items"], "now": rfc3339(self.services.clock.now())}

    async def _students(self, course: CourseDetailView) -> dict[str, Any]:
        query, enrollments = self._roster_query(), self.services.enrollments
        all_of_them = await enrollments.list_students(self.actor, course.id, RosterQuery(page_size=1))
        listed = await enrollments.list_students(self.actor, course.id, query)
        may_group = teaches(self.actor, course, Permission.QUIZZES_MANAGE)
        groups = await self.services.groups.list(self.actor, course.id, PageQuery(page_size=100)) if may_group else None
        shown = shape(groups)["items"] if groups is not None else []
        asked = query.model_dump(include={"q", "status", "progress", "group"})
        data = {"total": all_of_them.total}  # counted before what is shown: nobody is missed between
        shown_beside = {"once": new_id("req"), "may_group": may_group, "groups": shown, "asked": asked}
        return {"data": data, "listed": shape(listed), **shown_beside}

    def _roster_query(self) -> RosterQuery:
        """The filters of the address; what cannot be read counts as not said."""
        names = ("q", "status", "progress", "group")
        given = {name: one for name in names if (one := self.get_query_argument(name, ""))}
        try:
            return RosterQuery.model_validate({**given, "page": self._page(), "page_size": 50})
        except ValidationError:
            return RosterQuery(page=self._page(), page_size=50)

    async def _accommodations(self, course: CourseDetailView) -> dict[str, Any]:
        """Who gets more time, in the course or (`?quiz=`) at one of its quizzes; `?student=` opens the form for one."""
        quizzes = await self.services.quizzes.list(self.actor, QuizQuery(course_id=course.id, page_size=100))
        wanted = self.get_query_argument("quiz", "")
        quiz = next((one for one in quizzes.items if one.id == wanted), None)
        if wanted and quiz is None:
            raise Refused(Code.NOT_FOUND)
        query, profiles = AccommodationQuery(page=self._page(), page_size=50), self.services.accommodations
        if quiz is None:
            listed = await profiles.list_of_course(self.actor, course.id, query)
        else:
            listed = await profiles.list_of_quiz(self.actor, quiz.id, query)
        roster = RosterQuery(page_size=100)
        students = await self.services.enrollments.list_students(self.actor, course.id, roster)
        student_id = self.get_query_argument("student", "")
        chosen = [one for one in listed.items if one.student_id == student_id and one.is_in_force]
        return {
            "listed": shape(listed),
            "quizzes": shape(quizzes)["items"],
            "quiz": shape(quiz) if quiz else None,
            "students": shape(students)["items"],
            "student_id": student_id,
            "chosen": shape(chosen[0]) if chosen else None,
        }

    def _page(self) -> int:
        """The page that the address names; the first, where that is none."""
        page = self.get_query_argument("page", "1")
        return max(1, int(page)) if page.isdecimal() and 0 < len(page) < 7 else 1


async def course_with_tab(page: PageHandler, course_id: str, tab: str) -> tuple[CourseDetailView, tuple[str, ...]]:
    """A course that the reader teaches, and its tabs; refused without this one among them."""
    course = await page.services.courses.show(page.actor, course_id)
    if not teaches(page.actor, course):
        raise Refused(Code.NOT_FOUND)
    tabs = tabs_of(page.actor, course)
    if tab not in tabs:
        raise Refused(Code.FORBIDDEN)
    return course, tabs


def tabs_of(actor: Actor, course: CourseDetailView) -> tuple[str, ...]:
    """The tabs of a course that this teacher may open."""
    more = tuple(name for name, needed in MORE_TABS.items() if teaches(actor, course, needed))
    if not teaches(actor, course, Permission.ENROLLMENTS_MANAGE):
        return (*TABS[:-2], *more)
    return (*(TABS if teaches(actor, course, Permission.QUIZZES_MANAGE) else TABS[:-1]), *more)


PAGES = [
    (r"/teach/?", TeachPage),
    (r"/teach/courses/([^/]+)/?", CourseEditor),
    (r"/teach/courses/([^/]+)/([a-z]+)", CourseEditor),
]
