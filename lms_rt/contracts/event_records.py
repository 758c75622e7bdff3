"""Events of record as their readers meet them: followers inside, `GET /events` and webhooks outside. No rules.

`data` is the REST view of the thing that the event is about, made when the event was recorded. Lists that may grow long
(a course's lessons, an enrolment's progress and attempts, an attempt's questions and answers) are left out of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from lms_rt.contracts.accounts import UserView
from lms_rt.contracts.attempts import AttemptRowView
from lms_rt.contracts.base import CursorPage, CursorQuery, Instant, View
from lms_rt.contracts.certificates import CertificateView
from lms_rt.contracts.courses import CourseView
from lms_rt.contracts.enrollments import EnrollmentView
from lms_rt.contracts.payments import PaymentView
from lms_rt.contracts.plans import SubscriptionView
from lms_rt.contracts.quizzes import QuizView
from lms_rt.contracts.submissions import SubmissionRowView
from lms_rt.contracts.webhooks import WebhookView


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event of record. `data` is JSON: ids and times are texts, scores and percentages decimal strings.

    What it holds by `type` stands in `RECORD_KINDS`. Where that would be too large, its largest members are taken out,
    and `left_out` names them.
    """

    event_id: str
    type: str
    at: datetime
    data: Mapping[str, Any]


Follower = Callable[[RecordedEvent], Awaitable[None]]
"""Does what follows from an event. May be called again with the same one, after any crash: idempotent by `event_id`."""


class EventView(View):
    """One event of record, as webhooks are sent it, with its place in the stream (`cursor`)."""

    id: str
    type: str
    timestamp: Instant
    data: dict[str, Any]
    cursor: str


class EventPage(CursorPage[EventView]):
    """A stretch of the stream, oldest first. `cursor` is where to go on: at once while `next` is there, else later."""

    cursor: str


class EventQuery(CursorQuery):
    """Which events. Without `after` from the oldest that is kept; `type` may be given several times."""

    type: Annotated[list[Annotated[str, StringConstraints(max_length=100)]], Field(max_length=50)] = Field(
        default_factory=list
    )


# --- the catalogue ---


@dataclass(frozen=True, slots=True)
class RecordKind:
    """What one type of event tells, and its data: the members of `view` but for `without`, and `more`, in words."""

    tells: str
    view: type[View]
    without: frozenset[str] = frozenset()
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def members(self) -> frozenset[str]:
        """The names in its data."""
        return (frozenset(self.view.model_fields) - self.without) | frozenset(self.more)


_CHANGED = {"changed": "the names of what was changed"}
_REASON = {"reason": "`closed` by an administrator, `deleted` by its owner, or `erased`: nobody is behind it any more"}
_LISTS = frozenset({"progress", "attempts"})
_STUDENT = {"student_name": "the student's name"}
_NEW = {"is_new": "whether they had not rated it before"}
_LESSON = {"lesson": "the lesson's row of the enrolment's progress"}
_REGRADED = {
    "quiz_title": "the quiz's title",
    "previous": "score, max_score, percentage and is_passed as they were",
    "reason": "why, as the teacher said it",
}
_CALLED_OFF = {"refund_id": "which", "refund_amount": "what it would have been, in minor units"}
_QUIZ = {"quiz_title": "the quiz's title"}
_WORK = {"assignment_title": "the assignment's title"}
_NOTED = frozenset({"metadata"})
_CLAIM = frozenset({"claimed_by", "claimed_until"})
_GRADED = {
    "previous": "the grade that the student was told before, null with the first",
    "reason": "why it is another one, null where a date was moved",
}

RECORD_KINDS: Mapping[str, RecordKind] = MappingProxyType(
    {
        "user.registered": RecordKind("An account was made.", UserView),
        "user.updated": RecordKind("Somebody changed their profile.", UserView, more=_CHANGED),
        "user.deactivated": RecordKind("An account was closed.", UserView, more=_REASON),
        "course.published": RecordKind("A course can be seen by everybody.", CourseView),
        "course.unpublished": RecordKind("A course was hidden.", CourseView),
        "course.updated": RecordKind("A course or one of its lessons changed.", CourseView, more=_CHANGED),
        "enrollment.created": RecordKind("Somebody enrolled, or came back.", EnrollmentView, _LISTS, _STUDENT),
        "enrollment.completed": RecordKind("Somebody completed a course.", EnrollmentView, _LISTS, _STUDENT),
        "enrollment.dropped": RecordKind("Somebody left a course.", EnrollmentView, _LISTS, _STUDENT),
        "enrollment.expired": RecordKind("Somebody's time in a course is over.", EnrollmentView, _LISTS, _STUDENT),
        "lesson.completed": RecordKind("Somebody completed a lesson.", EnrollmentView, _LISTS, _STUDENT | _LESSON),
        "review.created": RecordKind(
            "Somebody rated a course, for the first time or anew.", EnrollmentView, _LISTS, _STUDENT | _NEW
        ),
        "quiz.published": RecordKind("Students may sit a quiz.", QuizView),
        "attempt.started": RecordKind("A student began an attempt.", AttemptRowView, more=_QUIZ),
        "attempt.submitted": RecordKind("An attempt was closed.", AttemptRowView, more=_QUIZ),
        "attempt.graded": RecordKind("An attempt has its grade.", AttemptRowView, more=_QUIZ),
        "attempt.regraded": RecordKind("An attempt has another grade than before.", AttemptRowView, more=_REGRADED),
        "assignment.submitted": RecordKind("A student handed in.", SubmissionRowView, _CLAIM, _WORK),
        "assignment.graded": RecordKind(
            "What was handed in has its grade.", SubmissionRowView, _CLAIM, _WORK | _GRADED
        ),
        "certificate.issued": RecordKind("A student was given a certificate.", CertificateView),
        "certificate.revoked": RecordKind("A certificate holds no longer.", CertificateView),
        "certificate.replaced": RecordKind("Another certificate takes the place of this one.", CertificateView),
        "payment.completed": RecordKind("Money came, and opens what was bought.", PaymentView, _NOTED),
        "payment.failed": RecordKind("It is clear that the money will not come.", PaymentView, _NOTED),
        "payment.refunded": RecordKind("Money, or a part of it, was paid back.", PaymentView, _NOTED),
        "payment.refund_cancelled": RecordKind(
            "A refund was called off before its gateway was asked.", PaymentView, _NOTED, _CALLED_OFF
        ),
        "subscription.created": RecordKind("A subscription was paid for the first time.", SubscriptionView),
        "subscription.renewed": RecordKind("A subscription was paid for another period.", SubscriptionView),
        "subscription.cancelled": RecordKind("A subscription ends with what is paid for.", SubscriptionView),
        "subscription.resumed": RecordKind("A subscription that was to end goes on after all.", SubscriptionView),
        "webhook.test": RecordKind("An administrator tries a webhook.", WebhookView, frozenset({"secret"})),
    }
)
"""Every type of event of record."""
