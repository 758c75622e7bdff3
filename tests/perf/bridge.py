"""`python -m tests.perf.bridge KIND URL`: one end of the bridge that Redis is between nodes, for the benchmarks.

`ours`, `redis-py` and `hiredis` hear what a channel's nodes hear; "hear COUNT" is answered at once, and again when so many
messages more have come. `publisher` publishes on that channel as the product does: "publish COUNT RATE", RATE 0: as fast as it can.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import hiredis
from redis.asyncio import Redis

from lms_rt.bus.base import Bus, Message, Published, Receiver
from lms_rt.bus.redis.bus import open_redis_bus
from lms_rt.bus.redis.keys import Keys
from lms_rt.clock import Clock
from lms_rt.contracts.events import LiveEvent
from lms_rt.ids import new_id

_INSTALLATION, _CHANNEL = "bench", "course:crs_01kaj3v9f0q5t8w2x4y6z8a0b2"
_KEY = Keys(_INSTALLATION).channel(_CHANNEL)
_SIDE_BY_SIDE = 100


class Counter:
    """Counts messages, and says when there were enough."""

    def __init__(self) -> None:
        self.count = self._wanted = 0

    def want(self, more: int) -> None:
        """Answer when so many more have come."""
        self._wanted = self.count + more
        _say({"hears": more})

    def add(self) -> None:
        """One message more."""
        self.count += 1
        if self.count == self._wanted:
            _say({"count": self.count})


class _Ours(Receiver[Message]):
    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def receive(self, message: Message) -> None:
        if isinstance(message, Published):
            self._counter.add()


class _Raw(asyncio.Protocol):
    """The least that a subscriber in Python can do: hiredis reads, and what it read is counted."""

    def __init__(self, counter: Counter, confirmed: asyncio.Future[None]) -> None:
        self._counter, self._confirmed, self._reader = counter, confirmed, hiredis.Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(f"SUBSCRIBE {_KEY}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if cast("list[bytes]", reply)[0] == b"message":
                self._counter.add()
            elif not self._confirmed.done():
                self._confirmed.set_result(None)


@asynccontextmanager
async def _bus(url: str) -> AsyncIterator[Bus]:
    async with open_redis_bus(url, _INSTALLATION, Clock()) as bus:
        await bus.open()
        yield bus


@asynccontextmanager
async def _hear_with_ours(url: str, counter: Counter) -> AsyncIterator[None]:
    async with _bus(url) as bus:
        await bus.fan_out.listen(_CHANNEL, _Ours(counter))
        yield


@asynccontextmanager
async def _hear_with_redis_py(url: str, counter: Counter) -> AsyncIterator[None]:
    async with Redis.from_url(url) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(_KEY)
        confirmed = asyncio.Event()

        async def listen() -> None:
            async for message in pubsub.listen():
                if message["type"] == "message":
                    counter.add()
                else:
                    confirmed.set()

        listening = asyncio.create_task(listen())
        await confirmed.wait()
        yield
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@asynccontextmanager
async def _hear_with_hiredis(url: str, counter: Counter) -> AsyncIterator[None]:
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    confirmed = loop.create_future()
    transport, _ = await loop.create_connection(
        lambda: _Raw(counter, confirmed), str(parts.hostname), parts.port or 6379
    )
    await confirmed
    yield
    transport.close()


HEARERS: dict[str, Callable[[str, Counter], Any]] = {
    "ours": _hear_with_ours,
    "redis-py": _hear_with_redis_py,
    "hiredis": _hear_with_hiredis,
}


async def _hear(kind: str, url: str) -> None:
    counter = Counter()

    async def obey(more: str) -> None:
        counter.want(int(more))

    async with HEARERS[kind](url, counter):
        await _obey(obey)


async def _publish(url: str) -> None:
    versions = itertools.count(1)

    async with _bus(url) as bus:

        async def one() -> None:
            await bus.fan_out.publish(_CHANNEL, _event(next(versions)))

        async def obey(count: str, rate: str) -> None:
            began = time.monotonic()
            for done in range(0, int(count), _SIDE_BY_SIDE if rate == "0" else 1):
                if rate == "0":
                    await asyncio.gather(*(one() for _ in range(min(_SIDE_BY_SIDE, int(count) - done))))
                else:
                    await asyncio.sleep(began + done / int(rate) - time.monotonic())
                    await one()
            _say({"count": int(count)})

        await _obey(obey)


def _event(version: int) -> LiveEvent:
    return LiveEvent(
        event_id=new_id("evt"),
        name="course_updated",
        data={"course_id": _CHANNEL, "changes": {"short_description": "Slopes and lines, with examples."}},
        at_ms=Clock().now_ms(),
        aggregate=_CHANNEL,
        version=version,
        n=0,
    )


async def _obey(do: Callable[..., Awaitable[None]]) -> None:
    """Take orders until the input ends."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _say({"ready": True})
    while words := (await orders.readline()).decode().split():
        await do(*words[1:])


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Be one end, until the input ends."""
    kind, url = sys.argv[1:]
    asyncio.run(_publish(url) if kind == "publisher" else _hear(kind, url))


if __name__ == "__main__":
    main()
