"""Corrections of questions: what a paper asks, and what counts as right, once they are laid over it. Pure: no storage.

A paper stays as it was written. What is corrected is the numbered control that says so, and the paper with all corrections
between the one that it was made with and the one that its attempt has reached is what is shown and graded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, cast

from documents.base import Row
from documents.enums import QuestionType
from lms_rt.contracts.question_keys import StoredQuestion
from lms_rt.services.grading import Graded, grade_answer

VOID, FIX, ACCEPT, FULL_CREDIT, RESTORE = "void", "fix", "accept", "full_credit", "restore"
_SAID = ("is_void", "is_full_credit", "also_accepted")
"""What corrections say beside text and key."""
MAX_ALSO = 20
"""So many further answers a question accepts at most."""


def corrected(paper: Row, corrections: Iterable[Row], key_version: int) -> Row:
    """The paper with the corrections laid over it that came after it and up to `key_version`, in their order.

    A correction is a row with its number `n` and its `changes`. One that a later `restore` names is as if it had not been.
    """
    made_with: int = paper.get("key_version", 0)
    wanted = sorted((one for one in corrections if made_with < one["n"] <= key_version), key=lambda one: one["n"])
    if not wanted:
        return paper
    questions: dict[str, StoredQuestion] = dict(paper["questions"])
    undone = _undone(wanted)
    for correction in wanted:
        for change in correction["changes"]:
            question_id = change["question_id"]
            if question_id in questions and (correction["n"], question_id) not in undone:
                questions[question_id] = _laid(questions[question_id], change, made_with)
    return {**paper, "questions": questions}


def _undone(corrections: Sequence[Row]) -> set[tuple[int, str]]:
    """Number and question of what was taken back."""
    changes = (change for correction in corrections for change in correction["changes"])
    return {(change["undoes"], change["question_id"]) for change in changes if change["action"] == RESTORE}


def _laid(question: StoredQuestion, change: Mapping[str, Any], made_with: int) -> StoredQuestion:
    if change["action"] != RESTORE:
        return changed(question, change)
    # Only a paper that was made with the correction holds it: from all others it was left out above.
    return restored(question, change) if change["undoes"] <= made_with else question


def restored(question: StoredQuestion, change: Mapping[str, Any]) -> StoredQuestion:
    """The question of a quiz, or of a paper made with a correction, without it; what was edited since stays."""
    if change.get("is_current"):  # the quiz said so by itself, and goes on saying so
        return question
    if question["version"] == change["version"]:
        return _fixed(question, change["question"])
    left: dict[str, Any] = dict(question)
    match change["of"]:
        case "void":
            left.pop("is_void", None)
        case "full_credit":
            left.pop("is_full_credit", None)
        case "accept":
            also = [key for key in question.get("also_accepted", []) if key not in change["accepted"]]
            left = {name: value for name, value in left.items() if name != "also_accepted"}
            left |= {"also_accepted": also} if also else {}
        case "fix" if _says_the_same(question, change["given"]):
            said = {name: question[name] for name in _SAID if name in question}  # type: ignore[literal-required]
            left = {**_fixed(question, change["question"]), **said}
    return cast("StoredQuestion", left)


def questions_corrected(
    questions: Mapping[str, StoredQuestion], corrections: Iterable[Row], *, at: datetime
) -> dict[str, StoredQuestion]:
    """The questions of a quiz after the corrections that it misses, in their order."""
    stored, after = questions, dict(questions)
    for change in (change for correction in corrections for change in correction["changes"]):
        if (question := after.get(question_id := change["question_id"])) is not None:
            known = stored[question_id]["version"]
            after[question_id] = corrected_in_quiz(question, change, at=at, known_version=known)
    return after


def corrected_in_quiz(
    question: StoredQuestion, change: Mapping[str, Any], *, at: datetime, known_version: int | None = None
) -> StoredQuestion:
    """The question of a quiz after a change, as new papers copy it. An edit that came between is newer, and stays.

    `known_version`: the question had it before the corrections that are laid with this one; those are no edits.
    """
    if change["action"] == FIX:
        expected = change["version"] - 1
        if change.get("is_current") or expected not in (question["version"], known_version):
            return question
        return cast("StoredQuestion", {**change["question"], "version": question["version"] + 1})
    after = restored(question, change) if change["action"] == RESTORE else changed(question, change)
    plain = {name: value for name, value in after.items() if name != "is_changed"}
    if change["action"] == RESTORE and plain == question:
        return question
    # Also where it was so before: by its version it is known which correction a question holds.
    return cast("StoredQuestion", {**plain, "version": question["version"] + 1, "updated_at": at})


def keeping(question: StoredQuestion, edited: StoredQuestion) -> StoredQuestion:
    """An edited question with what corrections have said of it: another key is the whole truth, another type another question."""
    if edited["question_type"] != question["question_type"]:
        return edited
    names = ["is_void", "is_full_credit"]
    if edited.get("correct_answer") == question.get("correct_answer"):
        names.append("also_accepted")
    said = {name: value for name, value in question.items() if name in names}
    return cast("StoredQuestion", {**edited, **said})


def _says_the_same(question: StoredQuestion, other: StoredQuestion) -> bool:
    """Is it the same text and key, whatever the order of options, and whatever corrections have said besides?"""
    return has_same_shape(question, other) and _content(_fixed(other, question)) == _content(_fixed(other, other))


def _content(question: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in question.items() if name not in ("version", "updated_at", *_SAID)}


def changed(question: StoredQuestion, change: Mapping[str, Any]) -> StoredQuestion:
    """The question after one change. It keeps the order of its options."""
    match change["action"]:
        case "void":
            return cast("StoredQuestion", {**question, "is_void": True})
        case "full_credit":
            return cast("StoredQuestion", {**question, "is_full_credit": True})
        case "accept":
            also = [*question.get("also_accepted", []), *change["accepted"]]
            return cast("StoredQuestion", {**question, "also_accepted": also})
        case "fix":
            return _fixed(question, change["question"])
    raise ValueError(f"unknown correction {change['action']}")


def _fixed(question: StoredQuestion, by: StoredQuestion) -> StoredQuestion:
    """What the other one says, under the options of this paper; one that has other options says nothing here."""
    if not has_same_shape(question, by):
        return question
    fixed: dict[str, Any] = {**by, "is_changed": True}
    if "options" in question:
        fixed["options"] = _in_order(question["options"], by["options"])
    return cast("StoredQuestion", fixed)


def _in_order(order: Any, options: Any) -> Any:
    if isinstance(order, dict):
        return {side: _in_order(order[side], options[side]) for side in order}
    by_id = {option["id"]: option for option in options}
    return [by_id[option["id"]] for option in order]


def has_same_shape(question: StoredQuestion, other: StoredQuestion) -> bool:
    """Do answers to the one fit the other: the same type, and the same ids of options?"""
    return shape_of(question) == shape_of(other)


def shape_of(question: StoredQuestion) -> tuple[Any, ...]:
    """Type and ids of options."""
    options = question.get("options")
    if isinstance(options, dict):
        ids = tuple(frozenset(item["id"] for item in options[side]) for side in ("left", "right"))
        return (question["question_type"], *ids)
    return question["question_type"], frozenset(option["id"] for option in options or ())


# --- grading what was corrected ---


def is_void(question: StoredQuestion) -> bool:
    """Is it taken out of what counts?"""
    return bool(question.get("is_void"))


def grade_corrected(question: StoredQuestion, value: Any) -> Graded | None:
    """What an answer is worth where a correction says it; None: as it always was graded.

    A void question is worth nothing to anybody, and is in no total. Full credit is for everybody, answered or not.
    """
    if is_void(question):
        return Graded(points=None, is_correct=None)
    if question.get("is_full_credit"):
        return Graded(points=Fraction(question["points"], 100), is_correct=True)
    if not question.get("also_accepted"):
        return None
    return max((grade_answer(one, value) for one in _readings(question)), key=_worth)


def _readings(question: StoredQuestion) -> list[StoredQuestion]:
    """The question by its own key, and by each of the others that count as well."""
    plain = {**question, "options": without_weights(question["options"])} if "options" in question else {**question}
    others = [{**plain, "correct_answer": key} for key in question["also_accepted"]]
    return [question, *(cast("StoredQuestion", one) for one in others)]


def without_weights(options: Any) -> Any:
    """A further answer is right as a whole: what weights say of the first one does not hold for it."""
    if isinstance(options, dict):
        return options
    return [{name: value for name, value in option.items() if name != "weight"} for option in options]


def _worth(graded: Graded) -> tuple[Fraction, bool]:
    return graded.points or Fraction(0), bool(graded.is_correct)


def takes_key(question: StoredQuestion) -> bool:
    """Can another answer be accepted at all?"""
    return question["question_type"] not in (QuestionType.ESSAY, QuestionType.DESCRIPTION)
