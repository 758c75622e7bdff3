"""The map of erasure: what becomes of each collection when a person is erased, and what an export shows of it.

A test holds it to the list of all documents: whoever adds a collection decides here what is done with people in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from documents import erasing
from documents.accommodation import Accommodation
from documents.announcement import Announcement
from documents.assignment import Assignment
from documents.attempt import Attempt
from documents.audit_beside import AuditMark, AuditReason, AuditSalt
from documents.audit_record import AuditRecord
from documents.base import Record
from documents.calendar_feed import CalendarFeed
from documents.certificate import Certificate
from documents.certificate_template import CertificateTemplate
from documents.chat_member import ChatMember
from documents.coupon import Coupon, CouponUse
from documents.course import Course
from documents.enrollment import Enrollment
from documents.erasing import Stored
from documents.event_record import EventRecord
from documents.export import Export
from documents.file_quota import FileQuota
from documents.gateway_event import GatewayEvent
from documents.grade_override import GradeOverride
from documents.gradebook import Gradebook
from documents.grading_claim import GradingClaim
from documents.idempotency import IdempotencyRecord
from documents.import_run import ImportPart, ImportRun
from documents.instructor import Instructor
from documents.integrity import IntegrityRecord
from documents.invoice import Invoice
from documents.job import Job
from documents.journal_entry import JournalEntry
from documents.line_keeper import LineKeeper
from documents.message import Message
from documents.node import NodeRecord
from documents.notification import Notification
from documents.notification_preferences import NotificationPreferences
from documents.one_time import OneTime
from documents.order import Order
from documents.paper import AttemptPaper
from documents.payment import Payment
from documents.payment_customer import PaymentCustomer
from documents.payment_finding import PaymentFinding
from documents.payment_walk import PaymentWalk
from documents.plan import Plan
from documents.plan_subscription import PlanSubscription
from documents.quiz import Quiz
from documents.quiz_control import QuizControl
from documents.receipt_key import ReceiptKey
from documents.refund import Refund
from documents.regrade import Regrade, RegradeRow
from documents.runtime_setting import RuntimeSetting
from documents.sandbox_payment import SandboxPayment
from documents.schedule import ScheduleMark
from documents.sent_mail import SentMail
from documents.session import Session
from documents.stored_file import StoredFile
from documents.submission import Submission
from documents.tax_rate import TaxRate
from documents.ticket import SpareTicket
from documents.upload_session import UploadSession
from documents.user import User
from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from documents.worker import WorkerRecord
from lms_rt.services import certificate_erasing, file_erasure, import_erasure
from lms_rt.services import erasure_steps as steps
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.payments import invoice_erasing, payment_erasing, refund_erasing, subscription_erasing

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


def _removed_by_id(document: type[Record], stays: str, exported: str) -> MapRow:
    async def step(ground: Ground) -> None:
        await erasing.remove_all(document, {"_id": ground.leaving.user_id})

    return MapRow(document, "removed", stays, exported, step)


async def _sessions(ground: Ground) -> None:
    """Their own, and those in which they acted in somebody's place: these hold their device and address."""
    which = erasing.any_of(("user_id", "impersonator_id"), ground.leaving.user_id)
    await erasing.remove_all(Session, which)


async def _calendar_feed(ground: Ground) -> None:
    """It is named after its owner."""
    await erasing.remove_all(CalendarFeed, {"_id": ground.leaving.user_id})


_OF_THE_SCHOOL = "holds nobody"
_MACHINERY = "not shown: machinery that lives for days at most, and repeats what is shown elsewhere"
_MACHINERY_OF_MONEY = "not shown: it repeats the payments"

