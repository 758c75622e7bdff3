"""The bus's smaller roles for tests: those of each implementation, and how time is made to pass for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lms_rt.bus.base import Locks, Marks, Presence, Revocations, Tickets
from lms_rt.bus.limits import RateLimits
from lms_rt.bus.memory import (
    MemoryLocks,
    MemoryMarks,
    MemoryPresence,
    MemoryRateLimits,
    MemoryRevocations,
    MemoryTickets,
)
from lms_rt.bus.redis.line import RedisLine
from lms_rt.bus.redis.presence import RedisPresence
from lms_rt.bus.redis.small_roles import RedisLocks, RedisMarks, RedisRateLimits, RedisRevocations, RedisTickets
from lms_rt.clock import FakeClock


@dataclass
class Roles:
    """The roles of one implementation, and how time is made to pass for them."""

    presence: Presence
    tickets: Tickets
    revocations: Revocations
    rate_limits: RateLimits
    locks: Locks
    marks: Marks
    pass_time: Callable[[float], Awaitable[None]]


def in_memory() -> Roles:
    clock = FakeClock()

    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    return Roles(
        MemoryPresence(clock),
        MemoryTickets(clock),
        MemoryRevocations(clock),
        MemoryRateLimits(clock),
        MemoryLocks(clock),
        MemoryMarks(),
        pass_time,
    )


def on_redis_line(line: RedisLine, client: Any) -> Roles:
    async def pass_time(seconds: float) -> None:
        """A server's clock is not ours to set: instead everything in it gets older."""
        async for key in client.scan_iter(f"{line.keys.prefix}*"):
            await _age(client, key, seconds)

    return Roles(
        RedisPresence(line),
        RedisTickets(line),
        RedisRevocations(line),
        RedisRateLimits(line, MemoryRateLimits(FakeClock())),
        RedisLocks(line),
        RedisMarks(line),
        pass_time,
    )


async def _age(client: Any, key: bytes, seconds: float) -> None:
    if await client.type(key) == b"zset":
        for name, score in await client.zrange(key, 0, -1, withscores=True):
            await client.zadd(key, {name: score - seconds * 1000})
    elif b":strikes:" in key:
        left_ms, moments = await client.pttl(key), await client.lrange(key, 0, -1)
        await client.delete(key)
        await client.rpush(key, *(int(at) - round(seconds * 1e6) for at in moments))
        await client.pexpire(key, left_ms)
    elif b":bucket:" in key:
        await client.set(key, int(await client.get(key)) - round(seconds * 1e6), keepttl=True)
    if (left_ms := await client.pttl(key)) > seconds * 1000:
        await client.pexpire(key, left_ms - round(seconds * 1000))
    else:
        await client.delete(key)
