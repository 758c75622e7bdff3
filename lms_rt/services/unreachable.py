"""Addresses that a mail server has refused for good: nothing more is sent to them, so that the school stays welcome there.

One rests until its owner proves it, or gives another, or an administrator lets it be written to again. Two kinds of mails go
there all the same, since somebody asked for just this one: those of `ASKED_FOR`, and a dead letter that was sent again. The
server that takes one of them has taken its word back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from documents.base import Row
from documents.user import User
from lms_rt.contracts.mails import MailOrder
from lms_rt.contracts.users import MailRefusalView

ASKED_FOR = frozenset({"email_verification", "password_reset", "mfa_code", "invitation"})
"""Somebody waits for these at this moment, and may prove the address by them."""

_log = logging.getLogger(__name__)


def refusal_of(account: Mapping[str, Any]) -> Row | None:
    """What the address of an account was refused for, as long as that holds (see `User.mail_refusal`)."""
    refusal: Row | None = account.get("mail_refusal")
    if refusal is None or refusal["email"] != account["email"]:
        return None
    proved_at: datetime | None = account.get("email_verified_at")
    return refusal if proved_at is None or proved_at < refusal["at"] else None


def rests(account: Mapping[str, Any], order: MailOrder) -> bool:
    """Is this mail not to be sent, because the address was refused?"""
    refusal = refusal_of(account)
    return refusal is not None and order.template not in ASKED_FOR and order.seed != refusal["job_id"]


def refusal_view(user: User) -> MailRefusalView | None:
    """What administrators see of it."""
    refusal = refusal_of(vars(user))
    return None if refusal is None else MailRefusalView(at=refusal["at"], answer=refusal["answer"])


async def note_refusal(account: Row, order: MailOrder, answer: str, at: datetime) -> None:
    """Let the address rest from now on, unless it is another one by now."""
    email = account["email"]
    refusal = {"email": email, "at": at, "answer": answer, "job_id": order.seed}
    if await User.note_mail_refusal(account["_id"], email, refusal):
        _log.warning("the address of %s is refused for good, and rests", account["_id"])


async def note_taken(account: Row) -> None:
    """A server took a mail to it: if it was refused before, that is over."""
    if account.get("mail_refusal") is not None:
        await User.note_mail_refusal(account["_id"], account["email"], None)
