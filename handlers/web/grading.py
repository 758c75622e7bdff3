"""Marking: /teach/grading, where something waits; /teach/grading/{quiz_id}, the queue of a quiz and the answer before one.

Each form is what an operation of REST is, by the same service. Works without scripts; with them, Ctrl+Enter saves and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from handlers.rest.access import Access, needs
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.shown_answers import shown_question
from lms_rt.contracts.base import Page, hundredths_text, read_model
from lms_rt.contracts.grading import MarkDraft, MarkView, NextDraft, QueueItemView, QueueQuery, QueueRowView
from lms_rt.contracts.numbers import read_number
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.rights import Reach

MARKERS: Access = needs("quizzes:manage")
PAGE_SIZE = 20
_SHEETS = ("pages.css", "teach.css", "grading.css")
_SAID = frozenset({"marked", "all", "left", "none"})
_LEVEL = "level_"
_MAX_REVISION_DIGITS = 9


def desk_path(quiz_id: str, **query: str) -> str:
    """Where a quiz is marked."""
    kept = {name: value for name, value in query.items() if value}
    return f"/teach/grading/{quiz_id}" + (f"?{urlencode(kept)}" if kept else "")


class GradingPage(PageHandler):
    """/teach/grading: the quizzes in which answers wait."""

    access = MARKERS
    reach = Reach.OWN_COURSES

    async def get(self) -> None:
        """The one that has waited longest first."""
        waiting = await self.services.grading_queue.overview(self.actor)
        works = await self.services.assignment_grading.overview(self.actor)
        screen = Screen("grading.html", title=(self.t("grading.title"),), sheets=_SHEETS)
        self.show(screen, waiting=[shape(view) for view in waiting], works=[shape(view) for view in works])


class GradingDesk(PageHandler):
    """/teach/grading/{quiz_id}: `?item=` opens an answer, `?question=` keeps to one question."""

    access = MARKERS
    reach = Reach.TAUGHT

    async def get(self, quiz_id: str) -> None:
        """The answer that the address names, else the queue."""
        item_id = self.get_query_argument("item", "")
        if item_id:
            item = await self.services.grading_queue.show(self.actor, item_id, quiz_id=quiz_id)
            self._show_item(item, _typed_of(item))
        else:
            await self._show_queue(quiz_id)

    async def post(self, quiz_id: str) -> None:
        """Take the next one, or this one; save a mark and go on; give one back."""
        act, item_id = self.field("act"), self.field("item")
        deed = {"mark": self._mark, "take": self._take, "leave": self._leave}.get(act, self._go_on)
        try:
            await deed(quiz_id, item_id)
        except Refused as refused:
            if refused.code not in (Code.CONFLICT, Code.VALIDATION_FAILED) or not item_id:
                raise
            await self._show_refused(quiz_id, item_id, refused)

    # --- what the forms do ---

    async def _go_on(self, quiz_id: str, item_id: str, *, said: str = "none") -> None:
        """To the next answer that nobody has; to the queue where there is none."""
        question_id = self.get_query_argument("question", "")
        try:
            draft = NextDraft(question_id=question_id or None, after=item_id or None)
        except ValidationError:
            draft = NextDraft()
        found = await self.services.grading_queue.take_next(self.actor, draft, quiz_id=quiz_id)
        if found.item is None:
            self.redirect(desk_path(quiz_id, done="all" if said == "marked" else said), status=303)
            return
        done = "marked" if said == "marked" else ""
        self.redirect(desk_path(quiz_id, item=found.item.id, question=question_id, done=done), status=303)

    async def _take(self, quiz_id: str, item_id: str) -> None:
        taken = await self.services.grading_queue.claim(self.actor, item_id, quiz_id=quiz_id)
        question_id = self.get_query_argument("question", "")
        self.redirect(desk_path(quiz_id, item=taken.id, question=question_id), status=303)

    async def _leave(self, quiz_id: str, item_id: str) -> None:
        await self.services.grading_queue.release(self.actor, item_id, quiz_id=quiz_id)
        self.redirect(desk_path(quiz_id, question=self.get_query_argument("question", ""), done="left"), status=303)

    async def _mark(self, quiz_id: str, item_id: str) -> None:
        item = await self.services.grading_queue.show(self.actor, item_id, quiz_id=quiz_id)
        draft = read_model(MarkDraft, self._draft(item))
        await self.services.manual_grading.mark(self.actor, item.attempt_id, draft)
        await self._go_on(quiz_id, item_id, said="marked")

    def _draft(self, item: QueueItemView) -> dict[str, Any]:
        """The form as REST takes it: numbers as people write them; an empty comment, and no levels, take away what was there."""
        typed = self._typed()
        number = read_number(typed["points"])
        wished = {
            "points": (typed["points"] if number is None else str(number)) or None,
            "comment": typed["comment"],
            "reason": typed["reason"],
            "rubric": self._levels(),
        }
        revision = typed["revision"]
        is_number = revision.isascii() and revision.isdigit() and len(revision) <= _MAX_REVISION_DIGITS
        given = {name: value for name, value in wished.items() if value is not None}
        return given | {"question_id": item.question_id, "revision": int(revision) if is_number else 0}

    def _typed(self) -> dict[str, str]:
        return {name: self.field(name) for name in ("points", "reason", "revision")} | {
            "comment": self.get_body_argument("comment", "", strip=False).replace("\r\n", "\n")
        }

    def _levels(self) -> dict[str, str]:
        """What was chosen in the rubric."""
        names = (name for name in self.request.body_arguments if name.startswith(_LEVEL))
        return {name.removeprefix(_LEVEL): self.field(name) for name in names if self.field(name)}

    # --- what is shown ---

    async def _show_queue(self, quiz_id: str) -> None:
        waiting = await self.services.grading_queue.waiting(self.actor, quiz_id)
        question_id = self.get_query_argument("question", "")
        listed = await self._listed(quiz_id, question_id)
        done = self.get_query_argument("done", "")
        screen = Screen(
            "grading_queue.html",
            title=(self.t("grading.title"), waiting.title),
            data={"quiz_id": quiz_id},
            groups=("grading",),
            scripts=("shell.js", "grading.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            quiz=shape(waiting),
            listed=shape(listed),
            question_id=question_id,
            done=done if done in _SAID else "",
            me=self.actor.user_id,
        )

    async def _listed(self, quiz_id: str, question_id: str) -> Page[QueueRowView]:
        asked: dict[str, Any] = {"question_id": question_id or None, "page_size": PAGE_SIZE}
        try:
            query = QueueQuery.model_validate({**asked, "page": self.get_query_argument("page", "1")})
        except ValidationError:
            query = QueueQuery.model_validate(asked)
        listed: Page[QueueRowView] = await self.services.grading_queue.list_waiting(self.actor, query, quiz_id=quiz_id)
        return listed

    async def _show_refused(self, quiz_id: str, item_id: str, refused: Refused) -> None:
        """The answer again, with what was typed and why it was not taken; a colleague's mark is the one to change now."""
        item = await self.services.grading_queue.show(self.actor, item_id, quiz_id=quiz_id)
        typed = {**self._typed(), "levels": self._levels()} if self.field("act") == "mark" else _typed_of(item)
        stored: MarkView | None = refused.data.get("stored")
        if stored is not None:
            typed["revision"] = str(stored.revision)
        self.set_status(status_of(refused.code))
        self._show_item(item, typed, refused=refused)

    def _show_item(self, item: QueueItemView, typed: Mapping[str, Any], *, refused: Refused | None = None) -> None:
        shown, done = shape(item), self.get_query_argument("done", "")
        faults = refused.fields if refused is not None else ()
        has_other = item.claimed_by is not None and item.claimed_by.user_id != self.actor.user_id
        name = item.full_name or self.t("grading.alias", alias=item.alias)
        title = f"{self.t('client.error_title')} {name}" if refused is not None else name
        screen = Screen(
            "grading_item.html",
            title=(title, item.quiz_title),
            data={
                "quiz_id": item.quiz_id,
                "item_id": item.id,
                "is_mine": item.claimed_by is not None and not has_other,
            },
            groups=("grading",),
            scripts=("shell.js", "grading.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            item=shown,
            name=name,
            given=shown_question(_as_result(shown), self.t).given,
            typed=typed,
            errors=[(_field_of(fault), self._words_of(fault)) for fault in faults],
            conflict=refused is not None and refused.code is Code.CONFLICT and not has_other,
            has_other=has_other,
            question_id=self.get_query_argument("question", ""),
            action=desk_path(item.quiz_id, item=item.id, question=self.get_query_argument("question", "")),
            done=done if done in _SAID else "",
        )

    def _words_of(self, fault: FieldError) -> str:
        field = fault.field.partition(".")[0]
        for key in (f"grading.fault_{field}_{fault.code}", f"grading.fault_{field}"):
            if self.t.knows(key):
                return self.t(key)
        return self.t("grading.fault_other")


def _field_of(fault: FieldError) -> str:
    """The id of the field that a fault is about."""
    kind, _, name = fault.field.partition(".")
    return f"{_LEVEL}{name}" if kind == "rubric" and name else kind


def _typed_of(item: QueueItemView) -> dict[str, Any]:
    """What the form holds at first: the mark that there is."""
    mark = item.mark
    if mark is None:
        return {"points": "", "comment": "", "reason": "", "revision": "0", "levels": {}}
    return {
        "points": hundredths_text(mark.points),
        "comment": mark.comment or "",
        "reason": "",
        "revision": str(mark.revision),
        "levels": mark.rubric or {},
    }


def _as_result(item: Mapping[str, Any]) -> dict[str, Any]:
    """As results show a question, so that answers of every type read the same."""
    return {**item, "points_awarded": None, "is_correct": None}


PAGES = [(r"/teach/grading/?", GradingPage), (r"/teach/grading/([^/]+)/?", GradingDesk)]
"""The rows of these pages."""
