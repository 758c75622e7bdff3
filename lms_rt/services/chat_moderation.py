"""Who may not write in the chat of a course for a while: said by who sees to its students, with a reason, and recorded."""

from __future__ import annotations

from typing import Any

from documents.base import Row
from documents.chat_member import ChatMember, member_id_of
from documents.enrollment import Enrollment
from documents.names import names_of
from lms_rt.clock import Clock, from_ms, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, PageQuery, page_of
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.chat import MuteDraft, MuteView
from lms_rt.contracts.outbox import Write, audit, event
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.permissions import Permission
from lms_rt.services.chat_places import is_muted
from lms_rt.services.contended import until_written
from lms_rt.services.relay import Relay

_MINUTE_MS = 60_000


class ChatModeration:
    """Keeps chats fit to be read."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def list(self, actor: Actor, course_id: str, query: PageQuery) -> Page[MuteView]:
        """Who may not write now in a course of the actor's own."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        now_ms, limit = self._clock.now_ms(), query.page_size
        rows, total = await ChatMember.page_of_muted(course.id, now_ms, skip=query.skip, limit=limit)
        people = await names_of(row["user_id"] for row in rows)
        return page_of([_view(row, people.get(row["user_id"], {})) for row in rows], query, total)

    async def mute(self, actor: Actor, course_id: str, draft: MuteDraft) -> tuple[MuteView, bool]:
        """Let a student of the actor's own course only read for so many minutes from now, and whether they might write until now.

        Said again, that holds.
        """
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        student_id = draft.student_id
        if student_id == course.instructor_id or await Enrollment.find_of(student_id, course.id) is None:
            raise invalid("student_id", "The course has no such student.", "unknown")
        await ChatMember.ensure(student_id, course.id, self._clock.now())

        async def step() -> tuple[Row, bool] | None:
            before, now_ms = await ChatMember.find_row(student_id, course.id), self._clock.now_ms()
            until_ms = now_ms + draft.minutes * _MINUTE_MS
            fields = {"muted_until_ms": until_ms, "mute_reason": draft.reason, "muted_by": actor.user_id}
            after = await self._write(actor, before, fields)
            return None if before is None or after is None else (after, not is_muted(before, now_ms))

        row, is_new = await until_written(step)
        await self._relay.hand_over(ChatMember, row["_id"])
        return _view(row, (await names_of([student_id])).get(student_id, {})), is_new

    async def unmute(self, actor: Actor, course_id: str, student_id: str) -> None:
        """Let them write again; who may do so anyway is not there."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)

        async def step() -> Row | None:
            row = await ChatMember.find_row(student_id, course.id)
            if row is None or not is_muted(row, self._clock.now_ms()):
                raise Refused(Code.NOT_FOUND)
            return await self._write(actor, row, {})

        row = await until_written(step)
        await self._relay.hand_over(ChatMember, row["_id"])

    async def _write(self, actor: Actor, row: Row | None, fields: dict[str, Any]) -> Row | None:
        """One change: the student is told live, and the audit log has it. No fields: they may write again."""
        if row is None:
            raise Refused(Code.NOT_FOUND)
        user_id, course_id, now = row["user_id"], row["course_id"], self._clock.now()
        write, until_ms = Write(row["version"] + 1, now), fields.get("muted_until_ms")
        until, reason = None if until_ms is None else rfc3339(from_ms(until_ms)), fields.get("mute_reason")
        told = {"member_id": row["_id"], "course_id": course_id, "muted_until": until, "reason": reason}
        was = row.get("muted_until_ms")
        intents = [
            event(write, "chat_muted", n=0, channels=[user_channel(user_id)], data=told),
            audit(
                write,
                actor,
                "enrollment.mute" if fields else "enrollment.unmute",
                kind="enrollment",
                target_id=member_id_of(user_id, course_id),
                before={"muted_until": None if was is None else rfc3339(from_ms(was))},
                after={"muted_until": until},
                reason=reason or "",
            ),
        ]
        gone = dict.fromkeys(("muted_until_ms", "mute_reason", "muted_by"), "")
        update: dict[str, Any] = {"$set": fields} if fields else {"$unset": gone}
        is_written = await ChatMember.change(row["_id"], row["version"], update, intents=intents, at=now)
        return row | fields | {"version": write.version} if is_written else None


def _view(row: Row, person: Row) -> MuteView:
    return MuteView(
        student_id=row["user_id"],
        full_name=person.get("full_name"),
        muted_until=from_ms(row["muted_until_ms"]),
        reason=row.get("mute_reason"),
        muted_by=row.get("muted_by"),
    )
