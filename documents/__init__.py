"""The data: one Beanie document per file, its indexes and its queries. `DOCUMENTS` lists them for the start."""

from __future__ import annotations

from documents.attempt import Attempt
from documents.base import Record
from documents.course import Course
from documents.enrollment import Enrollment
from documents.idempotency import IdempotencyRecord
from documents.paper import AttemptPaper
from documents.quiz import Quiz
from documents.session import Session
from documents.ticket import SpareTicket
from documents.user import User

DOCUMENTS: tuple[type[Record], ...] = (
    Attempt,
    AttemptPaper,
    Course,
    Enrollment,
    IdempotencyRecord,
    Quiz,
    Session,
    SpareTicket,
    User,
)
"""Every document class; the store makes their collections and indexes at start."""
