"""What a quiz and its questions came to: the reply of `GET /quizzes/{id}/statistics`.

The formulas and their sources stand in `docs/statistics.md`; the arithmetic is in `services/item_statistics.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from documents.enums import QuestionType
from lms_rt.contracts.base import Hundredths, Instant, View

_PLACES = 4

WhichAttempts = Literal["counted", "first", "last", "best", "all"]
"""Of each student: what counts by the quiz's grading policy, the first, the last, the best, or all of them."""

Ratio = Annotated[
    float,
    PlainSerializer(lambda number: round(number, _PLACES), return_type=float),
    WithJsonSchema({"type": "number", "examples": [0.6225]}),
]
"""A pure number, shown with four places."""

Remark = Literal["few_answers", "hard", "easy", "weak", "negative", "everybody_alike", "key_suspect", "unused_options"]
NoReliability = Literal["few_attempts", "one_question", "papers_differ", "everybody_alike"]


class StatisticsQuery(BaseModel):
    """Which attempts are looked at."""

    model_config = ConfigDict(extra="ignore")

    attempts: WhichAttempts = "counted"


class ScoresView(View):
    """How the attempts' percentages lie. `deviation` is that of a sample (n - 1), absent with fewer than two."""

    mean: Hundredths
    median: Hundredths
    lowest: Hundredths
    highest: Hundredths
    deviation: Hundredths | None


class BinView(View):
    """Attempts from `lowest` percent to below `highest`; the last bin holds 100 as well."""

    lowest: int
    highest: int
    count: int


class ReliabilityView(View):
    """Cronbach's alpha and the standard error of measurement, in points and in percent; or why there are none."""

    alpha: Ratio | None
    error_points: Hundredths | None
    error_percentage: Hundredths | None
    questions_count: int
    why_not: NoReliability | None


class OptionStatisticsView(View):
    """One option: how many chose it, how they did otherwise, and whether the choice goes with doing well."""

    option_id: str
    text: str
    is_right: bool
    chosen: int
    share: Ratio
    mean_rest: Ratio | None
    discrimination: Ratio | None


class GivenAnswerView(View):
    """What many wrote, and what part of the points they got for it."""

    text: str
    count: int
    share_of_points: Ratio


class TimeView(View):
    """Seconds from the answer saved before it, or from the start: the median and the quartiles."""

    lower_quartile: int
    median: int
    upper_quartile: int


class QuestionStatisticsView(View):
    """One question over all attempts that had it.

    `facility` is the mean share of its points; `discrimination` the correlation with the rest of the attempt,
    `point_biserial` that with the whole of it; `alpha_without` the alpha of the others.
    """

    question_id: str
    order: int
    title: str
    question_type: QuestionType
    points: Hundredths
    attempts_count: int
    answered_count: int
    facility: Ratio
    deviation: Ratio | None
    discrimination: Ratio | None
    point_biserial: Ratio | None
    alpha_without: Ratio | None
    time: TimeView | None
    options: list[OptionStatisticsView]
    frequent_answers: list[GivenAnswerView]
    remarks: list[Remark]


class StatisticsView(View):
    """A quiz in figures. Previews count nowhere; attempts that wait for a person's marks are not looked at yet."""

    quiz_id: str
    title: str
    attempts: WhichAttempts
    computed_at: Instant
    attempts_count: int
    students_count: int
    waiting_count: int
    left_out_count: int
    void_question_ids: list[str]
    passed_count: int
    scores: ScoresView | None
    distribution: list[BinView]
    reliability: ReliabilityView
    median_seconds: int | None
    questions: list[QuestionStatisticsView]
