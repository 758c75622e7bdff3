"""Courses and categories at the border: what comes in to make or change one, and what goes out. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from documents.enums import DifficultyLevel
from lms_rt.contracts.base import (
    Change,
    Draft,
    Hundredths,
    IdFilter,
    Instant,
    Line,
    Metadata,
    PageQuery,
    Prose,
    Title,
    View,
    check_line,
    check_shown,
)
from lms_rt.contracts.lessons import LessonView, Url
from lms_rt.contracts.money import CurrencyIn

Category = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), AfterValidator(check_line)]
Tag = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=50),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]
Tags = Annotated[list[Tag], Field(max_length=20)]
Slug = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Price = Annotated[int, Field(ge=0, le=1_000_000_000_000)]
Minutes = Annotated[int, Field(ge=0, le=1_000_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]

_DIFFICULTY = AliasChoices("difficulty_level", "difficulty")

Sort = Literal[
    "created_at", "-created_at", "updated_at", "-updated_at", "title", "-title", "price", "-price",
    "enrollments_count", "-enrollments_count", "rating_average", "-rating_average",
]  # fmt: skip


class CourseDraft(Draft):
    """A new course. Its slug is made from the title."""

    title: Title
    description: Prose | None = None
    short_description: Line | None = None
    category: Category | None = None
    tags: Tags = Field(default_factory=list)
    difficulty_level: DifficultyLevel | None = Field(default=None, validation_alias=_DIFFICULTY)
    price: Price = 0
    currency: CurrencyIn = "USD"
    is_published: bool = False
    thumbnail_url: Url | None = None
    estimated_duration_minutes: Minutes | None = None
    minimum_minutes: Minutes | None = None
    access_days: Days | None = None
    metadata: Metadata = Field(default_factory=dict)


class CourseChange(Change):
    """A partial update of a course. Null takes an optional field away."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id", "instructor_id", "instructor_name", "is_free", "lessons_count", "enrollments_count", "rating_average",
            "ratings_count", "version", "created_at", "updated_at", "lessons", "description_html", "enrollment_id",
        }
    )  # fmt: skip

    title: Title = ""
    slug: Slug = ""
    description: Prose | None = None
    short_description: Line | None = None
    category: Category | None = None
    tags: Tags = Field(default_factory=list)
    difficulty_level: DifficultyLevel | None = Field(default=None, validation_alias=_DIFFICULTY)
    price: Price = 0
    currency: CurrencyIn = "USD"
    is_published: bool = False
    is_archived: bool = False
    thumbnail_url: Url | None = None
    estimated_duration_minutes: Minutes | None = None
    minimum_minutes: Minutes | None = None
    access_days: Days | None = None
    metadata: Metadata = Field(default_factory=dict)


class CourseQuery(PageQuery):
    """The filters of the catalogue. `q` searches titles, descriptions, tags and lessons, folding case and diacritics."""

    q: Annotated[str, StringConstraints(max_length=200)] | None = None
    category: Annotated[str, StringConstraints(max_length=200)] | None = None
    difficulty_level: DifficultyLevel | None = None
    tag: Annotated[str, StringConstraints(max_length=200)] | None = None
    instructor_id: IdFilter | None = None
    is_free: bool | None = None
    price_min: Price | None = None
    price_max: Price | None = None
    sort: Sort = "-created_at"


class OwnCourseQuery(CourseQuery):
    """The filters of one's own courses, drafts too; archived ones only when asked for."""

    is_published: bool | None = None
    is_archived: bool = False


class CourseRemovalQuery(BaseModel):
    """How to delete a course."""

    model_config = ConfigDict(extra="ignore")

    archive: bool = False


class CourseView(View):
    """A course in a list."""

    id: str
    title: str
    slug: str
    description: str | None
    short_description: str | None
    instructor_id: str
    instructor_name: str | None
    category: str | None
    tags: list[str]
    difficulty_level: DifficultyLevel | None
    price: int
    currency: str
    is_free: bool
    is_published: bool
    is_archived: bool
    thumbnail_url: str | None
    estimated_duration_minutes: int | None
    lessons_count: int
    enrollments_count: int
    rating_average: Hundredths | None
    ratings_count: int
    minimum_minutes: int | None
    access_days: int | None
    metadata: dict[str, object]
    version: int
    created_at: Instant
    updated_at: Instant


class CourseDetailView(CourseView):
    """One course with the lessons that its reader may know of. `enrollment_id` is the reader's own, if there is one."""

    description_html: str | None
    lessons: list[LessonView]
    enrollment_id: str | None


class CategoryView(View):
    """A category in its commonest spelling, and how many listed courses it has."""

    category: str
    courses_count: int
