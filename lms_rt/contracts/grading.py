"""Marking by people as it crosses a border: a mark, the queue of what waits, and who has taken which answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from documents.enums import AttemptStatus, Grading, QuestionType
from lms_rt.contracts.base import Draft, Hundredths, HundredthsIn, IdFilter, Instant, Key, Line, PageQuery, View
from lms_rt.contracts.questions import ShownOption, ShownPairs
from lms_rt.contracts.rubrics import CriterionMarkView, RubricView

MAX_COMMENT = 20_000
Comment = Annotated[str, StringConstraints(max_length=MAX_COMMENT)]


class MarkDraft(Draft):
    """What a person gives for one answer. Without `points`, what the levels of the rubric come to.

    `revision` is that of the mark which the caller last saw (0: none): a mark that somebody else gave is never overwritten
    unseen. An answer that has its points by a rule, or by a mark, is only changed for a `reason`. A comment and levels that nothing
    is said of stay; null and empty ones take them away.
    """

    question_id: Key
    points: Annotated[HundredthsIn, Field(ge=0, le=1_000_000)] | None = None
    comment: Comment | None = None
    rubric: Annotated[dict[Key, Key], Field(max_length=100)] | None = None
    """Level by criterion, by their ids."""
    reason: Line = ""
    revision: Annotated[int, Field(ge=0, le=2**53)] | None = None


class QueueQuery(PageQuery):
    """What waits for a person, the oldest first."""

    quiz_id: IdFilter | None = None
    question_id: IdFilter | None = None
    sort: Literal["submitted_at", "-submitted_at"] = "submitted_at"


class NextDraft(Draft):
    """Take the next answer that nobody has: of this question, after that item."""

    question_id: Key | None = None
    after: Annotated[str, StringConstraints(max_length=200)] | None = None


# --- what goes out ---


class PersonView(View):
    """Somebody who marks."""

    user_id: str
    full_name: str | None


class MarkView(View):
    """A mark as those who teach see it."""

    points: Hundredths
    comment: str | None
    rubric: dict[str, str] | None
    reason: str | None
    revision: int
    marked_by: PersonView
    marked_at: Instant


class ChangeView(View):
    """Points that were changed after they had been given, and why."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_points: Hundredths | None = Field(serialization_alias="from")
    to_points: Hundredths | None = Field(serialization_alias="to")
    reason: str
    at: Instant


class MarkedView(View):
    """The mark, and what the attempt is worth by it. `waiting_count` answers of the attempt still wait for a person."""

    attempt_id: str
    question_id: str
    mark: MarkView
    waiting_count: int
    status: AttemptStatus
    grading: Grading
    score: Hundredths | None
    max_score: Hundredths | None
    percentage: Hundredths | None
    is_passed: bool | None
    revision: int
    version: int


class QueueRowView(View):
    """One answer that waits. Where marking is anonymous there is no student in it, only an `alias`."""

    id: str
    attempt_id: str
    quiz_id: str
    quiz_title: str
    course_id: str
    question_id: str
    question_text: str
    question_type: QuestionType
    points: Hundredths
    has_rubric: bool
    attempt_number: int
    student_id: str | None
    full_name: str | None
    alias: str
    submitted_at: Instant | None
    claimed_by: PersonView | None
    claimed_until: Instant | None


class QueueItemView(QueueRowView):
    """One answer with all that is needed to mark it."""

    question_html: str
    options: list[ShownOption] | ShownPairs
    explanation: str | None
    explanation_html: str | None
    rubric: RubricView | None
    value: Any
    mark: MarkView | None


class NextView(View):
    """The answer that was taken, if there is one that nobody has; and how many wait, with those that others have."""

    item: QueueItemView | None
    waiting_count: int


class WaitingQuizView(View):
    """A quiz in which answers wait."""

    quiz_id: str
    title: str
    course_id: str
    course_title: str
    is_marking_anonymous: bool
    waiting_count: int
    oldest_at: Instant | None
    questions: list[WaitingQuestionView]


class WaitingQuestionView(View):
    """A question to which answers wait."""

    question_id: str
    question_text: str
    waiting_count: int


__all__ = [
    "MAX_COMMENT",
    "ChangeView",
    "CriterionMarkView",
    "MarkDraft",
    "MarkView",
    "MarkedView",
    "NextDraft",
    "NextView",
    "PersonView",
    "QueueItemView",
    "QueueQuery",
    "QueueRowView",
    "RubricView",
    "WaitingQuestionView",
    "WaitingQuizView",
]
