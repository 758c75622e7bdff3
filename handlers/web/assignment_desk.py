"""Assignments as teachers meet them: the tab of a course, one with its settings, dates and submissions, and the desk to grade at.

The desk works without scripts; with them, Ctrl+Enter grades and goes on. Each form is what an operation of REST is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from handlers.rest.access import needs
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.packed_tables import packed, unpacked
from handlers.web.teaching import TEACHERS, course_with_tab
from lms_rt.contracts.assignments import AssignmentQuery, AssignmentView
from lms_rt.contracts.base import hundredths_text, read_model
from lms_rt.contracts.enrollments import RosterQuery
from lms_rt.contracts.gradebook import TakeBackQuery
from lms_rt.contracts.numbers import read_number
from lms_rt.contracts.submissions import GradeDraft, NextWorkDraft, SubmissionQuery, SubmissionView
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach

GRADERS = needs("quizzes:manage")
PAGE_SIZE = 20
COURSE_PAGE_SIZE = 50
_SHEETS = ("pages.css", "teach.css", "grading.css")
_STATES = ("waiting", "graded", "late", "submitted")
_SAID = frozenset({"graded", "all", "left", "none", "sheet", "back"})
_LEVEL = "level_"
_OFFERED = 100
_MAX_DIGITS = 9


def desk_path(assignment_id: str, **query: str) -> str:
    """Where an assignment is graded."""
    kept = {name: value for name, value in query.items() if value}
    return f"/teach/assignments/{assignment_id}/grade" + (f"?{urlencode(kept)}" if kept else "")


class CourseAssignments(PageHandler):
    """/teach/courses/{id}/assignments: those of a course, and the form of another one."""

    access = TEACHERS
    reach = Reach.TAUGHT

    async def get(self, course_id: str) -> None:
        """The list, newest first."""
        course, tabs = await course_with_tab(self, course_id, "assignments")
        page = _page_of(self.get_query_argument("page", "1"))
        query = AssignmentQuery(course_id=course.id, page=page, page_size=COURSE_PAGE_SIZE)
        listed = await self.services.assignments.list(self.actor, query)
        screen = Screen(
            "teach_assignments.html",
            title=(self.t("teach.tab_assignments"), course.title),
            data={"course_id": course.id},
            groups=("errors", "teach"),
            scripts=("shell.js", "teach.js"),
            sheets=_SHEETS,
        )
        self.show(screen, course=shape(course), tab="assignments", tabs=tabs, listed=shape(listed))


class AssignmentEditor(PageHandler):
    """/teach/assignments/{id}: settings, other dates, what was handed in, the sheet and the ZIP."""

    access = GRADERS
    reach = Reach.TAUGHT

    async def get(self, assignment_id: str) -> None:
        """All of it; `?state=` keeps to some of what was handed in."""
        await self._show(assignment_id)

    async def post(self, assignment_id: str) -> None:
        """Look through a filled sheet, or take its grades."""
        sheet = await asyncio.to_thread(self._sheet)
        is_dry_run = self.field("act") != "apply"
        try:
            report = await self.services.grade_sheets.read(self.actor, assignment_id, sheet, is_dry_run=is_dry_run)
        except Refused as refused:
            if refused.code not in (Code.VALIDATION_FAILED, Code.CONFLICT, Code.TOO_LARGE):
                raise
            self.set_status(status_of(refused.code))
            is_large = refused.code is Code.TOO_LARGE
            await self._show(assignment_id, fault=self.t(f"assignments.fault_sheet{'_large' if is_large else ''}"))
            return
        if not is_dry_run and not report.refused:
            self.redirect(f"/teach/assignments/{assignment_id}?done=sheet", status=303)
            return
        carried = await asyncio.to_thread(packed, sheet)
        await self._show(assignment_id, report=shape(report), sheet=carried)

    def _sheet(self) -> bytes:
        """The file that was chosen, or the one that was looked through before, to the byte."""
        files = self.request.files.get("file") or []
        return files[0]["body"] if files else unpacked(self.get_body_argument("sheet", ""))

    async def _show(
        self, assignment_id: str, *, report: Mapping[str, Any] | None = None, sheet: str = "", fault: str = ""
    ) -> None:
        state = self.get_query_argument("state", "waiting")
        state = state if state in _STATES else "waiting"
        query = SubmissionQuery.model_validate(
            {"state": state, "page": _page_of(self.get_query_argument("page", "1")), "page_size": PAGE_SIZE}
        )
        listed = await self.services.assignment_work.list_of(self.actor, assignment_id, query)
        assignment = await self.services.assignments.show_taught(self.actor, assignment_id)
        course = await self.services.courses.show(self.actor, assignment.course_id)
        done = self.get_query_argument("done", "")
        shown = shape(assignment)
        screen = Screen(
            "teach_assignment.html",
            title=(f"{self.t('client.error_title')} {assignment.title}" if fault else assignment.title, course.title),
            data={
                "assignment_id": assignment.id,
                "version": assignment.version,
                "overrides": shown["overrides"],
                "rubric": shown["rubric"],
            },
            groups=("errors", "compare", "teach", "assignments", "question"),
            scripts=("shell.js", "teach.js", "assignment-dates.js", "assignment-rubric.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            assignment=shown,
            course=shape(course),
            listed=shape(listed),
            state=state,
            states=_STATES,
            **await self._whose_dates(assignment),
            report=report,
            sheet=sheet,
            fault=fault,
            me=self.actor.user_id,
            done=done if done in _SAID else "",
        )

    async def _whose_dates(self, assignment: AssignmentView) -> dict[str, Any]:
        students, groups = await self._students(assignment), await self._groups(assignment)
        return {"students": students, "groups": groups, "whom": self._whom()}

    async def _students(self, assignment: AssignmentView) -> list[dict[str, Any]]:
        """Who can be given another date, for who may see the students."""
        if not self.actor.has_permission(Permission.ENROLLMENTS_MANAGE):
            return []
        roster = await self.services.enrollments.list_students(
            self.actor, assignment.course_id, RosterQuery(page_size=_OFFERED, q=self._whom() or None)
        )
        rows: list[dict[str, Any]] = shape(roster)["items"]
        return rows

    def _whom(self) -> str:
        """Whom to look for among the students: those found are offered."""
        return self.get_query_argument("whom", "")[:200]

    async def _groups(self, assignment: AssignmentView) -> list[str]:
        """The first that are called so; all may be found by their names."""
        found = await self.services.groups.find(self.actor, assignment.course_id, self._whom(), limit=_OFFERED)
        return list(found)


class GradingWork(PageHandler):
    """/teach/assignments/{id}/grade: `?work=` is the submission before one."""

    access = GRADERS
    reach = Reach.TAUGHT

    async def get(self, assignment_id: str) -> None:
        """The submission that the address names; without one, back to the list."""
        work_id = self.get_query_argument("work", "")
        assignment = await self.services.assignments.show_taught(self.actor, assignment_id)
        if not work_id:
            self.redirect(f"/teach/assignments/{assignment_id}", status=303)
            return
        work = await self.services.assignment_work.show(self.actor, work_id)
        await self._show(assignment, work, _typed_of(work))

    async def post(self, assignment_id: str) -> None:
        """Take the next one, or this one; save a grade and go on; give one back."""
        act, work_id = self.field("act"), self.field("work")
        deeds = {"grade": self._grade, "take": self._take, "leave": self._leave, "take_back": self._take_back}
        deed = deeds.get(act, self._go_on)
        try:
            await deed(assignment_id, work_id)
        except Refused as refused:
            if refused.code not in (Code.CONFLICT, Code.VALIDATION_FAILED) or not work_id:
                raise
            await self._show_refused(assignment_id, work_id, refused)

    async def _go_on(self, assignment_id: str, work_id: str, *, said: str = "none") -> None:
        draft = NextWorkDraft(after=work_id[:200] or None)
        found = await self.services.assignment_grading.take_next(self.actor, assignment_id, draft)
        if found.item is None:
            done = "all" if said == "graded" else said
            self.redirect(f"/teach/assignments/{assignment_id}?done={done}", status=303)
            return
        done = "graded" if said == "graded" else ""
        self.redirect(desk_path(assignment_id, work=found.item.id, done=done), status=303)

    async def _take(self, assignment_id: str, work_id: str) -> None:
        taken = await self.services.assignment_grading.claim(self.actor, work_id)
        self.redirect(desk_path(assignment_id, work=taken.id), status=303)

    async def _leave(self, assignment_id: str, work_id: str) -> None:
        await self.services.assignment_grading.release(self.actor, work_id)
        self.redirect(f"/teach/assignments/{assignment_id}?done=left", status=303)

    async def _take_back(self, assignment_id: str, work_id: str) -> None:
        said = read_model(TakeBackQuery, {"reason": self.field("reason")})
        await self.services.assignment_grading.take_back(self.actor, work_id, said.reason)
        self.redirect(f"/teach/assignments/{assignment_id}?done=back", status=303)

    async def _grade(self, assignment_id: str, work_id: str) -> None:
        draft = read_model(GradeDraft, self._draft())
        await self.services.assignment_grading.grade(self.actor, work_id, draft)
        await self._go_on(assignment_id, work_id, said="graded")

    def _draft(self) -> dict[str, Any]:
        """The form as REST takes it: numbers as people write them; an empty comment, and no levels, take away what was there."""
        typed = self._typed()
        number = read_number(typed["points"])
        wished = {
            "grade": (typed["points"] if number is None else str(number)) or None,
            "feedback": typed["feedback"],
            "reason": typed["reason"],
            "rubric": self._levels(),
            "number": _count_of(typed["number"]) or None,
            "revision": _count_of(typed["revision"]),
        }
        return {name: value for name, value in wished.items() if value is not None}

    def _typed(self) -> dict[str, str]:
        names = ("points", "reason", "revision", "number")
        return {name: self.field(name) for name in names} | {
            "feedback": self.get_body_argument("feedback", "", strip=False).replace("\r\n", "\n")
        }

    def _levels(self) -> dict[str, str]:
        names = (name for name in self.request.body_arguments if name.startswith(_LEVEL))
        return {name.removeprefix(_LEVEL): self.field(name) for name in names if self.field(name)}

    async def _show_refused(self, assignment_id: str, work_id: str, refused: Refused) -> None:
        """The work again as it is now, with what was typed and why it was not taken."""
        assignment = await self.services.assignments.show_taught(self.actor, assignment_id)
        work = await self.services.assignment_work.show(self.actor, work_id)
        typed = {**self._typed(), "levels": self._levels()} if self.field("act") == "grade" else _typed_of(work)
        typed |= {"revision": str(work.revision), "number": str(work.number)}
        self.set_status(status_of(refused.code))
        await self._show(assignment, work, typed, refused=refused)

    async def _show(
        self,
        assignment: AssignmentView,
        work: SubmissionView,
        typed: Mapping[str, Any],
        *,
        refused: Refused | None = None,
    ) -> None:
        if work.assignment_id != assignment.id:
            raise Refused(Code.NOT_FOUND)
        has_other = work.claimed_by is not None and work.claimed_by.user_id != self.actor.user_id
        name = work.full_name or self.t("grading.alias", alias=work.alias)
        chosen = {*work.file_ids, *(f for one in work.history for f in one.file_ids)}
        files = await self.services.files.views(chosen, is_nameless=assignment.is_marking_anonymous)
        done = self.get_query_argument("done", "")
        faults = refused.fields if refused is not None else ()
        screen = Screen(
            "grade_work.html",
            title=(f"{self.t('client.error_title')} {name}" if refused is not None else name, assignment.title),
            data={
                "claim_path": f"/assignments/submissions/{work.id}/claim",
                "is_mine": work.claimed_by is not None and not has_other,
            },
            groups=("grading",),
            scripts=("shell.js", "grading.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            assignment=shape(assignment),
            work=shape(work),
            name=name,
            typed=typed,
            files={file_id: shape(view) for file_id, view in files.items()},
            errors=[(_field_of(fault), self._words_of(fault)) for fault in faults],
            conflict=refused is not None and refused.code is Code.CONFLICT and not has_other,
            has_other=has_other,
            action=desk_path(assignment.id, work=work.id),
            done=done if done in _SAID else "",
        )

    def _words_of(self, fault: FieldError) -> str:
        field = _field_of(fault).partition("_")[0]
        field = {"level": "rubric", "feedback": "comment"}.get(field, field)
        for key in (f"grading.fault_{field}_{fault.code}", f"grading.fault_{field}"):
            if self.t.knows(key):
                return self.t(key)
        return self.t("grading.fault_other")


def _field_of(fault: FieldError) -> str:
    """The id of the field that a fault is about."""
    kind, _, name = fault.field.partition(".")
    return f"{_LEVEL}{name}" if kind == "rubric" and name else {"grade": "points"}.get(kind, kind)


def _page_of(text: str) -> int:
    return max(1, int(text[:6])) if text.isascii() and text.isdigit() else 1


def _count_of(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else 0


def _typed_of(work: SubmissionView) -> dict[str, Any]:
    """What the form holds at first: the grade that there is."""
    return {
        "points": "" if work.raw_grade is None else hundredths_text(work.raw_grade),
        "feedback": work.feedback or "",
        "reason": "",
        "revision": str(work.revision),
        "number": str(work.number),
        "levels": work.rubric or {},
    }


PAGES = [
    (r"/teach/courses/([^/]+)/assignments", CourseAssignments),
    (r"/teach/assignments/([^/]+)/?", AssignmentEditor),
    (r"/teach/assignments/([^/]+)/grade", GradingWork),
]
"""The rows of these pages."""
