"""The data: one Beanie document per file, its indexes and its queries. `DOCUMENTS` lists them for the start."""

from __future__ import annotations

from beanie import Document

from documents.announcement import Announcement
from documents.attempt import Attempt
from documents.audit_beside import AuditMark, AuditReason, AuditSalt
from documents.audit_record import AuditRecord
from documents.course import Course
from documents.enrollment import Enrollment
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

DOCUMENTS: tuple[type[Document], ...] = (
    Announcement,
    Attempt,
    AttemptPaper,
    AuditMark,
    AuditReason,
    AuditRecord,
    AuditSalt,
    Course,
    Enrollment,
    EventRecord,
    Export,
    IdempotencyRecord,
    Instructor,
    Job,
    NodeRecord,
    Notification,
    NotificationPreferences,
    OneTime,
    Quiz,
    RuntimeSetting,
    SentMail,
    ScheduleMark,
    Session,
    SpareTicket,
    User,
    Webhook,
    WebhookDelivery,
    WorkerRecord,
)
"""Every document class; the store makes their collections and indexes at start."""
