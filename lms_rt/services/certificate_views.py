"""Certificates as their readers see them: owners and staff, and the public. Pure."""

from __future__ import annotations

from documents.base import Row
from documents.certificate import REVOKED, VALID
from lms_rt.contracts.certificates import (
    CertificateTemplateChange,
    CertificateTemplateView,
    CertificateView,
    VerificationView,
)
from lms_rt.services.withholding import WITHHELD

_SAME = (
    "certificate_number", "enrollment_id", "student_id", "course_id", "student_name", "course_name", "instructor_name",
    "issuer_name", "language", "completion_date", "issued_at", "status", "verify_url", "version", "created_at",
    "updated_at",
)  # fmt: skip
_OPTIONAL = (
    "revoked_at", "revoked_reason", "replaced_at", "replaced_reason", "replaces_id", "replaces_number",
    "replaced_by_id", "replaced_by_number", "sha256",
)  # fmt: skip
LOOK = tuple(name for name in CertificateTemplateChange.model_fields if name != "is_enabled")
"""What of a template goes with each certificate that is issued by it."""


def certificate_view(row: Row) -> CertificateView:
    """One certificate, to its owner and those who teach its course."""
    has_pdf = row.get("file_id") is not None
    return CertificateView(
        id=row["_id"],
        **{name: row[name] for name in _SAME},
        **{name: row.get(name) for name in _OPTIONAL},
        is_revoked=row["status"] == REVOKED,
        has_pdf=has_pdf,
        pdf_url=f"/api/v1/certificates/{row['_id']}/download" if has_pdf else None,
    )


def verification_view(row: Row) -> VerificationView:
    """What anybody may know who has the number."""
    is_withheld = row["student_name"] == WITHHELD
    return VerificationView(
        valid=row["status"] == VALID,
        student_name=None if is_withheld else row["student_name"],
        **{
            name: row[name]
            for name in ("certificate_number", "status", "course_name", "completion_date", "issued_at", "issuer_name")
        },
        **{
            name: row.get(name)
            for name in (
                "revoked_at",
                "replaced_by_number",
                "replaces_number",
                "key_id",
                "statement",
                "signature",
                "sha256",
            )
        },
    )


def template_view(course_id: str, row: Row | None) -> CertificateTemplateView:
    """The template of a course, its own or the house's."""
    stored = row or {}
    own = {name: stored[name] for name in CertificateTemplateChange.model_fields if name in stored}
    kept = {name: stored.get(name) for name in ("heading", "text", "logo_file_id", "signer_name", "signer_title")}
    return CertificateTemplateView(
        course_id=course_id,
        is_own=row is not None,
        version=stored.get("version", 0),
        created_at=stored.get("created_at"),
        updated_at=stored.get("updated_at"),
        **CertificateTemplateChange().model_dump() | own | kept,
    )


def look_of(view: CertificateTemplateView) -> dict[str, object]:
    """What a certificate that is issued now looks like for ever."""
    return {name: value for name in LOOK if (value := getattr(view, name)) is not None}
