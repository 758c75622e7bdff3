"""The catalogue of mails: the name of each template, the data that it shows, and how its kind is called in preferences.

A mail is asked for by its template and data; to whom, in which language and timezone stands in the account. Data is
JSON (`Model(...).model_dump(mode="json")`): times as RFC 3339, money in minor units, percentages as decimal strings.
How mails look is `lms_rt/mails`, how they leave is `services/mails.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lms_rt.contracts.base import Instant, View
from lms_rt.contracts.notifications import ALL_KINDS

Words = Annotated[str, StringConstraints(max_length=2_000)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
"""Plain words of somebody, with their line breaks; never taken for HTML or for a template."""
Secret = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Link = Annotated[str, StringConstraints(pattern=r"^(/|https?://)[^\s\x00-\x1f\x7f<>\"\\]*$", max_length=2_000)]
Decimal = Annotated[str, StringConstraints(pattern=r"^-?\d{1,12}(\.\d{1,2})?$")]  # hundredths, as views show them
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Count = Annotated[int, Field(ge=0)]


class MailData(BaseModel):
    """What a template shows besides the account."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class NoData(MailData):
    """For templates that show nothing but the account."""


class PasswordReset(MailData):
    """The link with which a new password is chosen."""

    reset_token: Secret
    reset_url: Link
    expires_minutes: Count = 30


class EmailVerification(MailData):
    """The link that proves the address."""

    verify_url: Link
    expires_minutes: Count = 1440


class MfaCode(MailData):
    """The second step of a sign-in. From `expires_at`, when it is told, come the minutes of the moment of writing."""

    code: Secret
    expires_minutes: Count = 10
    expires_at: Instant | None = None


class CourseMail(MailData):
    """One course of the reader."""

    course_title: Words
    link: Link


class CertificateIssued(MailData):
    """A certificate, and where it is shown."""

    course_title: Words
    certificate_number: Words
    link: Link


class CertificateRevoked(MailData):
    """A certificate that holds no longer, and why."""

    course_title: Words
    certificate_number: Words
    reason: Words
    link: Link


class QuizResults(MailData):
    """A graded attempt. `score` is a percentage; None where there is none to tell."""

    quiz_title: Words
    course_title: Words
    score: Decimal | None = None
    is_passed: bool | None = None
    link: Link


class AttemptAutoClosed(MailData):
    """An attempt whose time was up, handed in with what was saved."""

    quiz_title: Words
    course_title: Words
    closed_at: Instant
    link: Link


class PauseEnded(MailData):
    """A pause of a quiz that nobody ended: what was paused was handed in with what was saved."""

    quiz_title: Words
    course_title: Words
    closed_at: Instant
    link: Link


class AssignmentGraded(MailData):
    """A graded submission: `grade` of `points`."""

    assignment_title: Words
    course_title: Words
    grade: Decimal
    points: Decimal
    feedback: Text = ""
    link: Link


class PaymentMail(MailData):
    """Money that came, did not come, or went back, and what for. `amount` in minor units, `tax_amount` the tax in it.

    `tax_label` is the name of the tax with its rate.
    """

    amount: int
    tax_amount: int = 0
    tax_label: Words = ""
    currency: Currency
    description: Words
    at: Instant
    reference: Words = ""
    reason: Words = ""
    link: Link


class SubscriptionMail(MailData):
    """A subscription that ends, or whose payment failed. `until`: access lasts so long; without one it is over."""

    plan_name: Words
    until: Instant | None = None
    link: Link


class SubscriptionResumed(SubscriptionMail):
    """A subscription that was to end is drawn for again `until` which it was paid; `amount` in minor units."""

    amount: int
    currency: Currency


class CourseProgress(MailData):
    """How far one course is."""

    title: Words
    progress_percentage: Decimal
    lessons_completed: Count
    lessons_total: Count
    link: Link


class WeeklyProgress(MailData):
    """A week of learning, its first and its last day; `lessons_completed` in that week, over all courses."""

    first_day: date
    last_day: date
    lessons_completed: Count
    courses: list[CourseProgress] = Field(max_length=50)


class RestingCourse(MailData):
    """A course that was not opened for so many days."""

    title: Words
    progress_percentage: Decimal
    days_away: Count
    link: Link


class CourseReminder(MailData):
    """Courses that wait for their student."""

    courses: list[RestingCourse] = Field(min_length=1, max_length=50)


class AccountLocked(MailData):
    """Too many wrong passwords. `until`: it opens again by itself."""

    until: Instant


class Invitation(MailData):
    """An account that somebody made for the reader."""

    invited_by: Words
    role: Annotated[str, StringConstraints(pattern="^(student|instructor|admin)$")]
    accept_url: Link
    expires_minutes: Count = 10_080


class AtMoment(MailData):
    """Something happened to the account then."""

    at: Instant


class MfaChanged(MailData):
    """The second step was switched on or off."""

    is_enabled: bool
    at: Instant


class NewDevice(MailData):
    """A sign-in from a device that the account did not know."""

    device: Words
    ip_address: Words
    at: Instant


class ExportReady(MailData):
    """One's data, to be fetched until then."""

    link: Link
    expires_at: Instant


class ErasureScheduled(MailData):
    """The account will be erased; until then it can be kept."""

    erase_at: Instant
    link: Link


class AuditChecked(MailData):
    """The audit log was followed. `place`: its end as SEQ:HASH, to be compared with later."""

    findings: Count
    place: Words
    at: Instant
    link: Link


