"""/teach/quizzes/{id}/regrade: correct a question, see who gains and loses, apply it, take it back. Works without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.web.base import Screen, shape
from handlers.web.quiz_editor import QuizPage
from lms_rt.contracts.base import read_model
from lms_rt.contracts.regrades import RegradeDraft, RegradeQuery, RegradeRowQuery, UndoDraft
from lms_rt.errors import Code, Refused

ROWS = 50
FORMER = 10
SHOWN = ("all", "gains", "loses", "passes", "fails", "kept")
_FILTERS: Mapping[str, Mapping[str, Any]] = {
    "gains": {"outcome": "gains", "sort": "-difference"},
    "loses": {"outcome": "loses"},
    "passes": {"passing": "passes"},
    "fails": {"passing": "fails"},
    "kept": {"kept": True},
}
_ACTIONS = ("void", "full_credit", "accept")
ACCEPTING = ("multiple_choice", "multiple_select", "true_false", "short_answer", "numeric")
"""Types whose further answers can be named here; those of the others go through the API."""
_MOST_DIGITS = 4
_TELLABLE = (Code.VALIDATION_FAILED, Code.CONFLICT, Code.BUSY)


class RegradePage(QuizPage):
    """`?question=` opens a question to correct, `?regrade=` what a correction does; `?show=` filters its rows."""

    async def get(self, quiz_id: str) -> None:
        """What can be corrected, or one regrade."""
        await self._show(quiz_id)

    async def post(self, quiz_id: str) -> None:
        """Foretell, apply or take back; then look at it."""
        regrade_id = self.field("regrade")
        try:
            regrade_id = await self._do(quiz_id, regrade_id) or regrade_id
        except Refused as refused:
            if refused.code not in _TELLABLE:
                raise
            self.set_status(422 if refused.code is Code.VALIDATION_FAILED else 409)
            self.tell_when(refused)
            await self._show(quiz_id, fault=refused, regrade_id=regrade_id)
            return
        self.redirect(f"/teach/quizzes/{quiz_id}/regrade?regrade={regrade_id}", status=303)

    async def _do(self, quiz_id: str, regrade_id: str) -> str | None:
        regrades = self.services.regrades
        match self.field("do"):
            case "apply":
                return (await regrades.apply(self.actor, quiz_id, regrade_id)).id
            case "undo":
                draft = read_model(UndoDraft, {"reason": self.field("reason")})
                return (await regrades.undo(self.actor, quiz_id, regrade_id, draft)).id
        foretold = await regrades.preview(self.actor, quiz_id, await self._draft(quiz_id))
        if foretold.id is None:
            raise Refused(Code.CONFLICT, "No question has changed since the first attempt began.")
        return foretold.id

    async def _draft(self, quiz_id: str) -> RegradeDraft:
        """What the form asks for: one change, or what was edited since."""
        minutes = self.field("extra_minutes").strip()
        asked: dict[str, Any] = {"reason": self.field("reason")}
        asked["extra_minutes"] = int(minutes) if minutes.isdecimal() and len(minutes) <= _MOST_DIGITS else 0
        if question_id := self.field("question"):
            questions = await self.questions_of(quiz_id)
            question = next((one for one in questions if one["id"] == question_id), None)
            if question is None:
                raise Refused(Code.NOT_FOUND)
            asked["changes"] = [{"question_id": question_id, **self._change(question)}]
        return read_model(RegradeDraft, asked)

    def _change(self, question: dict[str, Any]) -> dict[str, Any]:
        action = self.field("action")
        if action != "accept":
            return {"action": action}
        chosen = self.get_body_arguments("accepted")
        return {"action": "accept", "accepted": [accepted_key(question, chosen, self.field("tolerance").strip())]}

    async def _show(self, quiz_id: str, *, fault: Refused | None = None, regrade_id: str = "") -> None:
        quiz, course = await self.require_own_quiz(quiz_id)
        questions = await self.questions_of(quiz_id)
        regrade_id = regrade_id or self.get_query_argument("regrade", "")
        wanted = self.get_query_argument("question", "") or self.field("question")
        regrade = shape(await self.services.regrades.show(self.actor, quiz_id, regrade_id)) if regrade_id else None
        screen = Screen(
            "regrade.html",
            title=(self.t("regrade.title"), quiz.title, course.title),
            data={"quiz_id": quiz_id, "regrade_id": regrade_id, "status": regrade["status"] if regrade else ""},
            groups=("regrade",),
            scripts=("shell.js", "regrade.js"),
            sheets=("pages.css", "teach.css", "statistics.css"),
        )
        former = await self.services.regrades.list(self.actor, quiz_id, RegradeQuery(page_size=FORMER))
        self.show(
            screen,
            quiz=shape(quiz),
            course=shape(course),
            questions=[one for one in questions if one["question_type"] != "description"],
            chosen=next((one for one in questions if one["id"] == wanted), None) if wanted and not regrade else None,
            actions=_ACTIONS,
            accepting=ACCEPTING,
            offered=[shape(one) for one in await self.services.regrades.offered(self.actor, quiz_id)],
            regrade=regrade,
            shown=SHOWN,
            fault=fault and _words_of(fault),
            former=[shape(one) for one in former.items],
            **await self._rows(quiz_id, regrade_id),
        )

    async def _rows(self, quiz_id: str, regrade_id: str) -> dict[str, Any]:
        """A page of what a regrade does to each attempt."""
        asked, page = self.get_query_argument("show", "all"), self.get_query_argument("page", "1")
        show = asked if asked in SHOWN else "all"
        if not regrade_id:
            return {"show": show, "listed": None}
        number = max(1, int(page)) if page.isdecimal() and len(page) <= _MOST_DIGITS else 1
        query = RegradeRowQuery.model_validate({"page": number, "page_size": ROWS, **_FILTERS.get(show, {})})
        return {
            "show": show,
            "listed": shape(await self.services.regrades.rows(self.actor, quiz_id, regrade_id, query)),
        }


def accepted_key(question: Mapping[str, Any], chosen: list[str], tolerance: str) -> dict[str, Any]:
    """What was chosen or typed, as a key of the question's type."""
    first = chosen[0].strip() if chosen else ""
    match question["question_type"]:
        case "multiple_choice":
            return {"option_id": first}
        case "multiple_select":
            return {"option_ids": chosen}
        case "true_false":
            return {"value": not question["correct_answer"]["value"]}
        case "numeric":
            return {"value": first, "tolerance": tolerance or "0"}
        case "short_answer":
            own = question["correct_answer"] or {}
            folding = {name: own[name] for name in ("ignore_case", "fold_arabic") if name in own}
            return {"accepted": [{"text": first}], **folding}
    return {}


def _words_of(refused: Refused) -> list[str]:
    """What the refusal says: of each field, else of the whole."""
    return [fault.message for fault in refused.fields] or [refused.detail]


PAGES = [(r"/teach/quizzes/([^/]+)/regrade", RegradePage)]
"""The rows of this page."""
