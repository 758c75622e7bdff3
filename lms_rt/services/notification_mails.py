"""The mails about notifications: one for all that gathered, not a flood. How a mail looks and leaves is `mails.py`'s.

Every mailed notification has a job. The first of them to run claims all that wait (of its kind, or, where the reader
wishes one mail a day, of every kind); the others find nothing left to do. A job that crashed finds its own claim again.
"""

from __future__ import annotations

from datetime import datetime

from documents.base import Row
from documents.notification import WAITING, Notification
from lms_rt.clock import Clock
from lms_rt.contracts.mails import Digest, DigestItem, MailOrder
from lms_rt.services.jobs import NotYet
from lms_rt.services.mails import Mails
from lms_rt.services.notification_texts import words_of
from lms_rt.services.preferences import Preferences
from lms_rt.services.wishes import Wishes

LISTED = 50
"""So many notifications a digest lists; of the others it says how many they are."""


class NotificationMails:
    """Writes to people what they were told."""

    def __init__(self, *, clock: Clock, preferences: Preferences, mails: Mails) -> None:
        self._clock, self._preferences, self._mails = clock, preferences, mails

    async def send(self, user_id: str, notification_id: str, *, job_id: str) -> None:
        """Write the mail about a notification and all that wait with it, unless another job has. Raises `NotYet`."""
        first = await Notification.find_for_mail(notification_id)
        wishes = await self._preferences.find_wishes(user_id)
        if first is None or first.get("mail_claim") not in (WAITING, job_id):
            return
        if wishes is None or not wishes.wants("email", first["kind"]):
            await Notification.unclaim(user_id, first["mail_claim"], kind=first["kind"])
            return
        self._await_moment(wishes, first["created_at"])
        if first["mail_claim"] == WAITING:
            await Notification.claim(user_id, job_id, kind=None if wishes.has_daily_digest else first["kind"])
        claimed = await Notification.find_claimed(user_id, job_id, limit=LISTED)
        wanted = [row for row in claimed if wishes.wants("email", row["kind"])]
        if wanted:
            more = await Notification.count_claimed(user_id, job_id) - len(claimed)
            await self._mails.send(_order(wanted, more, wishes, job_id))
        await Notification.unclaim(user_id, job_id)

    def _await_moment(self, wishes: Wishes, since: datetime) -> None:
        now = self._clock.now()
        moment = max(now, wishes.digest_moment(since)) if wishes.has_daily_digest else now
        moment = wishes.after_quiet_hours(moment)
        if moment > now:
            raise NotYet(moment)


def _order(rows: list[Row], more: int, wishes: Wishes, job_id: str) -> MailOrder:
    """Its own mail for one notification, a digest for several."""
    user_id = wishes.reader.user_id
    if len(rows) == 1 and not more:
        mail = rows[0]["mail"]
        return MailOrder(mail["template"], user_id, mail["data"], seed=job_id, is_due=True)
    kinds = {row["kind"] for row in rows}
    digest = Digest(
        kind=kinds.pop() if len(kinds) == 1 else None,
        items=[_item(row, wishes.reader.locale) for row in reversed(rows)],
        more=more,
    )
    return MailOrder("digest", user_id, digest.model_dump(mode="json"), seed=job_id, is_due=True)


def _item(row: Row, locale: str) -> DigestItem:
    title, body = words_of(row["text"], row["data"], locale)
    return DigestItem(title=title, body=body, link=row.get("link"), at=row["created_at"])
