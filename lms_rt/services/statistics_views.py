"""From sittings to what is told of a quiz: scores, distribution, reliability, and question by question. Pure.

The arithmetic is in `item_statistics.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median, quantiles
from typing import Any

from documents.base import Row
from documents.enums import QuestionType
from lms_rt.contracts.numbers import decimal_text, read_number
from lms_rt.contracts.questions import StoredQuestion
from lms_rt.contracts.statistics import (
    BinView,
    GivenAnswerView,
    OptionStatisticsView,
    QuestionStatisticsView,
    ReliabilityView,
    ScoresView,
    StatisticsView,
    TimeView,
)
from lms_rt.services.grading import round_half_up
from lms_rt.services.item_statistics import (
    OptionFigures,
    QuestionFigures,
    Reliability,
    Sitting,
    question_figures,
    reliability_of,
    remarks_on,
    variance,
)
from lms_rt.services.rendering import plain_line

BIN_PERCENT = 10
_TITLE_LENGTH = 120
_FREQUENT = 8
_CHOICES = frozenset({QuestionType.MULTIPLE_CHOICE, QuestionType.MULTIPLE_SELECT, QuestionType.TRUE_FALSE})
_WRITTEN = frozenset({QuestionType.SHORT_ANSWER, QuestionType.NUMERIC})


@dataclass(frozen=True, slots=True)
class Sat:
    """A sitting with what the attempt came to; `percentage` in hundredths."""

    sitting: Sitting
    student_id: str
    percentage: int
    is_passed: bool
    seconds: int


def statistics_view(quiz: Row, sat: Sequence[Sat], questions: Sequence[StoredQuestion], **told: Any) -> StatisticsView:
    """Everything, in views; `told` are the fields that are known already."""
    sittings = [one.sitting for one in sat]
    reliability = reliability_of(sittings)
    return StatisticsView(
        quiz_id=quiz["_id"],
        title=quiz["title"],
        attempts=told.pop("which"),
        attempts_count=len(sat),
        students_count=len({one.student_id for one in sat}),
        passed_count=sum(one.is_passed for one in sat),
        scores=_scores([one.percentage for one in sat]),
        distribution=_distribution([one.percentage for one in sat]),
        reliability=_reliability(reliability, sittings),
        median_seconds=int(median(one.seconds for one in sat)) if sat else None,
        questions=[_question(one, order, sittings, reliability) for order, one in enumerate(questions, 1)],
        **told,
    )


def _scores(percentages: Sequence[int]) -> ScoresView | None:
    if not percentages:
        return None
    spread = variance(percentages)
    return ScoresView(
        mean=round_half_up(Fraction(sum(percentages), len(percentages))),
        median=round_half_up(Fraction(median(percentages))),
        lowest=min(percentages),
        highest=max(percentages),
        deviation=None if spread is None else _rounded(math.sqrt(spread)),
    )


def _distribution(percentages: Sequence[int]) -> list[BinView]:
    bins = 100 // BIN_PERCENT
    counts = [0] * bins
    for percentage in percentages:
        counts[min(max(percentage, 0) // (BIN_PERCENT * 100), bins - 1)] += 1
    return [
        BinView(lowest=n * BIN_PERCENT, highest=(n + 1) * BIN_PERCENT, count=count) for n, count in enumerate(counts)
    ]


def _reliability(found: Reliability, sittings: Sequence[Sitting]) -> ReliabilityView:
    error = found.error
    most = sittings[0].most_total if sittings else 0
    return ReliabilityView(
        alpha=found.alpha,
        error_points=None if error is None else _rounded(error),
        error_percentage=None if error is None or not most else _rounded(error / most * 10_000),
        questions_count=len(found.items),
        why_not=found.why_not,
    )


def _question(
    question: StoredQuestion, order: int, sittings: Sequence[Sitting], reliability: Reliability
) -> QuestionStatisticsView:
    kind = question["question_type"]
    found = question_figures(question["id"], sittings, reliability=reliability, has_options=kind in _CHOICES)
    right = _right_options(question) if kind in _CHOICES else {}
    return QuestionStatisticsView(
        question_id=question["id"],
        order=order,
        title=plain_line(question["question_text"], _TITLE_LENGTH),
        question_type=kind,
        points=question["points"],
        attempts_count=found.attempts,
        answered_count=found.answered,
        facility=found.facility,
        deviation=None if found.deviation is None else found.deviation / 100,
        discrimination=found.discrimination,
        point_biserial=found.point_biserial,
        alpha_without=found.alpha_without,
        time=_time(found.seconds),
        options=_options(question, found, right) if kind in _CHOICES else [],
        frequent_answers=_frequent(found, is_number=kind == QuestionType.NUMERIC) if kind in _WRITTEN else [],
        remarks=remarks_on(found, right),
    )


def _right_options(question: StoredQuestion) -> dict[str, bool]:
    """The options of a choice, and whether the key, or one that was accepted later, names them."""
    keys = [question["correct_answer"], *question.get("also_accepted", [])]
    if question["question_type"] == QuestionType.TRUE_FALSE:
        values = {bool(key["value"]) for key in keys}
        return {"true": True in values, "false": False in values}
    named = {one for key in keys for one in (key.get("option_ids") or [key.get("option_id")])}
    return {option["id"]: option["id"] in named for option in question["options"]}


def _options(question: StoredQuestion, found: QuestionFigures, right: Mapping[str, bool]) -> list[OptionStatisticsView]:
    """In the author's order; what only older papers offered comes last."""
    texts = {one["id"]: one["text"] for one in question.get("options") or []}
    nobody = OptionFigures(0, None, None)
    return [
        OptionStatisticsView(
            option_id=one,
            text=plain_line(texts.get(one, ""), _TITLE_LENGTH),
            is_right=right.get(one, False),
            chosen=(figures := found.options.get(one, nobody)).chosen,
            share=figures.chosen / found.attempts if found.attempts else 0.0,
            mean_rest=figures.mean_rest,
            discrimination=figures.discrimination,
        )
        for one in [*right, *sorted(found.options.keys() - right.keys())]
    ]


def _frequent(found: QuestionFigures, *, is_number: bool) -> list[GivenAnswerView]:
    """What was written most often; a number is the same however it is written."""
    together: dict[str, tuple[int, float]] = {}
    for text, (count, share) in found.answers.items():
        number = read_number(text) if is_number else None
        told = text if number is None else decimal_text(number)
        before, sum_before = together.get(told, (0, 0.0))
        together[told] = (before + count, sum_before + share * count)
    ordered = sorted(together.items(), key=lambda item: (-item[1][0], item[0]))[:_FREQUENT]
    return [
        GivenAnswerView(text=text, count=count, share_of_points=points / count) for text, (count, points) in ordered
    ]


def _time(ordered: Sequence[int]) -> TimeView | None:
    if not ordered:
        return None
    lower, middle, upper = quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else [ordered[0]] * 3
    return TimeView(lower_quartile=int(lower), median=int(middle), upper_quartile=int(upper))


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)
