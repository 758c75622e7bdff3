"""One upgraded socket: reads frames from it and writes frames to it, straight, without a stream or buffers in between.

Tornado has done the handshake and given the socket away. What messages mean is the listener's; what RFC 6455 asks of
every connection (answered closes, an end in bounded time) is done here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from abc import abstractmethod

from handlers.live.protocol import FrameReader, MessageSink, close_frame
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import Transport

CLOSE_SECONDS = 5.0
"""So long a client may take to answer our close frame, and to read what is before it."""
_READ_BYTES = 16 * 1024
"""At once: of the smallest frames as many as can be read in 3 ms, since all others wait meanwhile."""
_DISCARD_BYTES = 4 * 1024
"""At once, of what is dropped."""

_log = logging.getLogger(__name__)


class MessageListener(MessageSink):
    """Who is told what came in on one socket, and how it fares."""

    __slots__ = ()

    @abstractmethod
    def on_drained(self) -> None:
        """What `write` could not send at once has gone."""

    @abstractmethod
    def on_lost(self, code: int | None) -> None:
        """The line has ended, whatever the path; the client's own code, where it sent one. The last call."""


class SocketTransport(FrameReader, Transport):
    """Reads when the loop says so, and writes at once what the socket takes."""

    __slots__ = (
        "_deadline",
        "_is_answered",
        "_is_reading",
        "_listener",
        "_loop",
        "_socket",
        "_unsent",
        "is_closing",
        "is_over",
    )

    def __init__(self, line: socket.socket, listener: MessageListener) -> None:
        super().__init__()
        self.is_over = self.is_closing = False
        self._socket, self._loop = line, asyncio.get_running_loop()
        self._listener: MessageListener | None = listener
        self._unsent: bytes | memoryview = b""
        self._is_reading = self._is_answered = False
        self._deadline: asyncio.TimerHandle | None = None

    def open(self, data: bytes) -> None:
        """Begin to read; `data` has come with the handshake."""
        self.feed(data)
        if not self.is_over:
            self._read_on()

    # --- writing ---

    def write(self, data: bytes) -> bool:
        """Send now what the socket takes; the rest follows as soon as it takes more."""
        if self._unsent:
            return self._keep(data)
        try:
            sent = self._socket.send(data)
        except OSError as error:
            return self._not_sent(data, error)
        return sent == len(data) or self._keep(memoryview(data)[sent:])

    def close(self, code: int | None, reason: str) -> None:
        """Send a close frame behind what was written, and wait for the client's."""
        if self.is_closing:
            return
        self.is_closing = True
        self.write(close_frame(code, reason))
        self._deadline = self._loop.call_later(CLOSE_SECONDS, self.abort)
        self.discard()
        self.resume()

    def abort(self) -> None:
        """Cut the line at once."""
        if self.is_over:
            return
        self.is_over = self.is_paused = self.is_closing = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._unsent = b""
        self._tell_lost(None)

    def _keep(self, data: bytes | memoryview) -> bool:
        """Keep what could not be sent; False, as `write` says it."""
        if not self._unsent:
            self._loop.add_writer(self._socket, self._on_writable)
        self._unsent = b"".join((self._unsent, data)) if self._unsent else data
        return False

    def _not_sent(self, data: bytes | memoryview, error: OSError) -> bool:
        """The socket is full, or the line is cut: then all counts as sent, since nobody is left to take it."""
        if isinstance(error, BlockingIOError):
            return self._keep(data)
        self._loop.call_soon(self.abort)  # not now: who writes to many goes on undisturbed
        return True

    def _on_writable(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            return
        self._unsent = b""  # not the view, which would keep what it looks at
        self._loop.remove_writer(self._socket)
        if self._is_answered:
            self.abort()
        elif self._listener is not None:
            self._listener.on_drained()

    # --- reading ---

    def feed(self, data: bytes) -> None:
        """Take what arrived; a fault of ours ends this line, which comes back, and no other."""
        try:
            super().feed(data)
        except Exception:  # noqa: BLE001 - whatever it was: nobody else is to notice
            _log.exception("fault in a live socket")
            self.abort()

    def resume(self) -> None:
        """Hand over messages again."""
        if self.is_over:
            return
        super().resume()
        if not (self._is_reading or self.is_paused or self.is_over):
            self._read_on()

    def _read_on(self) -> None:
        self._is_reading = True
        self._loop.add_reader(self._socket, self._on_readable)

    def _on_readable(self) -> None:
        try:
            data = self._receive()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.abort()
        elif self.is_paused:  # what came waits in the kernel, and what follows at the client
            self._is_reading = False
            self._loop.remove_reader(self._socket)
        else:
            self.feed(data)

    def _receive(self) -> bytes:
        """What has come; while a message is at work, only whether anything has."""
        if self.is_paused:
            return self._socket.recv(1, socket.MSG_PEEK)
        return self._socket.recv(_DISCARD_BYTES if self._is_discarding else _READ_BYTES)

    def on_text(self, raw: bytes) -> None:
        """Hand it over."""
        if self._listener is not None:
            self._listener.on_text(raw)

    def on_binary(self) -> None:
        """Hand it over."""
        if self._listener is not None:
            self._listener.on_binary()

    def on_ping(self, data: bytes) -> None:
        """Hand it over."""
        if self._listener is not None:
            self._listener.on_ping(data)

    def on_pong(self) -> None:
        """Hand it over."""
        if self._listener is not None:
            self._listener.on_pong()

    def on_fault(self, close: Close) -> None:
        """Hand it over."""
        if self._listener is not None:
            self._listener.on_fault(close)

    def on_close(self, code: int | None) -> None:
        """Answer, if that is still to be done, and end the line as soon as everything has gone."""
        self.on_fed()  # what it asked before is answered before
        self.close(code, "")
        self.is_paused = self._is_answered = True
        self._tell_lost(code)
        if not self._unsent:
            self.abort()

    def on_fed(self) -> None:
        """Hand it over."""
        if self._listener is not None:
            self._listener.on_fed()

    def on_noise(self) -> None:
        """Waiting for the client's close frame would cost too much."""
        self.abort()

    def _tell_lost(self, code: int | None) -> None:
        listener, self._listener = self._listener, None  # and no circle is left for the collector to find
        if listener is not None:
            listener.on_lost(code)
