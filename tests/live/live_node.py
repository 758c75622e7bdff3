"""A node on a real socket with accounts that are made up: for tests of the protocol, whatever the school behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from websockets.asyncio.client import ClientConnection, connect

from config.settings import Settings
from documents.enums import Role
from handlers.live.commands import Command
from handlers.live.lines import Lines
from handlers.live.socket import live_rules
from handlers.live.table import COMMANDS
from handlers.origins import Origins
from lms_rt.bus.base import Bus
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.realtime.authority import Authority
from lms_rt.realtime.hub import Hub
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.node import Node, NodeLimits

ORIGIN = "https://school.example"
SESSION_MS = 900_000


class MadeUpSessions:
    """Every token and ticket is a user's id, `staff_…` of the teachers; `bad…` are none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lifetime_ms = SESSION_MS

    async def authenticate(self, token: str) -> Actor:
        user_id, _, session = token.partition("#")
        if user_id.startswith("bad"):
            raise Refused(Code.INVALID_TOKEN)
        role = Role.INSTRUCTOR if user_id.startswith("staff_") else Role.STUDENT
        expires_at_ms = self._clock.now_ms() + self.lifetime_ms
        return Actor(user_id, role, session_id=f"fam_{session}", full_name=user_id, expires_at_ms=expires_at_ms)

    async def actor_now(self, actor: Actor) -> Actor:
        return actor

    consume_ticket = authenticate


class MadeUpSubscriptions:
    """Everybody may listen to everything but what is in `closed`."""

    def __init__(self) -> None:
        self.closed: set[str] = set()

    async def require_channel(self, _: Actor, name: str) -> str:
        if name in self.closed:
            raise Refused(Code.NOT_FOUND)
        return name

    async def may_listen(self, _: Actor, name: str) -> bool:
        return name not in self.closed

    async def may_see_names(self, actor: Actor, _: str) -> bool:
        return actor.is_staff


class LiveNode:
    """The node, what it stands on, and clients for it."""

    def __init__(
        self,
        clock: Clock,
        bus: Bus,
        limits: NodeLimits | None,
        *,
        linger_seconds: float,
        subscriptions: MadeUpSubscriptions | None = None,
    ) -> None:
        self.clock, self.bus = clock, bus
        self.sessions, self.subscriptions = MadeUpSessions(clock), subscriptions or MadeUpSubscriptions()
        self.metrics = LiveMetrics()
        self.hub = Hub(bus=self.bus, clock=clock, metrics=self.metrics, linger_seconds=linger_seconds)
        self.node = Node(
            bus=self.bus,
            clock=clock,
            hub=self.hub,
            metrics=self.metrics,
            authority=Authority(may_listen=self.subscriptions.may_listen, actor_now=self.sessions.actor_now),
            limits=limits,
        )
        self.port = 0
        self._server: HTTPServer | None = None
        self._lines = Lines()
        self._running: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Has it been opened, and neither closed nor killed?"""
        return self._running is not None

    @property
    def fan_out(self) -> Any:
        return self.bus.fan_out

    def url(self, query: str = "?token=ada", path: str = "/ws") -> str:
        return f"ws://127.0.0.1:{self.port}{path}{query}"

    def connect(self, user: str | None = "ada", *, path: str = "/ws", **options: Any) -> connect:
        query = f"?token={user}" if user is not None else ""
        return connect(self.url(query, path), compression=None, proxy=None, **options)

    async def open(self, settings: Settings, commands: Mapping[str, Command]) -> None:
        """Listen on a free port of this machine."""
        services: Any = SimpleNamespace(
            settings=settings,
            clock=self.clock,
            bus=self.bus,
            node=self.node,
            sessions=self.sessions,
            subscriptions=self.subscriptions,
        )
        rules = live_rules(services, commands, lines=self._lines)
        self._server = HTTPServer(Application(rules, origins=Origins(settings)))
        sockets = bind_sockets(0, "127.0.0.1")
        self.port = sockets[0].getsockname()[1]
        self._server.add_sockets(sockets)
        await self.node.open()
        self._running = asyncio.create_task(self.node.run())

    async def close(self) -> None:
        """End it gently; again, or after `kill`, does nothing."""
        if self.is_alive:
            await self.node.shutdown(patience_seconds=1)
            await self._lines.close(patience_seconds=1)
            await self._end()

    async def kill(self) -> None:
        """End it as a crash does: nobody is told, nothing is given back."""
        if self.is_alive:
            await self._end()

    async def _end(self) -> None:
        running, self._running = self._running, None
        assert running is not None
        assert self._server is not None
        running.cancel()
        (fault,) = await asyncio.gather(running, return_exceptions=True)
        self._server.stop()
        await self._lines.abort()
        await self.node.hub.close()
        await self._server.close_all_connections()
        assert isinstance(fault, asyncio.CancelledError), f"the node ended by itself: {fault!r}"

    def decide(self, **now: Any) -> None:
        """Let others than those who were made up say who may do what (fields of `Authority`)."""
        self.node.access.authority = replace(self.node.access.authority, **now)

    async def beat(self, seconds: float) -> None:
        """Let time pass on a clock that is set by hand, and the node's heart beat once."""
        self.clock.advance(seconds)  # type: ignore[attr-defined]
        self.node.beat()


@asynccontextmanager
async def live_node(
    *,
    clock: Clock | None = None,
    bus_clock: Clock | None = None,
    limits: NodeLimits | None = None,
    commands: Mapping[str, Command] = COMMANDS,
    settings: Settings | None = None,
    linger_seconds: float = 0.0,
) -> AsyncIterator[LiveNode]:
    """A node alone, on a free port of this machine."""
    clock = clock or Clock()
    live = LiveNode(clock, memory_bus(bus_clock or clock), limits, linger_seconds=linger_seconds)
    await live.open(settings or Settings(_env_file=None, cors_origins=(ORIGIN,)), commands)
    try:
        yield live
    finally:
        await live.close()


async def received(socket: ClientConnection) -> dict[str, Any]:
    """The next frame that is not about presence."""
    while True:
        async with asyncio.timeout(20):
            frame: dict[str, Any] = orjson.loads(await socket.recv())
        if frame.get("event") != "presence":
            return frame


async def ask(socket: ClientConnection, command: str, **fields: Any) -> dict[str, Any]:
    """Send a command and read on to its reply; what came before it is dropped."""
    await socket.send(orjson.dumps({"id": 7, "type": command, **fields}).decode())
    while True:
        frame = await received(socket)
        if "ok" in frame:
            return frame


async def closed(socket: ClientConnection) -> int | None:
    """The code with which the server ends the line."""
    async with asyncio.timeout(20):
        await socket.wait_closed()
    return socket.close_code


async def subscribed(socket: ClientConnection, channel: str, since: dict[str, Any] | None = None) -> dict[str, Any]:
    """Subscribe; the reply's result."""
    reply = await ask(socket, "subscribe", channel=channel, since=since)
    assert reply["ok"], reply
    result: dict[str, Any] = reply["result"]
    return result


async def until(is_so: Any) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - a condition of many parts, nobody tells
            await asyncio.sleep(0.001)
