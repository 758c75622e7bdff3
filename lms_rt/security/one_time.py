"""Tokens for rights that can be used once: issued, read, used up. What a right opens is its service's.

A token is 32 bytes, made by a key of ours from a random nonce: so it can be made again when its mail is written, and
lies in no job, no dead letter and no backup; the database holds its SHA-256 alone. A right for one purpose is none for
another, and whatever is wrong with a token, words and time tell little.
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
from lms_rt.security.keyring import Key, Keyring

MAX_TOKEN = 128
"""Longer than any of ours; for the borders that take one."""
_EXPIRED = "The link or its time is over; ask for a new one."


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
        now, nonce = self._clock.now(), random_token()
        token = _made(self._keyring.current, purpose, nonce)
        right = OneTime(
            id=record_id_of(token),
            purpose=purpose,
            user_id=user_id,
            nonce=nonce,
            facts=dict(facts or {}),
            created_at=now,
            expires_at=now + life,
        )
        await OneTime.add(right)
        return Issued(right.id, token, right.expires_at)

    async def find(self, token: str, purpose: Purpose) -> Right:
        """The right that a token stands for. Refused: not ours, for something else, used, or over."""
        if len(token) > MAX_TOKEN:
            raise Refused(Code.INVALID_TOKEN)
        right = await self.find_by_id(record_id_of(token), purpose)
        if right is None:
            raise Refused(Code.INVALID_TOKEN)
        if right.expires_at <= self._clock.now():
            raise Refused(Code.TOKEN_EXPIRED, _EXPIRED)
        return right

    async def find_by_id(self, record_id: str, purpose: Purpose) -> Right | None:
        """A right by its record; None: there is none of this purpose, or it was used. Its time may be over."""
        row = await OneTime.find_row(record_id)
        if row is None or row["purpose"] != purpose or row.get("used_at") is not None:
            return None
        return _right(row)

    async def token_again(self, record_id: str, purpose: Purpose) -> str | None:
        """The token of a right that still holds, for its mail; None: it does not, or the key it was made by is gone."""
        row = await OneTime.find_row(record_id)
        if row is None or row["purpose"] != purpose or row.get("used_at") is not None:
            return None
        if row["expires_at"] <= self._clock.now():
            return None
        made = (_made(key, purpose, row["nonce"]) for key in self._keyring)
        return next((token for token in made if record_id_of(token) == record_id), None)

    async def use(self, right: Right) -> None:
        """Use it up. Refused when somebody was first, or its time ran out meanwhile."""
        if not await OneTime.use(right.record_id, self._clock.now()):
            raise Refused(Code.INVALID_TOKEN)

    async def add_try(self, right: Right, *, limit: int) -> None:
        """Count a try before it is looked at. Refused when there were as many as there may be."""
        if not await OneTime.add_try(right.record_id, self._clock.now(), limit=limit):
            raise Refused(Code.INVALID_TOKEN)

    async def void(self, user_id: str, purpose: Purpose) -> None:
        """Make void what somebody holds for a purpose."""
        await OneTime.void(user_id, purpose, self._clock.now())

    async def count_given(self, user_id: str, purpose: Purpose, *, within: timedelta) -> int:
        """How many somebody was given for a purpose lately."""
        return await OneTime.count_since(user_id, purpose, self._clock.now() - within)


def record_id_of(token: str) -> str:
    """Under what the right of a token is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _made(key: Key, purpose: Purpose, nonce: str) -> str:
    raw = hmac.digest(key.derived(f"one-time {purpose.value}"), nonce.encode(), "sha256")
    return urlsafe_b64encode(raw).decode().rstrip("=")


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
