"""Who may be where in the chat of a course: who reads and writes, who sees to it, who may not write at this time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from documents.base import Row
from documents.chat_member import ChatMember
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment, enrollment_id_of
from lms_rt.clock import from_ms, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import require_course, require_learner, teaches
from lms_rt.security.permissions import Permission


@dataclass(frozen=True, slots=True)
class ChatPlace:
    """A course whose chat is open to somebody. `is_staff`: they teach it."""

    course: CourseHead
    is_staff: bool
    may_moderate: bool


async def require_chat(actor: Actor, course_id: str, *, now_ms: int) -> ChatPlace:
    """The chat of a course that the actor learns in or teaches; a course that they may not know is not there."""
    course = await require_course(actor, course_id)
    is_staff = await require_learner(actor, course, now_ms=now_ms) is None
    return ChatPlace(course, is_staff, may_moderate(actor, course))


async def require_present(actor: Actor, course_id: str, *, now_ms: int) -> ChatPlace:
    """The same of somebody who has written there, by the course's id: it may have been taken back from view since."""
    course = await Course.find_head(course_id)
    if course is None:
        raise Refused(Code.NOT_FOUND)
    is_staff = await require_learner(actor, course, now_ms=now_ms) is None
    return ChatPlace(course, is_staff, may_moderate(actor, course))


def may_moderate(actor: Actor, course: CourseHead) -> bool:
    """Does the actor see to the course's students?"""
    return teaches(actor, course, Permission.ENROLLMENTS_MANAGE)


async def find_member(actor: Actor, place: ChatPlace) -> Row:
    """What is kept of the actor in this chat; of who has never read there, nothing."""
    return await ChatMember.find_row(actor.user_id, place.course.id) or {}


def is_muted(member: Row, now_ms: int) -> bool:
    """May they not write at this time?"""
    return bool((member.get("muted_until_ms") or 0) > now_ms)


async def refuse_muted(actor: Actor, place: ChatPlace, *, now_ms: int) -> None:
    """403 for who may only read; staff writes always."""
    if place.is_staff:
        return
    member = await find_member(actor, place)
    if is_muted(member, now_ms):
        until = rfc3339(from_ms(member["muted_until_ms"]))
        words = f"You may only read until {until}: {member.get('mute_reason') or ''}".rstrip(": ")
        raise Refused(Code.FORBIDDEN, words, muted_until=until, reason=member.get("mute_reason"))


async def called_among(course: CourseHead, user_ids: Sequence[str], *, but: str, now_ms: int) -> list[str]:
    """Those of these people who are in the course and can be called by name."""
    asked = [one for one in dict.fromkeys(user_ids) if one != but]
    wanted = {enrollment_id_of(one, course.id) for one in asked}
    present = await Enrollment.find_present(wanted, now_ms)
    return [one for one in asked if one == course.instructor_id or enrollment_id_of(one, course.id) in present]
