"""What a teacher chooses or types on the page of corrections, as a further key of the question's type."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.web.regrades import ACCEPTING, accepted_key
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionDraft

OPTIONS = [{"id": one, "text": one.upper()} for one in "abc"]
KEYS: dict[str, tuple[list[dict[str, str]], dict[str, Any], list[str], dict[str, Any]]] = {
    "multiple_choice": (OPTIONS, {"option_id": "b"}, ["a"], {"option_id": "a"}),
    "multiple_select": (OPTIONS, {"option_ids": ["b"]}, ["a", "c"], {"option_ids": ["a", "c"]}),
    "true_false": ([], {"value": True}, [], {"value": False}),
    "numeric": ([], {"value": "3.14"}, [" ٣٫٢ "], {"value": "٣٫٢", "tolerance": "0.1"}),
    "short_answer": (
        [],
        {"accepted": [{"text": "Amman"}], "ignore_case": False, "fold_arabic": True},
        ["عمّان"],
        {"accepted": [{"text": "عمّان"}], "ignore_case": False, "fold_arabic": True},
    ),
}


@pytest.mark.parametrize("kind", ACCEPTING)
def test_what_is_named_becomes_a_key_that_the_question_could_have(kind: str) -> None:
    options, own, chosen, expected = KEYS[kind]
    key = accepted_key({"question_type": kind, "correct_answer": own}, chosen, "0.1")
    assert key == expected
    question = {
        "question_type": kind,
        "question_text": "?",
        "correct_answer": key,
        **({"options": options} if options else {}),
    }
    assert read_model(QuestionDraft, question).correct_answer
