"""Enrolments: coming into a course, leaving it, coming back, and the time after which one is out. Learning is `progress.py`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import BOUGHT, PRESENT, Enrollment, enrollment_id_of
from documents.enums import CourseAccess, EnrollmentStatus
from documents.names import names_of
from documents.user import User
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of, refuse_changed_read_only
from lms_rt.contracts.enrollments import (
    EnrollmentChange,
    EnrollmentDraft,
    EnrollmentQuery,
    EnrollmentView,
    RosterQuery,
    RosterView,
)
from lms_rt.contracts.outbox import Deed
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.courses import (
    may_teach,
    require_course,
    require_enrollment,
    require_taught_course,
    teaches,
)
from lms_rt.security.permissions import Permission
from lms_rt.services import figures
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.course_search import sorting
from lms_rt.services.enrollment_edits import LEFT_EFFECT, EnrollmentEdits, Left, Told, came_in, kept, moved
from lms_rt.services.enrollment_views import enrollment_view, roster_view
from lms_rt.services.payments.access import live_by
from lms_rt.services.payments.entitlements import AccessRules, Entitlement, Entitlements
from lms_rt.services.relay import EffectHandler, Relay
from lms_rt.services.rosters import roster_filter
from lms_rt.services.study import stand_again

HandIn = Callable[[Left], Awaitable[None]]
"""Closes what somebody has begun in a course, however often it is asked."""

SWEEP_PAGE = 100
SWEEP_SECONDS = 60.0
_log = logging.getLogger(__name__)
_ASKED = "asked"
"""The seed of a request that has none."""
_ACTIVE, _DROPPED = EnrollmentStatus.ACTIVE.value, EnrollmentStatus.DROPPED.value


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An enrolment, and whether it is new or one that came back."""

    view: EnrollmentView
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Wish:
    """Who is to come into which course, whether its staff says so, and by which payment, if one is named."""

    course: CourseHead
    student_id: str
    student_name: str
    is_by_staff: bool
    payment_id: str | None = None
    request_seed: str | None = None


