"""Every rule of grading against a second way to say the same, and the tables of totals and policies in docs/grading.md."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.enums import GradingPolicy
from lms_rt.contracts.base import hundredths_text, read_model
from lms_rt.contracts.rubrics import RubricDraft, criterion_marks, rubric_json, rubric_points
from lms_rt.services.grading import (
    Graded,
    counted_percentage,
    grade_answer,
    graded_by_mark,
    round_half_up,
    total,
    weight_share,
)
from tests.unit.test_grading import DOCS, IDS, make, points_of, weights

# --- choices ---


@given(st.lists(weights, min_size=2, max_size=5), st.integers(0, 500), st.data())
def test_a_choice_is_worth_its_weight(some: list[Decimal | None], points: int, data: st.DataObject) -> None:
    ids = IDS[: len(some)]
    known = [Decimal(-100) if weight is None else weight for weight in some]
    best = ids[known.index(max(known))]
    options = [
        {"id": one, "text": one} | ({} if weight is None else {"weight": str(weight)})
        for one, weight in zip(ids, some, strict=True)
    ]
    made = make("multiple_choice", options=options, correct_answer={"option_id": best}, points=points)
    chosen = data.draw(st.sampled_from(ids))
    weight = some[ids.index(chosen)]
    share = Fraction(chosen == best) if weight is None else weight_share(str(weight))
    graded = grade_answer(made, chosen)
    assert share is not None
    assert (graded.points, graded.is_correct) == (points * share, share == 1)


@given(st.booleans(), st.booleans(), st.integers(0, 1000))
def test_true_or_false_is_all_or_nothing(key: bool, answer: bool, points: int) -> None:
    made = make("true_false", correct_answer={"value": key}, points=points)
    assert points_of(made, answer) == (points if key == answer else 0)


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=5), st.data())
def test_of_many_the_weights_add_up(some: list[int], data: st.DataObject) -> None:
    ids = IDS[: len(some)]
    options = [{"id": one, "text": one, "weight": weight} for one, weight in zip(ids, some, strict=True)]
    right = data.draw(st.sets(st.sampled_from(ids), min_size=1))
    made = make(
        "multiple_select", options=options, correct_answer={"option_ids": sorted(right)}, points=7, partial_credit=True
    )
    chosen = data.draw(st.lists(st.sampled_from(ids), unique=True, min_size=1))
    worth = sum(some[ids.index(one)] for one in chosen)
    assert points_of(made, chosen) == 7 * min(max(Fraction(worth, 100), Fraction(0)), Fraction(1))


@given(st.integers(1, 4), st.data())
def test_without_weights_wrong_ones_cost_what_right_ones_bring(rights: int, data: st.DataObject) -> None:
    right, chosen = IDS[:rights], data.draw(st.lists(st.sampled_from(IDS), unique=True, min_size=1))
    made = make("multiple_select", options=IDS, correct_answer={"option_ids": right}, partial_credit=True)
    hits = sum(one in right for one in chosen)
    assert points_of(made, chosen) == max(Fraction(hits - (len(chosen) - hits), rights), 0)


# --- texts ---

WORDS = st.text(alphabet="abcé \u0623\u0627", min_size=1, max_size=8).filter(str.strip)


@given(st.lists(st.tuples(WORDS, st.integers(-100, 100)), min_size=1, max_size=4), WORDS)
def test_of_the_texts_that_match_the_best_counts(rows: list[tuple[str, int]], answer: str) -> None:
    rows = [*rows, ("always there", 100)]
    accepted = [{"text": text, "weight": weight} for text, weight in rows]
    made = make("short_answer", correct_answer={"accepted": accepted})
    fold = str.maketrans("é", "e")
    same = " ".join(answer.translate(fold).split())
    found = [weight for text, weight in rows if " ".join(text.translate(fold).split()) == same]
    assert points_of(made, answer) == (Fraction(max(found), 100) if found else 0)


PATTERNS = ("[ab]+c?", "a{2,3}", "(a|bc)*", "b.c", "x?ab")


@given(st.sampled_from(PATTERNS), st.text(alphabet="abcx", min_size=1, max_size=8))
def test_a_pattern_is_for_the_whole_answer(pattern: str, answer: str) -> None:
    made = make("short_answer", correct_answer={"pattern": pattern})
    assert (points_of(made, answer) == 1) == (re.fullmatch(pattern, answer) is not None)


# --- numbers ---

DIGITS = ("0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹")


@given(st.decimals(-(10**6), 10**6, places=3), st.sampled_from(DIGITS), st.sampled_from(".,٫"))
def test_numbers_are_read_in_all_digits_and_marks(number: Decimal, digits: str, mark: str) -> None:
    made = make("numeric", correct_answer={"value": str(number)})
    written = f"{number:f}".translate(str.maketrans("0123456789", digits)).replace(".", mark)
    assert points_of(made, written) == 1


@given(st.decimals(-1000, 1000, places=2), st.decimals(-1000, 1000, places=3), st.decimals(0, 2, places=3))
def test_a_relative_tolerance_is_a_part_of_the_value(wanted: Decimal, answer: Decimal, tolerance: Decimal) -> None:
    key = {"value": str(wanted), "tolerance": str(tolerance), "tolerance_type": "relative"}
    made = make("numeric", correct_answer=key)
    is_near = abs(Fraction(answer) - Fraction(wanted)) <= Fraction(tolerance) * abs(Fraction(wanted))
    assert (points_of(made, str(answer)) == 1) == is_near


@given(st.decimals(-(10**4), 10**4, places=3), st.decimals(-(10**4), 10**4, places=3), st.integers(1, 7))
def test_significant_figures_compare_what_is_rounded(wanted: Decimal, answer: Decimal, figures: int) -> None:
    key = {"value": str(wanted), "tolerance": figures, "tolerance_type": "significant_figures"}
    made = make("numeric", correct_answer=key)
    assert (points_of(made, str(answer)) == 1) == (_rounded(wanted, figures) == _rounded(answer, figures))


def _rounded(number: Decimal, figures: int) -> Decimal:
    if not number:
        return number
    place = Decimal(1).scaleb(number.adjusted() - figures + 1)
    return number.quantize(place, ROUND_HALF_UP)


# --- pairs and sequences ---


@given(st.permutations(IDS))
def test_an_ordering_counts_the_longest_run(answer: list[str]) -> None:
    text = "".join(IDS)
    runs = ("".join(answer[start:end]) for start, end in itertools.combinations(range(len(answer) + 1), 2))
    longest = max(len(run) for run in runs if run in text)
    made = make("ordering", options=IDS)
    assert points_of(made, answer) == (Fraction(longest, len(IDS)) if longest > 1 else 0)


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS)))
def test_matching_without_partial_credit_is_all_or_nothing(answer: dict[str, str]) -> None:
    key = dict(zip(IDS, reversed(IDS), strict=True))
    sides = {"left": IDS, "right": IDS}
    made = make("matching", options=sides, correct_answer={"pairs": key}, partial_credit=False, points=3)
    assert points_of(made, answer) == (3 if answer == key else 0)


# --- people ---


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_mark_is_worth_what_was_given_at_most_all_points(given_points: int, points: int) -> None:
    essay = make("essay", points=hundredths_text(points))
    graded = graded_by_mark(essay, {"points": given_points})
    assert graded.points == Fraction(min(given_points, points), 100)
    assert graded.is_correct == (True if given_points >= points else None if given_points else False)


levels = st.lists(st.integers(0, 500), min_size=1, max_size=4)


@given(st.lists(levels, min_size=1, max_size=4), st.data())
def test_levels_come_to_their_points_and_survive_a_round_trip(rows: list[list[int]], data: st.DataObject) -> None:
    criteria = [
        {
            "id": f"c{place}",
            "title": "C",
            "levels": [
                {"id": f"l{number}", "title": "L", "points": hundredths_text(one)} for number, one in enumerate(row)
            ],
        }
        for place, row in enumerate(rows)
    ]
    draft = read_model(RubricDraft, {"criteria": criteria})
    assert draft.points == sum(max(row) for row in rows)
    stored = draft.stored(lambda: "made")
    assert read_model(RubricDraft, rubric_json(stored)).stored(lambda: "made") == stored
    picks = [data.draw(st.integers(0, len(row) - 1)) for row in rows]
    chosen = {f"c{place}": f"l{pick}" for place, pick in enumerate(picks)}
    assert rubric_points(stored, chosen) == sum(row[pick] for row, pick in zip(rows, picks, strict=True))
    found = criterion_marks(stored, chosen)
    assert found is not None
    assert [(one.points, one.max_points) for one in found] == [
        (row[pick], max(row)) for row, pick in zip(rows, picks, strict=True)
    ]


# --- totals ---


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.fractions(-1, 1, max_denominator=40)), max_size=6),
    st.integers(0, 10_000),
)
def test_totals_are_exact_until_the_end(rows: list[tuple[int, Fraction]], passing: int) -> None:
    questions = [make("essay", f"qst_{n}", points=hundredths_text(points)) for n, (points, _) in enumerate(rows)]
    graded = {
        f"qst_{n}": Graded(Fraction(points, 100) * share, is_correct=False) for n, (points, share) in enumerate(rows)
    }
    made = total(questions, graded, passing_score_hundredths=passing)
    most = sum(points for points, _ in rows)
    exact = max(sum((points * share for points, share in rows), Fraction(0)), Fraction(0))
    percentage = exact * 10_000 / most if most else Fraction(10_000)
    assert (made.score, made.max_score) == (round_half_up(exact), most)
    assert (made.percentage, made.exact) == (round_half_up(percentage), percentage)
    assert made.is_passed == (percentage >= passing)


@given(st.lists(st.fractions(0, 10_000), min_size=1, max_size=6))
def test_policies_count_what_they_say(percentages: list[Fraction]) -> None:
    counted = {policy: counted_percentage(policy, percentages) for policy in GradingPolicy}
    assert counted == {
        GradingPolicy.BEST: max(percentages),
        GradingPolicy.LAST: percentages[-1],
        GradingPolicy.FIRST: percentages[0],
        GradingPolicy.AVERAGE: sum(percentages, Fraction(0)) / len(percentages),
    }


# --- the tables of docs/grading.md ---


def table(head: str) -> Iterator[list[str]]:
    """The rows below a head, cell by cell."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(head)) + 2
    for line in itertools.takewhile(lambda line: line.startswith("|"), lines[start:]):
        yield [cell.strip() for cell in line.strip("|").split("|")]


def parts(cell: str) -> list[Fraction]:
    return [Fraction(one.strip()) for one in cell.split(",")]


@pytest.mark.parametrize("row", list(table("| points | shares")), ids=" ".join)
def test_the_table_of_totals(row: list[str]) -> None:
    points, shares = row[0].split(","), parts(row[1])
    questions = [make("essay", f"qst_{n}", points=one.strip()) for n, one in enumerate(points)]
    graded: dict[str, Any] = {
        one["id"]: Graded(Fraction(one["points"], 100) * share, is_correct=None)
        for one, share in zip(questions, shares, strict=True)
    }
    made = total(questions, graded, passing_score_hundredths=int(Decimal(row[2]) * 100))
    assert made.score is not None
    assert made.percentage is not None
    told = [hundredths_text(made.score), hundredths_text(made.percentage), "yes" if made.is_passed else "no"]
    assert told == row[3:]


@pytest.mark.parametrize("row", list(table("| policy | percentages")), ids=" ".join)
def test_the_table_of_policies(row: list[str]) -> None:
    assert counted_percentage(row[0], parts(row[1])) == Fraction(row[2])
