"""Which values a question takes as an answer, and how they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from lms_rt.contracts.answers import MAX_ESSAY, check_answer
from lms_rt.errors import Code, Refused
from tests.unit.test_questions import CHOICE, ESSAY, NUMBER, ORDER, PAIRS, SELECT, SHORT, TEXT, TRUTH, stored


@pytest.mark.parametrize(
    ("fields", "value", "kept"),
    [
        (CHOICE, "b", "b"),
        (CHOICE, None, None),
        (SELECT, ["b", "a"], ["a", "b"]),
        (SELECT, [], []),
        (TRUTH, False, False),
        (SHORT, " Cairo ", " Cairo "),
        (SHORT, "", ""),
        (NUMBER, 3, "3"),
        (NUMBER, 3.5, "3.5"),
        (NUMBER, " ٣٫٥ ", "٣٫٥"),
        (NUMBER, "", ""),
        (PAIRS, {"a": "b"}, {"a": "b"}),
        (PAIRS, {}, {}),
        (ORDER, ["b", "a"], ["b", "a"]),
        (ORDER, ["b"], ["b"]),
        (ESSAY, "Dear teacher\n", "Dear teacher\n"),
    ],
)
def test_takes(fields: dict[str, Any], value: Any, kept: Any) -> None:
    assert check_answer(stored(fields), value) == kept


@pytest.mark.parametrize(
    ("fields", "value", "field"),
    [
        (CHOICE, "c", "value"),
        (CHOICE, ["a"], "value"),
        (CHOICE, 1, "value"),
        (SELECT, "a", "value"),
        (SELECT, ["a", "c"], "value.1"),
        (SELECT, ["a", "a"], "value"),
        (SELECT, [""], "value.0"),
        (SELECT, [1], "value"),
        (TRUTH, "true", "value"),
        (TRUTH, 1, "value"),
        (SHORT, 5, "value"),
        (SHORT, "x" * 1_001, "value"),
        (NUMBER, "about three", "value"),
        (NUMBER, True, "value"),
        (NUMBER, "1" * 101, "value"),
        (NUMBER, float("inf"), "value"),
        (PAIRS, ["a"], "value"),
        (PAIRS, {"b": "a"}, "value"),
        (PAIRS, {"a": "c"}, "value.a"),
        (PAIRS, {"a": None}, "value.a"),
        (ORDER, ["a", "x"], "value.1"),
        (ORDER, ["a", "a"], "value"),
        (ESSAY, {"text": "x"}, "value"),
        (ESSAY, "x" * (MAX_ESSAY + 1), "value"),
        (TEXT, "x", "value"),
        (TEXT, None, "value"),
    ],
)
def test_refuses(fields: dict[str, Any], value: Any, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_answer(stored(fields), value)
    assert refused.value.code is Code.VALIDATION_FAILED
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [(field, "invalid_answer")]


def test_the_field_is_named_as_the_caller_knows_it() -> None:
    with pytest.raises(Refused) as refused:
        check_answer(stored(SELECT), ["x"], field="answers.3.value")
    assert refused.value.fields[0].field == "answers.3.value.0"