ERASURE_MAP: tuple[MapRow, ...] = (
    MapRow(
        Attempt,
        "anonymised",
        "choices, scores and times, for the school's figures; name, devices, receipt and answers in one's own words go",
        "attempts/ and receipts/",
        steps.attempts,
    ),
    MapRow(
        IntegrityRecord,
        "removed",
        "nothing; how much time was credited stays with the attempt",
        "integrity.json",
        partial(steps.remove_of_student, IntegrityRecord),
    ),
    MapRow(
        Accommodation,
        "removed",
        "nothing; until when an attempt ran stays with it, and no longer why",
        "accommodations.json",
        partial(steps.remove_of_student, Accommodation),
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
    MapRow(
        Assignment,
        "anonymised",
        "what is to be done is the course's; a date that was theirs alone goes",
        "not shown: it is part of the course",
        steps.assignments,
    ),
    MapRow(
        Submission,
        "anonymised",
        "when something was handed in and its points, for the school's figures; texts, files and comments go",
        "submissions.json",
        steps.submissions,
    ),
    MapRow(
        Message,
        "anonymised",
        "that somebody said something then; what it was and who goes",
        "messages.json",
        steps.messages,
    ),
    MapRow(
        ChatMember,
        "removed",
        "nothing",
        "not shown: how far somebody has read, and until when not to write",
        steps.chat_members,
    ),
    MapRow(
        Certificate,
        "anonymised",
        "its number, course and dates, so that it can still be checked; the name, the signed texts and the file go",
        "certificates.json",
        certificate_erasing.certificates,
    ),
    MapRow(CertificateTemplate, "kept", _OF_THE_SCHOOL, "not shown: it is part of the course"),
    MapRow(Course, "kept", "the course is the school's; whom it leads to has no name any more", "courses.json"),
    MapRow(
        QuizControl,
        "anonymised",
        "what was ordered and why is the exam's; who ordered it goes",
        "quiz_controls.json",
        steps.quiz_controls,
    ),
    MapRow(Quiz, "kept", _OF_THE_SCHOOL, "not shown: it is part of the course"),
    MapRow(Gradebook, "kept", _OF_THE_SCHOOL, "not shown: it is part of the course"),
    MapRow(
        GradeOverride,
        "removed",
        "nothing; who set a grade stays as an id",
        "grades_by_hand.json",
        partial(steps.remove_of_student, GradeOverride),
    ),
    MapRow(CalendarFeed, "removed", "nothing", "not shown: an address that opens what is due", _calendar_feed),
    MapRow(
        Regrade, "kept", "what was corrected and why, and the id of who did it", "not shown: it is part of the course"
    ),
    MapRow(
        RegradeRow,
        "kept",
        "points before and after, under ids that lead to nobody any more",
        "attempts/: as far as the results page shows them",
    ),
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
    MapRow(Order, "anonymised", payment_erasing.ORDERS_STAY, "orders.json", payment_erasing.orders),
    MapRow(Payment, "anonymised", payment_erasing.PAYMENTS_STAY, "payments.json", payment_erasing.payments),
    _removed(
        PaymentCustomer,
        "nothing here, though the gateway knows them still",
        "not shown: an id at a gateway; the payments say by which they were made",
    ),
    MapRow(GatewayEvent, "kept", "ids and states, which name nobody", _MACHINERY_OF_MONEY),
    MapRow(PaymentWalk, "kept", "how far each walk over money has come, which names nobody", _MACHINERY_OF_MONEY),
    MapRow(JournalEntry, "kept", "sums and ids of payments, which name nobody", _MACHINERY_OF_MONEY),
    MapRow(
        Refund,
        "anonymised",
        "what was paid back, when and of which payment, since books are kept; why goes",
        "not shown: the payment says what was paid back of it",
        refund_erasing.refunds,
    ),
    MapRow(
        Invoice,
        "anonymised",
        "number, sums, tax and what was bought, for the books; the name goes, and the file",
        "invoices.json",
        invoice_erasing.invoices,
    ),
    _removed(SandboxPayment, "nothing: no money moved", _MACHINERY_OF_MONEY),
    MapRow(
        PaymentFinding,
        "anonymised",
        "that something about a payment was looked into; what was noted goes",
        "not shown: it is about the books, not about a person",
        refund_erasing.findings,
    ),
    MapRow(
        PlanSubscription,
        "anonymised",
        "what was subscribed to and what it cost, since books are kept; it ends, and what the checkout gave goes",
        "subscriptions.json",
        subscription_erasing.subscriptions,
    ),
    MapRow(
        CouponUse,
        "kept",
        "that a coupon was used for an order, under an id that leads to nobody any more",
        "not shown: the orders say by which coupon they were cheaper",
    ),
    MapRow(Coupon, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(Plan, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(TaxRate, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
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
    MapRow(ImportRun, "removed", "nothing, nor the file", "imports.json", import_erasure.runs),
    MapRow(
        ImportPart,
        "anonymised",
        "that a table had such a row, and what became of it; name and address go",
        "not shown: it repeats the account and the enrolments",
        import_erasure.parts,
    ),
    MapRow(Export, "removed", "nothing, nor the file", "not shown: it is this", steps.exports),
    MapRow(
        StoredFile,
        "anonymised",
        "what a course uses, without the name it came under; their own files, work and pictures go, bytes and all",
        "files.json",
        file_erasure.files,
    ),
    MapRow(UploadSession, "removed", "nothing; pieces go with them", _MACHINERY, file_erasure.upload_sessions),
    _removed_by_id(FileQuota, "nothing", "files.json: how much room they take"),
    MapRow(
        AuditRecord,
        "kept",
        "ids and keyed hashes, which without the person's salt tell nothing; the chain stays whole",
        "audit.json",
    ),
    MapRow(AuditMark, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(AuditReason, "removed", "nothing", "not shown: it is an administrator's note", steps.audit_reasons),
    MapRow(AuditSalt, "removed", "nothing", "not shown: a key", steps.audit_salts),
    _removed(GradingClaim, "nothing", "not shown: which answers somebody is about to mark, for a quarter of an hour"),
    _removed(OneTime, "nothing", "not shown: keys that hold once"),
    MapRow(
        User,
        "anonymised",
        "the id, the role, and when it was erased: what refers to it leads somewhere. All else goes, at the end",
        "account.json",
    ),
    MapRow(ScheduleMark, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(WorkerRecord, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(LineKeeper, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(NodeRecord, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(ReceiptKey, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
    MapRow(RuntimeSetting, "kept", _OF_THE_SCHOOL, "not shown: " + _OF_THE_SCHOOL),
)
"""Every collection, in the order in which an erasure goes through them."""


def steps_of() -> tuple[Step, ...]:
    """What an erasure does before the account itself."""
    return tuple(row.step for row in ERASURE_MAP if row.step is not None)
