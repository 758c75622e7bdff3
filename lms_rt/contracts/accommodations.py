"""Accommodations and groups at the border: more time for one student, and who sits together. No rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from lms_rt.contracts.base import (
    Draft,
    Hundredths,
    HundredthsIn,
    Identifier,
    IdFilter,
    Instant,
    PageQuery,
    View,
    check_line,
    check_shown,
)

MAX_GROUPED = 500
MOST_MINUTES = 1_440

Percent = Annotated[int, Field(ge=100, le=400)]
Minutes = Annotated[int, Field(ge=0, le=MOST_MINUTES)]
GroupName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=80),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]


def _in_range(factor: int) -> int:
    """In its own words: it is stored as percent, which who says 1.25 does not know."""
    if not 100 <= factor <= 400:
        raise PydanticCustomError("out_of_range", "A factor is a number from 1 to 4")
    return factor


Factor = Annotated[HundredthsIn, AfterValidator(_in_range)]


class AccommodationDraft(Draft):
    """More time for one student. The factor comes as `factor` (1.25) or as `factor_percent` (125)."""

    student_id: Identifier
    factor: Factor | None = None
    factor_percent: Percent | None = None
    extra_minutes: Minutes = 0
    break_minutes: Minutes = 0
    stretches_closing: bool = False

    @model_validator(mode="after")
    def _one_factor(self) -> AccommodationDraft:
        if None not in (self.factor, self.factor_percent) and self.factor != self.factor_percent:
            raise PydanticCustomError("two_factors", "Say the factor once: factor or factor_percent")
        return self

    def profile(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "factor_percent": self.factor_percent or self.factor or 100,
            "extra_minutes": self.extra_minutes,
            "break_minutes": self.break_minutes,
            "stretches_closing": self.stretches_closing,
        }


class AccommodationQuery(PageQuery):
    """Whose accommodations."""

    student_id: IdFilter | None = None


class AccommodationRemovalQuery(BaseModel):
    """Whose accommodation is to be taken away."""

    model_config = ConfigDict(extra="ignore")

    student_id: Identifier


class AccommodationShown(View):
    """What gives a student more time, and where it was said: for the whole course, or for this quiz."""

    source: Literal["course", "quiz"]
    factor: Hundredths
    factor_percent: int
    extra_minutes: int
    break_minutes: int
    stretches_closing: bool


class AccommodationView(AccommodationShown):
    """A student's profile, as teachers see it. `is_in_force`: in a quiz's list its own goes before the course's."""

    course_id: str
    quiz_id: str | None
    student_id: str
    full_name: str | None
    is_in_force: bool
    set_by: str
    version: int
    created_at: Instant
    updated_at: Instant


class YourTimeView(View):
    """A quiz's times as they apply to the reader. `limit_seconds` holds extra time and breaks; null: no limit."""

    limit_seconds: int | None
    closes_at: Instant | None
    accommodation: AccommodationShown | None


# --- groups ---


class GroupingDraft(Draft):
    """Who belongs to a group of the course from now on; null takes them out of any."""

    group: GroupName | None
    student_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_GROUPED)]


class GroupView(View):
    """A group of a course, and how many of its students are in the course now. Null: those in none."""

    group: str | None
    students_count: int


class GroupingView(View):
    """What became of a grouping."""

    group: str | None
    student_ids: list[str]
