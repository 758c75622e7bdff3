"""The map of erasure: what becomes of each collection when a person is erased, and what an export shows of it.

A test holds it to the list of all documents: whoever adds a collection decides here what is done with people in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from documents import erasing
from documents.announcement import Announcement
from documents.attempt import Attempt
from documents.audit_beside import AuditMark, AuditReason, AuditSalt
from documents.audit_record import AuditRecord
from documents.base import Record
from documents.course import Course
from documents.enrollment import Enrollment
from documents.erasing import Stored
from documents.event_record import EventRecord
from documents.export import Export
from documents.idempotency import IdempotencyRecord
from documents.instructor import Instructor
from documents.job import Job
from documents.node import NodeRecord
from documents.notification import Notification
from documents.notification_preferences import NotificationPreferences
from documents.one_time import OneTime
from documents.paper import AttemptPaper
from documents.quiz import Quiz
from documents.runtime_setting import RuntimeSetting
from documents.schedule import ScheduleMark
from documents.sent_mail import SentMail
from documents.session import Session
from documents.ticket import SpareTicket
from documents.user import User
from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from documents.worker import WorkerRecord
from lms_rt.services import erasure_steps as steps
from lms_rt.services.erasure_steps import Ground

Step = Callable[[Ground], Awaitable[None]]
Action = Literal["anonymised", "removed", "kept"]


@dataclass(frozen=True, slots=True)
class MapRow:
    """One collection. `stays` says what stays of a person's and why; `exported` names the file, or why there is none."""

    document: Stored
    action: Action
    stays: str
    exported: str
    step: Step | None = None


def _removed(document: type[Record], stays: str, exported: str) -> MapRow:
    return MapRow(document, "removed", stays, exported, partial(steps.remove_own, document))


async def _sessions(ground: Ground) -> None:
    """Their own, and those in which they acted in somebody's place: these hold their device and address."""
    which = erasing.any_of(("user_id", "impersonator_id"), ground.leaving.user_id)
    await erasing.remove_all(Session, which)


_OF_THE_SCHOOL = "holds nobody"
_MACHINERY = "not shown: machinery that lives for days at most, and repeats what is shown elsewhere"

ERASURE_MAP: tuple[MapRow, ...] = (
    MapRow(
        Attempt,
        "anonymised",
        "choices, scores and times, for the school's figures; name, devices and answers in one's own words go",
        "attempts/",
        steps.attempts,
    ),
    MapRow(AttemptPaper, "kept", "the questions are the school's", "attempts/: as far as the results page shows them"),
    MapRow(
        Enrollment,
        "anonymised",
        "that somebody was in the course, progress, rating, payment; the review and where one stopped watching go",
        "enrollments.json",
        steps.enrollments,
    ),
    MapRow(
        Announcement,
        "anonymised",
        "the text is the course's; who said it goes",
        "announcements.json",
        steps.announcements,
    ),
    MapRow(Course, "kept", "the course is the school's; whom it leads to has no name any more", "courses.json"),
    MapRow(Quiz, "kept", _OF_THE_SCHOOL, "not shown: it is part of the course"),
    MapRow(
        Notification,
        "removed",
        "those of others stay, without the name",
        "notifications.json",
        steps.notifications,
    ),
    MapRow(NotificationPreferences, "removed", "nothing", "preferences.json", steps.preferences),
    MapRow(
        EventRecord,
        "anonymised",
        "the event, its place in the order and its ids; names, address and free fields go",
        "not shown: it repeats the account, the enrolments and the attempts as they were",
        steps.events,
    ),
    MapRow(Job, "removed", "those of others stay, without the name", "mails.json", steps.jobs),
    MapRow(Webhook, "anonymised", "the webhook; whoever erases looks after it", "webhooks.json", steps.webhooks),
    MapRow(
        WebhookDelivery,
        "anonymised",
        "that something was sent; what the receiver answered goes (with the events above)",
        "not shown: it is about a machine",
    ),
    MapRow(
        IdempotencyRecord,
        "removed",
        "answers to others stay for their day, without the name",
        _MACHINERY,
        steps.idempotency,
    ),
    MapRow(SentMail, "removed", "nothing", "not shown: a development server's alone", steps.sent_mails),
    MapRow(SpareTicket, "removed", "nothing", _MACHINERY, steps.spare_tickets),
    MapRow(Session, "removed", "nothing", "sessions.json", _sessions),
    _removed(Instructor, "nothing", "instructor.json"),
    MapRow(Export, "removed", "nothing, nor the file", "not shown: it is this", steps.exports),
    MapRow(
        AuditRecord,
        "kept",
        "ids and keyed hashes, which without the person's salt tell nothing; the chain stays whole",
        "audit.json",
    ),
    MapRow(AuditMark, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(AuditReason, "removed", "nothing", "not shown: it is an administrator's note", steps.audit_reasons),
    MapRow(AuditSalt, "removed", "nothing", "not shown: a key", steps.audit_salts),
    _removed(OneTime, "nothing", "not shown: keys that hold once"),
    MapRow(
        User,
        "anonymised",
        "the id, the role, and when it was erased: what refers to it leads somewhere. All else goes, at the end",
        "account.json",
    ),
    MapRow(ScheduleMark, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(WorkerRecord, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(NodeRecord, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(RuntimeSetting, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
)
"""Every collection, in the order in which an erasure goes through them."""


def steps_of() -> tuple[Step, ...]:
    """What an erasure does before the account itself."""
    return tuple(row.step for row in ERASURE_MAP if row.step is not None)
