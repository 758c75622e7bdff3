"""The grading rules: the worked examples of docs/grading.md, and what must hold for every question and answer."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.enums import GradingPolicy, QuestionType
from lms_rt.contracts.answers import check_answer
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionDraft, StoredQuestion, stored_question
from lms_rt.services.grading import Graded, counted_percentage, grade_answer, round_half_up, total, weight_share

DOCS = Path(__file__).parents[2] / "docs" / "grading.md"
AT = datetime(2026, 1, 5, tzinfo=UTC)


def make(question_type: str, question_id: str = "qst_1", **fields: Any) -> StoredQuestion:
    options = fields.get("options")
    if isinstance(options, list):
        fields["options"] = [_option(one) for one in options]
    elif options:
        fields["options"] = {side: [_option(one) for one in items] for side, items in options.items()}
    draft = read_model(QuestionDraft, {"question_type": question_type, "question_text": "?", **fields})
    return stored_question(draft, question_id=question_id, at=AT)


def _option(one: Any) -> Any:
    return {"id": one, "text": one} if isinstance(one, str) else one


def points_of(question: StoredQuestion, value: Any) -> Fraction | None:
    return grade_answer(question, check_answer(question, value)).points


def worked_examples() -> list[tuple[str, str, str, str, str]]:
    rows = []
    for line in DOCS.read_text(encoding="utf-8").partition("## Worked examples")[2].splitlines():
        found = re.fullmatch(r"\| (\w+) \| `(.*)` \| `(.*)` \| (\S+) \| (\w*) ?\|", line)
        if found:
            kind, question, answer, points, correct = found.groups()
            rows.append((kind, question, answer, points, correct))
    return rows


@pytest.mark.parametrize("example", worked_examples(), ids=lambda one: f"{one[0]} {one[2]}")
def test_worked_example(example: tuple[str, str, str, str, str]) -> None:
    kind, question, answer, points, correct = example
    stored = make(kind, **json.loads(question))
    value = json.loads(answer)
    checked = None if value is None else check_answer(stored, value)
    graded = grade_answer(stored, checked)
    assert graded.points == (None if points in ("waits", "none") else Fraction(points))
    assert graded.is_correct == {"yes": True, "no": False, "": None}[correct]


def test_every_type_has_a_worked_example() -> None:
    assert {row[0] for row in worked_examples()} == {kind.value for kind in QuestionType}
    assert len(worked_examples()) >= 40


def test_feedback_is_that_of_what_was_chosen() -> None:
    choice = make(
        "multiple_choice",
        options=[{"id": "a", "text": "a", "feedback": "well done"}, {"id": "b", "text": "b", "feedback": "no"}],
        correct_answer={"option_id": "a"},
    )
    assert grade_answer(choice, "b").feedback == "no"
    truth = make("true_false", correct_answer={"value": True, "feedback_true": "yes", "feedback_false": "look again"})
    assert grade_answer(truth, False).feedback == "look again"
    number = make(
        "numeric", correct_answer={"accepted": [{"value": 9, "feedback": "nine"}], "feedback_otherwise": "no"}
    )
    assert [grade_answer(number, one).feedback for one in ("9", "5")] == ["nine", "no"]
    text = make(
        "short_answer",
        correct_answer={
            "accepted": [{"text": "Frog"}, {"text": "*", "is_wildcard": True, "weight": 0, "feedback": "wrong"}]
        },
    )
    assert grade_answer(text, "dog") == Graded(Fraction(0), is_correct=False, feedback="wrong")
    assert grade_answer(text, "frog") == Graded(Fraction(1), is_correct=True)


def test_items_that_read_the_same_are_interchangeable() -> None:
    pairs = make(
        "matching",
        options={"left": ["a", "b"], "right": [{"id": "x", "text": "red"}, {"id": "y", "text": "red"}]},
        correct_answer={"pairs": {"a": "x", "b": "y"}},
    )
    assert points_of(pairs, {"a": "y", "b": "x"}) == 1


# --- properties ---

IDS = ["a", "b", "c", "d", "e"]
weights = st.one_of(
    st.none(), st.decimals(-100, 100, places=2), st.sampled_from([Decimal("33.33333"), Decimal("12.5")])
)


@given(st.lists(weights, min_size=2, max_size=5), st.data())
def test_multiple_select_lies_between_nothing_and_all(given_weights: list[Decimal | None], data: st.DataObject) -> None:
    ids = IDS[: len(given_weights)]
    right = data.draw(st.sets(st.sampled_from(ids), min_size=1))
    options = [
        {"id": one, "text": one} | ({} if weight is None else {"weight": str(weight)})
        for one, weight in zip(ids, given_weights, strict=True)
    ]
    question = make("multiple_select", options=options, correct_answer={"option_ids": sorted(right)}, points=4)
    for partial in (True, False):
        question["partial_credit"] = partial
        graded = grade_answer(question, check_answer(question, data.draw(st.lists(st.sampled_from(ids), unique=True))))
        assert graded.points is not None
        assert 0 <= graded.points <= 4
        assert partial or graded.points in (0, 4)


@given(st.permutations(IDS), st.booleans())
def test_only_the_key_is_worth_all_of_an_ordering(answer: list[str], partial: bool) -> None:
    question = make("ordering", options=IDS, partial_credit=partial, points=5)
    graded = grade_answer(question, answer)
    assert graded.is_correct == (answer == IDS) == (graded.points == 5)
    assert graded.points is not None
    assert graded.points.denominator == 1
    assert graded.points != 1


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS)))
def test_matching_counts_pairs(answer: dict[str, str]) -> None:
    key = dict(zip(IDS, reversed(IDS), strict=True))
    question = make("matching", options={"left": IDS, "right": IDS}, correct_answer={"pairs": key}, points=5)
    assert points_of(question, answer) == sum(key[one] == other for one, other in answer.items())


decimals = st.decimals(-(10**9), 10**9, allow_nan=False, places=6)


@given(decimals, decimals, st.decimals(0, 1000, places=3))
def test_numeric_is_exact_at_its_border(wanted: Decimal, given_number: Decimal, tolerance: Decimal) -> None:
    question = make("numeric", correct_answer={"value": str(wanted), "tolerance": str(tolerance)})
    assert (points_of(question, str(given_number)) == 1) == (abs(wanted - given_number) <= tolerance)
    assert points_of(question, str(wanted + tolerance)) == 1
    assert points_of(question, str(wanted + tolerance + Decimal("0.0001"))) == 0


@given(decimals, st.integers(1, 12))
def test_significant_figures_take_the_rounded_value(wanted: Decimal, figures: int) -> None:
    key = {"value": str(wanted), "tolerance": figures, "tolerance_type": "significant_figures"}
    question = make("numeric", correct_answer=key)
    assert points_of(question, f"{wanted:.{figures + 20}e}") == 1
    if wanted:
        assert points_of(question, str(wanted * 3)) == 0


ANSWERS = st.text(alphabet="abc É*\u0627\u0623", min_size=1, max_size=12).filter(str.strip)


@given(ANSWERS, st.booleans(), st.booleans())
def test_a_short_answer_takes_itself(text: str, ignore_case: bool, fold_arabic: bool) -> None:
    key = {"accepted": [{"text": text}], "ignore_case": ignore_case, "fold_arabic": fold_arabic}
    question = make("short_answer", correct_answer=key)
    assert points_of(question, f"  {text}\n") == 1
    assert points_of(question, text + "x") == 0


@given(ANSWERS, ANSWERS)
def test_a_wildcard_is_what_a_pattern_says(wanted: str, answer: str) -> None:
    wanted = " ".join(wanted.lower().split())
    question = make("short_answer", correct_answer={"accepted": [{"text": wanted, "is_wildcard": True}]})
    fold = str.maketrans("é", "e")
    pattern = "".join(".*" if one == "*" else re.escape(one) for one in wanted.translate(fold))
    folded = " ".join(answer.lower().translate(fold).split())
    assert (points_of(question, answer) == 1) == (re.fullmatch(pattern, folded) is not None)


@given(st.integers(1, 20))
def test_parts_of_a_whole_make_the_whole(parts: int) -> None:
    weight = f"{100 / parts:.5f}"
    share = weight_share(weight)
    assert share == Fraction(1, parts)


def test_weights_with_two_places_mean_what_they_say() -> None:
    assert weight_share("33.33") == Fraction(3333, 10_000)
    assert weight_share("-50.00") == Fraction(-1, 2)
    assert weight_share(None) is None


# --- totals ---


def thirds(count: int) -> tuple[list[StoredQuestion], dict[str, Graded]]:
    questions = [
        make("matching", f"qst_{n}", options={"left": ["a", "b", "c"], "right": ["x", "y", "z"]}) for n in range(count)
    ]
    return questions, {one["id"]: grade_answer(one, {"a": "x"}) for one in questions}


def test_a_total_is_rounded_once() -> None:
    questions, graded = thirds(2)
    made = total(questions, graded, passing_score_hundredths=3334)
    assert (made.score, made.max_score, made.percentage, made.is_passed) == (67, 200, 3333, False)
    assert [one.points_hundredths for one in graded.values()] == [33, 33]


def test_passing_compares_the_unrounded_percentage() -> None:
    questions = [make("true_false", f"qst_{n}", correct_answer={"value": True}, points=2) for n in range(3)]
    graded = {one["id"]: grade_answer(one, True) for one in questions[:2]}
    made = total(questions, graded, passing_score_hundredths=6667)
    assert made.percentage == 6667
    assert made.is_passed is False
    assert total(questions, graded, passing_score_hundredths=6666).is_passed is True


def test_an_essay_holds_the_total_back_and_a_description_is_in_no_count() -> None:
    truth = make("true_false", "qst_1", correct_answer={"value": True})
    text = make("description", "qst_2")
    graded = {"qst_1": grade_answer(truth, True)}
    assert total([truth, text], graded, passing_score_hundredths=7000).score == 100
    essay = make("essay", "qst_3", points=3)
    written = {**graded, "qst_3": grade_answer(essay, "Dear teacher")}
    waiting = total([truth, text, essay], written, passing_score_hundredths=7000)
    assert (waiting.score, waiting.max_score, waiting.percentage, waiting.is_passed) == (None, 400, None, None)
    empty = total([truth, text, essay], graded, passing_score_hundredths=7000)
    assert (empty.score, empty.max_score, empty.percentage, empty.is_passed) == (100, 400, 2500, False)


def test_a_total_is_never_negative_and_no_points_are_all_points() -> None:
    choice = make(
        "multiple_choice",
        options=["a", {"id": "b", "text": "b", "weight": -100}],
        correct_answer={"option_id": "a"},
    )
    assert total([choice], {"qst_1": grade_answer(choice, "b")}, passing_score_hundredths=0).score == 0
    assert total([], {}, passing_score_hundredths=10_000).is_passed is True


@given(st.fractions(-1000, 1000))
def test_halves_go_up(number: Fraction) -> None:
    rounded = round_half_up(number)
    assert -Fraction(1, 2) < rounded - number <= Fraction(1, 2)


def test_policies() -> None:
    percentages = [5000, 9000, 7001]
    counted = {policy.value: counted_percentage(policy, percentages) for policy in GradingPolicy}
    assert counted == {"best": 9000, "last": 7001, "first": 5000, "average": Fraction(21001, 3)}
    assert counted_percentage("best", []) is None
