"""A node's room of connections, with a bus that is there or not and a database that says what they may do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from documents.enums import Role
from lms_rt.bus.base import Listening, Reachability, Receiver
from lms_rt.contracts.actor import Actor
from lms_rt.realtime.authority import AccessWatch, Authority, Verdict
from lms_rt.realtime.connection import Connection, Flusher, Transport
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.outage import Outage

EXPIRY = 1_000_000


class Switch(Reachability):
    """A bus that is there or not."""

    def __init__(self) -> None:
        self.is_there = True

    @property
    def is_reachable(self) -> bool:
        return self.is_there

    def watch(self, receiver: Receiver[bool]) -> Listening:
        raise AssertionError(receiver)

    async def ping(self) -> float:
        return 0.0

    async def faults(self) -> list[str]:
        return []


class Socket(Transport):
    """What went to one client."""

    def __init__(self) -> None:
        self.sent = b""
        self.code: int | None = None

    def write(self, data: bytes) -> bool:
        self.sent += data
        return True

    def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - the code says it
        self.code = code

    def abort(self) -> None:
        self.code = 1006


class Room:
    """A node's connections, and the database that says what they may do."""

    def __init__(self) -> None:
        self.switch = Switch()
        self.sockets: dict[str, Socket] = {}
        self.connections: Sequence[Connection] = ()
        self.metrics, self.flusher = LiveMetrics(), Flusher()
        self.ended: set[str] = set()
        self.lost: set[str] = set()
        self.names: dict[str, str] = {}
        self.faults = 0
        self.batches: list[int] = []
        self.has_reviewed = asyncio.Event()
        refuse = Authority(self._never, self._never, self.review)
        self.watch = AccessWatch(refuse, self, self.switch)
        self.outage = Outage(lambda: self.connections)

    async def _never(self, *_: object) -> Any:
        raise AssertionError("asked one by one")

    async def review(self, people: Sequence[tuple[Actor, Sequence[str]]]) -> list[Verdict]:
        self.batches.append(len(people))
        self.has_reviewed.set()
        if self.faults:
            self.faults -= 1
            raise OSError("the database is away")
        return [self.verdict(actor, channels) for actor, channels in people]

    def verdict(self, actor: Actor, channels: Sequence[str]) -> Verdict:
        if actor.user_id in self.ended:
            return Verdict(None)
        now = Actor(actor.user_id, actor.role, session_id=actor.session_id, full_name=self.names.get(actor.user_id, ""))
        return Verdict(now, [channel for channel in channels if channel in self.lost])

    def enter(self, user_id: str, *channels: str, session_id: str = "fam_1") -> Connection:
        actor = Actor(user_id, Role.STUDENT, session_id=session_id, expires_at_ms=EXPIRY)
        socket = Socket()
        connection = Connection(
            f"con_{len(self.sockets)}",
            actor,
            transport=socket,
            flusher=self.flusher,
            metrics=self.metrics,
            detach=lambda _: None,
        )
        self.sockets[connection.id] = socket
        self.connections = (*self.connections, connection)
        connection.subscriptions.update(dict.fromkeys(channels))  # type: ignore[arg-type]
        return connection

    def connections_of(self, user_id: str) -> Sequence[Connection]:
        return [connection for connection in self.connections if connection.actor.user_id == user_id]

    async def unsubscribe(self, connection: Connection, channel: str) -> None:
        connection.subscriptions.pop(channel)

    def codes(self) -> list[int | None]:
        return [socket.code for socket in self.sockets.values()]

    def sent_to(self, connection: Connection) -> bytes:
        connection.flush()
        return self.sockets[connection.id].sent

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def reviewed(self, batches: int = 1) -> None:
        async with asyncio.timeout(5):
            while len(self.batches) < batches:
                self.has_reviewed.clear()
                await self.has_reviewed.wait()
        await asyncio.sleep(0)
