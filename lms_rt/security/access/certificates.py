"""Who may see a certificate, and who may end one: load and authorise, or raise. What anybody may check is asked by its number."""

from __future__ import annotations

from documents.base import Row
from documents.certificate import Certificate
from documents.course import Course
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import NOBODYS, teaches
from lms_rt.security.permissions import Permission


async def require_certificate(actor: Actor, certificate_id: str) -> Row:
    """A certificate of the actor's own, or of a course that they teach."""
    row = await Certificate.find_row(certificate_id)
    if row is not None and not actor.is_stranger and row["student_id"] == actor.user_id:
        return row
    return await _of_staff(actor, row)


async def require_taught_certificate(actor: Actor, certificate_id: str) -> Row:
    """A certificate of a course whose enrolments the actor sees to."""
    return await _of_staff(actor, await Certificate.find_row(certificate_id))


async def _of_staff(actor: Actor, row: Row | None) -> Row:
    course = await Course.find_head(NOBODYS if row is None else row["course_id"])
    may_see = actor.is_admin or (course is not None and teaches(actor, course, Permission.ENROLLMENTS_MANAGE))
    if row is None or not may_see:
        raise Refused(Code.NOT_FOUND)
    return row
