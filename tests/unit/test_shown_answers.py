"""Answers and keys in the words of the results page: what was right is said as the question takes it."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.web.shown_answers import shown_question
from handlers.web.translation import Translator

ROW: dict[str, Any] = {"value": None, "points_awarded": "0.00", "is_correct": False, "options": []}


def right(question_type: str, key: dict[str, Any], **more: Any) -> list[str]:
    row = ROW | {"question_type": question_type, "correct_answer": key} | more
    return [line.html.striptags() for line in shown_question(row, Translator("en")).right]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"value": "3.14"}, "3.14"),
        ({"value": "3.14", "tolerance": "0"}, "3.14"),
        ({"value": "3.14", "tolerance": "0.005", "tolerance_type": "absolute"}, "3.14 ± 0.005"),
        ({"value": "-20", "tolerance": "10"}, "-20 ± 10"),
        ({"value": "200", "tolerance": "0.05", "tolerance_type": "relative"}, "200 ± 5%"),
        ({"value": "200", "tolerance": "0.075", "tolerance_type": "relative"}, "200 ± 7.5%"),
        (
            {"value": "3.14159", "tolerance": "3", "tolerance_type": "significant_figures"},
            "\u20663.14159\u2069 to 3 significant figures",
        ),
        (
            {"value": "2", "tolerance": "1", "tolerance_type": "significant_figures"},
            "\u20662\u2069 to 1 significant figure",
        ),
    ],
)
def test_a_number_is_told_with_how_near_is_near_enough(key: dict[str, Any], words: str) -> None:
    assert right("numeric", key) == [words]
    assert right("numeric", {"accepted": [key, {"value": "9", "weight": "50.00"}]}) == [words]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"accepted": [{"text": "cat"}, {"text": "dog", "weight": "40.00"}]}, ["cat"]),
        ({"accepted": [{"text": "dog", "weight": "40.00"}]}, ["dog"]),
        ({"accepted": [{"text": "dog", "weight": "40.00"}], "pattern": "cats?"}, ["cats?"]),
        ({"accepted": [], "pattern": "cats?"}, ["cats?"]),
    ],
)
def test_a_text_is_told_by_what_is_worth_all(key: dict[str, Any], words: list[str]) -> None:
    assert right("short_answer", key) == words


def test_what_a_correction_accepts_as_well_is_right_too() -> None:
    assert right("numeric", {"value": "3"}, also_accepted=[{"value": "4", "tolerance": "1"}]) == ["3", "4 ± 1"]
    options = [{"id": "a", "html": "<p>A</p>"}, {"id": "b", "html": "<p>B</p>"}]
    key = {"option_id": "a"}
    assert right("multiple_choice", key, also_accepted=[{"option_id": "b"}], options=options) == ["A", "B"]
    assert right("multiple_choice", key, options=options) == ["A"]
