"""The catalogue of live events and states: one model per name, its channels, and its type in webhooks and replay.

The catalogue describes what is sent (and makes the documentation); tests hold the senders to it. No rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from lms_rt.contracts.channels import ChannelKind


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event on its way through the bus. Events of record name their aggregate and carry `version` and `n`."""

    event_id: str
    name: str
    data: Mapping[str, Any]
    at_ms: int
    aggregate: str | None = None
    version: int | None = None
    n: int | None = None

    @property
    def is_of_record(self) -> bool:
        """Was it written with a change, in the outbox of its aggregate?"""
        return self.aggregate is not None

    def shown_data(self) -> dict[str, Any]:
        """`data` as clients get it: events of record, and only they, with `version` and `n`."""
        if self.is_of_record:
            return {**self.data, "version": self.version, "n": self.n}
        return dict(self.data)


class EventData(BaseModel):
    """The data of an event or a state. Times are RFC 3339 texts, points and percentages decimal strings."""

    model_config = ConfigDict(extra="forbid")


class OfRecord(EventData):
    """The data of an event of record: the aggregate's version, and the event's place in that write."""

    version: int
    n: int


class ProgressUpdated(OfRecord):
    """A learner's progress in a course moved."""

    enrollment_id: str
    course_id: str
    lesson_id: str | None = None
    progress_percentage: str
    status: str
    completed_lessons_count: int
    total_lessons_count: int
    progress: dict[str, Any] | None = None


class LessonCompleted(OfRecord):
    """A learner completed a lesson."""

    enrollment_id: str
    course_id: str
    lesson_id: str
    progress: str


class AttemptGraded(OfRecord):
    """An attempt has its grade."""

    attempt_id: str
    quiz_id: str
    score: str | None
    max_score: str | None
    percentage: str | None
    is_passed: bool | None


class SessionRevoked(EventData):
    """A session of the user ended; its connections are closed."""

    session_id: str | None = None
    reason: str


class NotificationTold(OfRecord):
    """Something to tell its reader, in their language. `kind` is the type of the event that caused it."""

    notification_id: str
    kind: str
    title: str
    body: str
    link: str | None
    data: dict[str, Any]
    read_at: str | None
    created_at: str


class NotificationRead(OfRecord):
    """The reader has read one, on some device."""

    notification_id: str
    read_at: str


class NotificationsRead(OfRecord):
    """The reader has read all that was made until then."""

    user_id: str
    read_until: str


class AnnouncementMade(OfRecord):
    """A teacher tells everybody in the course. Each student is told by `notification` besides."""

    announcement_id: str
    course_id: str
    author_name: str
    title: str | None
    text: str
    created_at: str


class CourseUpdated(OfRecord):
    """A course or one of its lessons changed; `changes` holds the new values (`lessons`: the ids of changed lessons)."""

    course_id: str
    changes: dict[str, Any]


class NewEnrollment(OfRecord):
    """Somebody enrolled."""

    course_id: str
    enrollment_id: str
    student_id: str
    student_name: str


class ExportMade(OfRecord):
    """A copy of the user's data can be fetched, signed in, until then."""

    export_id: str
    expires_at: str
    url: str


class AnswerSaved(EventData):
    """An answer was stored."""

    question_id: str
    op_id: str
    revision: int
    device_id: str
    saved_at: str


class WriterChanged(EventData):
    """Another device writes the attempt now."""

    device_id: str


class AttemptStarted(OfRecord):
    """A student began an attempt."""

    attempt_id: str
    student_id: str
    full_name: str
    at: str


class AttemptSubmitted(OfRecord):
    """An attempt closed, by its student or by its deadline."""

    attempt_id: str
    student_id: str
    full_name: str
    at: str


class PresenceCount(EventData):
    """How many people are on the channel."""

    count: int


class QuizTimer(EventData):
    """The time left, as a correction or (`announce`) at a threshold that a screen reader should speak."""

    remaining_ms: int | None
    deadline_at: str | None
    server_time: str
    announce: bool


class Dashboard(EventData):
    """What changed on the live dashboard between two versions."""

    version: int
    follows: int
    students: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    totals: dict[str, Any]
    removed: list[str]


AGGREGATE_FIELDS = (
    "notification_id",
    "announcement_id",
    "attempt_id",
    "enrollment_id",
    "export_id",
    "course_id",
    "user_id",
)
"""The first of these in the data of an event of record is the aggregate that its `version` and `n` belong to."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One row of the catalogue."""

    name: str
    model: type[EventData]
    channels: tuple[ChannelKind, ...]
    record_type: str | None = None
    is_state: bool = False

    @property
    def is_of_record(self) -> bool:
        """Does it go through an outbox?"""
        return issubclass(self.model, OfRecord)

    @property
    def aggregate_field(self) -> str | None:
        """Which member of the data names the aggregate; None: it is not of record."""
        return next(
            (field for field in AGGREGATE_FIELDS if field in self.model.model_fields and self.is_of_record), None
        )


_USER, _COURSE, _STAFF = ChannelKind.USER, ChannelKind.COURSE, ChannelKind.COURSE_STAFF
_ATTEMPT, _LIVE = ChannelKind.ATTEMPT, ChannelKind.QUIZ_LIVE

EVENTS: tuple[EventKind, ...] = (
    EventKind("progress_updated", ProgressUpdated, (_USER,)),
    EventKind("lesson_completed", LessonCompleted, (_USER,), "lesson.completed"),
    EventKind("attempt_graded", AttemptGraded, (_USER, _ATTEMPT), "attempt.graded"),
    EventKind("notification", NotificationTold, (_USER,)),
    EventKind("notification_read", NotificationRead, (_USER,)),
    EventKind("notifications_read", NotificationsRead, (_USER,)),
    EventKind("session_revoked", SessionRevoked, (_USER,)),
    EventKind("export_ready", ExportMade, (_USER,)),
    EventKind("announcement", AnnouncementMade, (_COURSE,)),
    EventKind("course_updated", CourseUpdated, (_COURSE,), "course.updated"),
    EventKind("new_enrollment", NewEnrollment, (_STAFF,), "enrollment.created"),
    EventKind("answer_saved", AnswerSaved, (_ATTEMPT,)),
    EventKind("writer_changed", WriterChanged, (_ATTEMPT,)),
    EventKind("attempt_started", AttemptStarted, (_LIVE,), "attempt.started"),
    EventKind("attempt_submitted", AttemptSubmitted, (_LIVE,), "attempt.submitted"),
    EventKind("presence", PresenceCount, (_COURSE,), is_state=True),
    EventKind("quiz_timer", QuizTimer, (_ATTEMPT,), is_state=True),
    EventKind("dashboard", Dashboard, (_LIVE,), is_state=True),
)
"""Every event and state with a live name."""

RECORD_TYPES: tuple[str, ...] = (
    "user.registered",
    "user.updated",
    "user.deactivated",
    "course.published",
    "course.unpublished",
    "enrollment.completed",
    "enrollment.dropped",
    "enrollment.expired",
    "quiz.published",
    "webhook.test",
    *(kind.record_type for kind in EVENTS if kind.record_type is not None),
)
"""Every type that is kept for replay, with and without a live name."""
