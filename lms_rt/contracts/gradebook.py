"""The gradebook at the border: how a course is graded, grades by hand, and what everybody sees of it. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from documents.enums import GradingPolicy
from lms_rt.contracts.base import (
    Change,
    Draft,
    Hundredths,
    HundredthsIn,
    IdFilter,
    Instant,
    Key,
    View,
    check_line,
    check_shown,
)

MAX_CATEGORIES = 30
MAX_LETTERS = 30
MAX_PLACED = 1_000
MAX_POINTS = 100_000_000
MAX_ASKED = 100
"""So many students can be asked for by their ids."""

ItemKind = Literal["quiz", "assignment"]
GradeState = Literal["graded", "waiting", "missing", "open", "excused"]
Weighing = Literal["points", "equal"]
Takes = Literal["none", "quizzes", "assignments", "all"]
Missing = Literal["ignore", "zero"]
TableFormat = Literal["json", "csv", "xlsx"]

_Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]
_LetterName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=20),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]
_Percent = Annotated[HundredthsIn, Field(ge=0, le=10_000)]


# --- what comes in ---


class CategoryDraft(Draft):
    """Items that count together. Weights are relative: they need not come to a hundred.

    `takes` says which new items come here by themselves.
    """

    id: Key | None = None
    name: _Name
    weight: _Percent
    drop_lowest: Annotated[int, Field(ge=0, le=50)] = 0
    weighing: Weighing = "points"
    takes: Takes = "none"


class LetterDraft(Draft):
    """A letter, and from which percentage on it is given."""

    letter: _LetterName
    minimum: _Percent


class PlacedDraft(Draft):
    """An item and the category that it is put into; null: none, so that it counts nowhere."""

    item_id: Key
    category_id: Key | None


class GradebookChange(Change):
    """How a course is graded; what is not sent stays. `placed` names the items that are in another category than their kind."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"course_id", "version", "created_at", "updated_at"} | {"items", "students", "average_percentage", "as_of"}
    )

    categories: Annotated[list[CategoryDraft], Field(max_length=MAX_CATEGORIES)] = Field(default_factory=list)
    placed: Annotated[list[PlacedDraft], Field(max_length=MAX_PLACED)] = Field(default_factory=list)
    scale: Annotated[list[LetterDraft], Field(max_length=MAX_LETTERS)] = Field(default_factory=list)
    missing: Missing = "ignore"

    @model_validator(mode="after")
    def _check_scale(self) -> GradebookChange:
        limits, letters = [one.minimum for one in self.scale], [one.letter for one in self.scale]
        if len(set(limits)) < len(limits) or len(set(letters)) < len(letters):
            raise PydanticCustomError("doubled", "Each letter, and each limit, can be there once")
        if limits and min(limits) > 0:
            raise PydanticCustomError("no_lowest", "The lowest letter should begin at 0")
        return self

    @model_validator(mode="after")
    def _check_categories(self) -> GradebookChange:
        ids = [one.id for one in self.categories if one.id is not None]
        if len(set(ids)) < len(ids):
            raise PydanticCustomError("doubled", "Each category can be there once")
        if len({one.item_id for one in self.placed}) < len(self.placed):
            raise PydanticCustomError("doubled", "Each item can be placed once")
        for kind in ("quizzes", "assignments"):
            if sum(one.takes in (kind, "all") for one in self.categories) > 1:
                raise PydanticCustomError("doubled", "New items of a kind go into one category")
        return self


class OverrideDraft(Draft):
    """One grade by hand: its points (of the course's total: the percentage), or that it does not count; and why."""

    points: Annotated[HundredthsIn, Field(ge=0, le=MAX_POINTS)] | None = None
    is_excused: bool = False
    reason: Reason

    @model_validator(mode="after")
    def _says_one_thing(self) -> OverrideDraft:
        if (self.points is None) == (not self.is_excused):
            raise PydanticCustomError("one_of", "Give points, or say that it does not count")
        return self


class TakeBackQuery(BaseModel):
    """Why a grade by hand is taken back."""

    model_config = ConfigDict(extra="ignore")

    reason: Reason


