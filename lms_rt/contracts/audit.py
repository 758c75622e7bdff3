"""The audit log as others meet it: what a record says, who may look for which, and what checking its chain came to. No rules.

A record names people and things by their ids. Of values it tells which fields changed and a keyed hash of each, never the
value; the only words in it are those of the house. What somebody wrote as a reason lies beside it and can be taken away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal, Required, TypedDict

from pydantic import Field, StringConstraints

from config.logging import current_request_id, own_request_id
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import CursorPage, CursorQuery, Instant, View, encode

ACTIONS = (
    "accommodation.remove",
    "accommodation.set",
    "announcement.create",
    "assignment.archive",
    "assignment.change",
    "assignment.create",
    "assignment.export",
    "assignment.grade",
    "assignment.remove",
    "assignment.take_back",
    "attempt.credit",
    "attempt.grade",
    "audit.sign",
    "certificate.create",
    "certificate.replace",
    "certificate.revoke",
    "certificate_template.change",
    "coupon.change",
    "coupon.create",
    "course.archive",
    "course.certify",
    "course.change",
    "course.copy",
    "course.create",
    "course.export",
    "course.export_roster",
    "course.group",
    "course.import",
    "course.import_people",
    "course.publish",
    "course.remove",
    "course.reorder",
    "course.unpublish",
    "dead_letter.discard",
    "dead_letter.retry",
    "enrollment.create",
    "enrollment.drop",
    "enrollment.moderate_review",
    "enrollment.mute",
    "enrollment.return",
    "enrollment.review",
    "enrollment.unmute",
    "file.change",
    "file.remove",
    "finding.resolve",
    "gradebook.change",
    "gradebook.export",
    "gradebook.override",
    "gradebook.take_back",
    "impersonation.use",
    "import.cancel",
    "instructor.change",
    "lesson.change",
    "lesson.create",
    "lesson.remove",
    "message.change",
    "message.remove",
    "payment.dispute",
    "payment.refund",
    "payment.refund_cancel",
    "payment.release",
    "plan.change",
    "plan.create",
    "question.change",
    "question.create",
    "question.remove",
    "quiz.announce",
    "quiz.archive",
    "quiz.change",
    "quiz.correct",
    "quiz.create",
    "quiz.end",
    "quiz.extend",
    "quiz.import",
    "quiz.pause",
    "quiz.publish",
    "quiz.regrade",
    "quiz.remove",
    "quiz.resume",
    "quiz.undo_regrade",
    "quiz.unpublish",
    "settings.change",
    "subscription.cancel",
    "subscription.change",
    "subscription.resume",
    "tax_rate.set",
    "user.change",
    "user.create",
    "user.deactivate",
    "user.erase",
    "user.export",
    "user.impersonate",
    "user.invite",
    "user.reset_mfa",
    "webhook.change",
    "webhook.create",
    "webhook.redeliver",
    "webhook.remove",
    "webhook.test",
)
"""What stands in the log: the kind of the thing, and what was done with it."""
MAX_TEXT_BYTES = 200
SYSTEM_ID = "system"
"""Who acts when nobody does: a schedule, a clean-up."""


class Act(TypedDict, total=False):
    """What somebody did: to a thing of this kind with this id; the fields that changed, by name, before and after.

    `person_id` is whom the values are about where that is neither the account nor the enrolment that was acted on: erasing
    that person takes the salt of the hashes, and the reason, away.
    """

    kind: Required[str]
    target_id: Required[str]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str
    person_id: str


def facts_of(actor: Actor, action: str, act: Act) -> dict[str, Any]:
    """What becomes a record, as it lies in an outbox meanwhile: values as texts, those alone that differ."""
    before, after = _texts(act.get("before")), _texts(act.get("after"))
    same = {name for name, text in after.items() if before.get(name) == text}
    return {
        "actor_id": actor.user_id or SYSTEM_ID,
        "impersonator_id": actor.impersonator_id,
        "action": action,
        "kind": act["kind"],
        "target_id": act["target_id"],
        "person_id": act.get("person_id") or person_of(act["kind"], act["target_id"]),
        "before": [[name, text] for name, text in sorted(before.items()) if name not in same],
        "after": [[name, text] for name, text in sorted(after.items()) if name not in same],
        "reason": act.get("reason", ""),
        # What the caller calls the request may be somebody's name, or another request's id: it would stay for ever.
        "request_id": own_request_id.get() or current_request_id.get(),
    }


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: _text(value) for name, value in (values or {}).items()}


def _text(value: Any) -> str:
    """A value as JSON; of a long one its digest, which says the same and takes no room beside the write."""
    text = encode(sorted(value) if isinstance(value, AbstractSet) else value)
    return text.decode() if len(text) <= MAX_TEXT_BYTES else f"sha256 {hashlib.sha256(text).hexdigest()}"


def person_of(kind: str, target_id: str) -> str:
    """Whom an account or an enrolment (`usr_…:crs_…`) is about."""
    return target_id.partition(":")[0] if kind in {"user", "enrollment"} else ""


# --- what is shown ---


class AuditView(View):
    """One record. `before` and `after` hold keyed hashes by field: equal ones stood for equal values of that person.

    `hash` is SHA-256 over the record and `previous_hash`, the hash of the one before it. An `impersonator_id` acted as
    `actor_id`. `reason` is null where none was given or the person that it was about is erased.
    """

    id: str
    seq: int
    at: Instant
    actor_id: str
    impersonator_id: str | None
    action: str
    kind: str
    target_id: str
    fields: list[str]
    before: dict[str, str]
    after: dict[str, str]
    reason: str | None
    request_id: str | None
    previous_hash: str
    hash: str


class AuditPage(CursorPage[AuditView]):
    """A stretch of the log, newest first."""


_Word = Annotated[str, StringConstraints(max_length=128)]


class AuditQuery(CursorQuery):
    """Which records: by who acted, in whose place, what, on what, in which request, and when."""

    actor_id: _Word | None = None
    impersonator_id: _Word | None = None
    action: _Word | None = None
    kind: _Word | None = None
    target_id: _Word | None = None
    request_id: _Word | None = None
    since: Annotated[Instant | None, Field(alias="from")] = None
    until: Annotated[Instant | None, Field(alias="to")] = None


# --- whether it holds ---

FindingKind = Literal[
    "changed",
    "forged",
    "unlinked",
    "missing",
    "front_missing",
    "tail_missing",
    "tail_differs",
    "head_missing",
    "head_forged",
    "cut_forged",
    "reason_changed",
    "reason_missing",
]
"""What can be wrong with the chain; the words for it stand in `docs/audit.md`."""


class Finding(View):
    """One thing that does not hold, at these places."""

    kind: FindingKind
    first_seq: int
    last_seq: int


class AuditVerdict(View):
    """What checking the chain came to: from where to where it was followed, and what does not hold.

    `cut_seq` is the last record that was removed for its age, 0 while none was. So many of the findings as `known` says
    were there when the log was signed anew: they were looked into, and nobody is alarmed again.
    """

    checked_at: Instant
    first_seq: int
    last_seq: int
    last_hash: str
    cut_seq: int
    findings: list[Finding]
    known: int = 0

    @property
    def is_alarming(self) -> bool:
        """Is there something that nobody has looked into?"""
        return len(self.findings) > self.known

    @property
    def is_whole(self) -> bool:
        """Does everything hold?"""
        return not self.findings


class AuditState(View):
    """How the chain stands: `whole` is the last check of all of it, null before the first; `findings` are what does not hold.

    The newest records and the head are looked at each time, so that `findings` may be ahead of `whole`.
    """

    whole: AuditVerdict | None
    last_seq: int
    findings: list[Finding]
