"""The end of an account: asked for, taken back within the time of grace, and carried out, step by step.

What is done in which collection is `erasure_map.py`'s. Every step may be run again, so that a worker that dies in the midst
is followed by one that begins anew. Between the closing of the account and the first step lies a moment in which requests
that were let in before come to their end.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.settings import Settings
from documents import erasing
from documents.announcement import Announcement
from documents.attempt import Attempt
from documents.base import Aggregate, Row
from documents.certificate import Certificate
from documents.chat_member import ChatMember
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import AttemptStatus, EnrollmentStatus, Role, SubmittedBy
from documents.export import Export
from documents.message import Message
from documents.notification import Notification
from documents.notification_preferences import NotificationPreferences
from documents.order import Order
from documents.payment import Payment
from documents.plan_subscription import PlanSubscription
from documents.submission import Submission
from documents.user import User
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.mails import ErasureScheduled
from lms_rt.contracts.outbox import Deed, Intent, Write, effect, event, job
from lms_rt.contracts.privacy import LeaveDraft, LeavingView
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.access.users import require_governed
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.admin_users import CLOSED
from lms_rt.services.attempt_grading import AttemptGrading
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.erasure_map import steps_of
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.jobs import NotYet
from lms_rt.services.relay import Relay
from lms_rt.services.sessions import Sessions
from lms_rt.services.sign_ins import SignIns
from lms_rt.services.traces import Traces
from lms_rt.services.withholding import WITHHELD, Leaving, erased_address
from lms_rt.storage.files.base import FileStore

TASK = "erasure.run"
SETTLE = timedelta(seconds=10)
"""So long after an account was closed somebody may still write in its name: nodes know of people for five seconds."""
AGAIN = timedelta(seconds=5)
DRAININGS = 3
"""What follows from a write may write itself."""
KEEP_PAGE = "/me/keep"
_KNOWN_BY = ("full_name", "email", "email_key")
"""What somebody is looked for by, beside their id. It stays with the account until they are found nowhere."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """Whom an erasure calls upon."""

    sign_ins: SignIns
    sessions: Sessions
    enrollments: Enrollments
    grading: AttemptGrading
    files: FileStore
    traces: Traces


class Erasure:
    """Ends accounts."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay, means: Means) -> None:
        self._grace = max(timedelta(days=settings.erasure_grace_days), SETTLE)
        self._clock, self._relay, self._sign_ins, self._sessions = clock, relay, means.sign_ins, means.sessions
        self._enrollments, self._grading = means.enrollments, means.grading
        self._files, self._traces = means.files, means.traces

    # --- asking for it, and taking it back ---

    async def leave(self, actor: Actor, draft: LeaveDraft, device: Device = UNKNOWN_DEVICE) -> LeavingView:
        """Close one's own account, to be erased when the time of grace is over."""
        user = await _require(actor.user_id)
        await self._sign_ins.require_password(user, draft.password, device)
        await _refuse_needed(user)
        if course_ids := await Course.ids_of_instructor(user.id):
            raise Refused(Code.CONFLICT, "Courses of yours are still there.", course_ids=course_ids[:100])
        return LeavingView(erase_at=await self._close(actor, user.id, self._grace, is_told=True))

    async def keep(self, actor: Actor) -> None:
        """Take it back; an account that stays anyway is none the worse for it."""
        await self._let_stay(actor, actor.user_id)

    async def _let_stay(self, actor: Actor, user_id: str) -> None:
        """Take the end of an account back: its owner may, or who has just asked for it."""

        async def step() -> bool | None:
            user = await _require(user_id)
            if user.is_active:
                return True
            at = self._clock.now()
            write = Write(user.version + 1, at)
            told = {"user_id": user.id, "changed": ["is_active"]}
            intents = [event(write, "user_updated", n=0, channels=[], data=told, record="user.updated")]
            may_still = user.erase_at is not None and user.erasing_at is None
            if not (user.is_leaving if actor.user_id == user_id else may_still):
                raise Refused(Code.NOT_FOUND)
            was, stays = {"is_active": False}, {"is_active": True}
            intents += Deed(actor, "user.change").intents(write, user.id, before=was, after=stays)
            return await erasing.keep_account(user.id, user.version, intents, at) or None

        await until_written(step)
        await self._sessions.forget(user_id)
        await self._relay.hand_over(User, user_id)

    async def find_end(self, actor: Actor) -> LeavingView | None:
        """When the actor's closed account is erased; None: it stays."""
        user = await User.find_by_id(actor.user_id)
        return LeavingView(erase_at=user.erase_at) if user is not None and user.is_leaving and user.erase_at else None

    async def erase(self, actor: Actor, user_id: str, *, expected_version: int | None = None) -> None:
        """Close another's account and erase it at once. Who is erased already is."""
        await _refuse_needed(await _require(user_id))
        await self._close(actor, user_id, SETTLE, is_told=False, expected_version=expected_version)

    async def _close(
        self, actor: Actor, user_id: str, after: timedelta, *, is_told: bool, expected_version: int | None = None
    ) -> Any:
        is_own = actor.user_id == user_id

        async def step() -> tuple[Role, Any] | None:
            user, at = await _require(user_id) if is_own else await require_governed(actor, user_id), self._clock.now()
            refuse_other_version(user.version, expected_version)
            if is_own and not user.is_active:  # closed while the password was looked at
                if not user.is_leaving:
                    raise Refused(Code.CONFLICT, "This account is closed.")
                return user.role, user.erase_at
            erase_at = at + after
            fields: Row = {"is_active": False, "erase_at": erase_at}
            if not is_own:
                fields["erase_by"] = actor.user_id
            write = Write(user.version + 1, at)
            intents = _closing(write, actor, user, erase_at)
            if is_told:
                mail = ErasureScheduled(erase_at=erase_at, link=KEEP_PAGE).model_dump(mode="json")
                args = {"template": "erasure_scheduled", "user_id": user_id, "data": mail}
                intents.append(job(write, "mail.send", args))
            is_written = await User.change(user_id, fields, at, expected_version=user.version, intents=intents)
            return (user.role, erase_at) if is_written else None

        role, erase_at = await until_written(step)
        if role == Role.ADMIN and not await erasing.count_admins(except_id=user_id):
            await self._let_stay(actor, user_id)  # another administrator was lost at the same moment
            raise _needed()
        await self._sessions.end_all(user_id, reason="account_closed")
        await self._relay.hand_over(User, user_id)
        return erase_at

    # --- carrying it out ---

    async def run(self, user_id: str, *, job_id: str) -> None:
        """Erase whoever is due; whoever was kept meanwhile is left alone. Raises `NotYet` while something is on its way."""
        row = await erasing.find_account(user_id)
        if row is None or "erased_at" in row or not await erasing.begin_erasing(user_id, self._clock.now()):
            return
        _log.info("the erasure of %s begins", user_id)
        await self._sessions.end_all(user_id, reason="account_closed")
        await self._come_to_an_end(user_id, Role(row["role"]))
        await self._drain(user_id)
        ground = await self._ground(row, job_id)
        channels = await self._traces.channels_of(ground.leaving)
        await self._go_through(ground)
        await self._bury(user_id)
        await self._go_through_again(ground)
        await self._traces.forget(channels)
        await self._sessions.forget(user_id)
        await erasing.forget_name(user_id)
        await self._traces.settle()
        await erasing.note_erased(user_id, self._clock.now())
        _log.info("%s is erased", user_id)

    async def _come_to_an_end(self, user_id: str, role: Role) -> None:
        """Close open attempts and leave courses, as their owner would have: counters and graders hear of it."""
        now = self._clock.now()
        ways = {"status": AttemptStatus.ABANDONED.value, "by": SubmittedBy.DEADLINE.value}
        while closed := await erasing.close_attempts(user_id, now, self._clock.now_ms(), **ways):
            for attempt_id in closed:
                await self._grading.grade(attempt_id)
        actor = Actor(user_id, role, frozenset())
        active = {"student_id": user_id, "status": EnrollmentStatus.ACTIVE.value}
        async for page in erasing.walk(Enrollment, active, ("_id",)):
            for row in page:
                await self._enrollments.drop(actor, row["_id"])

    async def _drain(self, user_id: str) -> None:
        """What is still to be told is told as it was, before it is taken out."""
        for _ in range(DRAININGS):
            if not await erasing.has_pending(user_id, _own(user_id)):
                return
            await self._relay.sweep(minimum_age_ms=0)
        raise NotYet(self._clock.now() + AGAIN, "for what is still to be told")

    async def _ground(self, row: Row, job_id: str) -> Ground:
        own_ids: set[str] = set()
        async for page in erasing.walk(Announcement, {"author_id": row["_id"]}, ("_id",)):
            own_ids.update(found["_id"] for found in page)
        known = row.get("leaving", row)  # who was buried by one before us is looked for as they were
        leaving = Leaving(row["_id"], known["full_name"], known["email"], known["email_key"], frozenset(own_ids))
        return Ground(self._files, self._clock, leaving, job_id, heir_id=row.get("erase_by", ""))

    @staticmethod
    async def _go_through(ground: Ground) -> None:
        for step in steps_of():
            await step(ground)

    async def _go_through_again(self, ground: Ground) -> None:
        """For who was let in before the account was closed, and wrote late. What has something to tell is not removed."""
        user_id = ground.leaving.user_id
        for _ in range(DRAININGS):
            await self._drain(user_id)
            await self._go_through(ground)
            if not await erasing.has_pending(user_id, _own(user_id)):
                return
        raise NotYet(self._clock.now() + AGAIN, "for what was written late")

    async def _bury(self, user_id: str) -> None:
        """Leave of the account what others' ids lead to."""

        async def step() -> bool | None:
            row, at = await erasing.find_account(user_id) or {}, self._clock.now()
            address = erased_address(user_id)
            if row["email_key"] == address:  # by one before us, who did not come to the end
                return True
            kept = {name: row[name] for name in ("role", "erase_at", "erasing_at")} | {
                "is_active": False,
                "full_name": WITHHELD,
                "email": address,
                "email_key": address,
                "password_hash": "",
                "sessions_valid_after_ms": self._clock.now_ms(),
                "leaving": {name: row[name] for name in _KNOWN_BY},
            }
            write = Write(row["version"] + 1, at)
            told = {"user_id": user_id, "reason": "erased"}
            intents = [event(write, "user_deactivated", n=0, channels=[], data=told, record="user.deactivated")]
            return await erasing.bury_account(user_id, row, kept, intents, at=at) or None

        await until_written(step)


