"""Answers that a student might give, drawn by the kind of question. Right and wrong alike: no key is known here."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Question = dict[str, Any]


def answer(question: Question, draw: random.Random) -> Any:
    """A valid value for the question; now and then None, which clears it."""
    return None if draw.random() < 0.04 else _MAKERS[question["question_type"]](question, draw)


def can_be_answered(question: Question) -> bool:
    """Is it more than text between questions?"""
    return question["question_type"] in _MAKERS


def _choice(question: Question, draw: random.Random) -> str:
    return str(draw.choice(question["options"])["id"])


def _select(question: Question, draw: random.Random) -> list[str]:
    ids = [str(option["id"]) for option in question["options"]]
    return draw.sample(ids, draw.randint(1, len(ids)))


def _true_false(_: Question, draw: random.Random) -> bool:
    return draw.random() < 0.5


def _text(_: Question, draw: random.Random) -> str:
    words = ("Cairo", "four", "parallel", "القاهرة", "slope", "42", "a line", "لا أعرف")
    return " ".join(draw.sample(words, draw.randint(1, 3)))


def _number(_: Question, draw: random.Random) -> str:
    return f"{draw.uniform(-5, 50):.2f}"


def _matching(question: Question, draw: random.Random) -> dict[str, str]:
    right = [str(item["id"]) for item in question["options"]["right"]]
    return {str(item["id"]): draw.choice(right) for item in question["options"]["left"]}


def _ordering(question: Question, draw: random.Random) -> list[str]:
    ids = [str(item["id"]) for item in question["options"]]
    return draw.sample(ids, len(ids))


_MAKERS: dict[str, Callable[[Question, random.Random], Any]] = {
    "multiple_choice": _choice,
    "multiple_select": _select,
    "true_false": _true_false,
    "short_answer": _text,
    "numeric": _number,
    "matching": _matching,
    "ordering": _ordering,
    "essay": _text,
}