class Announcement(MailData):
    """What somebody tells all students of a course."""

    course_title: Words
    author_name: Words
    title: Words
    body: Text
    link: Link


class ChatMention(MailData):
    """Somebody calls the reader by name in the chat of a course."""

    course_title: Words
    author_name: Words
    link: Link


class WebhookDisabled(MailData):
    """A receiver that failed for too long. `since`: the first failure of this row of failures."""

    url: Words
    reason: Words
    since: Instant
    link: Link


class DigestItem(MailData):
    """One notification, in the reader's language already."""

    title: Words
    body: Text = ""
    link: Link | None = None
    at: Instant


class Digest(MailData):
    """Several notifications in one mail. `kind`: all are of this one, and the unsubscribe link is about it."""

    kind: str | None = None
    items: list[DigestItem] = Field(min_length=1, max_length=50)
    more: Count = 0  # so many further ones are not listed


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """One row of the catalogue.

    `kind` is the word for it in a person's preferences; None: transactional, sent whatever they say. `secrets` are
    fields of the data that nobody but the reader may see.
    """

    name: str
    data: type[MailData]
    kind: str | None = None
    secrets: frozenset[str] = field(default_factory=frozenset)


MAIL_TEMPLATES: tuple[MailTemplate, ...] = (
    MailTemplate("welcome", NoData),
    MailTemplate("password_reset", PasswordReset, secrets=frozenset({"reset_token", "reset_url"})),
    MailTemplate("email_verification", EmailVerification, secrets=frozenset({"verify_url"})),
    MailTemplate("mfa_code", MfaCode, secrets=frozenset({"code"})),
    MailTemplate("enrollment_confirmation", CourseMail, "enrollment.created"),
    MailTemplate("course_completion", CourseMail, "enrollment.completed"),
    MailTemplate("certificate_issued", CertificateIssued, "certificate.issued"),
    MailTemplate("certificate_revoked", CertificateRevoked, "certificate.revoked"),
    MailTemplate("quiz_results", QuizResults, "attempt.graded"),
    MailTemplate("attempt_auto_closed", AttemptAutoClosed, "attempt.submitted"),
    MailTemplate("pause_ended", PauseEnded, "attempt.submitted"),
    MailTemplate("assignment_graded", AssignmentGraded, "assignment.graded"),
    MailTemplate("announcement", Announcement, "announcement"),
    MailTemplate("chat_mention", ChatMention, "chat.mention"),
    MailTemplate("weekly_progress", WeeklyProgress, "weekly_progress"),
    MailTemplate("course_reminder", CourseReminder, "course_reminder"),
    MailTemplate("digest", Digest, ALL_KINDS),
    MailTemplate("payment_confirmation", PaymentMail),
    MailTemplate("payment_failed", PaymentMail),
    MailTemplate("payment_refunded", PaymentMail),
    MailTemplate("subscription_cancelled", SubscriptionMail),
    MailTemplate("subscription_past_due", SubscriptionMail),
    MailTemplate("subscription_resumed", SubscriptionResumed),
    MailTemplate("registration_existing", NoData),
    MailTemplate("account_locked", AccountLocked),
    MailTemplate("invitation", Invitation, secrets=frozenset({"accept_url"})),
    MailTemplate("password_changed", AtMoment),
    MailTemplate("mfa_changed", MfaChanged),
    MailTemplate("new_device", NewDevice),
    MailTemplate("export_ready", ExportReady, secrets=frozenset({"link"})),
    MailTemplate("erasure_scheduled", ErasureScheduled),
    MailTemplate("audit_checked", AuditChecked),
    MailTemplate("audit_damaged", AuditChecked),
    MailTemplate("webhook_disabled", WebhookDisabled, "webhook.disabled"),
)
"""Every mail there is."""

HEAD_START_DAYS: Mapping[str, int] = MappingProxyType(
    {"mfa_code": 2, "password_reset": 2, "email_verification": 2, "invitation": 1}
)
"""Mails that somebody waits for count as due for so much longer: they pass whatever goes out in bulk. Invitations may come by
the hundred themselves, and let the others pass."""
_BY_NAME: Mapping[str, MailTemplate] = MappingProxyType({template.name: template for template in MAIL_TEMPLATES})
MASK = "********"


def mail_template(name: str) -> MailTemplate:
    """The row of a template. Raises `KeyError` for a name that no row has."""
    return _BY_NAME[name]


def masked_data(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data as an administrator may see it; of a template that no row has, nothing but the names."""
    template = _BY_NAME.get(name)
    return {key: MASK if template is None or key in template.secrets else value for key, value in data.items()}


@dataclass(frozen=True, slots=True)
class MailOrder:
    """One mail to one account.

    `seed` makes the Message-ID, so that a repeat is recognised: the job's id. `is_due`: whoever orders has asked the
    preferences already (a digest at its hour), and they are not asked again.
    """

    template: str
    user_id: str
    data: Mapping[str, Any]
    seed: str
    is_due: bool = False


class KeptMailHead(View):
    """A mail that a development server kept instead of sending, without its bodies."""

    id: str
    template: str
    recipient: str
    recipient_name: str
    subject: str
    language: str
    at: Instant


class KeptMailView(KeptMailHead):
    """The same with both its bodies."""

    text: str
    html: str
    unsubscribe_url: str | None
