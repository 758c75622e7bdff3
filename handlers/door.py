"""The HTTP server's door: how many may stand in it, and what happens when the process can hold no more. No routes.

Who has connected and not said what for holds a place; when the places are gone, whoever has stood there longest leaves. And
only a few come in at once: the next when one of those has its answer, or after a moment. The others wait in the kernel, which
hands over who has said something first, and whoever is in already does not feel how many there are at the door.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream

BACKLOG = 4_096
"""Connections that wait in the kernel: a herd that comes back at once is not turned away there."""
_NO_MORE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_DEFER_ACCEPT: int | None = getattr(socket, "TCP_DEFER_ACCEPT", None)
"""Linux has it (tcp(7)); elsewhere all are handed over at once."""
_HEARS_SECONDS = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorBounds:
    """How many may wait, and what is done when the process has no more descriptors."""

    waiting: int = 4_000
    """Connections whose next request has not come: those that never say anything, and those that are kept for later."""
    coming_in: int = 2
    """Connections that are being looked at, of which the next is let in when one has its answer, or after so long."""
    coming_seconds: float = 0.005
    silent_seconds: float = 0.001
    """The same for one whose request is not there: it costs nothing, so nobody waits for it."""
    hears_first: bool = True
    """Does the kernel hand a connection over only once it has said something, or some seconds have passed?"""
    sent_away: int = 100
    pause_seconds: float = 0.2


@dataclass(slots=True)
class _Coming:
    """A connection that has no answer yet. Its second request begins when the first was answered."""

    patience: asyncio.TimerHandle
    has_begun: bool = False


class Door(HTTPServer):
    """Tornado's server with bounds on who says nothing."""

    def initialize(self, application: Any, *, bounds: DoorBounds | None = None, **options: Any) -> None:  # type: ignore[override]
        """Take the server's options, and the bounds."""
        super().initialize(application, **options)
        self._bounds = bounds or DoorBounds()
        self._waiting: dict[HTTP1ServerConnection, None] = {}
        """In the order in which they began to wait."""
        self._coming: dict[IOStream, _Coming] = {}
        self._listeners: dict[socket.socket, asyncio.TimerHandle | None] = {}

    # --- coming in ---

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Let in who knocks there."""
        for listener in sockets:
            if self._bounds.hears_first and _DEFER_ACCEPT is not None:
                listener.setsockopt(socket.IPPROTO_TCP, _DEFER_ACCEPT, _HEARS_SECONDS)
            self._listeners[listener] = None
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def stop(self) -> None:
        """Let nobody in any more; who is in stays."""
        super().stop()
        for listener, pause in self._listeners.items():
            asyncio.get_running_loop().remove_reader(listener)
            if pause is not None:
                pause.cancel()
            listener.close()
        self._listeners.clear()
        for coming in self._coming.values():
            coming.patience.cancel()
        self._coming.clear()

    def _accept(self, listener: socket.socket) -> None:
        while len(self._coming) < self._bounds.coming_in:
            try:
                line, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_MORE:
                    raise
                self._pause(listener, error)
                return
            stream = IOStream(line, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size)
            patience = asyncio.get_running_loop().call_later(self._bounds.silent_seconds, self._is_in, stream)
            self._coming[stream] = _Coming(patience)
            self.handle_stream(stream, address)
        asyncio.get_running_loop().remove_reader(listener)

    def _is_in(self, stream: IOStream) -> None:
        """It has its answer, or needs longer than others should wait for it."""
        coming = self._coming.pop(stream, None)
        if coming is None:
            return
        coming.patience.cancel()
        for listener, pause in self._listeners.items():
            if pause is None:
                asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        """Those who knock wait in the kernel, instead of being tried again without a rest."""
        _log.warning("no connection can be taken (%s): %d wait for a request", error.strerror, len(self._waiting))
        self._send_away(self._bounds.sent_away)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        self._listeners[listener] = loop.call_later(self._bounds.pause_seconds, self._go_on, listener)

    def _go_on(self, listener: socket.socket) -> None:
        self._listeners[listener] = None
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    # --- standing in the door ---

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A connection waits for its next request."""
        assert isinstance(server_conn, HTTP1ServerConnection)  # noqa: S101 - Tornado's own, declared as any object
        waiting = self._waiting
        coming = self._coming.get(server_conn.stream)
        if coming is not None and coming.has_begun:
            self._is_in(server_conn.stream)
        elif coming is not None:
            coming.has_begun = True
        waiting[server_conn] = None
        if len(waiting) > self._bounds.waiting:
            self._send_away(1)
        return _Arrival(super().start_request(server_conn, request_conn), partial(self._has_asked, server_conn))

    def _has_asked(self, connection: HTTP1ServerConnection) -> None:
        """The head of its request is there: now it may take the longer."""
        self._waiting.pop(connection, None)
        coming = self._coming.get(connection.stream)
        if coming is not None:
            coming.patience.cancel()
            loop = asyncio.get_running_loop()
            coming.patience = loop.call_later(self._bounds.coming_seconds, self._is_in, connection.stream)

    def on_close(self, server_conn: object) -> None:
        """It is gone."""
        self._waiting.pop(server_conn, None)  # type: ignore[call-overload]  # as above
        self._is_in(server_conn.stream)  # type: ignore[attr-defined]  # likewise
        super().on_close(server_conn)

    def _send_away(self, count: int) -> None:
        """Those who have waited longest: an honest client says at once what it wants, or comes back."""
        for connection in list(islice(self._waiting, count)):
            del self._waiting[connection]
            connection.stream.close()


class _Arrival(HTTPMessageDelegate):
    """Tells that a request's head has come, and is then only in between."""

    def __init__(self, inner: HTTPMessageDelegate, arrived: Callable[[], object]) -> None:
        self._inner, self._arrived = inner, arrived

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head is there."""
        self._arrived()
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass it on."""
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        """Pass it on."""
        self._inner.finish()

    def on_connection_close(self) -> None:
        """Pass it on."""
        self._inner.on_connection_close()


def raise_descriptor_limit() -> int:
    """Let this process have as many descriptors as it may: each connection is one. Gives their number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
