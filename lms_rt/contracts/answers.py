"""Is this a value that the question takes? `check_answer` alone says so, for REST and live; whether it is right, grading says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from documents.enums import QuestionType
from lms_rt.contracts.numbers import read_number
from lms_rt.contracts.question_keys import StoredQuestion
from lms_rt.errors import Refused, invalid

MAX_SHORT_ANSWER = 1_000
MAX_NUMBER = 100
MAX_ESSAY = 20_000
"""In characters: an essay fits into a frame of 64 KiB in any script."""


def check_answer(question: StoredQuestion, value: Any, *, field: str = "value") -> Any:
    """The value as it is stored and compared: ids in the question's order, numbers as text. None clears the answer.

    Refused: 422 `validation_failed`, with `invalid_answer` at `field`.
    """
    question_type = question["question_type"]
    if question_type == QuestionType.DESCRIPTION:
        raise _refusal(field, "A description takes no answer.")
    if value is None:
        return None
    return _CHECKS[question_type](question, value, field)


def _refusal(field: str, message: str) -> Refused:
    return invalid(field, message, "invalid_answer")


def _ids(question: StoredQuestion) -> list[str]:
    return [option["id"] for option in question["options"]]


def _choice(question: StoredQuestion, value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise _refusal(field, "Send the id of one option.")
    if value not in _ids(question):
        raise _refusal(field, "No option has this id.")
    return value


def _select(question: StoredQuestion, value: Any, field: str) -> list[str]:
    known = _ids(question)
    chosen = _listed(value, known, field)
    return [one for one in known if one in chosen]


def _listed(value: Any, known: list[str], field: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _refusal(field, "Send a list of ids.")
    for place, one in enumerate(value):
        if one not in known:
            raise _refusal(f"{field}.{place}", "No option has this id.")
    if len(set(value)) < len(value):
        raise _refusal(field, "An id is named twice.")
    return value


def _truth(_question: StoredQuestion, value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise _refusal(field, "Send true or false.")
    return value


def _text(value: Any, field: str, most: int) -> str:
    if not isinstance(value, str):
        raise _refusal(field, "Send a text.")
    if len(value) > most:
        raise _refusal(field, f"The answer has more than {most} characters.")
    return value


def _short_answer(_question: StoredQuestion, value: Any, field: str) -> str:
    return _text(value, field, MAX_SHORT_ANSWER)


def _essay(_question: StoredQuestion, value: Any, field: str) -> str:
    return _text(value, field, MAX_ESSAY)


def _numeric(_question: StoredQuestion, value: Any, field: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _refusal(field, "Send a number.")
    text = _text(str(value), field, MAX_NUMBER).strip()
    if text and read_number(text) is None:
        raise _refusal(field, "This is not a number.")
    return text


def _matching(question: StoredQuestion, value: Any, field: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _refusal(field, "Send an object: left id to right id.")
    sides = question["options"]
    left, right = [item["id"] for item in sides["left"]], {item["id"] for item in sides["right"]}
    for one, other in value.items():
        if one not in left:
            raise _refusal(field, "No item on the left has this id.")
        if not isinstance(other, str) or other not in right:
            raise _refusal(f"{field}.{one}", "No item on the right has this id.")
    return {one: value[one] for one in left if one in value}


def _ordering(question: StoredQuestion, value: Any, field: str) -> list[str]:
    return _listed(value, _ids(question), field)


_CHECKS: Mapping[str, Callable[[StoredQuestion, Any, str], Any]] = {
    QuestionType.MULTIPLE_CHOICE: _choice,
    QuestionType.MULTIPLE_SELECT: _select,
    QuestionType.TRUE_FALSE: _truth,
    QuestionType.SHORT_ANSWER: _short_answer,
    QuestionType.NUMERIC: _numeric,
    QuestionType.MATCHING: _matching,
    QuestionType.ORDERING: _ordering,
    QuestionType.ESSAY: _essay,
}
