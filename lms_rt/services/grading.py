"""Grading: pure and exact. A stored question and a checked answer in, points as a fraction out; rounded once, in `total`.

The rules, with worked examples that a test reads, stand in `docs/grading.md`. Who grades when is `services/attempts.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

from documents.enums import GradingPolicy, QuestionType
from lms_rt.contracts.numbers import read_number
from lms_rt.contracts.question_keys import StoredQuestion, compile_pattern
from lms_rt.services.folding import fold

ONE, ZERO = Fraction(1), Fraction(0)


@dataclass(frozen=True, slots=True)
class Graded:
    """What one answer is worth. `points` are exact, in points; None while a person has to grade, and for a description."""

    points: Fraction | None
    is_correct: bool | None
    feedback: str | None = None

    @property
    def points_hundredths(self) -> int | None:
        """For showing: half up to two places."""
        return None if self.points is None else round_half_up(self.points * 100)


@dataclass(frozen=True, slots=True)
class Total:
    """The result of an attempt, all in hundredths; None while an essay waits for a person.

    `exact` is the percentage before it was rounded.
    """

    score: int | None
    max_score: int
    percentage: int | None
    is_passed: bool | None
    exact: Fraction | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    share: Fraction
    is_correct: bool
    feedback: str | None = None


def round_half_up(number: Fraction) -> int:
    """The nearest whole number; halves go up."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)  # in whole numbers: it is much used


def is_empty(value: Any) -> bool:
    """Is this no answer at all: never given, cleared, or nothing but white space?"""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def grade_answer(question: StoredQuestion, value: Any) -> Graded:
    """What `value`, as `check_answer` returned it, is worth in this question. None is no answer: no points, for an essay too."""
    question_type = question["question_type"]
    if question_type == QuestionType.DESCRIPTION:
        return Graded(points=None, is_correct=None)
    if is_empty(value):
        return Graded(points=ZERO, is_correct=False)
    if question_type == QuestionType.ESSAY:
        return Graded(points=None, is_correct=None)
    verdict = _RULES[question_type](question, value)
    return Graded(Fraction(question["points"], 100) * verdict.share, verdict.is_correct, verdict.feedback)


def graded_by_mark(question: StoredQuestion, mark: Mapping[str, Any]) -> Graded:
    """What a person gave (hundredths), at most all points: these may have become fewer since. It stands above the rule.

    An essay that has some of them is neither right nor wrong.
    """
    points = min(mark["points"], question["points"])
    is_part = question["question_type"] == QuestionType.ESSAY and 0 < points < question["points"]
    return Graded(Fraction(points, 100), is_correct=None if is_part else points == question["points"])


def total(questions: Iterable[StoredQuestion], graded: Mapping[str, Graded], *, passing_score_hundredths: int) -> Total:
    """The sum over all questions but descriptions, never below 0; `is_passed` compares the unrounded percentage.

    A question without an entry in `graded` counts as not answered. Where there are no points to be had, all were reached.
    """
    points, most, is_waiting = ZERO, 0, False
    for question in questions:
        if question["question_type"] == QuestionType.DESCRIPTION:
            continue
        most += question["points"]
        result = graded.get(question["id"]) or grade_answer(question, None)
        is_waiting = is_waiting or result.points is None
        points += result.points or ZERO
    if is_waiting:
        return Total(score=None, max_score=most, percentage=None, is_passed=None)
    hundredths = max(points * 100, ZERO)
    percentage = hundredths * 100 / most if most else Fraction(100)
    return Total(
        score=round_half_up(hundredths),
        max_score=most,
        percentage=round_half_up(percentage * 100),
        is_passed=percentage * 100 >= passing_score_hundredths,
        exact=percentage * 100,
    )


