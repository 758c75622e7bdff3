"""The mails about notifications: one for all that gathered, not a flood. How a mail looks and leaves is `mails.py`'s.

Every mailed notification has a job. The first of them to run claims all that wait (of its kind, or, where the reader
wishes one mail a day, of every kind); the others find nothing left to do. A job that crashed finds its own claim again; what one
claimed that has used up its tries is written by the next.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from documents.base import Row
from documents.job import Job
from documents.notification import WAITING, Notification
from lms_rt.clock import Clock
from lms_rt.contracts.jobs import task_kind
from lms_rt.contracts.mails import Digest, DigestItem, MailOrder
from lms_rt.contracts.notifications import ALL_KINDS, KINDS
from lms_rt.gateways.mail import Hold, no_hold
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

    async def send(self, user_id: str, notification_id: str, *, job_id: str, hold: Hold = no_hold) -> None:
        """Write the mail about a notification and all that wait with it, unless another job has. Raises `NotYet`."""
        first = await Notification.find_for_mail(notification_id)
        claim = None if first is None else first.get("mail_claim")
        if first is None or claim is None or (claim not in (WAITING, job_id) and not await _is_left(claim)):
            return
        wishes = await self._preferences.find_wishes(user_id)
        if wishes is None or not wishes.wants("email", ALL_KINDS):
            await Notification.unclaim(user_id, claim)
            return
        kind = first["kind"]
        if claim != job_id and not wishes.wants("email", kind):
            await Notification.unclaim(user_id, claim, kinds=[kind])
            return
        self._await_moment(wishes, first["created_at"])
        if claim != job_id:
            claims = [one for one in await Notification.find_claims(user_id) if one == WAITING or await _is_left(one)]
            await Notification.claim(user_id, job_id, claims=claims, kind=None if wishes.has_daily_digest else kind)
        await self._write(wishes, job_id, hold)

    async def _write(self, wishes: Wishes, job_id: str, hold: Hold) -> None:
        """Write about what the job has claimed; what became unwanted meanwhile is neither listed nor counted."""
        user_id = wishes.reader.user_id
        if unwanted := [kind for kind in KINDS if not wishes.wants("email", kind)]:
            await Notification.unclaim(user_id, job_id, kinds=unwanted)
        if claimed := await Notification.find_claimed(user_id, job_id, limit=LISTED):
            more = max(0, await Notification.count_claimed(user_id, job_id) - len(claimed))
            note = partial(Notification.unclaim, user_id, job_id)
            await self._mails.send(_order(claimed, more, wishes, job_id), note, hold=hold)

    def _await_moment(self, wishes: Wishes, since: datetime) -> None:
        now = self._clock.now()
        moment = max(now, wishes.digest_moment(since)) if wishes.has_daily_digest else now
        moment = wishes.after_quiet_hours(moment)
        if moment > now:
            raise NotYet(moment)


async def _is_left(claim: str) -> bool:
    """Has the job that claimed it used up its tries?

    One that failed for good before (the mail is refused for what is in it) keeps its claim: no other job is to fail for it.
    """
    row = await Job.find_dead(claim)
    return row is not None and row["tries"] > len(task_kind(row["task"]).retries.waits_seconds)


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
