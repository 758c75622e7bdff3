"""A hub over a history that tests slow down, and connections whose frames they look at."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson

from documents.enums import Role
from lms_rt.bus.base import Bus, History, HistoryPage, Message, Position, Receiver, Reword, Stretch
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.realtime.connection import Connection, Flusher, Transport
from lms_rt.realtime.hub import Hub
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.subscription import Subscription


class SlowHistory(History):
    """Reads when it is let, counts its reads, and is away when told so."""

    def __init__(self, inner: History) -> None:
        self._inner, self.reads, self.is_away = inner, 0, False
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, channel: str, *, after: int | None = None) -> Stretch:
        self.reads += 1
        await self.gate.wait()
        if self.is_away:
            raise Refused(Code.UNAVAILABLE)
        return await self._inner.read(channel, after=after)

    async def page(
        self, channel: str, *, before: int | None = None, after: int | None = None, limit: int = 100
    ) -> HistoryPage:
        return await self._inner.page(channel, before=before, after=after, limit=limit)

    async def top(self, channel: str) -> Position | None:
        return None if self.is_away else await self._inner.top(channel)

    async def forget(self, channel: str) -> None:
        await self._inner.forget(channel)

    async def reword(self, channel: str, word: str, change: Reword) -> None:
        await self._inner.reword(channel, word, change)


class Ears(Transport):
    """What a connection was sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closes: list[int | None] = []

    def write(self, data: bytes) -> bool:
        self.frames.append(data)
        return True

    def close(self, code: int, reason: str) -> None:
        assert reason
        self.closes.append(code)

    def abort(self) -> None:
        self.closes.append(None)

    @property
    def offsets(self) -> list[int]:
        parts = b"".join(self.frames).split(b'{"type":"event"')[1:]
        return [
            orjson.loads(b'{"offset":' + part.split(b'"offset":')[1].split(b",")[0] + b"}")["offset"] for part in parts
        ]


class Place:
    """A hub over a history that a test slows down, and connections for it."""

    def __init__(self, linger_seconds: float = 0.0) -> None:
        bus = memory_bus(FakeClock())
        self.history = SlowHistory(bus.history)
        self.bus: Bus = replace(bus, history=self.history)
        self.metrics = LiveMetrics()
        self.hub = Hub(bus=self.bus, clock=FakeClock(), metrics=self.metrics, linger_seconds=linger_seconds)
        self.flusher = Flusher()

    def connection(self, name: str) -> tuple[Connection, Ears]:
        ears = Ears()
        made = Connection(
            name,
            Actor("usr_1", Role.STUDENT),
            transport=ears,
            flusher=self.flusher,
            metrics=LiveMetrics(),
            detach=_nothing,
        )
        return made, ears

    async def publish(self, count: int = 1) -> None:
        for _ in range(count):
            await self.bus.fan_out.publish_direct("course:1", "announcement", {})

    async def publish_unheard(self) -> list[Receiver[Message]]:
        """Publish what this node does not hear; who would have heard it."""
        receivers = self.bus.fan_out._channels._receivers  # type: ignore[attr-defined]
        unhearing: list[Receiver[Message]] = receivers.pop("course:1")
        await self.publish()
        receivers["course:1"] = unhearing
        return unhearing

    def subscribing(self, connection: Connection, since: Position | None = None) -> asyncio.Task[Subscription]:
        return asyncio.create_task(self.hub.subscribe(connection, "course:1", since))

    async def subscribed(self, connection: Connection, since: Position | None = None) -> Subscription:
        subscription = await self.subscribing(connection, since)
        subscription.release()
        return subscription


def _nothing(_: Connection) -> None:
    """The tests keep their subscriptions themselves."""


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until_empty(place: Place) -> None:
    async with asyncio.timeout(5):
        while place.hub.channels:  # noqa: ASYNC110 - the actor ends by itself
            await asyncio.sleep(0.001)