class Enrollments:
    """What can be done with enrolments."""

    def __init__(self, *, clock: Clock, relay: Relay, bus: Bus, rules: AccessRules | None = None) -> None:
        self._clock = clock
        self._entitlements = Entitlements(clock=clock, rules=rules or AccessRules())
        self._edits = EnrollmentEdits(clock=clock, relay=relay, bus=bus)
        self._hand_in: HandIn = _nothing

    def hand_in_by(self, hand_in: HandIn) -> None:
        """Let this hand in what somebody has begun in a course that they left."""
        self._hand_in = hand_in

    def effects(self) -> dict[str, EffectHandler]:
        """The handlers of the effects that enrolments leave, for the relay."""
        return {**self._edits.effects(), LEFT_EFFECT: self._see_off}

    async def enroll(self, actor: Actor, draft: EnrollmentDraft, *, request_seed: str | None = None) -> Enrolled:
        """Come into a course, or back into it with the progress of before. Its staff may bring in others, unpaid.

        A request that comes again with its seed, because a crash ate the reply, meets its own work. Who paid may be in it
        already, by the payment itself: the first request after that is answered as the one that enrolled.
        """
        course = await require_course(actor, draft.course_id)
        wish = await _wish(actor, course, draft.student_id)
        wish = replace(wish, request_seed=request_seed, payment_id=draft.payment_id)

        async def step() -> Enrolled | None:
            present = await Enrollment.find_of(wish.student_id, course.id)
            if present is None:
                return await self._begin(actor, wish)
            present = await self._edits.current(present)
            if present.status in PRESENT:
                return await self._present(present, wish)
            return Enrolled(await self._come_back(actor, present.id, wish, None), is_new=False)

        return await until_written(step)

    async def list(self, actor: Actor, query: EnrollmentQuery) -> Page[EnrollmentView]:
        """The actor's own enrolments; staff may ask for those of a course or a student of theirs."""
        if query.course_id is not None and (course := await Course.find_head(query.course_id)) is not None:
            query = query.model_copy(update={"course_id": course.id})
        filter_ = await _list_filter(actor, query)
        found, total = await Enrollment.page(filter_, sorting(query.sort), skip=query.skip, limit=query.page_size)
        present = [await self._edits.current(one) for one in found]
        courses = await Course.heads(one.course_id for one in present)
        return page_of([enrollment_view(one, courses.get(one.course_id)) for one in present], query, total)

    async def show(self, actor: Actor, enrollment_id: str) -> EnrollmentView:
        """One enrolment, of the actor's own or in their course."""
        enrollment = await self._edits.current(await require_enrollment(actor, enrollment_id))
        return enrollment_view(enrollment, await Course.find_head(enrollment.course_id))

    async def change(
        self, actor: Actor, enrollment_id: str, change: EnrollmentChange, *, expected_version: int | None = None
    ) -> EnrollmentView:
        """Leave the course (`dropped`) or come back (`active`); nothing else can be chosen."""
        enrollment = await self._edits.current(await require_enrollment(actor, enrollment_id))
        refuse_other_version(enrollment.version, expected_version)
        course = await Course.find_head(enrollment.course_id)
        refuse_changed_read_only(change, view := enrollment_view(enrollment, course))
        wanted = change.given().get("status", enrollment.status)
        if wanted == enrollment.status:
            return view
        if wanted == _DROPPED:
            return await self.drop(actor, enrollment_id, expected_version=expected_version)
        if wanted == _ACTIVE and enrollment.status not in PRESENT:
            course = await require_course(actor, enrollment.course_id)
            wish = await _wish(actor, course, enrollment.student_id)
            return await self._come_back(actor, enrollment.id, wish, expected_version)
        raise invalid("status", f"An enrolment that is {enrollment.status} cannot be made {wanted}.")

    async def drop(self, actor: Actor, enrollment_id: str, *, expected_version: int | None = None) -> EnrollmentView:
        """Leave the course. Progress is kept; again changes nothing."""
        head: list[CourseHead | None] = []

        async def load() -> Enrollment:
            return await require_enrollment(actor, enrollment_id)

        async def decide(enrollment: Enrollment) -> Sequence[Told] | None:
            refuse_other_version(enrollment.version, expected_version)
            head[:] = [await Course.find_head(enrollment.course_id)]
            enrollment.is_put_out = enrollment.is_put_out or actor.user_id != enrollment.student_id
            if enrollment.status == _DROPPED:
                return None
            enrollment.status = _DROPPED
            return [kept("enrollment.dropped", enrollment), moved(enrollment, head[0])]

        enrollment = await self._edits.apply(load, decide, _deed(actor, "enrollment.drop", enrollment_id))
        return enrollment_view(enrollment, head[0])

    async def list_students(self, actor: Actor, course_id: str, query: RosterQuery) -> Page[RosterView]:
        """The roster of a course of the actor's own, with progress."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        filter_ = await roster_filter(course, query)
        found, total = await Enrollment.page(filter_, sorting(query.sort), skip=query.skip, limit=query.page_size)
        present = [await self._edits.current(one) for one in found]
        people = await names_of(one.student_id for one in present)
        return page_of([roster_view(one, course, people.get(one.student_id, {})) for one in present], query, total)

    async def expire_due(self) -> int:
        """Let those expire whose time is over; how many were looked at. For a sweeper: reading one does the same."""
        seen = 0
        while overdue := await Enrollment.find_overdue(self._clock.now_ms(), SWEEP_PAGE):
            for enrollment in overdue:
                await self._edits.current(enrollment)
            seen += len(overdue)
        return seen

    async def run(self) -> None:
        """Let them expire in time, until cancelled."""
        while True:
            try:
                await self.expire_due()
            except Exception:  # noqa: BLE001 - the database is away: the next sweep finds the same ones
                _log.exception("the sweep of expiring enrolments failed")
            await self._clock.sleep(SWEEP_SECONDS)

    async def _see_off(self, _: str, data: dict[str, Any]) -> None:
        await self._hand_in(Left(**data))

    async def _present(self, enrollment: Enrollment, wish: _Wish) -> Enrolled | None:
        """Who is in the course is refused, but for a request that comes again, or asks for what its payment did already."""
        view = enrollment_view(enrollment, wish.course)
        if wish.request_seed is not None and enrollment.request_seed == wish.request_seed:
            return Enrolled(view, is_new=enrollment.version == 1)
        is_bought = enrollment.access == CourseAccess.PAYMENT and enrollment.student_id == wish.student_id
        if is_bought and wish.payment_id in (None, enrollment.payment_id) and enrollment.request_seed is None:
            seed = {"$set": {"request_seed": wish.request_seed or _ASKED}}
            return Enrolled(view, is_new=True) if await Enrollment.write(view.id, enrollment.revision, seed) else None
        if is_bought and wish.payment_id is not None and wish.payment_id == enrollment.payment_id:
            return Enrolled(view, is_new=False)
        raise Refused(Code.ALREADY_ENROLLED, enrollment_id=enrollment.id)

    async def _begin(self, actor: Actor, wish: _Wish) -> Enrolled | None:
        now = self._clock.now()
        enrollment = Enrollment(
            id=enrollment_id_of(wish.student_id, wish.course.id),
            student_id=wish.student_id,
            course_id=wish.course.id,
            enrolled_at=now,
            request_seed=wish.request_seed,
            created_at=now,
            updated_at=now,
        )
        await self._let_in(enrollment, wish, None)
        deed = _deed(actor, "enrollment.create", enrollment.id)
        if not await self._edits.insert(enrollment, [came_in(enrollment, wish.student_name)], deed):
            return None
        figures.ENROLLMENTS.inc()
        return Enrolled(enrollment_view(enrollment, wish.course), is_new=True)

    async def _come_back(
        self, actor: Actor, enrollment_id: str, wish: _Wish, expected_version: int | None
    ) -> EnrollmentView:
        async def load() -> Enrollment:
            return await require_enrollment(actor, enrollment_id)

        async def decide(enrollment: Enrollment) -> Sequence[Told] | None:
            refuse_other_version(enrollment.version, expected_version)
            if enrollment.status in PRESENT:
                raise Refused(Code.ALREADY_ENROLLED, enrollment_id=enrollment.id)
            has_time = enrollment.status == _DROPPED and not self._is_past(enrollment.expires_ms)
            if not has_time or enrollment.access in BOUGHT or _has_to_pay(enrollment, wish):
                # whoever left keeps what was paid for, as long as it is; whoever's time ran out begins a new one
                await self._let_in(enrollment, wish, enrollment)
            is_completed = await stand_again(enrollment, wish.course, self._clock.now())
            enrollment.is_put_out, enrollment.request_seed = False, wish.request_seed
            told = [came_in(enrollment, wish.student_name), moved(enrollment, wish.course)]
            return [*told, kept("enrollment.completed", enrollment)] if is_completed else told

        deed = _deed(actor, "enrollment.return", enrollment_id)
        return enrollment_view(await self._edits.apply(load, decide, deed), wish.course)

    async def _let_in(self, enrollment: Enrollment, wish: _Wish, before: Enrollment | None) -> None:
        """Let it live by the word of staff, by what was paid, or by nothing where nothing is to be paid. Refuses the unpaid."""
        paid = None if wish.is_by_staff else await self._paid(wish, before)
        if paid is not None:
            live_by(enrollment, paid)
            return
        enrollment.access = (CourseAccess.STAFF if wish.is_by_staff else CourseAccess.FREE).value
        enrollment.payment_id = enrollment.subscription_id = None
        enrollment.expires_ms = self._expiry_ms(wish.course)

    async def _paid(self, wish: _Wish, before: Enrollment | None) -> Entitlement | None:
        """What was paid for it; None: nothing is to be paid."""
        course = wish.course
        if course.price == 0 and wish.payment_id is None:
            return None
        paid = await self._entitlements.of(wish.student_id, course, before, wish.payment_id)
        if paid is None and course.price > 0:
            raise Refused(Code.PAYMENT_REQUIRED, course_id=course.id, price=course.price, currency=course.currency)
        return paid

    def _expiry_ms(self, course: CourseHead) -> int | None:
        if course.access_days is None:
            return None
        return to_ms(self._clock.now() + timedelta(days=course.access_days))

    def _is_past(self, moment_ms: int | None) -> bool:
        return moment_ms is not None and moment_ms <= self._clock.now_ms()


async def _nothing(_: Left) -> None:
    """Nobody sits anything here."""


def _has_to_pay(enrollment: Enrollment, wish: _Wish) -> bool:
    """Whoever was put out comes back by themselves like anybody new; who left by themselves, as they were."""
    return enrollment.is_put_out and not wish.is_by_staff and wish.course.price > 0


def _deed(actor: Actor, action: str, enrollment_id: str) -> Deed:
    """What staff does with the enrolment of somebody else is recorded, too, whoever they are."""
    is_of_another = not enrollment_id.startswith(f"{actor.user_id}:")
    return Deed(actor, action, enrollment_id, is_of_all=is_of_another)


async def _wish(actor: Actor, course: CourseHead, student_id: str | None) -> _Wish:
    """Who is to come in; naming somebody else is for who sees to the course's enrolments."""
    if actor.is_stranger:
        raise Refused(Code.UNAUTHENTICATED)
    is_by_staff = teaches(actor, course, Permission.ENROLLMENTS_MANAGE)
    if student_id in (None, actor.user_id):
        return _Wish(course, actor.user_id, actor.full_name, is_by_staff)
    if not is_by_staff:
        raise Refused(Code.FORBIDDEN, "Only the course's staff enrols others.")
    student = await User.find_by_id(student_id)
    if student is None or not student.is_active:
        raise invalid("student_id", "There is no active account with this id.", "unknown")
    return _Wish(course, student.id, student.full_name, is_by_staff)


async def _list_filter(actor: Actor, query: EnrollmentQuery) -> Row:
    asked = {"course_id": query.course_id, "student_id": query.student_id, "status": query.status}
    wanted: Row = {name: value for name, value in asked.items() if value is not None}
    is_about_others = query.course_id is not None or query.student_id not in (None, actor.user_id)
    if not is_about_others or not may_teach(actor, Permission.ENROLLMENTS_MANAGE):
        return {"$and": [wanted, {"student_id": actor.user_id}]}
    if actor.is_admin:
        return wanted
    taught = await Course.ids_of_instructor(actor.user_id)
    return {"$and": [wanted, {"$or": [{"student_id": actor.user_id}, {"course_id": {"$in": taught}}]}]}
