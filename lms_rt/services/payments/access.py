"""Access: brings an enrolment in line with what its student paid, whatever happened and in whatever order.

`derive` may be asked at any time, by anybody, as often as one likes: it reads, compares, and writes where there is a
difference. What somebody is entitled to says `entitlements.py`. Enrolments that are free, or that staff made, are let be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import BOUGHT, PRESENT, Enrollment, enrollment_id_of
from documents.enums import CourseAccess, EnrollmentStatus, Role
from documents.names import names_of
from documents.payment import Payment
from documents.user import User
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.outbox import Deed
from lms_rt.services import figures
from lms_rt.services.contended import until_written
from lms_rt.services.enrollment_edits import (
    PAYMENT_USED_EFFECT,
    EnrollmentEdits,
    Told,
    came_in,
    kept,
    moved,
)
from lms_rt.services.payments.entitlements import Entitlement, Entitlements, is_valid
from lms_rt.services.relay import EffectHandler, Relay
from lms_rt.services.study import stand_again


class Change(StrEnum):
    """What was, or is, to be done about an enrolment. `none`: there is none, and nothing was paid."""

    NONE = "none"
    KEPT = "kept"
    ENROLLED = "enrolled"
    RETURNED = "returned"
    MOVED = "moved"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done, and what the enrolment lives by then."""

    change: Change
    by: Entitlement | None = None

    @property
    def is_in_line(self) -> bool:
        """Is the enrolment as it should be?"""
        return self.change in (Change.NONE, Change.KEPT)


def due_of(enrollment: Enrollment | None, entitlements: Sequence[Entitlement]) -> Due:
    """What the payments and subscriptions mean for an enrolment as it stands. Pure."""
    best = entitlements[0] if entitlements else None
    unused = next((one for one in entitlements if one.is_unused), None)
    if enrollment is None:
        paid = next((one for one in entitlements if one.access == CourseAccess.PAYMENT), None)
        return Due(Change.NONE) if paid is None else Due(Change.ENROLLED, paid)
    if enrollment.status in PRESENT:
        return _due_of_present(enrollment, best)
    if enrollment.status == EnrollmentStatus.EXPIRED and enrollment.access in BOUGHT:
        first = next((one for one in entitlements if one.access == CourseAccess.PAYMENT), None)
        back = best if enrollment.access == CourseAccess.SUBSCRIPTION else first
    else:
        back = unused  # whoever left stays away until they pay anew
    return Due(Change.KEPT) if back is None else Due(Change.RETURNED, back)


def _due_of_present(enrollment: Enrollment, best: Entitlement | None) -> Due:
    if enrollment.access not in BOUGHT:
        return Due(Change.KEPT)
    if best is None:
        return Due(Change.EXPIRED)
    is_same = (enrollment.access, enrollment.payment_id, enrollment.subscription_id) == (
        best.access.value,
        best.payment_id,
        best.subscription_id,
    )
    is_in_time = best.access == CourseAccess.PAYMENT or enrollment.expires_ms == best.until_ms
    return Due(Change.KEPT, best) if is_same and is_in_time else Due(Change.MOVED, best)


def live_by(enrollment: Enrollment, by: Entitlement) -> None:
    """Let it live by this from now on. The payment that it lived by before goes on as it was."""
    if by.payment_id is None or by.payment_id != enrollment.payment_id:
        enrollment.expires_ms = by.until_ms
    enrollment.access, enrollment.payment_id = by.access.value, by.payment_id
    enrollment.subscription_id = by.subscription_id


