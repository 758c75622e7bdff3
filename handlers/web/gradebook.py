"""/teach/courses/{id}/gradebook: every student's grades, one student's with grades by hand, and how the course is graded.

All of it works without scripts; what arrives live is the script's.
"""

from __future__ import annotations

from typing import Any

from handlers.rest.access import needs, needs_one_of
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.gradebook_form import Typed, settings_typed, typed_of
from handlers.web.teaching import tabs_of
from lms_rt.contracts.base import read_model
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.gradebook import GradebookChange, OverrideDraft, TakeBackQuery
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.access.courses import teaches
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach

PAGE_SIZE = 50
_SHEETS = ("pages.css", "teach.css", "gradebook.css")
_TAKEN_IN_PLACE = frozenset({Code.VALIDATION_FAILED, Code.VERSION_MISMATCH})
_DONE = frozenset({"set", "taken_back", "saved"})


class _BookPage(PageHandler):
    """What the pages of a gradebook share."""

    access = needs_one_of("analytics:view", "quizzes:manage")
    form_access = needs("quizzes:manage")
    reach = Reach.TAUGHT

    async def _course(self, course_id: str) -> CourseDetailView:
        course = await self.services.courses.show(self.actor, course_id)
        if not teaches(self.actor, course, Permission.ANALYTICS_VIEW, Permission.QUIZZES_MANAGE):
            raise Refused(Code.NOT_FOUND)
        return course

    def _screen(self, template: str, course: CourseDetailView, *title: str, scripts: tuple[str, ...] = ()) -> Screen:
        return Screen(
            template,
            title=(*title, self.t("gradebook.title"), course.title),
            data={"course_id": course.id},
            groups=("errors", "teach", "gradebook"),
            scripts=("shell.js", *scripts),
            sheets=_SHEETS,
        )

    def _around(self, course: CourseDetailView) -> dict[str, Any]:
        tabs = tabs_of(self.actor, course)
        may_set = self.actor.has_permission(Permission.QUIZZES_MANAGE)
        return {"course": shape(course), "tab": "gradebook", "tabs": tabs, "may_set": may_set, "done": self._done()}

    def _done(self) -> str:
        done = self.get_query_argument("done", "")
        return done if done in _DONE else ""

    def _version(self) -> int | None:
        """The version that the form was made of."""
        version = self.field("version")
        return int(version) if version.isdecimal() and len(version) <= 9 else None

    def _words(self, faults: tuple[FieldError, ...]) -> list[tuple[str, str]]:
        return [(one.field, self._words_of(one)) for one in faults]

    def _words_of(self, fault: FieldError) -> str:
        for key in (f"gradebook.fault_{fault.code}", f"errors.{fault.code}"):
            if self.t.knows(key):
                return self.t(key)
        return fault.message

    def _faults(self, refused: Refused, field: str) -> tuple[FieldError, ...]:
        """What to say beside the form; other refusals have a page of their own."""
        if refused.code not in _TAKEN_IN_PLACE:
            raise refused
        self.set_status(status_of(refused.code))
        return tuple(refused.fields) or (FieldError(field, "", refused.code.code),)