class GradebookQuery(BaseModel):
    """In which form; `bom` puts the mark before a CSV by which old spreadsheets know UTF-8.

    `student_ids` (given once for each) asks for these students alone, as JSON without averages.
    """

    model_config = ConfigDict(extra="ignore")

    format: TableFormat | None = None
    bom: bool = False
    student_ids: Annotated[list[IdFilter], Field(max_length=MAX_ASKED)] = Field(default_factory=list)


# --- what goes out ---


class CategoryView(View):
    """A category, as it is set."""

    id: str
    name: str
    weight: Hundredths
    drop_lowest: int
    weighing: Weighing
    takes: Takes


class LetterView(View):
    """A letter, as it is set."""

    letter: str
    minimum: Hundredths


class PlacedView(View):
    """Where an item was put; null: into no category."""

    item_id: str
    category_id: str | None


class GradebookSettingsView(View):
    """How a course is graded. Without categories all points are added up."""

    course_id: str
    categories: list[CategoryView]
    placed: list[PlacedView]
    scale: list[LetterView]
    missing: Missing
    version: int
    created_at: Instant | None
    """Null, as is `updated_at`, while nobody has set anything."""
    updated_at: Instant | None


class GradedItemView(View):
    """A quiz or an assignment that is graded. `due_at` is everybody's; `average` is over those who have a grade."""

    item_id: str
    kind: ItemKind
    title: str
    points: Hundredths
    category_id: str | None
    due_at: Instant | None
    is_archived: bool
    graded_count: int = 0
    average_percentage: Hundredths | None = None


class GradeView(View):
    """One grade. `points` are what counts, after lateness and by hand; `is_dropped`: left out as one of the lowest."""

    state: GradeState
    points: Hundredths | None
    percentage: Hundredths | None
    is_dropped: bool = False
    is_overridden: bool = False


class StudentRowView(View):
    """A student of the course: every grade by item, what each category came to, and the whole."""

    student_id: str
    full_name: str | None
    email: str | None
    group: str | None
    grades: dict[str, GradeView]
    categories: dict[str, Hundredths | None]
    percentage: Hundredths | None
    letter: str | None
    is_overridden: bool = False


class GradebookView(GradebookSettingsView):
    """The whole gradebook: students by items."""

    items: list[GradedItemView]
    students: list[StudentRowView]
    average_percentage: Hundredths | None
    as_of: Instant


class AttemptShareView(View):
    """An attempt that a grade was made of."""

    attempt_id: str
    attempt_number: int
    percentage: Hundredths


class OverrideView(View):
    """A grade by hand, and what it stands for. Of the course's total `points` are the percentage."""

    student_id: str
    item_id: str
    points: Hundredths | None
    is_excused: bool
    reason: str
    version: int
    created_at: Instant
    updated_at: Instant


class PastOverrideView(View):
    """What was said by hand before."""

    points: Hundredths | None
    is_excused: bool
    reason: str
    at: Instant


class ExplainedGradeView(GradedItemView):
    """A grade with how it came about.

    Of a quiz: the graded attempts and the policy over them. Of an assignment: what the work was worth, and what came off for
    being late. `worked_out_points` are what it is without the grade by hand.
    """

    grade: GradeView
    your_due_at: Instant | None
    grading_policy: GradingPolicy | None = None
    attempts: list[AttemptShareView] = Field(default_factory=list)
    submitted_at: Instant | None = None
    raw_points: Hundredths | None = None
    late_days: int = 0
    penalty_percentage: Hundredths | None = None
    worked_out_points: Hundredths | None = None
    override: OverrideView | None = None
    history: list[PastOverrideView] = Field(default_factory=list)


class PartView(View):
    """What a category (null: everything together) came to, and its weight among those that have a grade."""

    category_id: str | None
    name: str | None
    points: Hundredths
    points_possible: Hundredths
    percentage: Hundredths | None
    weight: Hundredths
    dropped_count: int


class GradesView(View):
    """One student's grades, and how they came about: the same numbers as in the gradebook."""

    course_id: str
    course_title: str
    course_slug: str
    student_id: str
    full_name: str | None
    items: list[ExplainedGradeView]
    parts: list[PartView]
    percentage: Hundredths | None
    letter: str | None
    worked_out_percentage: Hundredths | None
    override: OverrideView | None
    history: list[PastOverrideView]
    scale: list[LetterView]
    missing: Missing
    as_of: Instant
