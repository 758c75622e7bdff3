"""The catalogue of live events and states: one model per name, its channels, and its type in webhooks and replay.

The catalogue describes what is sent (and makes the documentation); tests hold the senders to it. No rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from lms_rt.contracts.assignment_events import (
    AssignmentGraded,
    GradebookUpdated,
    GradeChanged,
    GradeTakenBack,
    SubmissionReceived,
)
from lms_rt.contracts.channels import ChannelKind
from lms_rt.contracts.course_events import (
    ChatMessageDeleted,
    ChatMessageEdited,
    ChatMessageTold,
    ChatMuted,
    ChatRead,
    ChatTyping,
    ReviewReceived,
)
from lms_rt.contracts.event_data import EventData, OfRecord
from lms_rt.contracts.exam_events import (
    AnswerSaved,
    AttemptStarted,
    AttemptSubmitted,
    ControlApplied,
    ExamAnnouncement,
    IntegrityFact,
    QuestionCorrected,
    QuizEnded,
    QuizExtended,
    QuizPaused,
    QuizResumed,
    Receipts,
    WriterChanged,
)
from lms_rt.contracts.payment_events import PaymentChanged, PaymentCompleted


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


class ProgressUpdated(OfRecord):
    """A learner's progress in a course moved. `unlocked_lesson_ids` are the lessons that were opened by it."""

    enrollment_id: str
    course_id: str
    lesson_id: str | None = None
    progress_percentage: str
    status: str
    completed_lessons_count: int
    total_lessons_count: int
    progress: dict[str, Any] | None = None
    unlocked_lesson_ids: list[str] = Field(default_factory=list)


class LessonCompleted(OfRecord):
    """A learner completed a lesson."""

    enrollment_id: str
    course_id: str
    lesson_id: str
    progress: str


class FormerResult(EventData):
    """What an attempt came to before it was graded anew."""

    score: str
    max_score: str
    percentage: str
    is_passed: bool


class AttemptGraded(OfRecord):
    """An attempt has its grade; `previous` and `reason` where it had another one before."""

    attempt_id: str
    quiz_id: str
    score: str | None
    max_score: str | None
    percentage: str | None
    is_passed: bool | None
    previous: FormerResult | None = None
    reason: str | None = None


class RegradeProgress(EventData):
    """How far a regrade is. Best effort: `GET /quizzes/{id}/regrades/{regrade_id}` says it at any time."""

    regrade_id: str
    status: str
    done: int
    total: int


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


class ImportProgress(EventData):
    """How far a run over many things is, told some times a second at most."""

    import_id: str
    course_id: str | None
    kind: str
    status: str
    total: int
    done: int
    counts: dict[str, int]


class ImportFinished(OfRecord):
    """A run over many things is over: `status` says how. `url` is where its result is fetched."""

    import_id: str
    course_id: str | None
    made_course_id: str | None
    kind: str
    status: str
    total: int
    done: int
    counts: dict[str, int]
    error: str | None
    url: str | None
    expires_at: str


class ExportMade(OfRecord):
    """A copy of the user's data can be fetched, signed in, until then."""

    export_id: str
    expires_at: str
    url: str


class CertificateIssued(OfRecord):
    """The user was given a certificate; its file can be fetched."""

    certificate_id: str
    certificate_number: str
    enrollment_id: str
    course_id: str
    course_name: str
    student_id: str
    status: str
    verify_url: str


class CertificateRevoked(CertificateIssued):
    """A certificate of the user holds no longer."""

    revoked_at: str
    reason: str


class CertificateReplaced(CertificateIssued):
    """Another certificate takes the place of this one; `certificate_issued` tells of it."""

    replaced_by_id: str
    reason: str


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
    """What changed on the live dashboard between two versions. `removed`: ids of questions that are no more."""

    version: int
    follows: int
    students: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    totals: dict[str, Any]
    removed: list[str]


