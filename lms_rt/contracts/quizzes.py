"""Quizzes as they cross a border: draft, change, view, and the query of their list. Questions are in `questions.py`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from documents.enums import GradingPolicy, QuizType, ShowAnswers
from lms_rt.contracts.accommodations import YourTimeView
from lms_rt.contracts.base import (
    Change,
    Draft,
    Hundredths,
    HundredthsIn,
    Identifier,
    IdFilter,
    Instant,
    Metadata,
    PageQuery,
    Prose,
    Title,
    View,
)
from lms_rt.contracts.questions import QuestionDraft

MAX_QUESTIONS = 500

ConnectionLossPolicy = Literal["none", "automatic", "approval"]
LiveState = Literal["running", "paused", "ended"]
Percentage = Annotated[HundredthsIn, Field(ge=0, le=10_000)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _shown(value: Any) -> Any:
    """Reference clients send true or false."""
    if isinstance(value, bool):
        return ShowAnswers.AFTER_SUBMIT.value if value else ShowAnswers.NEVER.value
    return value


class DrawRule(Draft):
    """So many questions at random out of those with a tag, or of a category."""

    tag: Label | None = None
    category: Label | None = None
    count: Annotated[int, Field(ge=1, le=MAX_QUESTIONS)]

    @model_validator(mode="after")
    def _one_source(self) -> DrawRule:
        if (self.tag is None) == (self.category is None):
            raise PydanticCustomError("draw_source", "A rule names either a tag or a category")
        return self


class QuizFields(BaseModel):
    """What an author may set besides the title, with what holds when nothing is said."""

    lesson_id: Identifier | None = None
    description: Prose = ""
    instructions: Prose = ""
    quiz_type: QuizType = QuizType.GRADED
    passing_score: Percentage = Field(
        default=7_000, validation_alias=AliasChoices("passing_score", "passing_score_percentage")
    )
    time_limit_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None
    opens_at: Instant | None = None
    closes_at: Instant | None = None
    max_attempts: Annotated[int, Field(ge=1, le=1_000)] | None = None
    grading_policy: GradingPolicy = GradingPolicy.BEST
    shuffle_questions: bool = False
    shuffle_options: bool = False
    draw: Annotated[list[DrawRule], Field(max_length=50)] = []
    show_correct_answers: Annotated[ShowAnswers, BeforeValidator(_shown, json_schema_input_type=ShowAnswers | bool)] = (
        ShowAnswers.AFTER_SUBMIT
    )
    connection_loss_policy: ConnectionLossPolicy = "none"
    connection_loss_cap_minutes: Annotated[int, Field(ge=1, le=240)] = 10
    is_marking_anonymous: bool = False
    is_published: bool = False
    metadata: Metadata = {}


class QuizDraft(QuizFields, Draft):
    """A quiz to be made."""

    model_config = ConfigDict(extra="forbid", strict=True, use_enum_values=True)

    course_id: Identifier
    title: Title


class QuizChange(QuizFields, Change):
    """A partial update: only what was sent counts."""

    model_config = ConfigDict(extra="forbid", strict=True, use_enum_values=True)

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "course_id",
            "is_archived",
            "questions_count",
            "total_points",
            "attempts_used",
            "open_attempt_id",
            "your_time",
            "live_state",
            "is_locked",
            "unlocks_at",
            "version",
            "created_at",
            "updated_at",
        }
    )

    title: Title = ""


class DrawRuleView(View):
    """A rule of a draw."""

    tag: str | None = None
    category: str | None = None
    count: int


class QuizView(View):
    """A quiz, never with its questions. Counts and points are those of one attempt; descriptions are in no count.

    `attempts_used` and `open_attempt_id` are the caller's own, and null in lists and for those who teach the quiz; so is
    `your_time`, limit and closing time as they apply to the caller (in lists: where they differ from everybody's), and
    `live_state`, what its teachers have made of the running quiz for the caller: `paused` and `ended` let nobody begin.
    While its lesson is not open to a student it `is_locked`: description and instructions are withheld.
    """

    id: str
    course_id: str
    lesson_id: str | None
    title: str
    description: str
    instructions: str
    quiz_type: QuizType
    passing_score: Hundredths
    time_limit_minutes: int | None
    opens_at: Instant | None
    closes_at: Instant | None
    max_attempts: int | None
    grading_policy: GradingPolicy
    shuffle_questions: bool
    shuffle_options: bool
    draw: list[DrawRuleView]
    show_correct_answers: ShowAnswers
    connection_loss_policy: ConnectionLossPolicy
    connection_loss_cap_minutes: int
    is_marking_anonymous: bool
    is_published: bool
    is_archived: bool
    questions_count: int
    total_points: Hundredths
    metadata: dict[str, Any]
    attempts_used: int | None = None
    open_attempt_id: str | None = None
    your_time: YourTimeView | None = None
    live_state: LiveState | None = None
    is_locked: bool = False
    unlocks_at: Instant | None = None
    version: int
    created_at: Instant
    updated_at: Instant


class RunningQuizView(View):
    """A quiz that runs, and by how many it is being sat."""

    quiz: QuizView
    open_count: int


class QuizQuery(PageQuery):
    """Which quizzes to list."""

    course_id: IdFilter | None = None
    lesson_id: IdFilter | None = None
    quiz_type: QuizType | None = None
    is_published: bool | None = None
    is_archived: bool = False
    sort: Literal["created_at", "-created_at", "title", "-title", "opens_at", "-opens_at"] = "-created_at"


class PlacedQuestionDraft(QuestionDraft):
    """A question to be made, with the quiz that it is for where the path does not name it."""

    quiz_id: Identifier | None = None


class QuestionQuery(PageQuery):
    """Which questions of a quiz to list."""

    quiz_id: IdFilter | None = None
    question_type: str | None = None
    category: str | None = None
    tag: str | None = None
    sort: Literal["order", "-order", "points", "-points", "created_at", "-created_at"] = "order"


class QuizRemovalQuery(BaseModel):
    """Whether to put something away instead of removing it."""

    model_config = ConfigDict(extra="ignore")

    archive: bool = False