class Access:
    """Enrolments in line with payments."""

    def __init__(self, *, clock: Clock, relay: Relay, bus: Bus, entitlements: Entitlements) -> None:
        self._clock, self._entitlements = clock, entitlements
        self._edits = EnrollmentEdits(clock=clock, relay=relay, bus=bus)

    def effects(self) -> dict[str, EffectHandler]:
        """What the relay carries out in its name."""
        return {PAYMENT_USED_EFFECT: self._note_use}

    def opens(self, payment: Row) -> bool:
        """Does a payment, as it stands, open what was bought by it?"""
        return is_valid(payment, self._entitlements.rules)

    async def entitlements(self, user_id: str, course_id: str) -> list[Entitlement]:
        """All that was paid and opens the course for somebody now, the best first."""
        course, enrollment = await _facts(user_id, course_id)
        return await self._entitlements.all_of(user_id, course_id, course, enrollment)

    async def due(self, user_id: str, course_id: str) -> Due:
        """What `derive` would do now."""
        course, enrollment = await _facts(user_id, course_id)
        return due_of(enrollment, await self._entitlements.all_of(user_id, course_id, course, enrollment))

    async def derive(self, user_id: str, course_id: str) -> Change:
        """Bring the enrolment in line; what was done."""

        async def step() -> Change | None:
            course, enrollment = await _facts(user_id, course_id)
            if enrollment is not None:
                return await self._in_line(enrollment.id, course)
            due = due_of(None, await self._entitlements.all_of(user_id, course_id, course, None))
            if due.by is None or course is None:
                return Change.NONE
            return await self._enroll(user_id, course, due.by)

        return await until_written(step)

    async def derive_all(self, user_id: str) -> None:
        """The same of every course that somebody's payments and subscriptions ever opened."""
        for course_id in await Enrollment.bought_course_ids(user_id):
            await self.derive(user_id, course_id)

    async def _enroll(self, user_id: str, course: CourseHead, by: Entitlement) -> Change | None:
        if await _is_erased(user_id):
            return Change.NONE
        person = (await names_of([user_id]))[user_id]
        now = self._clock.now()
        enrollment = Enrollment(
            id=enrollment_id_of(user_id, course.id),
            student_id=user_id,
            course_id=course.id,
            enrolled_at=now,
            created_at=now,
            updated_at=now,
        )
        live_by(enrollment, by)
        told = [came_in(enrollment, person["full_name"])]
        deed = Deed(Actor(user_id, Role.STUDENT), "enrollment.create", enrollment.id)
        if not await self._edits.insert(enrollment, told, deed):
            return None
        figures.ENROLLMENTS.inc()
        return Change.ENROLLED

    async def _in_line(self, enrollment_id: str, course: CourseHead | None) -> Change:
        done = [Change.KEPT]

        async def load() -> Enrollment:
            enrollment = await Enrollment.find_one_by_id(enrollment_id)
            assert enrollment is not None  # noqa: S101 - enrolments are never removed
            return enrollment

        async def decide(enrollment: Enrollment) -> Sequence[Told] | None:
            entitlements = await self._entitlements.all_of(
                enrollment.student_id, enrollment.course_id, course, enrollment
            )
            due = due_of(enrollment, entitlements)
            if due.change is Change.RETURNED and await _is_erased(enrollment.student_id):
                due = Due(Change.KEPT)
            done[:] = [due.change]
            return await _told(enrollment, course, due, self._clock.now())

        await self._edits.apply(load, decide)
        return done[0]

    async def _note_use(self, _: str, data: dict[str, Any]) -> None:
        await Payment.note_use(data["payment_id"], data["enrollment_id"])


async def _told(enrollment: Enrollment, course: CourseHead | None, due: Due, now: datetime) -> Sequence[Told] | None:
    """Change the enrolment in place; what is told of it. None: nobody has to hear of it."""
    if due.change is Change.EXPIRED:
        enrollment.status = EnrollmentStatus.EXPIRED.value
        return [kept("enrollment.expired", enrollment), moved(enrollment, course)]
    if due.by is None or due.change is Change.KEPT:
        return None
    live_by(enrollment, due.by)
    enrollment.is_put_out = False
    if due.change is Change.MOVED:
        return [moved(enrollment, course)]
    is_completed = False
    if due.by.is_unused and course is not None:  # who pays anew begins anew, with the progress of before
        is_completed = await stand_again(enrollment, course, now)
    else:
        is_over = enrollment.completed_at is not None
        enrollment.status = (EnrollmentStatus.COMPLETED if is_over else EnrollmentStatus.ACTIVE).value
    person = (await names_of([enrollment.student_id])).get(enrollment.student_id, {})
    told = [came_in(enrollment, person.get("full_name", "")), moved(enrollment, course)]
    return [*told, kept("enrollment.completed", enrollment)] if is_completed else told


async def _is_erased(user_id: str) -> bool:
    """Nobody comes into a course who is erased, or just being: that somebody paid is for a person to see."""
    return not await User.ids_staying_among([user_id])


async def _facts(user_id: str, course_id: str) -> tuple[CourseHead | None, Enrollment | None]:
    return await Course.find_head(course_id), await Enrollment.find_one_by_id(enrollment_id_of(user_id, course_id))
