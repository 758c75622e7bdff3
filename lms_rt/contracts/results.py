"""Results as they cross a border: a closed attempt, question by question as far as the quiz allows."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from documents.enums import QuestionType
from lms_rt.contracts.attempts import AnswerView, AttemptRowView
from lms_rt.contracts.base import Hundredths, View
from lms_rt.contracts.corrected import CorrectionWord
from lms_rt.contracts.grading import ChangeView, MarkView
from lms_rt.contracts.questions import ShownOption, ShownPairs
from lms_rt.contracts.rubrics import CriterionMarkView


def _is_none(value: Any) -> bool:
    return value is None


class ResultQuestionView(View):
    """A question with what was answered. What it was worth, and all words on it, are null while the policy says so.

    `comment` and `rubric` are what the person said who marked it; `changes` are points that were changed after they had been
    given. `mark` is for those who teach. `corrected` is what was done to the question after somebody had sat the quiz.
    """

    question_id: str
    order: int
    question_type: QuestionType
    question_text: str
    question_html: str
    options: list[ShownOption] | ShownPairs
    value: Any
    points: Hundredths
    points_awarded: Hundredths | None
    is_correct: bool | None
    feedback: str | None
    feedback_html: str | None = Field(default=None, exclude_if=_is_none)
    comment: str | None = None
    rubric: list[CriterionMarkView] | None = None
    changes: list[ChangeView] = Field(default_factory=list)
    mark: MarkView | None = Field(default=None, exclude_if=_is_none)
    corrected: list[CorrectionWord] = Field(default_factory=list)
    also_accepted: list[dict[str, Any]] | None = Field(default=None, exclude_if=_is_none)
    correct_answer: dict[str, Any] | None = Field(default=None, exclude_if=_is_none)
    explanation: str | None = Field(default=None, exclude_if=_is_none)
    explanation_html: str | None = Field(default=None, exclude_if=_is_none)


class StandingView(View):
    """What the attempts at a quiz come to under its grading policy."""

    grading_policy: str
    attempts_count: int
    percentage: Hundredths | None
    is_passed: bool | None


class ResultsView(AttemptRowView):
    """A closed attempt, question by question as far as the quiz allows."""

    quiz_title: str
    passing_score: Hundredths
    has_answers_shown: bool
    answers: dict[str, AnswerView]
    standing: StandingView
    questions: list[ResultQuestionView]
