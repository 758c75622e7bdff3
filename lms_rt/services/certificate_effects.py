"""What follows when a certificate is issued, revoked or replaced: events, and what its enrolment tells of it. Pure but for the effect."""

from __future__ import annotations

from typing import Any

from documents.base import Row
from documents.certificate import Certificate
from documents.enrollment import Enrollment
from lms_rt.clock import rfc3339
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.outbox import Intent, Write, effect, event, job
from lms_rt.services.contended import until_written

TASK = "certificates.generate"
CERTIFIED_EFFECT = "enrollment.certified"


def issued(write: Write, row: Row) -> list[Intent]:
    """Its student hears of it at once, webhooks and notifications by the record."""
    return [_told(write, "certificate_issued", row, {}), _certified(write, row)]


def revoked(write: Write, row: Row, reason: str) -> list[Intent]:
    """It holds no longer."""
    more = {"revoked_at": rfc3339(write.at), "reason": reason, "status": "revoked"}
    return [_told(write, "certificate_revoked", row, more), _certified(write, row)]


def replaced(write: Write, row: Row, reason: str, successor_id: str) -> list[Intent]:
    """Another one takes its place, which is seen to by the job if its writer does not live to do it."""
    more = {"replaced_by_id": successor_id, "reason": reason, "status": "replaced"}
    return [
        _told(write, "certificate_replaced", row, more),
        _certified(write, row),
        job(write, TASK, {"certificate_id": successor_id, "replaces_id": row["_id"]}),
    ]


def ordered(write: Write, certificate_id: str) -> Intent:
    """The job that makes its file."""
    return job(write, TASK, {"certificate_id": certificate_id})


async def note_in_enrollment(_: str, data: dict[str, Any]) -> None:
    """Let the enrolment tell of the certificate that is in force now, or of none. Whatever came before, this is the truth."""
    enrollment_id = data["enrollment_id"]

    async def step() -> bool | None:
        enrollment = await Enrollment.find_one_by_id(enrollment_id)
        current = await Certificate.find_current(enrollment_id)
        issued_at = None if current is None else current["issued_at"]
        if enrollment is None or enrollment.certificate_issued_at == issued_at:
            return True
        field = "certificate_issued_at"
        update: Row = {"$unset": {field: ""}} if issued_at is None else {"$set": {field: issued_at}}
        return await Enrollment.write(enrollment_id, enrollment.revision, update) or None

    await until_written(step)


def _told(write: Write, name: str, row: Row, more: Row) -> Intent:
    data = {
        "certificate_id": row["_id"],
        "certificate_number": row["certificate_number"],
        "enrollment_id": row["enrollment_id"],
        "course_id": row["course_id"],
        "course_name": row["course_name"],
        "student_id": row["student_id"],
        "status": row["status"],
        "verify_url": row["verify_url"],
        **more,
    }
    return event(write, name, n=0, channels=[user_channel(row["student_id"])], data=data, record=name.replace("_", "."))


def _certified(write: Write, row: Row) -> Intent:
    return effect(write, CERTIFIED_EFFECT, {"enrollment_id": row["enrollment_id"]})
