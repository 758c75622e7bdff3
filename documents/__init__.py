"""The data: one Beanie document per file, its indexes and its queries. `DOCUMENTS` lists them for the start."""

from __future__ import annotations

from beanie import Document

from documents.accommodation import Accommodation
from documents.announcement import Announcement
from documents.assignment import Assignment
from documents.attempt import Attempt
from documents.audit_beside import AuditMark, AuditReason, AuditSalt
from documents.audit_record import AuditRecord
from documents.calendar_feed import CalendarFeed
from documents.certificate import Certificate
from documents.certificate_template import CertificateTemplate
from documents.chat_member import ChatMember
from documents.coupon import Coupon, CouponUse
from documents.course import Course
from documents.enrollment import Enrollment
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

DOCUMENTS: tuple[type[Document], ...] = (
    Accommodation,
    Announcement,
    Assignment,
    Attempt,
    AttemptPaper,
    AuditMark,
    AuditReason,
    AuditRecord,
    AuditSalt,
    CalendarFeed,
    ChatMember,
    Certificate,
    CertificateTemplate,
    Coupon,
    CouponUse,
    Course,
    Enrollment,
    EventRecord,
    Export,
    FileQuota,
    GatewayEvent,
    GradeOverride,
    Gradebook,
    GradingClaim,
    IdempotencyRecord,
    ImportPart,
    ImportRun,
    Instructor,
    IntegrityRecord,
    Invoice,
    Job,
    JournalEntry,
    LineKeeper,
    Message,
    NodeRecord,
    Notification,
    NotificationPreferences,
    OneTime,
    Order,
    Payment,
    PaymentFinding,
    PaymentWalk,
    PaymentCustomer,
    Plan,
    PlanSubscription,
    Quiz,
    QuizControl,
    ReceiptKey,
    Refund,
    Regrade,
    RegradeRow,
    RuntimeSetting,
    SandboxPayment,
    SentMail,
    ScheduleMark,
    Session,
    SpareTicket,
    TaxRate,
    UploadSession,
    StoredFile,
    Submission,
    User,
    Webhook,
    WebhookDelivery,
    WorkerRecord,
)
"""Every document class; the store makes their collections and indexes at start."""
