"""Assignments as they cross a border: draft, change, view, other dates for some, and the query of their list. No rules.

What students hand in is in `submissions.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from lms_rt.contracts.accommodations import GroupName
from lms_rt.contracts.accounts import TimezoneName
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
from lms_rt.contracts.rubrics import RubricDraft, RubricView

MAX_OVERRIDES = 500
Points = Annotated[HundredthsIn, Field(ge=0, le=1_000_000)]
"""0: there are none to be had. Such work is handed in and commented on, and counts in no grade."""
PercentPerDay = Annotated[HundredthsIn, Field(ge=0, le=10_000)]
WorkState = Literal["none", "draft", "submitted", "graded"]


class OverrideDraft(Draft):
    """Another date for one student, or for one group. `due_date` null: none at all. What is said of lateness may differ too."""

    student_id: Identifier | None = None
    group: GroupName | None = None
    due_date: Instant | None
    allow_late_submission: bool | None = None

    @model_validator(mode="after")
    def _one_reader(self) -> OverrideDraft:
        if (self.student_id is None) == (self.group is None):
            raise PydanticCustomError("override_for", "Another date is either for one student or for one group")
        return self

    @property
    def key(self) -> tuple[str, str]:
        """Whom it is for: each has one at most."""
        return ("student", self.student_id) if self.student_id is not None else ("group", self.group or "")

    def stored(self) -> dict[str, Any]:
        """As it is stored: what was not said is left out."""
        said = {name: getattr(self, name) for name in OverrideDraft.model_fields}
        return {name: value for name, value in said.items() if value is not None}


class AssignmentFields(BaseModel):
    """What an author may set besides the title, with what holds when nothing is said."""

    lesson_id: Identifier | None = None
    description: Prose = ""
    due_date: Instant | None = None
    points: Points = 10_000
    allow_late_submission: bool = False
    late_penalty_percentage: PercentPerDay = 0
    overrides: Annotated[list[OverrideDraft], Field(max_length=MAX_OVERRIDES)] = []
    rubric: RubricDraft | None = None
    is_marking_anonymous: bool = False
    is_published: bool = True
    metadata: Metadata = {}

    @model_validator(mode="after")
    def _check_overrides(self) -> AssignmentFields:
        seen: set[tuple[str, str]] = set()
        for override in self.overrides:
            if override.key in seen:
                raise PydanticCustomError("not_unique", "Everybody has one other date at most")
            seen.add(override.key)
        return self


class AssignmentDraft(AssignmentFields, Draft):
    """An assignment to be made. `timezone`: by whose clock days of lateness end; its author's, when nothing is said."""

    course_id: Identifier
    title: Title
    timezone: TimezoneName | None = None


class AssignmentChange(AssignmentFields, Change):
    """A partial update: only what was sent counts. `overrides` are replaced by those that are sent."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "course_id",
            "instructor_id",
            "description_html",
            "is_archived",
            "submitted_count",
            "graded_count",
            "has_work",
            "is_locked",
            "unlocks_at",
            "yours",
            "version",
            "created_at",
            "updated_at",
        }
    )

    title: Title = ""
    timezone: TimezoneName = "UTC"


class OverrideView(View):
    """Another date, and for whom."""

    student_id: str | None = None
    full_name: str | None = None
    group: str | None = None
    due_date: Instant | None = None
    allow_late_submission: bool | None = None


class YourAssignmentView(View):
    """How an assignment stands for the caller: the dates that hold, and what was handed in. `grade` is after what came off."""

    due_date: Instant | None
    is_own_date: bool
    allows_late: bool
    state: WorkState
    submission_id: str
    submitted_at: Instant | None
    is_late: bool
    late_days: int
    penalty_percentage: Hundredths
    raw_grade: Hundredths | None
    grade: Hundredths | None
    can_submit: bool


class AssignmentView(View):
    """An assignment. `overrides`, the counts and `has_work` (somebody began) are for those who teach it, `yours` is for who learns.

    While its lesson is not open to a student it `is_locked`: description and rubric are withheld.
    """

    id: str
    course_id: str
    lesson_id: str | None
    instructor_id: str
    title: str
    description: str
    description_html: str
    due_date: Instant | None
    timezone: str
    points: Hundredths
    allow_late_submission: bool
    late_penalty_percentage: Hundredths
    overrides: list[OverrideView] | None = None
    rubric: RubricView | None
    is_marking_anonymous: bool
    is_published: bool
    is_archived: bool
    metadata: dict[str, Any]
    submitted_count: int | None = None
    graded_count: int | None = None
    has_work: bool | None = None
    is_locked: bool = False
    unlocks_at: Instant | None = None
    yours: YourAssignmentView | None = None
    version: int
    created_at: Instant
    updated_at: Instant


class WaitingAssignmentView(View):
    """An assignment in which work waits to be graded."""

    assignment_id: str
    title: str
    course_id: str
    course_title: str
    waiting_count: int
    oldest_at: Instant | None


class AssignmentQuery(PageQuery):
    """Which assignments to list."""

    course_id: IdFilter | None = None
    lesson_id: IdFilter | None = None
    is_published: bool | None = None
    is_archived: bool = False
    sort: Literal["created_at", "-created_at", "title", "-title", "due_date", "-due_date"] = "-created_at"


class AssignmentRemovalQuery(BaseModel):
    """`?archive=true` puts it away with what was handed in."""

    archive: bool = False
