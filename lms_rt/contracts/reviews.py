"""Ratings and reviews of courses at the border: what a student says, what staff does with it, and what is shown. No rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from lms_rt.contracts.base import Draft, Hundredths, Instant, Page, PageQuery, View, check_line, check_shown

Stars = Annotated[int, Field(ge=1, le=5)]
ReviewText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5_000), AfterValidator(check_shown)
]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]


class ReviewDraft(Draft):
    """What a student thinks of the course; said again, it takes the place of what was said before."""

    rating: Stars
    review: ReviewText | None = None


class ReviewModeration(Draft):
    """Hide the words of a review, with a reason that its author reads, or show them again. The stars count all the same."""

    is_hidden: bool
    reason: Reason | None = None

    @model_validator(mode="after")
    def _says_why(self) -> ReviewModeration:
        if self.is_hidden and self.reason is None:
            raise PydanticCustomError("reason", "Say why the review is hidden")
        return self


class ReviewQuery(PageQuery):
    """The reviews of a course, those with this many stars, in this order."""

    rating: Stars | None = None
    sort: Literal["reviewed_at", "-reviewed_at", "rating", "-rating"] = "-reviewed_at"


class ReviewView(View):
    """One review. Its author and the course's staff see whose it is, and the words that were hidden; others a short name.

    `version` is the review's own: it moves with what is said and with being hidden or shown, not with the enrolment.
    """

    id: str
    enrollment_id: str | None
    student_id: str | None
    student_name: str | None
    rating: int
    review: str | None
    is_hidden: bool
    hidden_reason: str | None
    is_own: bool
    reviewed_at: Instant | None
    version: int
    created_at: Instant | None
    updated_at: Instant | None


class ReviewPage(Page[ReviewView]):
    """A page of them, with what they come to: `ratings` counts by stars, all of the course, whatever was asked for."""

    rating_average: Hundredths | None
    ratings_count: int
    ratings: dict[str, int]
