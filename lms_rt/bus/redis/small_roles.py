"""The roles that are a key each in Redis: tickets, copies of revocations, token buckets, short locks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from lms_rt.bus.base import Locks, Marks, Revocations, Tickets
from lms_rt.bus.limits import MAX_NOTED, Allowance, RateLimits, Strike
from lms_rt.bus.redis.line import RedisLine, Script
from lms_rt.errors import Refused
from lms_rt.ids import random_token

_ISSUE_TICKET = Script("issue_ticket", after=("epoch",))
_TAKE_TICKET = Script("take_ticket", after=("epoch",))
_TAKE_TOKENS = Script("take_tokens")
_GIVE_TOKENS = Script("give_tokens")
_STRIKE = Script("strike")
_NOTE_LOCK = Script("note_lock")
_FIND_LOCKS = Script("find_locks")
_RELEASE_LOCK = Script("release_lock")
MARK_SECONDS = 86_400


class RedisTickets(Tickets):
    """Tickets; what takes one out removes it in the same step.

    They hold only where they were issued: a server that was restarted or promoted may have some that were used.
    """

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    async def issue(self, ticket_hash: str, data: Mapping[str, Any], *, ttl_seconds: float) -> None:
        """Keep a ticket for so long."""
        key = self._line.keys.ticket(ticket_hash)
        await self._line.run(_ISSUE_TICKET, (key,), (orjson.dumps(dict(data)), _ms(ttl_seconds)))

    async def consume(self, ticket_hash: str) -> dict[str, Any] | None:
        """What was kept, once."""
        found: bytes | None = await self._line.run(_TAKE_TICKET, (self._line.keys.ticket(ticket_hash),))
        data: dict[str, Any] | None = None if found is None else orjson.loads(found)
        return data


class RedisRevocations(Revocations):
    """Copies of what ended."""

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    async def revoke(self, key: str, *, ttl_seconds: float) -> None:
        """Remember that `key` ended."""
        name = self._line.keys.revoked(key)
        await self._line.do("SET", name, 1, "PX", _ms(ttl_seconds), key=name)

    async def is_revoked(self, key: str) -> bool:
        """Is it remembered?"""
        name = self._line.keys.revoked(key)
        return bool(await self._line.do("EXISTS", name, key=name))


class RedisRateLimits(RateLimits):
    """Token buckets of all nodes. While Redis is away each node counts for itself: a limit holds, only higher."""

    def __init__(self, line: RedisLine, spare: RateLimits) -> None:
        self._line, self._spare = line, spare

    async def take(self, key: str, *, per_second: float, burst: int, cost: int = 1) -> Allowance:
        """Take `cost` tokens."""
        name = self._line.keys.bucket(key)
        try:
            taken, left, wait_ms = await self._line.run(_TAKE_TOKENS, (name,), (repr(1e6 / per_second), burst, cost))
        except Refused:
            taken_here = await self._spare.take(key, per_second=per_second, burst=burst, cost=cost)
            return replace(taken_here, is_here=True)
        return Allowance(bool(taken), left, wait_ms)

    async def give_back(self, key: str, *, per_second: float, cost: int = 1, is_here: bool = False) -> None:
        """Put tokens back."""
        if is_here:
            await self._spare.give_back(key, per_second=per_second, cost=cost)
            return
        with contextlib.suppress(Refused):
            await self._line.run(_GIVE_TOKENS, (self._line.keys.bucket(key),), (repr(1e6 / per_second), cost))

    async def strike(self, key: str, *, limit: int, window_seconds: float, lock_seconds: float) -> Strike:
        """Count a failure before it happens."""
        name, spans = self._line.keys.strikes(key), (round(window_seconds * 1e6), round(lock_seconds * 1e6))
        try:
            counted, count, locked_ms = await self._line.run(_STRIKE, (name,), (limit, *spans))
        except Refused:
            spans_here = {"window_seconds": window_seconds, "lock_seconds": lock_seconds}
            return replace(await self._spare.strike(key, limit=limit, **spans_here), is_here=True)
        return Strike(bool(counted), count, locked_ms)

    async def pardon(self, key: str) -> None:
        """Forget the failures."""
        name = self._line.keys.strikes(key)
        await self._spare.pardon(key)  # those that were counted while Redis was away
        with contextlib.suppress(Refused):
            await self._line.do("DEL", name, key=name)

    async def take_back(self, key: str, *, is_here: bool = False) -> None:
        """Count one failure less."""
        if is_here:
            await self._spare.take_back(key)
            return
        name = self._line.keys.strikes(key)
        with contextlib.suppress(Refused):
            await self._line.do("RPOP", name, key=name)

    async def note_lock(self, group: str, key: str, *, seconds: float) -> None:
        """Note that `key` is locked for so long."""
        try:
            await self._line.run(_NOTE_LOCK, (self._line.keys.locked(group),), (key, _ms(seconds), MAX_NOTED))
        except Refused:
            await self._spare.note_lock(group, key, seconds=seconds)

    async def drop_lock(self, group: str, key: str) -> None:
        """It is locked no more."""
        name = self._line.keys.locked(group)
        await self._spare.drop_lock(group, key)
        with contextlib.suppress(Refused):
            await self._line.do("ZREM", name, key, key=name)

    async def find_locks(self, group: str) -> list[int]:
        """How long each is locked yet."""
        try:
            found: list[int] = await self._line.run(_FIND_LOCKS, (self._line.keys.locked(group),), ())
        except Refused:
            return await self._spare.find_locks(group)
        return found


class RedisLocks(Locks):
    """Leases by name."""

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    async def acquire(self, name: str, *, ttl_seconds: float) -> str | None:
        """A token, or None: somebody has it."""
        key, token = self._line.keys.lock(name), random_token(8)
        held = await self._line.do("SET", key, token, "NX", "PX", _ms(ttl_seconds), key=key)
        return None if held is None else token

    async def release(self, name: str, token: str) -> None:
        """Give it back, if it is still held with this token."""
        await self._line.run(_RELEASE_LOCK, (self._line.keys.lock(name),), (token,))


class RedisMarks(Marks):
    """Marks by name. One goes after a day: whoever asks then has another, and what they kept is old by then."""

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    async def mark_of(self, name: str) -> str:
        """The mark that stands now; of two who make one at once, both get the first."""
        key = self._line.keys.mark(name)
        found: bytes | None = await self._line.do("GET", key, key=key)
        if found is None:
            await self._line.do("SET", key, random_token(8), "NX", "PX", _ms(MARK_SECONDS), key=key)
            found = await self._line.do("GET", key, key=key)
        return random_token(8) if found is None else found.decode()  # it was moved in between: this one nobody has

    async def move(self, name: str) -> None:
        """The next that is asked for is another one."""
        key = self._line.keys.mark(name)
        await self._line.do("DEL", key, key=key)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
