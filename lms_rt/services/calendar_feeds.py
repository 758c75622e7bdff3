"""Calendar feeds: made, shown, given another secret and taken away by their owner, read by whoever has the secret.

A calendar program shows no session, so the address is all the proof: 32 random bytes, of which the database has the hash, and
the bytes under seal, to show them to their owner again. Who loses it makes another, and the old one opens nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.settings import Settings
from documents.base import Row
from documents.calendar_feed import CalendarFeed
from documents.enums import Role
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.calendar import CalendarFeedView
from lms_rt.errors import Code, Refused
from lms_rt.ids import random_token
from lms_rt.interchange.icalendar import calendar_text
from lms_rt.security.keyring import keyring_of
from lms_rt.security.permissions import permissions_of
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.services.calendar_entries import entries_of
from lms_rt.services.calendar_telling import TEXTS, events_of, language_of, told_now
from lms_rt.services.contended import until_written
from lms_rt.services.mails import site_url

PURPOSE = "calendar"
PATH = "/api/v1/calendar/feed.ics"
REFRESH_HOURS = 1
_NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FeedText:
    """A feed as it is now, and the tag by which a program asks whether that is still so."""

    body: bytes
    etag: str


class CalendarFeeds:
    """Everybody's feed."""

    def __init__(self, *, settings: Settings, clock: Clock) -> None:
        self._clock, self._site, self._name = clock, site_url(settings), settings.project_name
        self._sealer = Sealer(keyring_of(settings), purpose=PURPOSE)

    async def show(self, actor: Actor) -> CalendarFeedView:
        """One's own feed; 404 before there is one."""
        row = await CalendarFeed.find_row(actor.user_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return self._view(row)

    async def make(self, actor: Actor) -> tuple[CalendarFeedView, bool]:
        """One's own feed, and whether it is new: whoever asks again meets the one there is."""
        now = self._clock.now()
        row: Row = {"_id": actor.user_id, "told": {}, "revision": 1, "created_at": now, **self._secret(actor, now)}
        is_new = await CalendarFeed.add(row)
        return (self._view(row) if is_new else await self.show(actor)), is_new

    async def rotate(self, actor: Actor) -> CalendarFeedView:
        """Another secret. What was told stays: the same calendar goes on under another address."""
        if not await CalendarFeed.rotate(actor.user_id, self._secret(actor, self._clock.now())):
            raise Refused(Code.NOT_FOUND)
        return await self.show(actor)

    async def remove(self, actor: Actor) -> None:
        """No feed any more; again changes nothing."""
        await CalendarFeed.remove(actor.user_id)

    async def read(self, secret: str) -> FeedText:
        """The feed of a secret. 404 for what is none, and for the feed of an account that is closed."""

        async def step() -> tuple[Row, User] | None:
            feed = await CalendarFeed.find_by_secret(_hash(secret))
            user = None if feed is None else await User.find_by_id(feed["_id"])
            if feed is None or user is None or not user.is_active or user.is_leaving:
                raise Refused(Code.NOT_FOUND)
            now = self._clock.now()
            entries = await entries_of(_owner(user), now)
            told = told_now(feed["told"], entries, language=language_of(user.locale), now=now)
            await self._note(feed, now)
            if told == feed["told"] or await CalendarFeed.tell(feed, told):
                return told, user
            return None

        told, user = await until_written(step)
        name = TEXTS[language_of(user.locale)]["name"].format(site=self._name)
        body = calendar_text(name, events_of(told, site=self._site), refresh_hours=REFRESH_HOURS)
        return FeedText(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')

    async def _note(self, feed: Row, now: datetime) -> None:
        """That somebody reads it, so that its owner sees a link that others have. Once an hour is enough."""
        last = feed.get("fetched_at")
        if last is None or now - last >= _NOTED_EVERY:
            await CalendarFeed.note_fetch(feed["_id"], now)

    def _secret(self, actor: Actor, now: datetime) -> Row:
        secret = random_token()
        sealed = self._sealer.seal(secret, owner=actor.user_id)
        return {"secret_hash": _hash(secret), "secret": sealed, "rotated_at": now}

    def _view(self, row: Row) -> CalendarFeedView:
        try:
            secret = self._sealer.unseal(row["secret"], owner=row["_id"])
        except Unsealable:  # its key was left out: the owner makes another
            secret = ""
        return CalendarFeedView(
            url=f"{self._site}{PATH}?token={secret}" if secret else "",
            created_at=row["created_at"],
            rotated_at=row["rotated_at"],
            fetched_at=row.get("fetched_at"),
        )


def _owner(user: User) -> Actor:
    """Whose feed it is, as they would look themselves."""
    role = Role(user.role)
    return Actor(user.id, role, permissions_of(role, user.permissions), full_name=user.full_name)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