def counted_percentage(policy: GradingPolicy | str, percentages: Sequence[int | Fraction]) -> Fraction | None:
    """What counts of several attempts, given their percentages (hundredths, not rounded) in the order of their numbers."""
    if not percentages:
        return None
    match GradingPolicy(policy):
        case GradingPolicy.BEST:
            return Fraction(max(percentages))
        case GradingPolicy.LAST:
            return Fraction(percentages[-1])
        case GradingPolicy.FIRST:
            return Fraction(percentages[0])
        case GradingPolicy.AVERAGE:
            return Fraction(sum(map(Fraction, percentages)), len(percentages))


def weight_share(weight: str | None) -> Fraction | None:
    """A weight in percent as a share; "33.33333" is a third, so that three of them are the whole.

    With three places or more, the simple fraction that is written so (denominator up to 20) is meant, if there is one.
    """
    if weight is None:
        return None
    percent = Decimal(weight)
    exact = Fraction(percent) / 100
    places = -int(percent.normalize().as_tuple().exponent)
    if places < 3:
        return exact
    simple = exact.limit_denominator(20)
    return simple if abs(exact - simple) < Fraction(1, 10 ** (places + 2)) else exact


# --- choices ---


def _choice(question: StoredQuestion, value: str) -> _Verdict:
    chosen = next(one for one in question["options"] if one["id"] == value)
    share = weight_share(chosen.get("weight"))
    if share is None:
        share = ONE if value == question["correct_answer"]["option_id"] else ZERO
    return _Verdict(share, share == ONE, chosen.get("feedback"))


def _select(question: StoredQuestion, value: list[str]) -> _Verdict:
    right, chosen = set(question["correct_answer"]["option_ids"]), set(value)
    feedback = "\n\n".join(
        one["feedback"] for one in question["options"] if one["id"] in chosen and one.get("feedback")
    )
    share = ONE if chosen == right else ZERO
    if question["partial_credit"]:
        shares = _select_shares(question["options"], right)
        share = min(max(sum((shares[one] for one in chosen), ZERO), ZERO), ONE)
    return _Verdict(share, share == ONE or chosen == right, feedback or None)


def _select_shares(options: list[dict[str, Any]], right: set[str]) -> dict[str, Fraction]:
    """A right option without a weight is worth its part of the whole; a wrong one costs as much, where none has any."""
    part = Fraction(1, len(right))
    has_weights = any("weight" in one for one in options)
    wrong = ZERO if has_weights else -part
    shares = {one["id"]: part if one["id"] in right else wrong for one in options}
    given = {one["id"]: weight_share(one.get("weight")) for one in options}
    return shares | {one: share for one, share in given.items() if share is not None}


def _truth(question: StoredQuestion, value: bool) -> _Verdict:
    key = question["correct_answer"]
    is_correct = value is key["value"]
    return _Verdict(ONE if is_correct else ZERO, is_correct, key.get("feedback_true" if value else "feedback_false"))


# --- texts and numbers ---


def _best(rows: Iterable[Mapping[str, Any]]) -> _Verdict | None:
    """The row that is worth most, the first of equals."""
    best: _Verdict | None = None
    for row in rows:
        share = weight_share(row["weight"]) or ZERO
        if best is None or share > best.share:
            best = _Verdict(share, share == ONE, row.get("feedback"))
    return best


def _short_answer(question: StoredQuestion, value: str) -> _Verdict:
    key = question["correct_answer"]
    flags = {"ignore_case": key.get("ignore_case", True), "fold_arabic": key.get("fold_arabic", False)}
    given = fold(value, **flags)
    best = _best(row for row in key["accepted"] if _is_text(row, given, flags))
    if (best is None or best.share < ONE) and _fits_pattern(key, value, given):
        return _Verdict(ONE, is_correct=True)
    return best or _Verdict(ZERO, is_correct=False)


def _is_text(row: Mapping[str, Any], given: str, flags: Mapping[str, bool]) -> bool:
    wanted = fold(row["text"], **flags)
    return _fits_wildcard(wanted, given) if row.get("is_wildcard") else wanted == given


