"""The data: one Beanie document per file, its indexes and its queries. `DOCUMENTS` lists them for the start."""

from __future__ import annotations

from documents.base import Record
from documents.course import Course
from documents.enrollment import Enrollment

DOCUMENTS: tuple[type[Record], ...] = (Course, Enrollment)
"""Every document class; the store makes their collections and indexes at start."""
