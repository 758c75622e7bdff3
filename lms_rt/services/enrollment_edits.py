"""The one way to write an enrolment: decide, one compare-and-set with its events and effects, hand over.

What follows from coming into a course, leaving it or rating it is added here, whoever caused it: the course's counters move,
and who left loses the course's live channels and hands in what is open. Whose enrolment it is has been decided before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from documents.base import with_intents
from documents.course import Course, CourseHead
from documents.enrollment import BOUGHT, PRESENT, Enrollment
from documents.enums import EnrollmentStatus
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock, to_ms
from lms_rt.contracts.channels import course_staff_channel, user_channel
from lms_rt.contracts.controls import ACCESS_CHANGED, access_changed
from lms_rt.contracts.outbox import Deed, Intent, Write, effect, event, job
from lms_rt.services.contended import until_written
from lms_rt.services.enrollment_views import progress_data
from lms_rt.services.payments.payment_effects import ACCESS_TASK
from lms_rt.services.relay import EffectHandler, Relay

COUNT_EFFECT = "course.enrollment_counted"
ACCESS_LOST_EFFECT = "enrollment.access_lost"
LEFT_EFFECT = "enrollment.left"
"""Carried out by `attempt_closing.py`: what was begun is handed in."""
RATED_EFFECT = "course.rated"
"""Carried out by `ratings.py`."""
PAYMENT_USED_EFFECT = "payment.used"
"""Carried out by `payments/access.py`."""
_LIVED_BY = ("access", "payment_id", "subscription_id")


@dataclass(frozen=True, slots=True)
class Left:
    """Who left which course, and when; `is_put_out`: it was not they who said so."""

    student_id: str
    course_id: str
    at_ms: int
    is_put_out: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One event that a write brings: its live name (or its type alone, without channels), and its data."""

    name: str
    channels: Sequence[str]
    data: dict[str, Any]
    record: str | None = None


Decide = Callable[[Enrollment], Awaitable[Sequence[Told] | None]]
"""Given an enrolment to change in place; None says that this is no edit: nothing, or counters alone."""


def came_in(enrollment: Enrollment, student_name: str) -> Told:
    """Somebody is in the course now, for the first time or again."""
    data = {
        "course_id": enrollment.course_id,
        "enrollment_id": enrollment.id,
        "student_id": enrollment.student_id,
        "student_name": student_name,
    }
    return Told("new_enrollment", (course_staff_channel(enrollment.course_id),), data, "enrollment.created")


def kept(record: str, enrollment: Enrollment) -> Told:
    """An event without a live name: it is only kept."""
    data = {
        "enrollment_id": enrollment.id,
        "student_id": enrollment.student_id,
        "course_id": enrollment.course_id,
        "status": enrollment.status,
    }
    return Told(record, (), data, record)


def moved(
    enrollment: Enrollment, course: CourseHead | None, lesson_id: str | None = None, *, unlocked: Sequence[str] = ()
) -> Told:
    """`progress_updated`; `unlocked` are the lessons that were opened by it."""
    data = {**progress_data(enrollment, course, lesson_id), "unlocked_lesson_ids": list(unlocked)}
    return Told("progress_updated", (user_channel(enrollment.student_id),), data)


class EnrollmentEdits:
    """Writes of enrolments."""

    def __init__(self, *, clock: Clock, relay: Relay, bus: Bus) -> None:
        self._clock, self._relay, self._bus = clock, relay, bus

    def effects(self) -> dict[str, EffectHandler]:
        """The handlers of the effects that these writes leave, for the relay."""
        return {COUNT_EFFECT: self._count, ACCESS_LOST_EFFECT: self._tell_access_lost}

    async def insert(self, enrollment: Enrollment, told: Sequence[Told], deed: Deed) -> bool:
        """Store a new enrolment with what follows from it; False when there is one."""
        record = deed.intents(Write(1, enrollment.updated_at), enrollment.id, after={"status": enrollment.status})
        enrollment.outbox = _intents(enrollment, told, was_present=False) + _of_payment(enrollment, {}) + record
        enrollment.outbox_at = enrollment.updated_at
        if not await enrollment.insert_new():
            return False
        await self._relay.hand_over(Enrollment, enrollment.id)
        return True

    async def apply(
        self, load: Callable[[], Awaitable[Enrollment]], decide: Decide, deed: Deed | None = None
    ) -> Enrollment:
        """Load (and authorise), decide, write; again while somebody else is first. The enrolment as it is afterwards."""

        async def step() -> Enrollment | None:
            enrollment = await self.current(await load())
            before = _stored(enrollment)
            told = await decide(enrollment)
            return await self._write(enrollment, before, told, deed)

        enrollment = await until_written(step)
        await self._relay.hand_over(Enrollment, enrollment.id)
        return enrollment

    async def current(self, enrollment: Enrollment) -> Enrollment:
        """The enrolment as it stands at this moment: one whose time is over expires now, whoever reads it first."""
        while enrollment.is_over(self._clock.now_ms()):
            before = _stored(enrollment)
            enrollment.status = EnrollmentStatus.EXPIRED.value
            course = await Course.find_head(enrollment.course_id)
            told = [kept("enrollment.expired", enrollment), moved(enrollment, course)]
            written = await self._write(enrollment, before, told)
            if written is not None:
                await self._relay.hand_over(Enrollment, enrollment.id)
                return written
            enrollment = await Enrollment.find_one_by_id(enrollment.id) or enrollment
        return enrollment

    async def _write(
        self, enrollment: Enrollment, before: dict[str, Any], told: Sequence[Told] | None, deed: Deed | None = None
    ) -> Enrollment | None:
        changed = {name: value for name, value in _stored(enrollment).items() if before.get(name) != value}
        if not changed:
            return enrollment
        now = self._clock.now()
        enrollment.updated_at = changed["updated_at"] = now
        intents: list[Intent] = []
        if told is not None:
            enrollment.version = changed["version"] = enrollment.version + 1
            intents = _intents(enrollment, told, was_present=before["status"] in PRESENT)
        intents += _of_rating(enrollment, before["rating"]) + _of_payment(enrollment, before)
        intents += _of_leaving(enrollment, before["status"])
        if deed is not None:
            was, status = {"status": before["status"]}, {"status": enrollment.status}
            intents += deed.intents(Write(enrollment.version, now), enrollment.id, before=was, after=status)
        update: dict[str, Any] = {"$set": {name: value for name, value in changed.items() if value is not None}}
        if gone := [name for name, value in changed.items() if value is None]:
            update["$unset"] = dict.fromkeys(gone, "")
        if not await Enrollment.write(enrollment.id, enrollment.revision, with_intents(update, intents, now)):
            return None
        enrollment.revision += 1
        return enrollment

    async def _count(self, intent_id: str, data: dict[str, Any]) -> None:
        await Course.count_enrollment(data["course_id"], intent_id, data["by"])

    async def _tell_access_lost(self, _: str, data: dict[str, Any]) -> None:
        await self._bus.fan_out.publish_control(ACCESS_CHANGED, access_changed(data["user_id"]))