class GradebookPage(_BookPage):
    """The table: students by items."""

    async def get(self, course_id: str) -> None:
        """One page of students, those whose name holds what is looked for; no others are read."""
        course = await self._course(course_id)
        gradebooks, wanted = self.services.gradebooks, " ".join(self.get_query_argument("q", "").split())[:100]
        found = await gradebooks.find_students(self.actor, course.id, wanted)
        pages = max(1, -(-len(found) // PAGE_SIZE))
        asked = self.get_query_argument("page", "1")
        page = min(pages, max(1, int(asked))) if asked.isdecimal() and len(asked) < 6 else 1
        shown = found[(page - 1) * PAGE_SIZE :][:PAGE_SIZE]
        is_whole = (pages == 1 and not wanted) or self.get_query_argument("averages", "") == "1"
        view = await gradebooks.show(self.actor, course.id, student_ids=None if is_whole else shown)
        book = shape(view.model_copy(update={"students": [row for row in view.students if row.student_id in shown]}))
        screen = self._screen("teach_gradebook.html", course, scripts=("gradebook.js",))
        self.show(
            screen,
            book=book,
            rows=book["students"],
            has_averages=is_whole,
            found_count=len(found),
            wanted=wanted,
            listed={"page": page, "pages": pages},
            **self._around(course),
        )


class StudentGradesPage(_BookPage):
    """One student: every grade explained, and a form for each to set it by hand."""

    async def get(self, course_id: str, student_id: str) -> None:
        """The grades as they are."""
        await self._show(await self._course(course_id), student_id)

    async def post(self, course_id: str, student_id: str) -> None:
        """Set a grade by hand, or take one back."""
        course = await self._course(course_id)
        place = (course.id, student_id, self.field("item_id"))
        overrides = self.services.grade_overrides
        try:
            if self.field("act") == "take_back":
                query = read_model(TakeBackQuery, {"reason": self.field("reason")})
                await overrides.take_back(self.actor, place, query.reason, expected_version=self._version())
            else:
                draft = read_model(OverrideDraft, self._draft())
                await overrides.set(self.actor, place, draft, expected_version=self._version())
        except Refused as refused:
            await self._show(course, student_id, self._faults(refused, "reason"))
            return
        done = "taken_back" if self.field("act") == "take_back" else "set"
        self.redirect(f"/teach/courses/{course.id}/gradebook/{student_id}?done={done}", status=303)

    def _draft(self) -> dict[str, Any]:
        draft: dict[str, Any] = {"reason": self.field("reason"), "is_excused": self.field("act") == "excuse"}
        if not draft["is_excused"]:
            draft["points"] = self.field("points").strip().replace("٫", ".").replace(",", ".")
        return draft

    async def _show(self, course: CourseDetailView, student_id: str, faults: tuple[FieldError, ...] = ()) -> None:
        view = await self.services.gradebooks.explain(self.actor, course.id, student_id)
        screen = self._screen("teach_grades.html", course, view.full_name or "")
        chosen = self.field("item_id") if faults else self.get_query_argument("item", "")
        typed = {name: self.field(name) if faults else "" for name in ("points", "reason")}
        self.show(
            screen, grades=shape(view), chosen=chosen, typed=typed, errors=self._words(faults), **self._around(course)
        )


class GradingPage(_BookPage):
    """How the course is graded: categories, where items belong, letters."""

    access = needs("quizzes:manage")

    async def get(self, course_id: str) -> None:
        """The settings as they are, with empty rows for more."""
        course = await self._course(course_id)
        book = await self.services.gradebooks.outline(self.actor, course.id)
        await self._show(course, settings_typed(book), shape(book)["items"], book.version)

    async def post(self, course_id: str) -> None:
        """Take the form; what is typed stays in it when it is refused."""
        course = await self._course(course_id)
        book = await self.services.gradebooks.outline(self.actor, course.id)
        items = shape(book)["items"]
        typed = typed_of(self.field, [item["item_id"] for item in items])
        try:
            change = read_model(GradebookChange, typed.body())
            await self.services.gradebooks.change(self.actor, course.id, change, expected_version=self._version())
        except Refused as refused:
            faults = self._faults(refused, "categories")
            now = settings_typed(book) if refused.code is Code.VERSION_MISMATCH else None
            await self._show(course, typed, items, book.version, faults=faults, now=now)
            return
        self.redirect(f"/teach/courses/{course.id}/gradebook/settings?done=saved", status=303)

    async def _show(
        self,
        course: CourseDetailView,
        typed: Typed,
        items: list[dict[str, Any]],
        version: int,
        *,
        faults: tuple[FieldError, ...] = (),
        now: Typed | None = None,
    ) -> None:
        screen = self._screen("teach_grading_rules.html", course, self.t("gradebook.rules"))
        errors = [(typed.element_of(field), words) for field, words in self._words(faults)]
        self.show(screen, typed=typed, items=items, version=version, errors=errors, now=now, **self._around(course))


PAGES = [
    (r"/teach/courses/([^/]+)/gradebook/?", GradebookPage),
    (r"/teach/courses/([^/]+)/gradebook/settings", GradingPage),
    (r"/teach/courses/([^/]+)/gradebook/([^/]+)", StudentGradesPage),
]
