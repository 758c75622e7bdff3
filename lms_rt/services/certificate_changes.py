"""The end of a certificate: revoked, or replaced by another one, each by its course's staff, for a reason, and for good."""

from __future__ import annotations

from documents.base import Row
from documents.certificate import REPLACED, REVOKED, VALID, Certificate
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.certificates import CertificateView, ReplacementDraft, RevocationDraft
from lms_rt.contracts.outbox import Intent, Write, audit
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.access.certificates import require_taught_certificate
from lms_rt.services.certificate_effects import replaced, revoked
from lms_rt.services.certificate_issuing import PREFIX, CertificateIssuing
from lms_rt.services.certificate_views import certificate_view
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.relay import Relay
from lms_rt.services.withholding import WITHHELD


class CertificateChanges:
    """Revokes and replaces."""

    def __init__(self, *, clock: Clock, relay: Relay, issuing: CertificateIssuing) -> None:
        self._clock, self._relay, self._issuing = clock, relay, issuing

    async def revoke(
        self, actor: Actor, certificate_id: str, draft: RevocationDraft, *, expected_version: int | None = None
    ) -> CertificateView:
        """Let it hold no longer. Its number is never given again; again changes nothing."""

        async def step() -> bool | None:
            row = await require_taught_certificate(actor, certificate_id)
            if row["status"] == REVOKED:
                return True
            refuse_other_version(row["version"], expected_version)
            _refuse_ended(row)
            at = self._clock.now()
            write = Write(row["version"] + 1, at)
            fields = {"status": REVOKED, "revoked_at": at, "revoked_reason": draft.reason, "current_key": None}
            record = _record(write, actor, row, "certificate.revoke", reason=draft.reason)
            intents = [*revoked(write, row, draft.reason), record]
            return await Certificate.change_at(certificate_id, row["version"], fields, intents=intents, at=at) or None

        await until_written(step)
        await self._relay.hand_over(Certificate, certificate_id)
        return certificate_view(await require_taught_certificate(actor, certificate_id))

    async def replace(
        self, actor: Actor, certificate_id: str, draft: ReplacementDraft, *, expected_version: int | None = None
    ) -> CertificateView:
        """Put another one in its place, by the right name; the two name each other. Again it is the same one."""
        successor_id = derived_id(PREFIX, certificate_id, "successor")

        async def step() -> bool | None:
            row = await require_taught_certificate(actor, certificate_id)
            if row["status"] == REPLACED:
                return True
            refuse_other_version(row["version"], expected_version)
            _refuse_ended(row)
            at = self._clock.now()
            write = Write(row["version"] + 1, at)
            fields = {
                "status": REPLACED,
                "replaced_at": at,
                "replaced_reason": draft.reason,
                "replaced_by_id": successor_id,
                "corrected_name": await _name(row, draft),
                "current_key": None,
            }
            record = _record(write, actor, row, "certificate.replace", reason=draft.reason)
            intents = [*replaced(write, row, draft.reason, successor_id), record]
            return await Certificate.change_at(certificate_id, row["version"], fields, intents=intents, at=at) or None

        await until_written(step)
        successor = await self._issuing.succeed(await require_taught_certificate(actor, certificate_id))
        await self._relay.hand_over(Certificate, certificate_id)
        return certificate_view(successor)


def _refuse_ended(row: Row) -> None:
    """Only what holds can be ended, and of who was erased nothing is written any more."""
    if row["status"] != VALID:
        raise Refused(Code.CONFLICT, f"This certificate is {row['status']}.", status=row["status"])


async def _name(row: Row, draft: ReplacementDraft) -> str:
    """The name that is to stand there."""
    student = await User.find_by_id(row["student_id"])
    if row["student_name"] == WITHHELD or student is None or student.erasing_at is not None:
        raise Refused(Code.CONFLICT, "The account of this student is erased.")
    return draft.student_name or student.full_name


def _record(write: Write, actor: Actor, row: Row, action: str, *, reason: str) -> Intent:
    return audit(
        write,
        actor,
        action,
        kind="certificate",
        target_id=row["_id"],
        before={"status": row["status"]},
        after={"status": REVOKED if action.endswith("revoke") else REPLACED},
        reason=reason,
        person_id=row["student_id"],
    )
