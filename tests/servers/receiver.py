"""A receiver of webhooks on a real socket: keeps what it is sent, and answers as the test has told it to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    def verified(self, secret: str) -> Any:
        """The payload, as the public library of the standard accepts it; raises when it does not."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Reply:
    """How to answer once. `is_silent`: not at all; `is_endless`: a body that never ends; `is_stuck`: one that stops."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    is_silent: bool = False
    is_endless: bool = False
    is_stuck: bool = False


class Receiver:
    """Answers 200 unless `replies` holds something else."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.replies: deque[Reply] = deque()
        self.standing = Reply()
        self.port = 0
        self._came = asyncio.Condition()

    def url(self, path: str = "/hook", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def hear(self, count: int = 1) -> list[Received]:
        """Wait until so many requests have come in all; these."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def hear_of(self, type_: str, count: int = 1) -> list[Received]:
        """The same for events of a type."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._came:
            await self._came.wait_for(lambda: len(self.of(type_)) >= count)
        return self.of(type_)

    def of(self, type_: str) -> list[Received]:
        return [one for one in self.received if one.event["type"] == type_]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            reply = self.replies.popleft() if self.replies else self.standing
            async with self._came:
                self.received.append(Received(head[0].split(" ")[1], headers, body))
                self._came.notify_all()
            await self._answer(reply, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reply.is_silent:
            await reader.read()  # until the other side goes
            return
        length = "" if reply.is_endless else f"Content-Length: {len(reply.body) + reply.is_stuck}\r\n"
        heads = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{length}{heads}\r\n".encode() + reply.body)
        await writer.drain()
        if reply.is_stuck:
            await reader.read()
        while reply.is_endless:
            writer.write(b"x" * 4096)
            await writer.drain()
            await asyncio.sleep(0)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
