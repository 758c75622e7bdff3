"""Assignments as students meet them: the list of what is due, and one with its dates, its late rule in numbers, draft and grade.

What is handed in by the form is what POST …/submit takes, by the same service; drafts and files are kept by assignment.js.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from handlers.rest.access import SIGNED_IN
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.assignments import AssignmentQuery, AssignmentView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.submissions import HandInDraft, SubmissionView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach
from lms_rt.services.picture_sizes import sized

_SHEETS = ("pages.css", "teach.css", "grading.css")
PAGE_SIZE = 50
_SAID = frozenset({"handed_in"})
_REASONS = frozenset({"past_due", "graded", "too_often"})


class AssignmentsPage(PageHandler):
    """/assignments: those of the courses that the reader learns or teaches in."""

    access = SIGNED_IN
    reach = Reach.SELF

    async def get(self) -> None:
        """What is due first."""
        asked: dict[str, Any] = {"sort": "due_date", "page_size": PAGE_SIZE}
        try:
            query = AssignmentQuery.model_validate({**asked, "page": self.get_query_argument("page", "1")})
        except ValidationError:
            query = AssignmentQuery.model_validate(asked)
        listed = await self.services.assignments.list(self.actor, query)
        titles = await self.services.assignments.titles(listed.items)
        screen = Screen(
            "assignments.html",
            title=(self.t("assignments.title"),),
            groups=("assignments",),
            scripts=("shell.js", "assignments.js"),
            sheets=_SHEETS,
        )
        self.show(screen, listed=shape(listed), titles=titles)


class _Work(PageHandler):
    """What the page and its form have in common."""

    async def show_work(
        self, assignment: AssignmentView, work: SubmissionView | None, *, typed: str | None = None, fault: str = ""
    ) -> None:
        """The assignment, and how it stands for the reader."""
        course = await self.services.courses.show(self.actor, assignment.course_id)
        files = await self.services.files.views(_files_of(work))
        done = self.get_query_argument("done", "")
        yours = assignment.yours
        is_locked = yours is not None and work is None
        is_open = yours is not None and yours.can_submit and not is_locked and not self.actor.is_impersonated
        draft = work.draft if work is not None else None
        screen = Screen(
            "assignment.html",
            title=(f"{self.t('client.error_title')} {assignment.title}" if fault else assignment.title, course.title),
            data={
                "assignment_id": assignment.id,
                "is_open": is_open,
                "grade": shape(yours)["grade"] if yours else None,
                "revision": draft.revision if draft else 0,
                "file_ids": _chosen(work),
            },
            groups=("assignments", "files", "errors", "stats"),
            scripts=("shell.js", "file-picker.js", "assignment.js"),
            sheets=(*_SHEETS, "files.css"),
        )
        self.show(
            screen,
            assignment=shape(assignment) | {"description_html": await sized(assignment.description_html)},
            course=shape(course),
            work=None if work is None else shape(work),
            is_open=is_open,
            is_locked=is_locked,
            text=typed if typed is not None else _text_of(work),
            chosen=[shape(files[file_id]) for file_id in _chosen(work) if file_id in files],
            files={file_id: shape(view) for file_id, view in files.items()},
            accepted=[f".{one}" for one in self.services.settings.allowed_upload_extensions],
            limit_bytes=self.services.settings.max_upload_mb << 20,
            fault=fault,
            done=done if done in _SAID else "",
        )


class AssignmentPage(_Work):
    """/assignments/{id}."""

    access = SIGNED_IN
    reach = Reach.INSIDE

    async def get(self, assignment_id: str) -> None:
        """Due, late rule, draft and files; the grade with what came off."""
        assignment = await self.services.assignments.show(self.actor, assignment_id)
        work = await self._work(assignment_id) if assignment.yours else None
        await self.show_work(assignment, work)

    async def _work(self, assignment_id: str) -> SubmissionView | None:
        """The reader's own; None while the lesson that it belongs to is locked."""
        try:
            work: SubmissionView = await self.services.assignment_work.mine(self.actor, assignment_id)
        except Refused as refused:
            if refused.code is not Code.FORBIDDEN:
                raise
            return None
        return work


class HandInForm(_Work):
    """/assignments/{id}/hand-in: nobody does it in somebody else's place."""

    access = SIGNED_IN
    reach = Reach.LEARNER
    is_own_alone = True

    async def post(self, assignment_id: str) -> None:
        """Hand in what was written, with the files of the draft."""
        text = self.get_body_argument("content", "", strip=False).replace("\r\n", "\n")
        files = self.get_body_arguments("file")
        try:
            draft = read_model(HandInDraft, {"content": text, "file_ids": files})
            await self.services.assignment_work.submit(self.actor, assignment_id, draft)
        except Refused as refused:
            if refused.code not in (Code.CONFLICT, Code.VALIDATION_FAILED):
                raise
            await self._show_refused(assignment_id, text, refused)
            return
        self.redirect(f"/assignments/{assignment_id}?done=handed_in", status=303)

    async def _show_refused(self, assignment_id: str, text: str, refused: Refused) -> None:
        assignment = await self.services.assignments.show(self.actor, assignment_id)
        work = await self.services.assignment_work.mine(self.actor, assignment_id) if assignment.yours else None
        reason = refused.data.get("reason", "")
        field = refused.fields[0].field.partition(".")[0] if refused.fields else ""
        fault = reason if reason in _REASONS else f"field_{field}" if field in ("content", "file_ids") else "other"
        if refused.fields and refused.fields[0].code == "refused_file":
            fault = "refused_file"
        self.set_status(status_of(refused.code))
        await self.show_work(assignment, work, typed=text, fault=self.t(f"assignments.fault_{fault}"))


def _text_of(work: SubmissionView | None) -> str:
    if work is None:
        return ""
    return work.draft.content if work.draft is not None else work.content


def _chosen(work: SubmissionView | None) -> list[str]:
    """The files that would be handed in."""
    if work is None:
        return []
    return work.draft.file_ids if work.draft is not None else work.file_ids


def _files_of(work: SubmissionView | None) -> set[str]:
    if work is None:
        return set()
    return {*work.file_ids, *_chosen(work), *(one for earlier in work.history for one in earlier.file_ids)}


PAGES = [
    (r"/assignments/?", AssignmentsPage),
    (r"/assignments/([^/]+)/?", AssignmentPage),
    (r"/assignments/([^/]+)/hand-in", HandInForm),
]
"""The rows of these pages."""
