"""Idempotency keys: the first request with a key runs, every repeat gets its answer.

Not for live commands, which carry an `op_id` of their own.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from documents.base import Row
from documents.idempotency import IdempotencyRecord
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused

KEPT_MS = 24 * 3600 * 1000
LEASE_MS = 60_000
MAX_KEY_LENGTH = 255

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """The go-ahead to run. `seed` is the same for every run of this key: ids that derive from it meet their own work."""

    key_id: str
    seed: str
    lease_until_ms: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer of the request that ran: the facts of its head, and its bytes."""

    head: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


class Idempotency:
    """One row per caller, route and key, inserted before anything is done."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def begin(self, actor: Actor, *, route: str, key: str, body_hash: str) -> Begun | Kept:
        """Run, or the kept answer. Refused when the key came with another body, or its first request still runs."""
        if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
            raise Refused(Code.MALFORMED_REQUEST, "An Idempotency-Key has 1 to 255 printable ASCII characters.")
        key_id = f"{actor.user_id}:{route}:{key}"
        for _ in range(3):  # each round loses only to somebody who moved the row in between
            now_ms = self._clock.now_ms()
            lease_until_ms = now_ms + LEASE_MS
            if await IdempotencyRecord.begin(key_id, body_hash=body_hash, now_ms=now_ms, lease_until_ms=lease_until_ms):
                return _begun(key_id, now_ms, lease_until_ms)
            row = await IdempotencyRecord.find_row(key_id)
            found = row and await self._meet(row, body_hash, now_ms)
            if found:
                return found
        raise _in_progress(1)

    async def _meet(self, row: Row, body_hash: str, now_ms: int) -> Begun | Kept | None:
        """What follows from a row that is there; None when it was moved meanwhile."""
        key_id, lease_until_ms = row["_id"], now_ms + LEASE_MS
        if row["started_ms"] + KEPT_MS <= now_ms:
            is_ours = await IdempotencyRecord.begin_again(
                row, body_hash=body_hash, now_ms=now_ms, lease_until_ms=lease_until_ms
            )
            return _begun(key_id, now_ms, lease_until_ms) if is_ours else None
        if row["body_hash"] != body_hash:
            raise Refused(Code.IDEMPOTENCY_KEY_REUSED)
        if row["state"] == "done":
            return Kept(row["head"], bytes(row["content"]))
        if row["lease_until_ms"] > now_ms:
            raise _in_progress(max(1, min(5, (row["lease_until_ms"] - now_ms) // 1000)))
        is_ours = await IdempotencyRecord.take_over(row, lease_until_ms=lease_until_ms)
        return _begun(key_id, row["started_ms"], lease_until_ms) if is_ours else None

    async def keep(self, begun: Begun, head: Mapping[str, str], content: bytes) -> None:
        """Keep the answer of a request that succeeded."""
        lease_until_ms = begun.lease_until_ms
        if not await IdempotencyRecord.keep(
            begun.key_id, lease_until_ms=lease_until_ms, head=dict(head), content=content
        ):
            _log.warning("a request outlived its idempotency lease; its answer is not kept")

    async def forget(self, begun: Begun) -> None:
        """The request was refused and changed nothing: the key is free again."""
        await IdempotencyRecord.forget(begun.key_id, lease_until_ms=begun.lease_until_ms)

    async def give_up(self, begun: Begun) -> None:
        """The request broke off, perhaps half-way: the next one with this key goes on with the same ids."""
        await IdempotencyRecord.end_lease(begun.key_id, lease_until_ms=begun.lease_until_ms)


def _begun(key_id: str, started_ms: int, lease_until_ms: int) -> Begun:
    seed = hashlib.sha256(f"{key_id}\x1f{started_ms}".encode()).hexdigest()
    return Begun(key_id, seed, lease_until_ms)


def _in_progress(seconds: int) -> Refused:
    return Refused(Code.IDEMPOTENCY_IN_PROGRESS, retry_after_seconds=seconds)
