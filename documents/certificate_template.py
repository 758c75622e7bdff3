"""How the certificates of a course look, and whether it gives any. `_id` is the course's. No rules."""

from __future__ import annotations

from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from documents.base import RowAggregate


class CertificateTemplate(RowAggregate):
    """A course's own template. A course without one has that of the house."""

    is_enabled: bool = True
    language: str = "student"
    heading: str | None = None
    text: str | None = None
    accent_color: str
    ink_color: str
    paper_color: str
    logo_file_id: str | None = None
    shows_instructor: bool = True
    signer_name: str | None = None
    signer_title: str | None = None

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "certificate_templates"
        indexes: ClassVar = [IndexModel([("outbox_at", ASCENDING)], sparse=True)]
