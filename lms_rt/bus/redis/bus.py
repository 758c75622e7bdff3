"""The whole bus over Redis: its lines and tasks, opened and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lms_rt.bus.base import PRESENCE_SECONDS, Bus, WakeUps
from lms_rt.bus.memory import MemoryRateLimits, SilentWakeUps
from lms_rt.bus.redis.channels import RedisFanOut, RedisHistory
from lms_rt.bus.redis.keys import Keys
from lms_rt.bus.redis.line import LineLimits, RedisLine
from lms_rt.bus.redis.listening import Hearing, ListeningLimits
from lms_rt.bus.redis.presence import RedisPresence
from lms_rt.bus.redis.replicas import Replicas, patient
from lms_rt.bus.redis.server import RedisReachability, RedisTime
from lms_rt.bus.redis.small_roles import RedisLocks, RedisMarks, RedisRateLimits, RedisRevocations, RedisTickets
from lms_rt.bus.redis.words import COMPARE_SECONDS, Words
from lms_rt.clock import Clock


@dataclass(frozen=True, slots=True)
class RedisLimits:
    """How long the bus waits for what."""

    line: LineLimits = field(default_factory=LineLimits)
    listening: ListeningLimits = field(default_factory=ListeningLimits)
    compare_words_seconds: float = COMPARE_SECONDS
    presence_seconds: float = PRESENCE_SECONDS


@asynccontextmanager
async def open_redis_bus(
    url: str,
    installation: str,
    clock: Clock,
    *,
    replicas: int = 0,
    wake_ups: WakeUps | None = None,
    limits: RedisLimits | None = None,
) -> AsyncIterator[Bus]:
    """The bus of an installation. An absent Redis is no error here: `Bus.open` asks whether it answers.

    An event of record counts as published when so many `replicas` have it.
    """
    limits, keys = limits or RedisLimits(), Keys(installation)
    line = RedisLine(url, keys, limits=limits.line)
    publishing = RedisLine(url, keys, limits=patient(limits.line)) if replicas else line
    hearing = Hearing(line, limits=limits.listening)
    words = Words(line, hearing, compare_seconds=limits.compare_words_seconds)
    try:
        for one in {line, publishing}:
            await one.open()
        await hearing.open()
        await words.open()
        yield Bus(
            fan_out=RedisFanOut(line, hearing, words, clock, replicas=Replicas(publishing, replicas)),
            history=RedisHistory(line, clock),
            presence=RedisPresence(line, presence_seconds=limits.presence_seconds),
            tickets=RedisTickets(line),
            revocations=RedisRevocations(line),
            rate_limits=RedisRateLimits(line, MemoryRateLimits(clock)),
            locks=RedisLocks(line),
            marks=RedisMarks(line),
            wake_ups=wake_ups or SilentWakeUps(),
            reachability=RedisReachability(line, replicas=replicas),
            time=RedisTime(line),
        )
    finally:
        await words.close()
        await hearing.close()
        for one in {line, publishing}:
            await one.close()
