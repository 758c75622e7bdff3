"""Lessons at the border: what comes in to make, change or order them, and what goes out. No rules."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from documents.enums import Completion, ContentType
from lms_rt.contracts.base import Change, Draft, Identifier, IdFilter, Instant, Metadata, PageQuery, Prose, Title, View

MAX_LESSONS = 500

Url = Annotated[str, StringConstraints(max_length=2_048, pattern=r"^(?:https?://\S+|/(?:[^/\s]\S*)?)$")]
"""An address of the web, or a path of this server."""
Seconds = Annotated[int, Field(ge=0, le=10_000_000)]
Order = Annotated[int, Field(ge=0, le=1_000_000)]
Days = Annotated[int, Field(ge=0, le=3_650)]
Captions = Annotated[list[Identifier], Field(max_length=20)]
"""WebVTT files; the end of each name says the language (`lecture.ar.vtt`)."""
Prerequisites = Annotated[list[Identifier], Field(max_length=50)]


def _minutes_as_seconds(value: Any) -> Any:
    """`duration_minutes`, the other name that clients know, as `duration_seconds`."""
    if not isinstance(value, dict) or "duration_minutes" not in value or "duration_seconds" in value:
        return value
    minutes = value["duration_minutes"]
    is_number = isinstance(minutes, int | float) and not isinstance(minutes, bool) and 0 <= minutes <= 1_000_000
    seconds = round(minutes * 60) if is_number else minutes
    return {**{name: kept for name, kept in value.items() if name != "duration_minutes"}, "duration_seconds": seconds}


class LessonDraft(Draft):
    """A new lesson. `order` is its place, from 1; without it the lesson comes last.

    `completion` null leaves it to what the lesson holds. Of `release_at` and `release_after_days` (since the student's
    enrolment) the later one counts; before, and until the `prerequisite_lesson_ids` are completed, it is locked.
    """

    course_id: Identifier | None = None
    title: Title
    content_type: ContentType = ContentType.TEXT
    content: Prose | None = None
    video_url: Url | None = None
    file_id: Identifier | None = None
    caption_file_ids: Captions = Field(default_factory=list)
    duration_seconds: Seconds | None = None
    completion: Completion | None = None
    prerequisite_lesson_ids: Prerequisites = Field(default_factory=list)
    release_at: Instant | None = None
    release_after_days: Days | None = None
    order: Order | None = None
    is_free: bool = False
    is_published: bool = False
    metadata: Metadata = Field(default_factory=dict)

    _other_names = model_validator(mode="before")(_minutes_as_seconds)


class LessonChange(Change):
    """A partial update of a lesson. Null takes an optional field away; another `order` moves it there."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id", "course_id", "slug", "content_html", "quiz_id", "assignment_ids", "completes_when", "is_locked",
            "unlocks_at", "missing_lesson_ids", "version", "created_at", "updated_at",
        }
    )  # fmt: skip

    title: Title = ""
    content_type: ContentType = ContentType.TEXT
    content: Prose | None = None
    video_url: Url | None = None
    file_id: Identifier | None = None
    caption_file_ids: Captions = Field(default_factory=list)
    duration_seconds: Seconds | None = None
    completion: Completion | None = None
    prerequisite_lesson_ids: Prerequisites = Field(default_factory=list)
    release_at: Instant | None = None
    release_after_days: Days | None = None
    order: Order = 1
    is_free: bool = False
    is_published: bool = False
    metadata: Metadata = Field(default_factory=dict)

    _other_names = model_validator(mode="before")(_minutes_as_seconds)


class LessonOrder(Draft):
    """The new order of all lessons of a course: each id once."""

    course_id: Identifier | None = None
    lesson_ids: Annotated[list[Identifier], Field(max_length=MAX_LESSONS)]


class LessonPlaceQuery(BaseModel):
    """In which course the new lesson is to be, where the address does not say it."""

    model_config = ConfigDict(extra="ignore")

    course_id: IdFilter | None = None


class LessonQuery(PageQuery):
    """Which course's lessons, and in which order."""

    course_id: IdFilter | None = None
    sort: Literal["order", "-order", "title", "-title", "created_at", "-created_at"] = "order"


class LessonView(View):
    """A lesson. `content`, `content_html`, `video_url`, `file_id` and `caption_file_ids` are null for who may not see them, or not yet.

    `completes_when` is what has to be done for it, all of it together. `is_locked` is how it stands to its reader:
    `unlocks_at` is when the clock opens it, `missing_lesson_ids` are those to be completed before.
    """

    id: str
    course_id: str
    title: str
    slug: str
    content_type: ContentType
    content: str | None
    content_html: str | None
    video_url: str | None
    file_id: str | None
    caption_file_ids: list[str] | None
    duration_seconds: int | None
    completion: Completion | None
    completes_when: list[Completion]
    prerequisite_lesson_ids: list[str]
    release_at: Instant | None
    release_after_days: int | None
    is_locked: bool
    unlocks_at: Instant | None
    missing_lesson_ids: list[str]
    order: int
    is_free: bool
    is_published: bool
    quiz_id: str | None
    assignment_ids: list[str]
    metadata: dict[str, object]
    version: int
    created_at: Instant
    updated_at: Instant
