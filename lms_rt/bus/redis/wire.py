"""One connection to a Redis server: commands out, replies back in their order. What a failure means is its owner's affair.

Commands of one turn of the loop leave in one write, and none waits for the reply of another: callers side by side share
the connection as a pipeline. Of redis-py only the grammar of URLs is used here (docs/decisions/0006-one-pipelined-line-to-redis.md).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import hiredis
from redis.connection import SSLConnection, parse_url

from config.settings import VERSION

Argument = bytes | str | int
"""A word of a command."""

ReplyError = hiredis.ReplyError
"""The server understood, and said no."""

MAX_PENDING: Final = 10_000
"""Commands under way on one connection; who comes when there are more is turned away."""

_BUFFER_BYTES: Final = 64 * 1024
INCOMPLETE: Final = object()
"""What the reader says when the next reply is not whole yet."""


class Lost(Exception):
    """The connection is gone, or an answer did not come in time: what became of the command nobody knows."""


class TooMany(Exception):
    """So much is under way that this command was not sent."""


class Endpoint(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """What `REDIS_URL` says, in the URL grammar of redis-py: redis://, rediss:// and unix://."""

    endpoint: Endpoint
    path: str | None = None
    database: int = 0
    username: str = "default"
    password: str | None = None
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address in a URL; raises `ValueError`."""
        parts: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
        return cls(
            Endpoint(parts.get("host") or "localhost", int(parts.get("port") or 6379)),
            path=parts.get("path"),
            database=int(parts.get("db") or 0),
            username=parts.get("username") or "default",
            password=parts.get("password"),
            tls=_tls(parts) if parts.get("connection_class") is SSLConnection else None,
        )

    def at(self, endpoint: Endpoint) -> Address:
        """Another server of the same cluster."""
        return replace(self, endpoint=endpoint)


def _tls(parts: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=parts.get("ssl_ca_certs"))
    if certificate := parts.get("ssl_certfile"):
        context.load_cert_chain(certificate, parts.get("ssl_keyfile"))
    if parts.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Wire(asyncio.BufferedProtocol):
    """A connection. `on_lost` is called once, when it ends without having been closed here."""

    def __init__(self, on_lost: Callable[[Wire], None], *, reply_seconds: float) -> None:
        self.facts: dict[str, Any] = {}
        """What the server said of itself: version, mode, role …"""
        self._on_lost, self._reply_seconds = on_lost, reply_seconds
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(_BUFFER_BYTES)
        self._reader = hiredis.Reader(notEnoughData=INCOMPLETE)
        self._pending: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.is_closed = False

    async def introduce(self, address: Address) -> None:
        """Sign in, name ourselves, choose the database, and learn what server this is."""
        login = ("AUTH", address.username, address.password) if address.password else ()
        greeting = self.send(("HELLO", 2, *login, "SETNAME", f"lms_rt-{VERSION}"))
        if address.database:
            await self.send(("SELECT", address.database))
        flat = await greeting
        self.facts = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}

    def send(self, words: Sequence[Argument]) -> asyncio.Future[Any]:
        """Let a command go; the future brings its reply, or raises `ReplyError`, `Lost` or `TooMany`."""
        future = self._loop.create_future()
        if self.is_closed or len(self._pending) >= MAX_PENDING:
            future.set_exception(Lost("closed") if self.is_closed else TooMany())
            return future
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(hiredis.pack_command(tuple(words)))  # type: ignore[arg-type]
        self._pending.append((self._loop.time() + self._reply_seconds, future))
        if self._watch is None:
            self._watch = self._loop.call_later(self._reply_seconds, self._look_at_the_oldest)
        return future

    def close(self) -> None:
        """End it; what is under way is `Lost`, and `on_lost` is not called."""
        self._end(Lost("closed"))

    # --- asyncio.BufferedProtocol: what is read goes to the parser without a copy in between ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - always the same one
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand each whole reply to who waits for it."""
        reader = self._reader
        try:
            reader.feed(self._buffer, 0, nbytes)  # type: ignore[arg-type]
            while (reply := reader.gets()) is not INCOMPLETE:
                self._take_reply(reply)
        except (hiredis.ProtocolError, IndexError):
            self._lose("what came is no reply")

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side, or the network, ended it."""
        self._lose(str(exc or "closed by the server"))

    # --- steps ---

    def _take_reply(self, reply: Any) -> None:
        _, future = self._pending.popleft()
        if future.done():  # nobody waits any more
            return
        if isinstance(reply, ReplyError):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def _flush(self) -> None:
        if self._transport is not None and not self.is_closed:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def _look_at_the_oldest(self) -> None:
        """One timer for all commands: replies come in order, so the oldest is the latest."""
        self._watch = None
        if not self._pending:
            return
        due = self._pending[0][0]
        if due <= self._loop.time():
            self._lose(f"no reply within {self._reply_seconds} s")
        else:
            self._watch = self._loop.call_at(due, self._look_at_the_oldest)

    def _lose(self, why: str) -> None:
        if not self.is_closed:
            self._end(Lost(why))
            self._on_lost(self)

    def _end(self, error: Lost) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        while self._pending:
            _, future = self._pending.popleft()
            if not future.done():
                future.set_exception(error)
                future.exception()  # marked as seen: the caller may have been cancelled


async def connect(address: Address, make: Callable[[], Wire], *, connect_seconds: float) -> Wire:
    """An open, signed-in connection; raises `Lost`, or `ReplyError` when the server does not take us."""
    loop = asyncio.get_running_loop()
    wire: Wire | None = None
    try:
        async with asyncio.timeout(connect_seconds):
            if address.path is not None:
                _, wire = await loop.create_unix_connection(make, address.path)
            else:
                _, wire = await loop.create_connection(make, *address.endpoint, ssl=address.tls)
            await wire.introduce(address)
    except (OSError, TimeoutError) as error:
        _close(wire)
        raise Lost(str(error) or "no answer in time") from None
    except BaseException:
        _close(wire)
        raise
    return wire


def _close(wire: Wire | None) -> None:
    if wire is not None:
        wire.close()
