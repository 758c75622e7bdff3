"""The chat of a course: saying something, saying it otherwise, taking it back, reading, and being seen to write.

A message is one row with its own outbox, its place in the chat is its number (`chat_log.py`). One's own can be changed for a
quarter of an hour, and then stays as it was said; who sees to the course's students may take any away, for ever, and that is recorded.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, NamedTuple

from config.settings import Settings
from documents.base import Row
from documents.chat_member import ChatMember
from documents.course import Course
from documents.message import Message
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import CursorQuery, refuse_changed_read_only
from lms_rt.contracts.channels import course_chat_channel, user_channel
from lms_rt.contracts.chat import ChatMessageView, MessageChange, MessageDraft, MessagePage, ReadView
from lms_rt.contracts.dashboards import AsOf
from lms_rt.contracts.outbox import Intent, Write, audit, audited
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import derived_id, new_id
from lms_rt.security.access.courses import NOBODYS
from lms_rt.services.chat_log import ChatLog
from lms_rt.services.chat_places import (
    ChatPlace,
    called_among,
    find_member,
    is_muted,
    may_moderate,
    refuse_muted,
    require_chat,
    require_present,
)
from lms_rt.services.chat_views import deleted_intents, edited_intents, message_view
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.relay import Relay
from lms_rt.services.telling import Telling

EDIT_TIME = timedelta(minutes=15)
MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 0.5, 10
"""How fast one person may write in one chat: so many at once, then one in two seconds."""
TYPING_SECONDS = 3.0
TYPING_SHOWN_MS = 5_000
"""Somebody who says nothing more for so long is not writing any more."""
MOST_UNREAD = 100


class Sent(NamedTuple):
    """What was said, and whether it was said by this."""

    view: ChatMessageView
    is_new: bool


class Chat:
    """What can be done in chats."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay, bus: Bus) -> None:
        self._settings, self._clock, self._relay, self._bus = settings, clock, relay, bus
        self._log, self._telling = ChatLog(), Telling(bus)

    # --- saying ---

    async def send(self, actor: Actor, course_id: str, draft: MessageDraft, *, request_seed: str | None = None) -> Sent:
        """Say something. The same `op_id` (or request) again is the same message."""
        place = await require_chat(actor, course_id, now_ms=self._clock.now_ms())
        seed = request_seed if draft.op_id is None else f"{place.course.id}:{actor.user_id}:{draft.op_id}"
        message_id = new_id("msg") if seed is None else derived_id("msg", seed)
        row = await Message.find_row(message_id)
        is_new = row is None
        if row is None:
            await refuse_muted(actor, place, now_ms=self._clock.now_ms())
            await self._pace(actor, place)
            await self._log.keep(await self._row(actor, place, draft, message_id))
            row = await Message.find_row(message_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        if row.get("op_digest", digest := _digest(draft.text)) != digest:
            raise Refused(Code.OP_ID_REUSED)
        await self._relay.hand_over(Message, message_id)
        return Sent(message_view(row), is_new)

    async def edit(
        self,
        actor: Actor,
        message_id: str,
        change: MessageChange,
        *,
        course_id: str | None = None,
        expected_version: int | None = None,
    ) -> ChatMessageView:
        """Say one's own in other words, for a quarter of an hour. What everybody has read is marked as changed."""

        async def step() -> Row | None:
            row = await _find_message(message_id, course_id)
            if row is None or row["sender_id"] != actor.user_id:
                raise Refused(Code.NOT_FOUND)
            place = await require_present(actor, row["course_id"], now_ms=self._clock.now_ms())
            refuse_other_version(row["version"], expected_version)
            refuse_changed_read_only(change, message_view(row))
            fields = await self._changed(actor, place, row, change)
            if not fields:
                return row
            self._refuse_late(row)
            await refuse_muted(actor, place, now_ms=self._clock.now_ms())
            await self._pace(actor, place)
            return await self._write_again(actor, row, fields)

        row = await until_written(step)
        await self._relay.hand_over(Message, message_id)
        return message_view(row)

    async def remove(
        self,
        actor: Actor,
        message_id: str,
        *,
        course_id: str | None = None,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> None:
        """Take one's own back, for a quarter of an hour; who sees to the course's students takes any away. Again is as good."""

        async def step() -> bool | None:
            row = await _find_message(message_id, course_id)
            course = await Course.find_head(NOBODYS if row is None else row["course_id"])
            sees_to_it = course is not None and may_moderate(actor, course)
            if row is None or not (sees_to_it or row["sender_id"] == actor.user_id):
                raise Refused(Code.NOT_FOUND)
            if row.get("deleted_at") is not None:
                return True
            refuse_other_version(row["version"], expected_version)
            if not sees_to_it:
                self._refuse_late(row)
            now = self._clock.now()
            write = Write(row["version"] + 1, now)
            intents = [*deleted_intents(row, actor.user_id, write), *_recorded(actor, row, write, reason or "")]
            update = {
                "$set": {"text": "", "mentions": [], "deleted_at": now, "deleted_by": actor.user_id},
                "$unset": {"op_digest": ""},
            }
            return await Message.write(message_id, row["version"], update, intents=intents, at=now) or None

        await until_written(step)
        await self._relay.hand_over(Message, message_id)

    async def typing(self, actor: Actor, course_id: str) -> None:
        """Others see for a moment that the actor is writing. More often than once in three seconds says nothing more."""
        place = await require_chat(actor, course_id, now_ms=self._clock.now_ms())
        key = f"chat_typing:{place.course.id}:{actor.user_id}"
        allowance = await self._bus.rate_limits.take(key, per_second=1 / TYPING_SECONDS, burst=1)
        member = await find_member(actor, place) if allowance.is_allowed else {}
        if not allowance.is_allowed or (not place.is_staff and is_muted(member, self._clock.now_ms())):
            return
        told = {"user_id": actor.user_id, "full_name": actor.full_name, "for_ms": TYPING_SHOWN_MS}
        await self._telling.state(course_chat_channel(place.course.id), "typing", told)

    # --- reading ---

    async def list(self, actor: Actor, course_id: str, query: CursorQuery) -> MessagePage:
        """A stretch of the chat, newest first, and how far the actor has read."""
        now_ms = self._clock.now_ms()
        place = await require_chat(actor, course_id, now_ms=now_ms)
        channel = course_chat_channel(place.course.id)
        top = await self._bus.history.top(channel)  # before the data: what comes meanwhile is heard again
        rows = await Message.find_before(place.course.id, _place_of(query.after), limit=query.limit + 1)
        member = await find_member(actor, place)
        muted = None if place.is_staff or not is_muted(member, now_ms) else from_ms(member["muted_until_ms"])
        reading = await self._reading(actor, place, member)
        return MessagePage(
            items=[message_view(row) for row in rows[: query.limit]],
            next=str(rows[query.limit - 1]["number"]) if len(rows) > query.limit else None,
            limit=query.limit,
            read_number=reading.read_number,
            unread=reading.unread,
            muted_until=muted,
            mute_reason=member.get("mute_reason") if muted else None,
            may_moderate=place.may_moderate,
            as_of=None if top is None else AsOf(channel=channel, epoch=top.epoch, offset=top.offset),
        )

    async def read(self, actor: Actor, course_id: str, number: int) -> ReadView:
        """The actor has read up to there, on all their devices; never back, and never beyond what was said."""
        place = await require_chat(actor, course_id, now_ms=self._clock.now_ms())
        until = min(number, await Message.find_highest(place.course.id))
        if not await ChatMember.read_to(actor.user_id, place.course.id, until):
            await ChatMember.ensure(actor.user_id, place.course.id, self._clock.now())
            await ChatMember.read_to(actor.user_id, place.course.id, until)
        reading = await self._reading(actor, place, await find_member(actor, place))
        await self._telling.event(user_channel(actor.user_id), "chat_read", reading.model_dump(mode="json"))
        return reading

    # --- how ---

    async def _row(self, actor: Actor, place: ChatPlace, draft: MessageDraft, message_id: str) -> Row:
        now, now_ms = self._clock.now(), self._clock.now_ms()
        called = await called_among(place.course, draft.mentions, but=actor.user_id, now_ms=now_ms)
        named = {} if draft.op_id is None else {"op_id": draft.op_id}
        return {
            "_id": message_id,
            "course_id": place.course.id,
            "sender_id": actor.user_id,
            "sender_name": actor.full_name,
            "is_staff": place.is_staff,
            "text": draft.text,
            "mentions": called,
            "op_digest": _digest(draft.text),
            "version": 1,
            "created_at": now,
            "updated_at": now,
            **named,
        }

    async def _changed(self, actor: Actor, place: ChatPlace, row: Row, change: MessageChange) -> Row:
        """Words and whom they call as they are to be; nothing where both are so already."""
        given, present = change.given(), {"text": row["text"], "mentions": row.get("mentions") or []}
        if all(given.get(name, said) == said for name, said in present.items()):
            return {}
        wanted = given.get("mentions", present["mentions"])
        called = await called_among(place.course, wanted, but=actor.user_id, now_ms=self._clock.now_ms())
        fields: Row = {"text": given.get("text", row["text"]), "mentions": called}
        return {} if fields == present else fields

    async def _write_again(self, actor: Actor, row: Row, said: Row) -> Row | None:
        now = self._clock.now()
        fields: dict[str, Any] = {**said, "edited_at": now}
        write = Write(row["version"] + 1, now)
        after = row | fields | {"version": write.version, "updated_at": now}
        recorded = audited(
            write,
            actor,
            "message.change",
            kind="message",
            target_id=row["_id"],
            person_id=row["sender_id"],
            before={"text": row["text"], "mentions": row.get("mentions") or []},
            after=said,
        )
        intents = [*edited_intents(after, row, write), *recorded]
        is_written = await Message.write(row["_id"], row["version"], {"$set": fields}, intents=intents, at=now)
        return after if is_written else None

    async def _pace(self, actor: Actor, place: ChatPlace) -> None:
        """429 for who writes faster than anybody reads."""
        if not self._settings.rate_limit_enabled:
            return
        key = f"chat:{place.course.id}:{actor.user_id}"
        taken = await self._bus.rate_limits.take(key, per_second=MESSAGES_PER_SECOND, burst=MESSAGES_AT_ONCE)
        if not taken.is_allowed:
            raise Refused(Code.RATE_LIMITED, retry_after_seconds=max(1, -(-taken.retry_after_ms // 1000)))

    def _refuse_late(self, row: Row) -> None:
        if row.get("deleted_at") is not None:
            raise Refused(Code.CONFLICT, "The message was deleted.")
        if self._clock.now() > row["created_at"] + EDIT_TIME:
            minutes = EDIT_TIME.total_seconds() / 60
            raise Refused(Code.FORBIDDEN, f"A message can be changed or deleted for {minutes:g} minutes.")

    async def _reading(self, actor: Actor, place: ChatPlace, member: Row) -> ReadView:
        number = int(member.get("read_number", 0))
        unread = await Message.count_after(place.course.id, number, but_of=actor.user_id, most=MOST_UNREAD)
        return ReadView(course_id=place.course.id, read_number=number, unread=unread)


async def _find_message(message_id: str, course_id: str | None) -> Row | None:
    """A message, of the course that the path names, if it does."""
    row = await Message.find_row(message_id)
    course = None if course_id is None else await Course.find_head(course_id)
    is_there = course_id is None or (course is not None and row is not None and course.id == row["course_id"])
    return row if is_there else None


def _recorded(actor: Actor, row: Row, write: Write, reason: str) -> list[Intent]:
    """What is taken away of somebody else's is recorded, whoever does it."""
    is_own = row["sender_id"] == actor.user_id
    if is_own and not (actor.is_admin or actor.is_impersonated):
        return []
    return [
        audit(
            write,
            actor,
            "message.remove",
            kind="message",
            target_id=row["_id"],
            person_id=row["sender_id"],
            before={"text": row["text"]},
            reason=reason,
        )
    ]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _place_of(cursor: str | None) -> int | None:
    """The number that a cursor names; None: the beginning. 422 for what is none."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise invalid("after", "This is no cursor of this list.", "invalid_cursor")
    return int(cursor)