def _closing(write: Write, actor: Actor, user: User, erase_at: Any) -> list[Intent]:
    """What follows the closing of an account."""
    told = {"user_id": user.id, "reason": "deleted"}
    intents = [event(write, "user_deactivated", n=0, channels=[], data=told, record="user.deactivated")]
    once = derived_id("job", TASK, user.id, str(write.version))
    intents.append(job(write, TASK, {"user_id": user.id}, due_at=erase_at, job_id=once))
    intents.append(effect(write, CLOSED, {"user_id": user.id}))
    deed = Deed(actor, "user.erase", is_of_all=actor.user_id != user.id)
    after = {"is_active": False, "erase_at": rfc3339(erase_at)}
    return intents + deed.intents(write, user.id, before={"is_active": user.is_active}, after=after)


def _own(user_id: str) -> dict[type[Aggregate], Row]:
    """The aggregates that are of a person."""
    mine: Row = {"user_id": user_id}
    return {
        Attempt: {"student_id": user_id},
        Enrollment: {"student_id": user_id},
        Certificate: {"student_id": user_id},
        Announcement: {"author_id": user_id},
        Message: {"sender_id": user_id},
        ChatMember: mine,
        Submission: {"student_id": user_id},
        Notification: mine,
        NotificationPreferences: {"_id": user_id},
        Export: mine,
        Order: mine,
        Payment: mine,
        PlanSubscription: mine,
    }


async def _require(user_id: str) -> User:
    user = await User.find_by_id(user_id)
    if user is None or user.erased_at is not None:
        raise Refused(Code.NOT_FOUND)
    return user


async def _refuse_needed(user: User) -> None:
    """The last administrator stays."""
    if user.role == Role.ADMIN and not await erasing.count_admins(except_id=user.id):
        raise _needed()


def _needed() -> Refused:
    return Refused(Code.CONFLICT, "The school needs an administrator.")