AGGREGATE_FIELDS = (
    "payment_id",
    "certificate_id",
    "override_id",
    "gradebook_id",
    "message_id",
    "member_id",
    "notification_id",
    "announcement_id",
    "attempt_id",
    "submission_id",
    "enrollment_id",
    "export_id",
    "course_id",
    "user_id",
    "quiz_id",
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
_CHAT = ChannelKind.COURSE_CHAT
_ATTEMPT, _LIVE = ChannelKind.ATTEMPT, ChannelKind.QUIZ_LIVE

EVENTS: tuple[EventKind, ...] = (
    EventKind("progress_updated", ProgressUpdated, (_USER,)),
    EventKind("lesson_completed", LessonCompleted, (_USER,), "lesson.completed"),
    EventKind("attempt_graded", AttemptGraded, (_USER, _ATTEMPT, _STAFF), "attempt.graded"),
    EventKind("grade_changed", GradeChanged, (_USER, _STAFF)),
    EventKind("gradebook_updated", GradebookUpdated, (_STAFF,)),
    EventKind("assignment_graded", AssignmentGraded, (_USER, _STAFF), "assignment.graded"),
    EventKind("grade_taken_back", GradeTakenBack, (_USER, _STAFF)),
    EventKind("submission_received", SubmissionReceived, (_STAFF,), "assignment.submitted"),
    EventKind("notification", NotificationTold, (_USER,)),
    EventKind("notification_read", NotificationRead, (_USER,)),
    EventKind("notifications_read", NotificationsRead, (_USER,)),
    EventKind("session_revoked", SessionRevoked, (_USER,)),
    EventKind("export_ready", ExportMade, (_USER,)),
    EventKind("import_finished", ImportFinished, (_USER,)),
    EventKind("payment_completed", PaymentCompleted, (_USER,), "payment.completed"),
    EventKind("payment_changed", PaymentChanged, (_USER,)),
    EventKind("certificate_issued", CertificateIssued, (_USER,), "certificate.issued"),
    EventKind("certificate_revoked", CertificateRevoked, (_USER,), "certificate.revoked"),
    EventKind("certificate_replaced", CertificateReplaced, (_USER,), "certificate.replaced"),
    EventKind("announcement", AnnouncementMade, (_COURSE,)),
    EventKind("course_updated", CourseUpdated, (_COURSE,), "course.updated"),
    EventKind("new_enrollment", NewEnrollment, (_STAFF,), "enrollment.created"),
    EventKind("review_received", ReviewReceived, (_STAFF,), "review.created"),
    EventKind("chat_message", ChatMessageTold, (_CHAT,)),
    EventKind("chat_edited", ChatMessageEdited, (_CHAT,)),
    EventKind("chat_deleted", ChatMessageDeleted, (_CHAT,)),
    EventKind("chat_muted", ChatMuted, (_USER,)),
    EventKind("chat_read", ChatRead, (_USER,)),
    EventKind("answer_saved", AnswerSaved, (_ATTEMPT,)),
    EventKind("writer_changed", WriterChanged, (_ATTEMPT,)),
    EventKind("quiz_paused", QuizPaused, (_ATTEMPT,)),
    EventKind("quiz_resumed", QuizResumed, (_ATTEMPT,)),
    EventKind("quiz_extended", QuizExtended, (_ATTEMPT,)),
    EventKind("quiz_ended", QuizEnded, (_ATTEMPT,)),
    EventKind("exam_announcement", ExamAnnouncement, (_ATTEMPT,)),
    EventKind("question_corrected", QuestionCorrected, (_ATTEMPT,)),
    EventKind("attempt_started", AttemptStarted, (_LIVE,), "attempt.started"),
    EventKind("attempt_submitted", AttemptSubmitted, (_LIVE,), "attempt.submitted"),
    EventKind("control_applied", ControlApplied, (_LIVE,)),
    EventKind("integrity", IntegrityFact, (_LIVE,)),
    EventKind("regrade_progress", RegradeProgress, (_LIVE,)),
    EventKind("import_progress", ImportProgress, (_USER,), is_state=True),
    EventKind("presence", PresenceCount, (_COURSE, _CHAT), is_state=True),
    EventKind("typing", ChatTyping, (_CHAT,), is_state=True),
    EventKind("quiz_timer", QuizTimer, (_ATTEMPT,), is_state=True),
    EventKind("dashboard", Dashboard, (_LIVE,), is_state=True),
    EventKind("receipts", Receipts, (_LIVE,), is_state=True),
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
    "attempt.regraded",
    "payment.failed",
    "payment.refunded",
    "payment.refund_cancelled",
    "subscription.created",
    "subscription.renewed",
    "subscription.cancelled",
    "subscription.resumed",
    "webhook.test",
    *(kind.record_type for kind in EVENTS if kind.record_type is not None),
)
"""Every type that is kept for replay, with and without a live name."""
