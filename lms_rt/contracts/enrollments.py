"""Enrolments and progress at the border: what comes in, and what goes out. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from documents.enums import AttemptStatus, CourseAccess, EnrollmentStatus, ProgressStatus
from lms_rt.contracts.base import (
    Change,
    Draft,
    Hundredths,
    HundredthsIn,
    Identifier,
    IdFilter,
    Instant,
    PageQuery,
    View,
)

MAX_RANGES = 100
"""How many watched ranges one report may name."""

Seconds = Annotated[int, Field(ge=0, le=10_000_000)]
SecondsSpent = Annotated[int, Field(ge=0, le=86_400)]
Percentage = Annotated[
    HundredthsIn,
    BeforeValidator(lambda told: round(told, 2) if isinstance(told, float) else told),
    Field(ge=0, le=100_00),
]
"""Players divide seconds by seconds: a number with more places is rounded."""
Rate = Annotated[float, Field(ge=0.25, le=2)]
Range = Annotated[list[Annotated[float, Field(ge=0, le=10_000_000)]], Field(min_length=2, max_length=2)]


class EnrollmentDraft(Draft):
    """Who enrols where. `student_id` is for the course's staff; `payment_id` names by which payment, else the newest unused one counts."""

    course_id: Identifier
    student_id: Identifier | None = None
    payment_id: Identifier | None = None


class EnrollmentChange(Change):
    """Leaving a course, or coming back to it."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id", "student_id", "course_id", "course_title", "course_slug", "progress_percentage", "expires_at",
            "completed_lessons_count", "total_lessons_count", "total_time_spent_seconds", "last_accessed_at", "rating",
            "review", "certificate_issued_at", "payment_id", "access", "enrolled_at", "started_at", "completed_at", "attempts",
            "progress", "version", "created_at", "updated_at",
        }
    )  # fmt: skip

    status: EnrollmentStatus = EnrollmentStatus.ACTIVE


class EnrollmentQuery(PageQuery):
    """One's own enrolments, or those that staff look for."""

    course_id: IdFilter | None = None
    student_id: IdFilter | None = None
    status: EnrollmentStatus | None = None
    sort: Literal["enrolled_at", "-enrolled_at", "last_accessed_at", "-last_accessed_at"] = "-enrolled_at"


class RosterQuery(PageQuery):
    """The students of a course."""

    q: Annotated[str, StringConstraints(max_length=200)] | None = None
    status: EnrollmentStatus | None = None
    group: str | None = None
    progress: Literal["not_started", "in_progress", "completed"] | None = None
    format: Literal["json", "csv"] | None = None
    bom: bool = False
    sort: Literal["enrolled_at", "-enrolled_at", "last_accessed_at", "-last_accessed_at"] = "-enrolled_at"


class ProgressDraft(Draft):
    """What happened in one lesson since the last word. `time_spent_seconds` is what is to be added.

    `watched` are the seconds of the video that were played, for players without a socket; they are time spent, too. `rate` is how
    fast the player played them; `is_kept_offline` says that it kept them while it had no line.
    """

    lesson_id: Identifier
    status: ProgressStatus | None = None
    time_spent_seconds: SecondsSpent = 0
    last_position_seconds: Seconds | None = None
    completion_percentage: Percentage | None = None
    watched: Annotated[list[Range], Field(max_length=MAX_RANGES)] = Field(default_factory=list)
    rate: Rate = 1.0
    is_kept_offline: bool = False


class LessonProgressCommand(Draft):
    """`lesson.progress`: where the player stands, and which seconds of the video were watched since the last word.

    `rate` is how fast they were played; `is_kept_offline` says that they were kept while there was no line.
    """

    enrollment_id: Identifier
    lesson_id: Identifier
    position_seconds: Annotated[float, Field(ge=0, le=10_000_000)]
    watched: Annotated[list[Range], Field(max_length=MAX_RANGES)] = Field(default_factory=list)
    rate: Rate = 1.0
    is_kept_offline: bool = False


class LessonCompleteCommand(Draft):
    """`lesson.complete`."""

    enrollment_id: Identifier
    lesson_id: Identifier


class LessonProgressView(View):
    """How far a student is in one lesson."""

    lesson_id: str
    status: ProgressStatus
    started_at: Instant | None
    completed_at: Instant | None
    time_spent_seconds: int
    last_position_seconds: int
    completion_percentage: Hundredths
    attempts_count: int


class AttemptSummaryView(View):
    """One attempt, as the enrolment tells it."""

    attempt_id: str
    quiz_id: str
    attempt_number: int
    status: AttemptStatus
    percentage: Hundredths | None
    is_passed: bool | None
    submitted_at: Instant | None


class EnrollmentView(View):
    """A student in a course, with a row of progress for every published lesson, in the course's order."""

    id: str
    student_id: str
    course_id: str
    course_title: str | None
    course_slug: str | None
    status: EnrollmentStatus
    progress_percentage: Hundredths
    completed_lessons_count: int
    total_lessons_count: int
    total_time_spent_seconds: int
    last_accessed_at: Instant | None
    rating: int | None
    review: str | None
    certificate_issued_at: Instant | None
    payment_id: str | None
    access: CourseAccess
    enrolled_at: Instant
    started_at: Instant | None
    completed_at: Instant | None
    expires_at: Instant | None
    attempts: list[AttemptSummaryView]
    progress: list[LessonProgressView]
    version: int
    created_at: Instant
    updated_at: Instant


class RosterView(View):
    """A student of a course, as its teachers see them."""

    enrollment_id: str
    student_id: str
    full_name: str | None
    email: str | None
    status: EnrollmentStatus
    group: str | None
    progress_percentage: Hundredths
    completed_lessons_count: int
    total_lessons_count: int
    total_time_spent_seconds: int
    enrolled_at: Instant
    last_accessed_at: Instant | None
    completed_at: Instant | None
