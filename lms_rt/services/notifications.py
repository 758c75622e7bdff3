"""Notifications: kept for their reader, told live, counted, and read once for all devices. Mails are `notification_mails.py`'s.

A notification follows from an event of record, or is told by a service. Its id derives from the cause and the reader: the
same cause told twice is one notification.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from config.settings import Settings
from documents.base import Row
from documents.notification import WAITING, Notification, read_of, unread_of
from documents.notification_preferences import NotificationPreferences
from documents.readers import find_reader
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import page_of
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.event_records import RecordedEvent
from lms_rt.contracts.notifications import (
    NotificationPage,
    NotificationQuery,
    NotificationStretch,
    NotificationView,
    UnreadView,
)
from lms_rt.contracts.outbox import Intent, Write, event, job
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.services.contended import until_written
from lms_rt.services.cursors import cursor_of, place_of
from lms_rt.services.notification_rules import Notice, notices_of
from lms_rt.services.notification_texts import words_of
from lms_rt.services.preferences import Preferences
from lms_rt.services.relay import Relay
from lms_rt.services.wishes import Wishes

MAIL_TASK = "notifications.mail"
_TICK = timedelta(milliseconds=1)
Intents = list[Intent]


class Notifications:
    """What people are told."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay, preferences: Preferences) -> None:
        self._clock, self._relay, self._preferences = clock, relay, preferences
        self._gathering = timedelta(seconds=settings.mail_gather_seconds)

    # --- telling ---

    async def follow(self, event: RecordedEvent) -> None:
        """Tell everybody whom an event concerns; again changes nothing."""
        for notice in await notices_of(event):
            await self.tell(notice, cause=event.event_id)

    async def tell(self, notice: Notice, *, cause: str) -> None:
        """Tell one person. `cause` is the id of what happened: told again, nothing changes."""
        await self.tell_all([notice], cause=cause)

    async def tell_all(self, notices: Sequence[Notice], *, cause: str) -> None:
        """The same for many people at once; those who have no account any more are left out."""
        wishes = await self._preferences.wishes_of({notice.user_id for notice in notices})
        for notice in notices:
            mine = wishes.get(notice.user_id)
            if mine is not None and mine.reader.is_active:
                await self._keep(notice, mine, cause)

    async def _keep(self, notice: Notice, wishes: Wishes, cause: str) -> None:
        notification_id = derived_id("ntf", cause, notice.user_id)
        now = self._clock.now()
        made_at = _after(wishes.chosen.get("read_until"), now)
        fields: Row = {
            "user_id": notice.user_id,
            "kind": notice.kind,
            "text": notice.text,
            "data": dict(notice.data),
            "version": 1,
            "created_at": made_at,
            "updated_at": made_at,
        }
        if notice.link is not None:
            fields["link"] = notice.link
        write = Write(1, made_at)
        intents: Intents = []
        if wishes.wants("live", notice.kind):
            view = _view({"_id": notification_id, **fields}, wishes.reader.locale, {})
            intents.append(_told(write, notice.user_id, view))
        if notice.mail is not None and wishes.wants("email", notice.kind):
            data = notice.mail.data.model_dump(mode="json")
            fields |= {"mail": {"template": notice.mail.template, "data": data}, "mail_claim": WAITING}
            args = {"user_id": notice.user_id, "notification_id": notification_id}
            due_at = now + self._gathering if notice.mail.gathers else now
            intents.append(job(write, MAIL_TASK, args, due_at=due_at, job_id=derived_id("job", notification_id)))
        await Notification.add(notification_id, fields, intents)
        await self._relay.hand_over(Notification, notification_id)

    # --- reading ---

    async def list(
        self, actor: Actor, query: NotificationQuery, *, language: str | None = None
    ) -> NotificationPage | NotificationStretch:
        """The actor's own, newest first, in pages or by cursor; in this language, else in that of their profile."""
        locale, chosen = await self._reading(actor)
        locale, until = language or locale, chosen.get("read_until")
        unread = await Notification.count_unread(actor.user_id, until)
        wanted: Row = {"user_id": actor.user_id}
        if query.is_read is not None:
            wanted = (read_of if query.is_read else unread_of)(actor.user_id, until)
        if query.is_by_cursor:
            limit = query.limit
            rows = await Notification.find_before(wanted, place_of(query.after), limit=limit + 1)
            shown = [_view(row, locale, chosen) for row in rows[:limit]]
            last = rows[limit - 1] if len(rows) > limit else None
            following = None if last is None else cursor_of(last["created_at"], last["_id"])
            return NotificationStretch(items=shown, next=following, limit=limit, unread=unread)
        rows, total = await Notification.page(wanted, skip=query.skip, limit=query.page_size)
        page = page_of([_view(row, locale, chosen) for row in rows], query, total)
        return NotificationPage(**dict(page), unread=unread)

    async def unread(self, actor: Actor) -> UnreadView:
        """How many the actor has not read."""
        chosen = await NotificationPreferences.find_row(actor.user_id) or {}
        return UnreadView(unread=await Notification.count_unread(actor.user_id, chosen.get("read_until")))

    async def read(self, actor: Actor, notification_id: str) -> NotificationView:
        """The actor has read one, and all their devices hear of it; again changes nothing."""
        locale, chosen = await self._reading(actor)

        async def step() -> Row | None:
            row = await Notification.find_own(actor.user_id, notification_id)
            if row is None:
                raise Refused(Code.NOT_FOUND)
            if _read_at(row, chosen) is not None:
                return row
            now = self._clock.now()
            told = {"notification_id": notification_id, "read_at": rfc3339(now)}
            intents = [_event("notification_read", Write(row["version"] + 1, now), actor.user_id, told)]
            if not await Notification.mark_read(notification_id, now, version=row["version"], intents=intents):
                return None
            return row | {"read_at": now, "version": row["version"] + 1}

        row = await until_written(step)
        await self._relay.hand_over(Notification, notification_id)
        return _view(row, locale, chosen)

    async def read_all(self, actor: Actor) -> UnreadView:
        """The actor has read all that there is, and all their devices hear of it.

        As far as what is stored, whatever the clock says here: another node's may be behind, and what it makes next is new.
        """
        user_id, now = actor.user_id, self._clock.now()
        await NotificationPreferences.ensure(user_id, now)

        async def step() -> bool | None:
            chosen = await NotificationPreferences.find_row(user_id) or {}
            if not await Notification.count_unread(user_id, chosen.get("read_until")):
                return True
            until = await Notification.find_newest_at(user_id)
            if until is None:  # they have been forgotten meanwhile
                return True
            version, read_all = chosen["version"], NotificationPreferences.read_all
            told = {"user_id": user_id, "read_until": rfc3339(until)}
            intents = [_event("notifications_read", Write(version + 1, now), user_id, told)]
            return await read_all(user_id, until, at=now, version=version, intents=intents) or None

        await until_written(step)
        await self._relay.hand_over(NotificationPreferences, user_id)
        return await self.unread(actor)

    async def _reading(self, actor: Actor) -> tuple[str, Row]:
        """The actor's language and preferences, among which is up to when they have read everything."""
        reader = await find_reader(actor.user_id)
        if reader is None:
            raise Refused(Code.NOT_FOUND)
        return reader.locale, await NotificationPreferences.find_row(actor.user_id) or {}


def _told(write: Write, user_id: str, view: NotificationView) -> Intent:
    data = view.model_dump(mode="json", exclude={"id", "version"})
    return _event("notification", write, user_id, {"notification_id": view.id, **data})


def _event(name: str, write: Write, user_id: str, data: dict[str, Any]) -> Intent:
    return event(write, name, n=0, channels=[user_channel(user_id)], data=data)


def _after(read_until: datetime | None, now: datetime) -> datetime:
    """Now, but after what the reader has read already, though another node with a faster clock has made that."""
    return now if read_until is None else max(now, read_until + _TICK)


def _read_at(row: Row, chosen: Row) -> datetime | None:
    read_at: datetime | None = row.get("read_at")
    until: datetime | None = chosen.get("read_until")
    if read_at is None and until is not None and row["created_at"] <= until:
        read_at = chosen.get("read_all_at", until)
    return read_at


def _view(row: Row, locale: str, chosen: Row) -> NotificationView:
    title, body = words_of(row["text"], row["data"], locale)
    return NotificationView(
        id=row["_id"],
        kind=row["kind"],
        title=title,
        body=body,
        link=row.get("link"),
        data=row["data"],
        read_at=_read_at(row, chosen),
        created_at=row["created_at"],
        version=row["version"],
    )
