"""The arithmetic of item analysis: facility, discrimination, reliability, options and time. Pure; nothing is read here.

Every formula stands with its source in `docs/statistics.md`. Points go in as whole hundredths, so that sums are exact;
variances are those of a sample (n - 1). What cannot be said, as a correlation with what never varies, is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FEW = 10
"""Below so many attempts a question gets no remark but that they are few."""
HARD, EASY = 0.3, 0.9
WEAK = 0.2
_IDLE_SHARE = 0.05
_SUSPECT_FROM = 5
"""A wrong option that so many chose may be told to be better than the key."""


@dataclass(slots=True)
class Sitting:
    """One attempt: the points of each question that counts, what each could give, the answers and their seconds."""

    points: Mapping[str, int]
    most: Mapping[str, int]
    values: Mapping[str, Any]
    seconds: Mapping[str, int]
    total: int = field(init=False)
    most_total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = sum(self.points.values())
        self.most_total = sum(self.most[one] for one in self.points)

    def rest_share(self, question_id: str) -> float | None:
        """What part of all other questions' points it got; None: there are none to get."""
        most = self.most_total - self.most[question_id]
        return (self.total - self.points[question_id]) / most if most else None

    @property
    def share(self) -> float | None:
        """What part of all points it got."""
        return self.total / self.most_total if self.most_total else None


# --- formulas ---


def variance(numbers: Sequence[float]) -> float | None:
    """The variance of a sample; None below two numbers, and exactly 0 where all are the same."""
    if len(numbers) < 2:
        return None
    if min(numbers) == max(numbers):
        return 0.0
    mean = math.fsum(numbers) / len(numbers)
    return math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)


