"""Certificates at the border: what comes in, what goes out, and what the public is shown of one. No rules."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lms_rt.contracts.base import (
    Change,
    Draft,
    Identifier,
    Instant,
    Line,
    PageQuery,
    Title,
    View,
    check_line,
    check_shown,
)

CertificateStatus = Literal["valid", "revoked", "replaced"]
TemplateLanguage = Literal["student", "en", "ar"]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$", to_upper=True)]
"""#RRGGBB."""


class CertificateOrder(Draft):
    """Which certificate is asked for: an enrolment's, or one's own in a course."""

    enrollment_id: Identifier | None = None
    course_id: Identifier | None = None


class RevocationDraft(Draft):
    """Why it holds no longer. The owner is told; the public is not."""

    reason: Reason


class ReplacementDraft(Draft):
    """Why another one takes its place, and by what name; without one, that of the account as it is now."""

    reason: Reason
    student_name: Title | None = None


class CertificateQuery(PageQuery):
    """One's own certificates, the newest first."""

    course_id: str | None = None
    status: CertificateStatus | None = None
    sort: Literal["-issued_at"] = "-issued_at"


class CertificateView(View):
    """A certificate, as its owner and its course's staff see it. `has_pdf`: the file is made a moment after the number."""

    id: str
    certificate_number: str
    enrollment_id: str
    student_id: str
    course_id: str
    student_name: str
    course_name: str
    instructor_name: str
    issuer_name: str
    language: Literal["en", "ar"]
    completion_date: str
    issued_at: Instant
    status: CertificateStatus
    is_revoked: bool
    revoked_at: Instant | None
    revoked_reason: str | None
    replaced_at: Instant | None
    replaced_reason: str | None
    replaces_id: str | None
    replaces_number: str | None
    replaced_by_id: str | None
    replaced_by_number: str | None
    verify_url: str
    has_pdf: bool
    pdf_url: str | None
    sha256: str | None
    version: int
    created_at: Instant
    updated_at: Instant


class VerificationView(View):
    """What anybody is told of a number. Of one that was never given out `valid: false`, and nothing else.

    `statement` is the exact text that `signature` (Ed25519, base64url) stands under; `key_id` names the key at
    `/.well-known/lms-receipt-keys.json`. Of somebody whose account was erased the name is withheld, and they are null.
    """

    valid: bool
    certificate_number: str
    status: CertificateStatus
    student_name: str | None
    course_name: str
    completion_date: str
    issued_at: Instant
    revoked_at: Instant | None
    replaced_by_number: str | None
    replaces_number: str | None
    issuer_name: str
    key_id: str | None
    statement: str | None
    signature: str | None
    sha256: str | None


class UnknownCertificateView(View):
    """There is no certificate of this number."""

    valid: Literal[False] = False


class CredentialView(View):
    """An Open Badges 3.0 credential, as it was signed; its members are those of the specification."""

    model_config = ConfigDict(extra="allow", frozen=True)


class VoidQuery(BaseModel):
    """Which list: that of a year's numbers by ten thousand, as the credentials name it; else the newest of all."""

    model_config = ConfigDict(extra="ignore")

    list: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0|[1-9][0-9]{0,4})$")] | None = None


class VoidCredentialView(View):
    """A credential that holds no longer."""

    id: str
    revoked: Literal[True]


class VoidCredentialsView(View):
    """The list of revoked credentials of Open Badges 3.0 (`1EdTechRevocationList`)."""

    id: str
    issuer: str
    revokedCredential: list[VoidCredentialView]  # noqa: N815 - its name in the specification


class IssuingView(View):
    """How many certificates were asked for."""

    requested: int


class CertificateTemplateView(View):
    """How the certificates of a course look. `is_own` is false while it is the house's template."""

    course_id: str
    is_own: bool
    is_enabled: bool
    language: TemplateLanguage
    heading: str | None
    text: str | None
    accent_color: str
    ink_color: str
    paper_color: str
    logo_file_id: str | None
    shows_instructor: bool
    signer_name: str | None
    signer_title: str | None
    version: int
    created_at: Instant | None
    """Null, as is `updated_at`, while it is the house's."""
    updated_at: Instant | None


class CertificateTemplateChange(Change):
    """What of a template is to change. What is issued already keeps the look that it was issued with."""

    read_only: ClassVar[frozenset[str]] = frozenset({"course_id", "is_own", "version", "created_at", "updated_at"})

    is_enabled: bool = True
    language: TemplateLanguage = "student"
    heading: Annotated[Line, Field(max_length=60)] | None = None
    text: Annotated[Line, Field(max_length=300)] | None = None
    accent_color: Color = "#0B5F66"
    ink_color: Color = "#17211F"
    paper_color: Color = "#FFFFFF"
    logo_file_id: Identifier | None = None
    shows_instructor: bool = True
    signer_name: Annotated[Line, Field(max_length=80)] | None = None
    signer_title: Annotated[Line, Field(max_length=80)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        """A field that was emptied in a form is one that is not there."""
        if not isinstance(value, dict):
            return value
        blank = {"heading", "text", "logo_file_id", "signer_name", "signer_title"}
        return {name: None if name in blank and one == "" else one for name, one in value.items()}


class PreviewQuery(BaseModel):
    """In which language, and for which name, the template is shown."""

    model_config = ConfigDict(extra="ignore")

    language: Literal["en", "ar"] | None = None
    student_name: Annotated[str, StringConstraints(max_length=120), AfterValidator(check_line)] | None = None
