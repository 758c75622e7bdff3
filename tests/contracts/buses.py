"""The buses that the contract suite runs against, made alike: how time passes on each, and when all has arrived."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from lms_rt.bus.base import Bus, Control, Message, Poke, Published, Receiver, Word
from lms_rt.bus.memory import memory_bus
from lms_rt.bus.redis.bus import RedisLimits, open_redis_bus
from lms_rt.bus.redis.line import LineLimits
from lms_rt.bus.redis.listening import ListeningLimits
from lms_rt.clock import FakeClock
from lms_rt.contracts.events import LiveEvent

PATIENCE_SECONDS = 20
_MARK = "arrived"
_GONE = -2
"""What Redis says of the time that a key has left which is not there."""
QUICK = RedisLimits(
    line=LineLimits(connect_seconds=1.0, reply_seconds=1.0, probe_seconds=(0.02, 0.05)),
    listening=ListeningLimits(
        connect_seconds=1.0, ping_seconds=0.05, reply_seconds=1.0, retry_seconds=(0.01, 0.02), spread_seconds=0
    ),
    compare_words_seconds=0.05,
)
"""For tests of what goes away."""


@dataclass(frozen=True)
class SomeBus:
    """A bus, and how to make time pass on it."""

    bus: Bus
    clock: FakeClock
    age: Callable[[float], Awaitable[None]]
    """Makes what the server keeps older."""
    installation: str = ""

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.age(seconds)


class Kept(Receiver[Any]):
    """Keeps what it is handed, marks aside."""

    def __init__(self) -> None:
        self.messages: list[Message | Word] = []
        self._marks: set[str] = set()
        self._changed = asyncio.Event()

    def receive(self, message: Message | Word) -> None:
        if isinstance(message, Poke) and message.about[:1] == (_MARK,):
            self._marks.add(message.about[1])
        elif isinstance(message, Control) and message.name == _MARK:
            self._marks.add(message.data["mark"])
        else:
            self.messages.append(message)
        self._changed.set()

    @property
    def offsets(self) -> list[int]:
        return [message.position.offset for message in self.messages if isinstance(message, Published)]

    async def until(self, has_come: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not has_come():
                self._changed.clear()
                await self._changed.wait()

    async def until_mark(self, mark: str) -> None:
        await self.until(lambda: mark in self._marks)


async def all_arrived(bus: Bus, channel: str, *listeners: Kept) -> None:
    """Return once everything that was published before has come to all of them: a mark that was sent after it is there."""
    mark = uuid.uuid4().hex
    await bus.fan_out.poke(channel, (_MARK, mark))
    for listener in listeners:
        await listener.until_mark(mark)


async def all_words_arrived(bus: Bus, *listeners: Kept) -> None:
    """The same for words to the nodes."""
    mark = uuid.uuid4().hex
    await bus.fan_out.publish_control(_MARK, {"mark": mark})
    for listener in listeners:
        await listener.until_mark(mark)


def of_record(aggregate: str, version: int, n: int = 0, at_ms: int = 5) -> LiveEvent:
    return LiveEvent(f"evt_{aggregate}_{version}_{n}", "course_updated", {"x": 1}, at_ms, aggregate, version, n)


def in_memory() -> SomeBus:
    clock = FakeClock()

    async def age(_: float) -> None:
        """The clock is all there is."""

    return SomeBus(memory_bus(clock), clock, age)


def client_of(url: str, *, is_cluster: bool) -> Any:
    """The client that everybody uses: a second opinion on what is there."""
    return RedisCluster.from_url(url) if is_cluster else Redis.from_url(url)


@asynccontextmanager
async def on_redis(
    url: str,
    installation: str | None = None,
    *,
    is_cluster: bool = False,
    replicas: int = 0,
    limits: RedisLimits | None = None,
) -> AsyncIterator[SomeBus]:
    """A bus of its own on a real server; several of one installation are several nodes."""
    installation = installation or f"test_{uuid.uuid4().hex}"
    clock = FakeClock()

    async def age(seconds: float) -> None:
        """A server's clock is not ours to set: instead what it keeps comes nearer to its end."""
        async with client_of(url, is_cluster=is_cluster) as client:
            async for key in client.scan_iter(f"lms:{installation}:*"):
                left_ms = await client.pttl(key)
                if left_ms == _GONE:  # since it was listed
                    continue
                assert left_ms >= 0, f"{key!r} is kept for ever"
                left_ms -= round(seconds * 1000)
                await (client.pexpire(key, left_ms) if left_ms > 0 else client.delete(key))

    async with open_redis_bus(url, installation, clock, replicas=replicas, limits=limits) as bus:
        yield SomeBus(bus, clock, age, installation)
