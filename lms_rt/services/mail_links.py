"""Mails with a link that holds once. Who asks learns nothing; the mail is ordered after the answer, at most one a minute.

What such a link opens, and the data of its mail, are the flows' own: `password_resets.py`, `verification.py`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.accounts import find_email_key
from lms_rt.contracts.outbox import Intent, Write, event
from lms_rt.ids import derived_id
from lms_rt.security.one_time import Issued, OneTimeTokens
from lms_rt.services.jobs import Jobs
from lms_rt.services.promises import Promises

_MINUTE_MS = 60_000
HOUR_MS = 60 * _MINUTE_MS


class MailLinks:
    """Orders mails to whoever an address belongs to."""

    def __init__(self, *, clock: Clock, jobs: Jobs, promises: Promises, tokens: OneTimeTokens) -> None:
        self._clock, self._jobs = clock, jobs
        self.promises, self.tokens = promises, tokens

    def offer(self, template: str, *, is_due: Callable[[User], bool]) -> None:
        """Let this mail be asked for by an address, of those accounts for which it `is_due`."""

        async def keep(facts: Mapping[str, Any]) -> None:
            user = await User.find_by_email_key(facts["email_key"]) if facts["email_key"] else None
            if user is not None and user.may_sign_in and is_due(user):
                await self.order(template, user.id, asked_ms=facts["asked_ms"])

        self.promises.add(template, keep)

    async def ask(self, template: str, email: str) -> None:
        """Have a mail sent to this address, if it has an account in use for which it is due. The caller learns neither."""
        facts = {"email_key": find_email_key(email), "asked_ms": self._clock.now_ms()}
        await self.promises.give(template, facts)

    async def order(
        self,
        template: str,
        user_id: str,
        data: dict[str, Any] | None = None,
        *,
        asked_ms: int | None = None,
        once_in_ms: int = _MINUTE_MS,
    ) -> None:
        """Have a mail sent to somebody; asked for again within the same minute (or hour …) it is the same one."""
        moment = str((self._clock.now_ms() if asked_ms is None else asked_ms) // once_in_ms)
        args = {"template": template, "user_id": user_id, "data": data or {}}
        await self._jobs.put(derived_id("job", template, user_id, moment), "mail.send", args)

    def minutes_left(self, issued: Issued) -> int:
        """As a mail says it: how long its link holds from now on."""
        return max(1, math.ceil((issued.expires_at - self._clock.now()) / timedelta(minutes=1)))


def password_mark(user: User) -> str:
    """By which a link knows the password that it replaces."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:32]


def account_changed(write: Write, user_id: str, *changed: str) -> Intent:
    """What is told when a link of a mail was followed: of the address that is its owner's by then, or what went with it."""
    told = {"user_id": user_id, "changed": list(changed)}
    return event(write, "user_updated", n=0, channels=[], data=told, record="user.updated")
