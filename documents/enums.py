"""The words that documents store for kinds and states."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What somebody is in the school."""

    ADMIN = "admin"
    INSTRUCTOR = "instructor"
    STUDENT = "student"


class DifficultyLevel(StrEnum):
    """How hard a course is."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


class ContentType(StrEnum):
    """What a lesson consists of."""

    VIDEO = "video"
    TEXT = "text"
    QUIZ = "quiz"
    ASSIGNMENT = "assignment"
    DOCUMENT = "document"


class Completion(StrEnum):
    """What completes a lesson."""

    VIEWED = "viewed"
    WATCHED = "watched"
    PASSED = "passed"
    SUBMITTED = "submitted"


class EnrollmentStatus(StrEnum):
    """Where a student stands in a course."""

    ACTIVE = "active"
    COMPLETED = "completed"
    DROPPED = "dropped"
    EXPIRED = "expired"


class ProgressStatus(StrEnum):
    """Where a student stands in a lesson."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class QuizType(StrEnum):
    """Whether a quiz counts."""

    PRACTICE = "practice"
    GRADED = "graded"


class GradingPolicy(StrEnum):
    """Which of several attempts counts."""

    BEST = "best"
    LAST = "last"
    AVERAGE = "average"
    FIRST = "first"


class ShowAnswers(StrEnum):
    """When a student may see the correct answers."""

    NEVER = "never"
    AFTER_SUBMIT = "after_submit"
    AFTER_CLOSE = "after_close"
    AFTER_PASS = "after_pass"  # noqa: S105 - no password


class QuestionType(StrEnum):
    """What kind of answer a question asks for."""

    MULTIPLE_CHOICE = "multiple_choice"
    MULTIPLE_SELECT = "multiple_select"
    TRUE_FALSE = "true_false"
    SHORT_ANSWER = "short_answer"
    NUMERIC = "numeric"
    MATCHING = "matching"
    ORDERING = "ordering"
    ESSAY = "essay"
    DESCRIPTION = "description"


class AttemptStatus(StrEnum):
    """Where an attempt stands."""

    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    SUBMITTED = "submitted"
    GRADED = "graded"
    ABANDONED = "abandoned"


class Grading(StrEnum):
    """How far the grading of a closed attempt is."""

    PENDING = "pending"
    MANUAL = "manual"
    DONE = "done"


class SubmittedBy(StrEnum):
    """Who closed an attempt."""

    STUDENT = "student"
    DEADLINE = "deadline"
    INSTRUCTOR = "instructor"


class ControlKind(StrEnum):
    """What a teacher orders while a quiz runs."""

    PAUSE = "pause"
    RESUME = "resume"
    EXTEND = "extend"
    END = "end"
    ANNOUNCE = "announce"
    CORRECT = "correct"


class ScopeKind(StrEnum):
    """Whom a control concerns."""

    ALL = "all"
    GROUP = "group"
    ATTEMPTS = "attempts"


class JobState(StrEnum):
    """Where a job stands. `dead`: it ran as often as it may, and waits for a person."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class OrderKind(StrEnum):
    """What an order is for."""

    COURSE = "course"
    SUBSCRIPTION = "subscription"


class OrderStatus(StrEnum):
    """Where an order stands."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUND_PENDING = "refund_pending"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class RefundStatus(StrEnum):
    """Where a refund stands. `requested`: kept, and not yet known to the gateway."""

    REQUESTED = "requested"
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SubscriptionStatus(StrEnum):
    """Where a subscription stands. `pending`: nothing was paid yet."""

    PENDING = "pending"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class HeldFor(StrEnum):
    """Why a payment waits for a person: the money came, and opens nothing."""

    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    OWNER_MISMATCH = "owner_mismatch"
    DUPLICATE = "duplicate"
    UNKNOWN_ORDER = "unknown_order"
    LATE = "late"


class CourseAccess(StrEnum):
    """What an enrolment lives by: nothing, a payment, a subscription, or the word of the course's staff."""

    FREE = "free"
    PAYMENT = "payment"
    SUBSCRIPTION = "subscription"
    STAFF = "staff"
