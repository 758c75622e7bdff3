"""Tokens for rights that can be used once: issued, read, used up. What a right opens is its service's.

The database holds the SHA-256 of a token alone. The token of a mail is made by a key of ours from the id of the mail's
job, at the moment when the mail is written: so it lies in no job, no outbox, no dead letter and no backup, and a second
try of the same mail carries the same one. A right for one purpose is none for another.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from documents.base import Row
from documents.one_time import OneTime, Purpose
from lms_rt.clock import Clock
from lms_rt.errors import Code, Refused
from lms_rt.ids import random_token
from lms_rt.security.keyring import Keyring

MAX_TOKEN = 128
"""Longer than any of ours; for the borders that take one."""
MAX_HELD = 5
"""Of mails with a right in them that are asked for again and again so many hold; no further one is written meanwhile."""
_OVER = "The time of this link is over; ask for a new one."


@dataclass(frozen=True, slots=True)
class Issued:
    """A right that was just given, and the token that it is used by."""

    record_id: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Right:
    """One that holds: whose, given when, and upon what facts."""

    record_id: str
    user_id: str
    purpose: Purpose
    facts: Mapping[str, Any]
    tries: int
    created_at: datetime
    expires_at: datetime


class OneTimeTokens:
    """Gives rights and takes them back, once each."""

    def __init__(self, *, keyring: Keyring, clock: Clock) -> None:
        self._keyring, self._clock = keyring, clock

    async def issue(
        self, purpose: Purpose, user_id: str, *, life: timedelta, facts: Mapping[str, Any] | None = None
    ) -> Issued:
        """A right for somebody, that holds for so long."""
        token = random_token()
        right = self._right(token, purpose, user_id, life=life, facts=facts or {})
        await OneTime.add(right)
        return Issued(right.id, token, right.expires_at)

    async def issue_by_mail(
        self, seed: str, purpose: Purpose, user_id: str, *, life: timedelta, facts: Mapping[str, Any] | None = None
    ) -> Issued | None:
        """The right that a mail carries, the same again for the same mail (`seed`).

        None: it was used or is over by now, or so many others hold that one more is only a nuisance.
        """
        token = self._token_of_mail(seed, purpose)
        if await OneTime.find_row(record_id_of(token)) is None:
            if await OneTime.count_held(user_id, purpose, self._clock.now()) >= MAX_HELD:
                return None
            await OneTime.add(self._right(token, purpose, user_id, life=life, facts=facts or {}))
        try:
            right = await self.find(token, purpose)
        except Refused:
            return None
        return Issued(right.record_id, token, right.expires_at)

    async def find(self, token: str, *purposes: Purpose) -> Right:
        """The right that a token stands for. Refused: not ours, for something else, used, or over."""
        row = await OneTime.find_row(record_id_of(token)) if len(token) <= MAX_TOKEN else None
        if row is None or row["purpose"] not in purposes or row.get("used_at") is not None:
            raise Refused(Code.INVALID_TOKEN)
        if row["expires_at"] <= self._clock.now():
            raise Refused(Code.TOKEN_EXPIRED, _OVER)
        return _right(row)

    async def use(self, right: Right) -> None:
        """Use it up. Refused when somebody was first, or its time ran out meanwhile."""
        if not await OneTime.use(right.record_id, self._clock.now()):
            raise Refused(Code.INVALID_TOKEN)

    async def add_try(self, right: Right, *, limit: int) -> None:
        """Count a try before it is looked at. Refused when there were as many as there may be."""
        if not await OneTime.add_try(right.record_id, self._clock.now(), limit=limit):
            raise Refused(Code.INVALID_TOKEN)

    async def void(self, user_id: str, *purposes: Purpose) -> None:
        """Make void what somebody holds for these."""
        for purpose in purposes:
            await OneTime.void(user_id, purpose, self._clock.now())

    async def count_given(self, user_id: str, purpose: Purpose, *, within: timedelta) -> int:
        """How many somebody was given for a purpose lately, used ones too."""
        return await OneTime.count_since(user_id, purpose, self._clock.now() - within)

    def _token_of_mail(self, seed: str, purpose: Purpose) -> str:
        key = self._keyring.current.derived(f"one-time {purpose.value}")
        return urlsafe_b64encode(hmac.digest(key, seed.encode(), "sha256")).decode().rstrip("=")

    def _right(
        self, token: str, purpose: Purpose, user_id: str, *, life: timedelta, facts: Mapping[str, Any]
    ) -> OneTime:
        now = self._clock.now()
        return OneTime(
            id=record_id_of(token),
            purpose=purpose,
            user_id=user_id,
            facts=dict(facts),
            created_at=now,
            expires_at=now + life,
        )


def record_id_of(token: str) -> str:
    """Under what the right of a token is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _right(row: Row) -> Right:
    return Right(
        record_id=row["_id"],
        user_id=row["user_id"],
        purpose=Purpose(row["purpose"]),
        facts=row["facts"],
        tries=row["tries"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