def _stored(enrollment: Enrollment) -> dict[str, Any]:
    """The fields as they are set, a lesson's progress as one."""
    fields: dict[str, Any] = enrollment.model_dump(
        exclude={"id", "outbox", "outbox_at", "revision", "version", "updated_at", "created_at"}
    )
    progress = fields.pop("progress")
    return {**fields, **{f"progress.{lesson_id}": row for lesson_id, row in progress.items()}}


def _of_rating(enrollment: Enrollment, before: int | None) -> list[Intent]:
    """What the course counts when a rating comes, or moves from so many stars to others."""
    if enrollment.rating == before:
        return []
    moved = {str(stars): by for stars, by in ((before, -1), (enrollment.rating, 1)) if stars is not None}
    write = Write(enrollment.version, enrollment.updated_at)
    said = {"course_id": enrollment.course_id, "moved": moved, "at_ms": to_ms(enrollment.updated_at)}
    return [effect(write, RATED_EFFECT, said)]


def _of_leaving(enrollment: Enrollment, before: str) -> list[Intent]:
    """What is open in the course is closed for who left it; whose time or money ran out goes on to the end of what was begun."""
    if enrollment.status != EnrollmentStatus.DROPPED or before == enrollment.status:
        return []
    left = Left(enrollment.student_id, enrollment.course_id, to_ms(enrollment.updated_at), enrollment.is_put_out)
    return [effect(Write(enrollment.version, enrollment.updated_at), LEFT_EFFECT, asdict(left))]


def _of_payment(enrollment: Enrollment, before: Mapping[str, Any]) -> list[Intent]:
    """A payment that opens an enrolment says so from then on, and what was read of payments is read once more.

    It may be taken back, or come back, between that reading and this write. Who left stays away.
    """
    write, intents = Write(enrollment.version, enrollment.updated_at), list[Intent]()
    if enrollment.payment_id is not None and enrollment.payment_id != before.get("payment_id"):
        data = {"payment_id": enrollment.payment_id, "enrollment_id": enrollment.id}
        intents.append(effect(write, PAYMENT_USED_EFFECT, data))
    is_same = all(before.get(name) == getattr(enrollment, name) for name in _LIVED_BY)
    is_moved = not is_same or (before.get("status") in PRESENT) != (enrollment.status in PRESENT)
    if is_moved and enrollment.access in BOUGHT and enrollment.status != EnrollmentStatus.DROPPED:
        args = {"user_id": enrollment.student_id, "course_id": enrollment.course_id}
        intents.append(job(write, ACCESS_TASK, args))
    return intents


def _intents(enrollment: Enrollment, told: Sequence[Told], *, was_present: bool) -> list[Intent]:
    """The events in their order, and what follows from coming or leaving."""
    write = Write(enrollment.version, enrollment.updated_at)
    intents = [
        event(write, one.name, n=n, channels=one.channels, data=one.data, record=one.record)
        for n, one in enumerate(told)
    ]
    if any(one.record == "enrollment.completed" for one in told):
        intents.append(job(write, "certificates.generate", {"enrollment_id": enrollment.id}))
    is_present = enrollment.status in PRESENT
    if is_present != was_present:
        counted = {"course_id": enrollment.course_id, "by": 1 if is_present else -1}
        intents.append(effect(write, COUNT_EFFECT, counted))
    if was_present and not is_present:
        lost = {"user_id": enrollment.student_id, "course_id": enrollment.course_id}
        intents.append(effect(write, ACCESS_LOST_EFFECT, lost))
    return intents
