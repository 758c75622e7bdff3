"""A school on several node processes over a Redis that tests may hurt: people, and sockets at whichever node they name."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from config.settings import Settings
from lms_rt.bus.base import Bus
from lms_rt.bus.redis.bus import open_redis_bus
from lms_rt.client.ear import Ear
from lms_rt.client.live import LiveClient
from lms_rt.client.pacing import Backoff
from lms_rt.clock import Clock
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD
from tests.servers.nodes import LmsNode, running_nodes
from tests.servers.ports import free_port
from tests.servers.redis_server import RedisServer
from tests.working import pretend_workers

PATIENCE_SECONDS = 60
"""Nothing here is judged by how long it takes; what does not come within this time does not come.

It is longer than the life of a quiz that had to stay open longest, on a machine that stands still (`begun_before_closing`).
"""
_NUMBERS = itertools.count(1)
Frame = dict[str, Any]
FoundT = TypeVar("FoundT")


@dataclass
class NodeSchool:
    """Running nodes, their Redis, and who visits them. Everybody who is made here is new."""

    settings: Settings
    nodes: list[LmsNode]
    redis: RedisServer
    bus: Bus
    """This process on the same Redis, as one more node: to publish as fast as one likes."""
    _stack: AsyncExitStack

    @property
    def addresses(self) -> list[str]:
        return [node.address for node in self.nodes]

    async def visitor(self, address: str) -> Visitor:
        """Somebody at this address who has not signed in."""
        return await self._stack.enter_async_context(Visitor.of(address))

    async def person(self, role: str = "student", *, address: str | None = None) -> Visitor:
        """Somebody new, registered at this address (else at the first node) and signed in."""
        somebody = await self.visitor(address or self.nodes[0].address)
        number = next(_NUMBERS)
        await somebody.register(f"{role}{number}@example.org", PASSWORD, f"{role.title()} {number}", role)
        return somebody

    async def at(self, person: Visitor, address: str) -> Visitor:
        """The same person with the same tokens at another address."""
        elsewhere = await self.visitor(address)
        elsewhere.take(person.tokens)
        return elsewhere

    async def everywhere(self, person: Visitor) -> list[Visitor]:
        """The same person at every node."""
        return [await self.at(person, address) for address in self.addresses]


@asynccontextmanager
async def node_school(
    request: pytest.FixtureRequest, folder: Path, *given: Mapping[str, Any], **more: Any
) -> AsyncIterator[NodeSchool]:
    """A school on as many nodes as there are choices of limits and clocks, with a Redis of its own."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer(port=free_port()))
        more = {"allow_public_role_registration": True, "redis_url": redis.url, **more}
        settings = settings_on("real", request, folder, **more)
        pretend_workers(settings)
        nodes = stack.enter_context(running_nodes(settings, *given, folder=folder))
        bus = await stack.enter_async_context(
            open_redis_bus(settings.redis_url.get_secret_value(), settings.mongodb_database, Clock())
        )
        visitors = await stack.enter_async_context(AsyncExitStack())
        yield NodeSchool(settings, nodes, redis, bus, visitors)


class Watcher:
    """A raw socket that notes every frame it is sent, in order, and neither mends nor drops anything."""

    def __init__(self, socket: ClientConnection) -> None:
        self.frames: list[Frame] = []
        self.is_over = False
        self._socket, self._ids = socket, itertools.count(1)
        self._replies: dict[int, Frame] = {}
        self._has_news = asyncio.Event()

    async def read(self) -> None:
        """Read to the end."""
        try:
            async for message in self._socket:
                frame = orjson.loads(message)
                if "ok" in frame:
                    self._replies[frame["id"]] = frame
                self.frames.append(frame)
                self._has_news.set()
        except ConnectionClosed:
            pass  # the code tells how
        finally:
            self.is_over = True
            self._has_news.set()

    async def ask(self, command: str, **fields: Any) -> Frame:
        """The reply to a command."""
        command_id = next(self._ids)
        await self._socket.send(orjson.dumps({"id": command_id, "type": command, **fields}).decode())
        return await self.until(lambda: self._replies.get(command_id))

    async def ok(self, command: str, **fields: Any) -> Any:
        """The result of a command that must succeed."""
        reply = await self.ask(command, **fields)
        assert reply["ok"], reply
        return reply["result"]

    async def until(self, find: Callable[[], FoundT | None]) -> FoundT:
        """What `find` finds in the frames, once it finds something."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (found := find()):
                    assert not self.is_over, f"closed with {self._socket.close_code}; last {self.frames[-3:]}"
                    self._has_news.clear()
                    await self._has_news.wait()
        except TimeoutError:
            raise AssertionError(f"it did not come; last {self.frames[-3:]}") from None
        return found

    async def closed(self) -> int | None:
        """The code with which the server ends the line."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._socket.wait_closed()
        return self._socket.close_code

    def events(self, channel: str) -> list[Frame]:
        """The events of a channel, in the order of their coming."""
        return [frame for frame in self.frames if frame.get("type") == "event" and frame["channel"] == channel]

    async def hears(self, channel: str, count: int) -> list[Frame]:
        """The events of a channel, once there are so many."""
        await self.until(lambda: len(self.events(channel)) >= count)
        return self.events(channel)

    async def is_told(self, kind: str) -> list[Frame]:
        """The notices of a kind, once there is one."""
        return await self.until(lambda: self.notices(kind))

    def notices(self, kind: str) -> list[Frame]:
        """The notices of a kind."""
        return [frame for frame in self.frames if frame.get("type") == kind]


@asynccontextmanager
async def watching(person: Visitor, address: str | None = None, *, ticket: str | None = None) -> AsyncIterator[Watcher]:
    """A raw socket of this person at this address, else where they are; signed in by a ticket from where they are."""
    async with socket_of(person, address, ticket=ticket) as socket:
        watcher = Watcher(socket)
        reading = asyncio.create_task(watcher.read())
        try:
            await watcher.is_told("welcome")
            yield watcher
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def socket_of(
    person: Visitor, address: str | None = None, *, ticket: str | None = None
) -> AsyncIterator[ClientConnection]:
    """The same, for who reads the frames one by one."""
    url = f"{live_url(address or person.address)}?ticket={ticket or await person.ticket()}"
    async with connect(url, compression=None, proxy=None, max_size=None, ping_interval=None) as socket:
        yield socket


class Listener:
    """What the product's own client told its user of one channel."""

    def __init__(self, channel: str) -> None:
        self.ear = Ear(channel, on_event=self._note)
        self.events: list[Frame] = []

    def _note(self, event: Frame) -> None:
        self.events.append(event)

    @property
    def titles(self) -> list[str]:
        """The titles that a course was given."""
        return [event["data"]["changes"]["title"] for event in self.events]


def live_url(address: str) -> str:
    """Where sockets open at this address."""
    return f"{address.replace('http', 'ws', 1)}/ws"


def client_of(person: Visitor) -> LiveClient:
    """The product's own client of this person, from where they are; it comes back soon."""
    return LiveClient(live_url(person.address), ticket=person.ticket, backoff=Backoff(most_seconds=0.2))
