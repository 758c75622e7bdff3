"""A real Redis for the delivery machine: every node has a way of its own to it, and the server may die and come back."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack

import pytest

from lms_rt.bus.base import Bus
from lms_rt.bus.redis import channels
from lms_rt.bus.redis.bus import RedisLimits, open_redis_bus
from lms_rt.bus.redis.keys import Keys
from lms_rt.bus.redis.line import LineLimits, Script
from lms_rt.bus.redis.listening import ListeningLimits
from lms_rt.clock import Clock
from tests.live.bus_place import CHANNELS, NODES, BusPlace, answering
from tests.servers.redis_server import RedisServer
from tests.servers.tcp_proxy import TcpProxy, Way

SOON = (0.002, 0.01)
LIMITS = RedisLimits(
    line=LineLimits(connect_seconds=0.5, reply_seconds=0.1, probe_seconds=SOON),
    listening=ListeningLimits(
        connect_seconds=0.5, ping_seconds=0.1, reply_seconds=0.1, retry_seconds=SOON, spread_seconds=0.0
    ),
    compare_words_seconds=0.1,
)
"""What takes seconds elsewhere is noticed at once."""
PATIENT = RedisLimits(line=LineLimits(connect_seconds=5.0, reply_seconds=5.0, probe_seconds=SOON))
"""For who only looks on, on a busy machine."""


def keep_short_histories(monkeypatch: pytest.MonkeyPatch, events: int) -> None:
    """Let the scripts keep no more than so many events of a channel."""
    short = channels.PUBLISH.source.replace("HISTORY_EVENTS = 1000", f"HISTORY_EVENTS = {events}")
    assert short != channels.PUBLISH.source
    script = Script("publish", after=("epoch",))
    script.source = short
    monkeypatch.setattr(channels, "PUBLISH", script)


class RedisPlace(BusPlace):
    """A server that is this place's own."""

    may_lose_leaves = True  # one that is not answered within a tenth of a second is not said again

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._proxies = [TcpProxy(("127.0.0.1", server.port)) for _ in range(NODES)]
        self._opened = [AsyncExitStack() for _ in range(NODES)]
        self._admin_opened = AsyncExitStack()
        self._away: set[int] = set()
        self._dump: bytes | None = None
        self._name = ""

    async def close(self) -> None:
        """End the lines to it."""
        await self._admin_opened.aclose()
        for proxy in self._proxies:
            await proxy.close()

    async def new_world(self, clock: Clock) -> None:  # noqa: ARG002 - Redis has its own
        self._name, self._dump = f"world_{uuid.uuid4().hex[:8]}", None
        await self._admin_opened.aclose()
        self.admin = await self._admin_opened.enter_async_context(
            open_redis_bus(self._server.url, self._name, Clock(), limits=PATIENT)
        )

    async def connect(self, seat: int) -> Bus:
        self._away.discard(seat)
        await self._proxies[seat].accept()
        url = self._proxies[seat].url(self._server.url)
        return await self._opened[seat].enter_async_context(open_redis_bus(url, self._name, Clock(), limits=LIMITS))

    async def crash(self, seat: int) -> None:
        await self._proxies[seat].vanish()
        self._proxies[seat].release()

    async def disconnect(self, seat: int) -> None:
        await self._opened[seat].aclose()

    def is_away(self, seat: int) -> bool:
        return seat in self._away

    async def go_away(self, seat: int, how: str) -> None:
        self._away.add(seat)
        proxy = self._proxies[seat]
        if how == "gone":
            await proxy.vanish()
        else:
            proxy.hold(*{"silent": (), "deaf": (Way.UP,), "dumb": (Way.DOWN,)}[how])

    async def come_back(self, seat: int) -> None:
        self._away.discard(seat)
        self._proxies[seat].release()
        await self._proxies[seat].accept()

    async def cut(self, seat: int) -> None:
        self._proxies[seat].cut()

    async def flush(self) -> None:
        await asyncio.to_thread(self._server.do, "FLUSHALL")
        await asyncio.to_thread(self._server.do, "SCRIPT", "FLUSH")

    async def age(self) -> None:
        names = [Keys(self._name).history(channel) for channel in CHANNELS]
        await asyncio.to_thread(self._server.do, "DEL", *names)

    async def keep_dump(self) -> None:
        self._dump = await asyncio.to_thread(self._server.dump)

    async def restart(self, how: str) -> None:
        if how == "with all":
            await self.keep_dump()
        dump = None if how == "empty" else self._dump
        await asyncio.to_thread(self._server.restart, dump=dump)
        await answering(self.admin)
