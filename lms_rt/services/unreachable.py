"""Addresses that a mail server has refused for good: nothing is sent to them for a time, so that the school stays welcome there.

One rests for some days, then for months, since servers have said so of everybody for an hour; or until its owner proves it, or
gives another, or an administrator lets it be written to again. Three kinds of mails go there all the same: those of `ASKED_FOR`,
those of `WARNINGS`, and a dead letter that was sent again. The server that takes one has taken its word back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from documents.base import Row
from documents.user import User
from lms_rt.contracts.mails import MailOrder
from lms_rt.contracts.users import MailRefusalView

ASKED_FOR = frozenset({"email_verification", "password_reset", "mfa_code", "invitation"})
"""Somebody waits for these at this moment, and may prove the address by them."""
WARNINGS = frozenset({"mfa_changed", "password_changed", "new_device", "account_locked"})
"""Somebody may be taking the account over: its owner learns of that by these alone, and they are few."""
FIRST_REST, NEXT_REST = timedelta(days=3), timedelta(days=90)
"""So long after the first refusal; and after one by which the rest before it had not helped."""
MAX_IN_A_ROW = 10
"""So many addresses that are refused with nothing taken between say something of the server, not of themselves."""

_log = logging.getLogger(__name__)


def refusal_of(account: Mapping[str, Any]) -> Row | None:
    """What the address of an account was refused for, as long as that holds (see `User.mail_refusal`)."""
    refusal: Row | None = account.get("mail_refusal")
    if refusal is None or refusal["email"] != account["email"]:
        return None
    proved_at: datetime | None = account.get("email_verified_at")
    return refusal if proved_at is None or proved_at < refusal["at"] else None


def rests(account: Mapping[str, Any], order: MailOrder, now: datetime) -> bool:
    """Is this mail not to be sent, because the address was refused?"""
    refusal = refusal_of(account)
    if refusal is None or order.template in ASKED_FOR | WARNINGS or order.seed == refusal["job_id"]:
        return False
    return not _is_over(refusal, now)


def _is_over(refusal: Row, now: datetime) -> bool:
    return bool(now >= refusal["at"] + (FIRST_REST if refusal.get("count", 1) == 1 else NEXT_REST))


def refusal_view(user: User) -> MailRefusalView | None:
    """What administrators see of it."""
    refusal = refusal_of(vars(user))
    return None if refusal is None else MailRefusalView(at=refusal["at"], answer=refusal["answer"])


class Refusals:
    """Notes which addresses are refused, as one process meets them."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, Row] = {}

    async def note_refusal(self, account: Row, order: MailOrder, answer: str, at: datetime) -> None:
        """Let the address rest from now on, unless it is another one by now, or all are refused."""
        if len(self._in_a_row) < MAX_IN_A_ROW:
            self._in_a_row.setdefault(account["_id"], account)
            if len(self._in_a_row) == MAX_IN_A_ROW:
                await self._take_back()
        if len(self._in_a_row) == MAX_IN_A_ROW:
            return
        email, before = account["email"], refusal_of(account)
        count = 1 if before is None else before.get("count", 1) + _is_over(before, at)
        refusal = {"email": email, "at": at, "answer": answer, "job_id": order.seed, "count": count}
        if await User.note_mail_refusal(account["_id"], email, refusal):
            _log.warning("the address of %s is refused for good, and rests", account["_id"])

    async def note_taken(self, account: Row) -> None:
        """A server took a mail to it: if it was refused before, that is over."""
        self._in_a_row.clear()
        if account.get("mail_refusal") is not None:
            await User.note_mail_refusal(account["_id"], account["email"], None)

    async def _take_back(self) -> None:
        """What was noted of the last ones is as it was before."""
        _log.error("the mail server refuses address after address: none rests for that until it takes a mail")
        for account in self._in_a_row.values():
            await User.note_mail_refusal(account["_id"], account["email"], account.get("mail_refusal"))
