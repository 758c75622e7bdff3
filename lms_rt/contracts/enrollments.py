"""Enrolments and progress at the border: what comes in, and what goes out. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from documents.enums import AttemptStatus, EnrollmentStatus, ProgressStatus
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
Percentage = Annotated[HundredthsIn, Field(ge=0, le=100_00)]
Range = Annotated[list[Annotated[float, Field(ge=0, le=10_000_000)]], Field(min_length=2, max_length=2)]


class EnrollmentDraft(Draft):
    """Who enrols where. `student_id` is for the course's staff."""

    course_id: Identifier
    student_id: Identifier | None = None


class EnrollmentChange(Change):
    """Leaving a course, or coming back to it."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id", "student_id", "course_id", "course_title", "course_slug", "progress_percentage", "expires_at",
            "completed_lessons_count", "total_lessons_count", "total_time_spent_seconds", "last_accessed_at", "rating",
            "review", "certificate_issued_at", "payment_id", "enrolled_at", "started_at", "completed_at", "attempts",
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

    status: EnrollmentStatus | None = None
    sort: Literal["enrolled_at", "-enrolled_at", "last_accessed_at", "-last_accessed_at"] = "-enrolled_at"


class ProgressDraft(Draft):
    """What happened in one lesson. `time_spent_seconds` is what is to be added."""

    lesson_id: Identifier
    status: ProgressStatus | None = None
    time_spent_seconds: SecondsSpent = 0
    last_position_seconds: Seconds | None = None
    completion_percentage: Percentage | None = None


class LessonProgressCommand(Draft):
    """`lesson.progress`: where the player stands, and which seconds of the video were watched since the last word."""

    enrollment_id: Identifier
    lesson_id: Identifier
    position_seconds: Annotated[float, Field(ge=0, le=10_000_000)]
    watched: Annotated[list[Range], Field(max_length=MAX_RANGES)] = Field(default_factory=list)


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
    progress_percentage: Hundredths
    completed_lessons_count: int
    total_lessons_count: int
    total_time_spent_seconds: int
    enrolled_at: Instant
    last_accessed_at: Instant | None
    completed_at: Instant | None
