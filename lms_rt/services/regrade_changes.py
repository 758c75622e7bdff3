"""What a teacher wants corrected, read against the quiz as it stands: the changes that a control then carries. No storage.

Each change keeps the question as it `was` in the quiz, for whoever takes it back; one that says what the quiz says already
(`is_current`) changes nothing there, and needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from documents.base import Row
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionChange, QuestionDraft, StoredQuestion, changed_question, draft_of
from lms_rt.contracts.questions import is_counted as asks_for_answer
from lms_rt.contracts.regrades import CorrectionDraft
from lms_rt.errors import Code, FieldError, Refused, invalid
from lms_rt.services.corrections import (
    ACCEPT,
    FIX,
    FULL_CREDIT,
    MAX_ALSO,
    RESTORE,
    VOID,
    has_same_shape,
    takes_key,
    without_weights,
)

_GRADED_BY = ("question_type", "points", "correct_answer", "options", "partial_credit")


def change_of(quiz: Row, question_id: str, draft: CorrectionDraft, *, at: datetime) -> Row:
    """One change, checked against the question; 404 for a question that the quiz has not."""
    stored: StoredQuestion | None = quiz["questions"].get(question_id)
    if stored is None:
        raise Refused(Code.NOT_FOUND)
    change = _change(question_id, draft, stored)
    if draft.action == FIX and draft.question is not None:
        change["question"] = _fixed(stored, draft.question, at=at)
    if draft.action == ACCEPT and draft.accepted is not None:
        change["accepted"] = _accepted(stored, draft.accepted)
    return change


def change_of_removed(given: StoredQuestion, question_id: str, draft: CorrectionDraft) -> Row:
    """One change of a question that the quiz asks no more, for the attempts that were given it."""
    if draft.action not in (VOID, FULL_CREDIT):
        words = (
            "The quiz has this question no more: it can be left out, or count as right, for those who were given it."
        )
        raise invalid("action", words, "question_removed")
    return _change(question_id, draft, given)


def _change(question_id: str, draft: CorrectionDraft, was: StoredQuestion) -> Row:
    if not asks_for_answer(was):
        raise invalid("action", "A description asks for nothing, so there is nothing to correct.", "no_answer")
    return {"question_id": question_id, "action": draft.action, "was": was, "version": was["version"] + 1}


def changes_since(quiz: Row, corrections: Iterable[Row], first_start: datetime | None) -> list[Row]:
    """The questions that were edited after somebody began, as fixes; what a correction has said already is left out."""
    known: dict[str, int] = {}
    for change in (change for correction in corrections for change in correction["changes"]):
        if change["action"] == RESTORE:
            known.pop(change["question_id"], None)
        else:
            known[change["question_id"]] = change["version"]
    return [
        {
            "question_id": one,
            "action": FIX,
            "question": question,
            "version": question["version"],
            "is_current": True,
        }
        for one, question in quiz["questions"].items()
        if asks_for_answer(question) and _is_edited(question, first_start) and known.get(one) != question["version"]
    ]


def undoing(changes: Sequence[Row], n: int) -> list[Row]:
    """The changes that take the changes of correction `n` back."""
    return [_undone(change, n) for change in reversed(changes)]


def _undone(change: Row, n: int) -> Row:
    back: Row = {"question_id": change["question_id"], "action": RESTORE, "undoes": n, "of": change["action"]}
    back["version"] = change["version"]
    if change.get("is_current"):
        return back | {"is_current": True}
    known = {"question": "was", "given": "question", "accepted": "accepted"}
    return back | {name: change[source] for name, source in known.items() if source in change}


def told_changes(changes: Sequence[Row]) -> list[Row]:
    """What a control carries of them."""
    return [{name: value for name, value in change.items() if name != "was"} for change in changes]


def grades_otherwise(before: StoredQuestion, after: StoredQuestion) -> bool:
    """Could an answer be worth something else now?"""
    return any(before.get(name) != after.get(name) for name in _GRADED_BY)


def _is_edited(question: StoredQuestion, first_start: datetime | None) -> bool:
    return first_start is not None and question["version"] > 1 and question["updated_at"] >= first_start


def _fixed(stored: StoredQuestion, change: QuestionChange, *, at: datetime) -> StoredQuestion:
    try:
        fixed = changed_question(stored, change, at=at)
    except Refused as refused:
        raise _below(refused, "question") from None
    if not has_same_shape(stored, fixed):
        words = "A correction keeps the type and the ids of the options: answers that were given speak of them."
        raise invalid("question.options", words, "options_changed")
    return fixed


def _accepted(stored: StoredQuestion, given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Further keys, each one as the question's own would be checked. Weights speak of the first key alone."""
    if not takes_key(stored):
        raise invalid("action", "A person grades this question: there is no key to add to.", "no_key")
    if len(stored.get("also_accepted", [])) + len(given) > MAX_ALSO:
        raise invalid("accepted", f"A question accepts at most {MAX_ALSO} further answers.", "too_long")
    plain = draft_of(stored)
    if "options" in plain:
        plain["options"] = without_weights(plain["options"])
    return [_read_key(plain, key, place) for place, key in enumerate(given)]


def _read_key(plain: Row, key: dict[str, Any], place: int) -> dict[str, Any]:
    try:
        draft = read_model(QuestionDraft, {**plain, "correct_answer": key})
    except Refused as refused:
        raise _below(refused, f"accepted.{place}", without="correct_answer") from None
    read: dict[str, Any] = draft.correct_answer
    return read


def _below(refused: Refused, head: str, *, without: str = "") -> Refused:
    """The same faults, named by where they stand in the request."""
    faults = [
        FieldError(
            ".".join(part for part in (head, fault.field.removeprefix(without).lstrip(".")) if part), *_rest(fault)
        )
        for fault in refused.fields
    ]
    return Refused(refused.code, refused.detail, fields=faults)


def _rest(fault: FieldError) -> tuple[str, str]:
    return fault.message, fault.code