def _fits_wildcard(wanted: str, given: str) -> bool:
    r"""Does `given` fit `wanted`, where `*` stands for any text and `\*` for a star? One pass, no backtracking."""
    parts = [part.replace("\0", "*") for part in wanted.replace(r"\*", "\0").split("*")]
    if len(parts) == 1:
        return given == parts[0]
    head, *middle, tail = parts
    if len(given) < len(head) + len(tail) or not given.startswith(head) or not given.endswith(tail):
        return False
    at, end = len(head), len(given) - len(tail)
    for part in middle:
        found = given.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _fits_pattern(key: Mapping[str, Any], value: str, given: str) -> bool:
    pattern = key.get("pattern")
    if pattern is None:
        return False
    compiled = compile_pattern(pattern, ignore_case=key.get("ignore_case", True))
    typed = " ".join(unicodedata.normalize("NFC", value).split())
    return any(compiled.fullmatch(text) is not None for text in (typed, given))


def _numeric(question: StoredQuestion, value: str) -> _Verdict:
    key = question["correct_answer"]
    rows = key.get("accepted") or [{"tolerance": "0", "tolerance_type": "absolute", "weight": "100", **key}]
    given = read_number(value)
    best = None if given is None else _best(row for row in rows if _is_near(row, given))
    return best or _Verdict(ZERO, is_correct=False, feedback=key.get("feedback_otherwise"))


def _is_near(row: Mapping[str, Any], given: Decimal) -> bool:
    wanted, tolerance = Decimal(row["value"]), Decimal(row["tolerance"])
    match row["tolerance_type"]:
        case "significant_figures":
            return _figures(wanted, int(tolerance)) == _figures(given, int(tolerance))
        case "relative":
            return abs(Fraction(given) - Fraction(wanted)) <= Fraction(tolerance) * abs(Fraction(wanted))
    return abs(Fraction(given) - Fraction(wanted)) <= Fraction(tolerance)


def _figures(number: Decimal, figures: int) -> Decimal:
    return Context(prec=figures, rounding=ROUND_HALF_UP).plus(number)


# --- pairs and sequences ---


def _matching(question: StoredQuestion, value: dict[str, str]) -> _Verdict:
    sides, pairs = question["options"], question["correct_answer"]["pairs"]
    texts = {item["id"]: item["text"] for item in sides["right"]}
    # Two items on the right may read the same: nobody can tell them apart, so either is right.
    hits = sum(one in value and texts[value[one]] == texts[other] for one, other in pairs.items())
    return _partial(question, hits, len(pairs))


def _ordering(question: StoredQuestion, value: list[str]) -> _Verdict:
    texts = {item["id"]: item["text"] for item in question["options"]}
    wanted = [texts[one] for one in question["correct_answer"]["sequence"]]
    run = _longest_run(wanted, [texts[one] for one in value])
    # One item alone is in no order: a run begins with two.
    return _partial(question, run if run > 1 else 0, len(wanted))


def _longest_run(wanted: Sequence[str], given: Sequence[str]) -> int:
    """The length of the longest stretch of `given` that stands so, without a gap, in `wanted`."""
    longest, before = 0, [0] * (len(wanted) + 1)
    for one in given:
        row = [0, *(before[place] + 1 if one == other else 0 for place, other in enumerate(wanted))]
        longest, before = max(longest, *row), row
    return longest


def _partial(question: StoredQuestion, hits: int, most: int) -> _Verdict:
    share = Fraction(hits, most)
    return _Verdict(share if question["partial_credit"] or share == ONE else ZERO, share == ONE)


_RULES: Mapping[str, Callable[[StoredQuestion, Any], _Verdict]] = {
    QuestionType.MULTIPLE_CHOICE: _choice,
    QuestionType.MULTIPLE_SELECT: _select,
    QuestionType.TRUE_FALSE: _truth,
    QuestionType.SHORT_ANSWER: _short_answer,
    QuestionType.NUMERIC: _numeric,
    QuestionType.MATCHING: _matching,
    QuestionType.ORDERING: _ordering,
}
