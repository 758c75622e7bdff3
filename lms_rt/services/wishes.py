"""What one person wishes to hear of, and when, worked out from their preferences and their wall clock. Nothing is read here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from documents.base import Row
from documents.notification_preferences import key_of
from documents.readers import Reader
from lms_rt.contracts.notifications import ALL_KINDS, Channel
from lms_rt.services.local_days import local_date, moment_of

DIGEST_AT = time(8, 0)
"""By the reader's wall clock."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """One reader's. `chosen` is what they ever chose: whatever is not there is on."""

    reader: Reader
    chosen: Row

    def wants(self, channel: Channel, kind: str) -> bool:
        """Is the reader there, and to be told of this kind that way?"""
        if not self.reader.is_active or not self.chosen.get("channels", {}).get(channel, True):
            return False
        return kind == ALL_KINDS or self.chosen.get(channel, {}).get(key_of(kind), True)

    @property
    def has_daily_digest(self) -> bool:
        """Are notifications gathered into one mail a day?"""
        return bool(self.chosen.get("digest") == "daily")

    def mail_moment(self, kind: str, now: datetime) -> datetime | None:
        """When a mail of this kind may leave: now, at the end of the quiet hours, or (None) never."""
        return self.after_quiet_hours(now) if self.wants("email", kind) else None

    def after_quiet_hours(self, at: datetime) -> datetime:
        """`at`, or the end of the quiet hours that it lies in."""
        begin, end = self.chosen.get("quiet_from"), self.chosen.get("quiet_to")
        if begin is None or end is None:
            return at
        starts, ends = time.fromisoformat(begin), time.fromisoformat(end)
        is_quiet = self._last(starts, at) > self._last(ends, at)
        return self._next(ends, at) if is_quiet else at

    def digest_moment(self, since: datetime) -> datetime:
        """The first hour of the digest after something happened."""
        return self._next(DIGEST_AT, since)

    def _next(self, clock: time, after: datetime) -> datetime:
        """When the reader's wall clock shows this next; a time that is skipped in spring is the next one there is."""
        zone = self.reader.timezone
        day = local_date(zone, after)
        while (moment := moment_of(zone, day, clock)) is None or moment <= after:
            day += timedelta(days=1)
        return moment

    def _last(self, clock: time, until: datetime) -> datetime:
        """When it showed this last. An hour that autumn repeats counts once, so no quiet hours begin again in it."""
        zone = self.reader.timezone
        day = local_date(zone, until)
        while (moment := moment_of(zone, day, clock)) is None or moment > until:
            day -= timedelta(days=1)
        return moment