def correlation(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Pearson's r, which is the point-biserial one where `xs` are right or wrong; None where either never varies."""
    if len(xs) < 2 or min(xs) == max(xs) or min(ys) == max(ys):
        return None
    mean_x, mean_y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    of_x, of_y = [x - mean_x for x in xs], [y - mean_y for y in ys]
    together = math.fsum(x * y for x, y in zip(of_x, of_y, strict=True))
    apart = math.sqrt(math.fsum(x * x for x in of_x)) * math.sqrt(math.fsum(y * y for y in of_y))
    return max(-1.0, min(1.0, together / apart)) if apart else None


def alpha_of(item_variances: Sequence[float], total_variance: float | None) -> float | None:
    """Cronbach's alpha: k / (k - 1) · (1 - sum of the items' variances / variance of the total)."""
    items = len(item_variances)
    if items < 2 or not total_variance:
        return None
    return items / (items - 1) * (1 - math.fsum(item_variances) / total_variance)


# --- reliability ---


@dataclass(frozen=True, slots=True)
class Reliability:
    """Alpha with the standard error in hundredths of points, or why there is none. `items` are the variances by question."""

    alpha: float | None = None
    error: float | None = None
    why_not: str | None = None
    items: Mapping[str, float] = field(default_factory=dict)


def reliability_of(sittings: Sequence[Sitting]) -> Reliability:
    """Over one paper that all had: where questions were drawn, or their points changed, there is no such number."""
    if len(sittings) < 2:
        return Reliability(why_not="few_attempts")
    first = sittings[0]
    if len(first.points) < 2:
        return Reliability(why_not="one_question")
    if not all(_is_same_paper(first, one) for one in sittings):
        return Reliability(why_not="papers_differ")
    items = {one: variance([sitting.points[one] for sitting in sittings]) or 0.0 for one in first.points}
    spread = variance([sitting.total for sitting in sittings])
    alpha = alpha_of(list(items.values()), spread)
    if alpha is None or spread is None:
        return Reliability(why_not="everybody_alike")
    return Reliability(alpha, math.sqrt(spread) * math.sqrt(max(0.0, 1 - alpha)), items=items)


def _is_same_paper(one: Sitting, other: Sitting) -> bool:
    if one.points.keys() != other.points.keys():
        return False
    return one.most is other.most or all(one.most[key] == other.most[key] for key in one.points)


# --- one question ---


@dataclass(slots=True)
class OptionFigures:
    """How many chose it, what part of the other points those got on average, and how the choice goes with that part."""

    chosen: int
    mean_rest: float | None
    discrimination: float | None


@dataclass(slots=True)
class QuestionFigures:
    """A question over all attempts that had it."""

    attempts: int
    answered: int
    facility: float | None
    deviation: float | None
    discrimination: float | None
    point_biserial: float | None
    alpha_without: float | None
    seconds: list[int]
    options: dict[str, OptionFigures]
    answers: dict[str, tuple[int, float]]


def question_figures(
    question_id: str, sittings: Sequence[Sitting], *, reliability: Reliability, has_options: bool
) -> QuestionFigures:
    """Everything that is told of one question. Written answers are counted where there are no options."""
    rows = [one for one in sittings if question_id in one.points]
    values = [row.values.get(question_id) for row in rows]
    rests = [row.rest_share(question_id) for row in rows]
    shares = [row.points[question_id] / row.most[question_id] for row in rows if row.most[question_id]]
    is_worth = bool(shares) and len(shares) == len(rows)
    spread = variance([row.points[question_id] for row in rows])
    return QuestionFigures(
        attempts=len(rows),
        answered=sum(value is not None for value in values),
        facility=math.fsum(shares) / len(shares) if is_worth else None,
        deviation=None if spread is None else math.sqrt(spread),
        discrimination=correlated(shares, rests) if is_worth else None,
        point_biserial=correlated(shares, [row.share for row in rows]) if is_worth else None,
        alpha_without=_alpha_without(question_id, sittings, reliability),
        seconds=sorted(row.seconds[question_id] for row in rows if question_id in row.seconds),
        options=_options(values, rests) if has_options else {},
        answers={} if has_options else _answers(values, shares if is_worth else [0.0] * len(rows)),
    )


def correlated(xs: Sequence[float], ys: Sequence[float | None]) -> float | None:
    """The correlation, where all `ys` are there."""
    known = [y for y in ys if y is not None]
    return correlation(xs, known) if len(known) == len(xs) else None


def _alpha_without(question_id: str, sittings: Sequence[Sitting], reliability: Reliability) -> float | None:
    if reliability.alpha is None or question_id not in reliability.items:
        return None
    others = [number for one, number in reliability.items.items() if one != question_id]
    return alpha_of(others, variance([one.total - one.points[question_id] for one in sittings]))


def _options(values: Sequence[Any], rests: Sequence[float | None]) -> dict[str, OptionFigures]:
    """By option id; true and false are `true` and `false`."""
    chosen_by: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        for option in () if value is None else value if isinstance(value, list) else (value,):
            name = str(option).lower() if isinstance(option, bool) else str(option)
            chosen_by.setdefault(name, []).append(place)
    return {option: _option(places, rests) for option, places in chosen_by.items()}


def _option(places: Sequence[int], rests: Sequence[float | None]) -> OptionFigures:
    marks = [0.0] * len(rests)
    for place in places:
        marks[place] = 1.0
    known = [rest for place in places if (rest := rests[place]) is not None]
    mean = math.fsum(known) / len(known) if known else None
    return OptionFigures(len(places), mean, correlated(marks, rests))


def _answers(values: Sequence[Any], shares: Sequence[float]) -> dict[str, tuple[int, float]]:
    """What was written, white space aside: how often, and the mean share of the points that it got."""
    found: dict[str, list[float]] = {}
    for value, share in zip(values, shares, strict=True):
        if isinstance(value, str) and (text := " ".join(value.split())):
            found.setdefault(text[:100], []).append(share)
    return {text: (len(got), math.fsum(got) / len(got)) for text, got in found.items()}


# --- in words ---


def remarks_on(figures: QuestionFigures, right: Mapping[str, bool]) -> list[str]:
    """What a teacher should look at; `right` are the options and whether they are."""
    if figures.attempts < FEW:
        return ["few_answers"]
    remarks = []
    if figures.facility is not None and figures.facility < HARD:
        remarks.append("hard")
    if figures.facility is not None and figures.facility > EASY:
        remarks.append("easy")
    remarks += _about_discrimination(figures)
    if _has_suspect_key(figures.options, right):
        remarks.append("key_suspect")
    if any(_is_idle(one, figures) for one, is_right in right.items() if not is_right):
        remarks.append("unused_options")
    return remarks


def _about_discrimination(figures: QuestionFigures) -> list[str]:
    if not figures.deviation:
        return ["everybody_alike"]
    found = figures.discrimination
    return [] if found is None or found >= WEAK else ["weak" if found >= 0 else "negative"]


def _has_suspect_key(options: Mapping[str, OptionFigures], right: Mapping[str, bool]) -> bool:
    """Is there a wrong option that goes with doing well, and more so than every right one?"""
    told = {one: found for one, found in options.items() if found.discrimination is not None}
    best_right = max((found.discrimination or 0.0 for one, found in told.items() if right.get(one)), default=-1.0)
    return any(
        found.chosen >= _SUSPECT_FROM and (found.discrimination or 0.0) > max(0.0, best_right)
        for one, found in told.items()
        if not right.get(one)
    )


def _is_idle(option_id: str, figures: QuestionFigures) -> bool:
    found = figures.options.get(option_id)
    return found is None or found.chosen < _IDLE_SHARE * figures.attempts
