"""Corrections and regrades as they cross a border: what is to change, who would gain and lose, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from lms_rt.contracts.base import Draft, Hundredths, Identifier, Instant, Key, Line, NewestFirst, PageQuery, View
from lms_rt.contracts.corrected import CorrectionWord
from lms_rt.contracts.questions import QuestionChange

MAX_CHANGES = 500
MAX_EXTRA_MINUTES = 24 * 60

RegradeStatus = Literal["preview", "applying", "applied", "undoing", "undone"]
Outcome = Literal["gains", "loses", "same"]
Passing = Literal["passes", "fails"]
ExtraMinutes = Annotated[int, Field(ge=0, le=MAX_EXTRA_MINUTES)]
Accepted = Annotated[list[dict[str, Any]], Field(min_length=1, max_length=20)]


class _Correcting(Draft):
    """`fix` takes what changes of the question, as PATCH does; `accept` further `correct_answer`s, each in the question's form."""

    action: CorrectionWord
    question: QuestionChange | None = None
    accepted: Accepted | None = None

    @field_validator("question")
    @classmethod
    def _says_something(cls, question: QuestionChange | None) -> QuestionChange | None:
        if question is not None and not question.given():
            raise PydanticCustomError("required", "Say what is to change")
        return question

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        for name, action in (("question", "fix"), ("accepted", "accept")):
            if (getattr(self, name) is not None) != (self.action == action):
                raise PydanticCustomError("misplaced", "`question` goes with fix, `accepted` with accept, and needs it")
        return self


class CorrectionDraft(_Correcting):
    """Correct one question, for everybody who has sat the quiz and who sits it now. With `dry_run` nothing is done."""

    extra_minutes: ExtraMinutes = 0
    reason: Line = ""
    dry_run: bool = False
    op_id: Key | None = None


class ChangeDraft(_Correcting):
    """One change of a regrade."""

    question_id: Identifier


class RegradeDraft(Draft):
    """What to grade anew by. Without `changes`: the questions as they are in the quiz now."""

    changes: Annotated[list[ChangeDraft], Field(min_length=1, max_length=MAX_CHANGES)] | None = None
    extra_minutes: ExtraMinutes = 0
    reason: Line = ""
    op_id: Key | None = None


class UndoDraft(Draft):
    """Take a regrade back."""

    reason: Line = ""


class RegradeQuery(PageQuery):
    """Which page of a quiz's regrades, the newest first."""

    sort: NewestFirst = "-created_at"


class RegradeRowQuery(PageQuery):
    """Which attempts of a regrade. `kept` are those whose points an undo did not restore."""

    outcome: Outcome | None = None
    passing: Passing | None = None
    kept: bool | None = None
    sort: Literal["difference", "-difference"] = "difference"


# --- views ---


class ChangeView(View):
    """What is changed of one question; `order` is its place in the quiz, null when it is gone from there."""

    question_id: str
    order: int | None
    question_text: str
    action: str


class LeftOutView(View):
    """A question that some attempts were given with other options: their answers cannot be read by the new key."""

    question_id: str
    attempts: int


class CountsView(View):
    """How many attempts a regrade is about, and what it does to them."""

    attempts: int
    gains: int
    loses: int
    same: int
    passes: int
    fails: int
    kept: int


class RegradeView(View):
    """A regrade. `id` is null for a dry run, and where nothing has changed; `done` of `total` attempts are graded anew."""

    id: str | None
    quiz_id: str
    status: RegradeStatus
    changes: list[ChangeView]
    reason: str
    extra_minutes: int
    by_id: str
    by_name: str | None
    left_out: list[LeftOutView]
    counts: CountsView
    done: int
    total: int
    control_id: str | None
    created_at: Instant
    applied_at: Instant | None
    undone_at: Instant | None
    version: int


class ResultPartView(View):
    """An attempt's totals, and its points in the questions that are changed."""

    points: dict[str, Hundredths]
    score: Hundredths | None
    max_score: Hundredths | None
    percentage: Hundredths | None
    is_passed: bool | None


class RegradeRowView(View):
    """One attempt: before, after, and (`undone`) after taking it back. `difference` is that of the percentage."""

    attempt_id: str
    student_id: str
    full_name: str | None
    attempt_number: int
    old: ResultPartView | None
    new: ResultPartView | None
    undone: ResultPartView | None
    outcome: Outcome
    passing: Passing | None
    difference: Hundredths
    kept: list[str]
    is_applied: bool
