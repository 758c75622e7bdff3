"""What a question is: shapes of all types, the exact place of every fault, the stored form and its views."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from documents.enums import QuestionType
from lms_rt.contracts.base import encode, read_model
from lms_rt.contracts.question_keys import KEYS
from lms_rt.contracts.questions import (
    QuestionChange,
    QuestionDraft,
    StoredQuestion,
    attempt_question_view,
    changed_question,
    draft_of,
    question_view,
    stored_question,
)
from lms_rt.errors import Refused

AT = datetime(2026, 1, 5, tzinfo=UTC)
A, B = {"id": "a", "text": "A"}, {"id": "b", "text": "B"}
CHOICE = {
    "question_type": "multiple_choice",
    "question_text": "?",
    "options": [A, B],
    "correct_answer": {"option_id": "a"},
}
SELECT = {**CHOICE, "question_type": "multiple_select", "correct_answer": {"option_ids": ["a"]}}
ORDER = {
    "question_type": "ordering",
    "question_text": "?",
    "options": [A, B],
    "correct_answer": {"sequence": ["b", "a"]},
}
PAIRS = {
    "question_type": "matching",
    "question_text": "?",
    "options": {"left": [A], "right": [A, B]},
    "correct_answer": {"pairs": {"a": "b"}},
}
TRUTH = {"question_type": "true_false", "question_text": "?", "correct_answer": {"value": True}}
SHORT = {"question_type": "short_answer", "question_text": "?", "correct_answer": {"accepted": [{"text": "x"}]}}
NUMBER = {"question_type": "numeric", "question_text": "?", "correct_answer": {"value": 3.14, "tolerance": "0.01"}}
ESSAY = {"question_type": "essay", "question_text": "?"}
TEXT = {"question_type": "description", "question_text": "?"}
ALL = (CHOICE, SELECT, ORDER, PAIRS, TRUTH, SHORT, NUMBER, ESSAY, TEXT)


def stored(fields: dict[str, Any]) -> StoredQuestion:
    return stored_question(read_model(QuestionDraft, fields), question_id="qst_1", at=AT)


def faults(fields: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        read_model(QuestionDraft, fields)
    return [(fault.field, fault.code) for fault in refused.value.fields]


def key(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**fields, "correct_answer": {**fields["correct_answer"], **changes}}


def test_every_type_is_there() -> None:
    assert {fields["question_type"] for fields in ALL} == set(QuestionType)
    assert set(KEYS) | {QuestionType.ESSAY, QuestionType.DESCRIPTION} == set(QuestionType)


@pytest.mark.parametrize("fields", ALL, ids=lambda fields: fields["question_type"])
def test_a_draft_is_stored_and_shown_and_makes_itself_again(fields: dict[str, Any]) -> None:
    made = stored(fields)
    again = read_model(QuestionDraft, draft_of(made))
    assert stored_question(again, question_id="qst_1", at=AT) == made
    view = orjson.loads(encode(question_view(made, quiz_id="quz_1", order=1, render=str.upper)))
    assert view["points"] == ("0.00" if fields is TEXT else "1.00")
    assert view["question_html"] == "?"
    sent = {name: value for name, value in view.items() if name in QuestionDraft.model_fields}
    assert stored_question(read_model(QuestionDraft, sent), question_id="qst_1", at=AT) == made


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [("question_type", "required"), ("question_text", "required")]),
        ({**ESSAY, "colour": 1}, [("colour", "unknown_field")]),
        ({**ESSAY, "question_type": "riddle"}, [("question_type", "enum")]),
        ({**ESSAY, "question_text": " \n"}, [("question_text", "string_pattern_mismatch")]),
        ({**ESSAY, "question_text": "x" * 20_001}, [("question_text", "string_too_long")]),
        ({**ESSAY, "points": -1}, [("points", "greater_than_equal")]),
        ({**ESSAY, "points": "1.005"}, [("points", "decimal_places")]),
        ({**ESSAY, "points": 10_000.01}, [("points", "less_than_equal")]),
        ({**ESSAY, "tags": ["x" * 51]}, [("tags.0", "string_too_long")]),
        ({**ESSAY, "options": [A, B]}, [("options", "no_options")]),
        ({**ESSAY, "correct_answer": {"value": 1}}, [("correct_answer", "no_key")]),
        ({**TEXT, "points": 1}, [("points", "no_points")]),
        ({**CHOICE, "options": [A]}, [("options", "too_short")]),
        ({**CHOICE, "options": None}, [("options", "list_type")]),
        ({**CHOICE, "options": [A, A]}, [("options.1.id", "not_unique")]),
        ({**CHOICE, "options": [A, {"id": "b.c", "text": "B"}]}, [("options.1.id", "string_pattern_mismatch")]),
        ({**CHOICE, "options": [A, {"id": "b"}]}, [("options.1.text", "required")]),
        ({**CHOICE, "options": [A, {**B, "weight": 101}]}, [("options.1.weight", "out_of_range")]),
        ({**CHOICE, "options": [A, {**B, "weight": "0.000001"}]}, [("options.1.weight", "decimal_places")]),
        ({**CHOICE, "options": [{"id": str(n), "text": "x"} for n in range(101)]}, [("options", "too_long")]),
        ({**CHOICE, "correct_answer": None}, [("correct_answer", "required")]),
        ({**CHOICE, "correct_answer": "a"}, [("correct_answer", "model_type")]),
        (key(CHOICE, option_id="c"), [("correct_answer.option_id", "unknown_option")]),
        (key(CHOICE, option_ids=["a"]), [("correct_answer.option_ids", "unknown_field")]),
        (
            {**CHOICE, "options": [{**A, "weight": 10}, {**B, "weight": 20}]},
            [("correct_answer.option_id", "outweighed")],
        ),
        (key(SELECT, option_ids=["b", "c"]), [("correct_answer.option_ids.1", "unknown_option")]),
        (key(SELECT, option_ids=["b", "b"]), [("correct_answer.option_ids.1", "not_unique")]),
        (key(SELECT, option_ids=[]), [("correct_answer.option_ids", "too_short")]),
        (key(ORDER, sequence=["a"]), [("correct_answer.sequence", "incomplete")]),
        (key(ORDER, sequence=["a", "a"]), [("correct_answer.sequence.1", "not_unique")]),
        ({**PAIRS, "options": [A, B]}, [("options", "model_type")]),
        ({**PAIRS, "options": {"left": [A], "right": []}}, [("options.right", "too_short")]),
        ({**PAIRS, "options": {"left": [A, A], "right": [A]}}, [("options.left.1.id", "not_unique")]),
        (key(PAIRS, pairs={"a": "c"}), [("correct_answer.pairs.a", "unknown_option")]),
        (key(PAIRS, pairs={"b": "a"}), [("correct_answer.pairs.b", "unknown_option")]),
        (key(PAIRS, pairs={}), [("correct_answer.pairs", "incomplete")]),
        (key(TRUTH, value="true"), [("correct_answer.value", "bool_type")]),
        (key(SHORT, accepted=[]), [("correct_answer.accepted", "required")]),
        (key(SHORT, accepted=[{"text": "x", "weight": 0}]), [("correct_answer.accepted", "required")]),
        (key(SHORT, accepted=[{"text": ""}]), [("correct_answer.accepted.0.text", "string_too_short")]),
        (key(SHORT, pattern="("), [("correct_answer.pattern", "pattern")]),
        (key(SHORT, pattern=r"(a)\1"), [("correct_answer.pattern", "pattern")]),
        (key(NUMBER, value="x"), [("correct_answer.value", "decimal_type")]),
        (key(NUMBER, value=None), [("correct_answer.value", "required")]),
        (key(NUMBER, accepted=[{"value": 1}]), [("correct_answer.value", "required")]),
        (key(NUMBER, tolerance=-1), [("correct_answer.tolerance", "out_of_range")]),
        (key(NUMBER, tolerance_type="rough"), [("correct_answer.tolerance_type", "literal_error")]),
        (
            key(NUMBER, tolerance=0, tolerance_type="significant_figures"),
            [("correct_answer.tolerance", "out_of_range")],
        ),
        (
            {**NUMBER, "correct_answer": {"accepted": [{"value": 1}], "tolerance": 1}},
            [("correct_answer.tolerance", "misplaced")],
        ),
        (
            {**NUMBER, "correct_answer": {"accepted": [{"value": 1}, {"value": 2, "tolerance": "-0.1"}]}},
            [("correct_answer.accepted.1.tolerance", "out_of_range")],
        ),
    ],
)
def test_a_fault_is_named_where_it_is(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(fields) == expected


def test_ids_are_made_and_the_key_follows() -> None:
    order = stored({**ORDER, "options": [{"text": "x"}, {"text": "y"}], "correct_answer": None})
    ids = [option["id"] for option in order["options"]]
    assert order["correct_answer"] == {"sequence": ids}
    assert len({*ids, "a", "b"}) == 4
    select = stored(
        {**SELECT, "options": [{"text": "x", "weight": 50}, {"text": "y", "weight": -50}], "correct_answer": None}
    )
    assert select["correct_answer"] == {"option_ids": [select["options"][0]["id"]]}
    assert select["partial_credit"] is True
    choice = stored({**CHOICE, "options": [{"text": "x"}, {"text": "y", "weight": 100}], "correct_answer": None})
    assert choice["correct_answer"] == {"option_id": choice["options"][1]["id"]}
    pairs = stored({**PAIRS, "options": {"left": [{"text": "l"}], "right": [{"text": "r"}]}, "correct_answer": None})
    left, right = pairs["options"]["left"][0]["id"], pairs["options"]["right"][0]["id"]
    assert pairs["correct_answer"] == {"pairs": {left: right}}


def test_a_student_sees_no_key() -> None:
    secret = {"explanation": "SECRET", "title": "SECRET", "tags": ["SECRET"], "category": "SECRET"}
    rows = [{**A, "weight": 100, "feedback": "SECRET"}, B]
    for fields in ({**CHOICE, "options": rows}, PAIRS, SHORT, NUMBER, TRUTH, ORDER):
        shown = encode(attempt_question_view(stored({**fields, **secret}), order=1, render=str))
        names = set(orjson.loads(shown))
        assert names == {"id", "order", "question_html", "question_text", "question_type", "points", "options"}
        assert b"SECRET" not in shown
        assert b"weight" not in shown
    sides = orjson.loads(encode(attempt_question_view(stored(PAIRS), order=1, render=str.lower)))["options"]
    assert sides == {
        "left": [{"id": "a", "text": "A", "html": "a"}],
        "right": [{"id": "a", "text": "A", "html": "a"}, {"id": "b", "text": "B", "html": "b"}],
    }


# --- changes ---


def changed(before: StoredQuestion, **fields: Any) -> StoredQuestion:
    return changed_question(before, read_model(QuestionChange, fields), at=AT + timedelta(hours=1))


def test_a_change_replaces_what_was_sent_alone() -> None:
    before = stored({**CHOICE, "points": "2.5", "explanation": "why", "metadata": {"a": 1}})
    after = changed(before, question_text="Another?", explanation=None)
    assert after == {
        **{name: value for name, value in before.items() if name != "explanation"},
        "question_text": "Another?",
        "version": 2,
        "updated_at": AT + timedelta(hours=1),
    }


def test_a_change_is_checked_as_a_whole() -> None:
    with pytest.raises(Refused) as refused:
        changed(stored(CHOICE), options=[B, {"id": "c", "text": "C"}])
    assert [fault.field for fault in refused.value.fields] == ["correct_answer.option_id"]
    with pytest.raises(Refused):
        changed(stored(CHOICE), correct_answer=None)


def test_another_type_drops_what_fits_no_more() -> None:
    after = changed(stored({**CHOICE, "points": 3}), question_type="essay")
    assert ("options" in after, "correct_answer" in after, after["points"]) == (False, False, 300)
    assert changed(stored(CHOICE), question_type="description")["points"] == 0
    with pytest.raises(Refused) as refused:
        changed(stored(CHOICE), question_type="true_false")
    assert [fault.field for fault in refused.value.fields] == ["correct_answer"]


def test_the_contract_has_a_schema() -> None:
    schema = QuestionDraft.model_json_schema()
    assert {"ChoiceKey", "OrderingKey", "PairsDraft", "OptionDraft"} <= set(schema["$defs"])
