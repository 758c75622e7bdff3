"""The write side of one socket: straight to an idle plain socket, everything else through Tornado's stream."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from handlers.live.protocol import LiveProtocol
from lms_rt.realtime.connection import Transport


class SocketTransport(Transport):
    """Writes whole frames. `on_drained` is called when the stream has nothing left."""

    __slots__ = ("_is_plain", "_protocol", "_stream", "on_drained")

    def __init__(self, protocol: LiveProtocol) -> None:
        self._protocol, self._stream = protocol, protocol.stream
        self._is_plain = isinstance(self._stream, IOStream) and not isinstance(self._stream, SSLIOStream)
        self.on_drained: Callable[[], None] = _nobody

    def write(self, data: bytes) -> bool:
        """Send now what the socket takes, and leave the rest to the stream in the same call."""
        stream, rest = self._stream, memoryview(data)
        if stream.closed() or self._protocol.server_terminated:
            return True
        if self._is_plain and not stream.writing():
            try:
                sent = stream.socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                stream.close()
                return True
            if sent == len(data):
                return True
            rest = rest[sent:]
        return self._through_stream(rest)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame behind what was written."""
        self._protocol.close(code, reason)

    def abort(self) -> None:
        """Cut the line at once."""
        self._stream.close()

    def _through_stream(self, rest: memoryview) -> bool:
        try:
            written = self._stream.write(rest)
        except StreamClosedError:
            return True
        if written.done():
            return True
        written.add_done_callback(self._written)
        return False

    def _written(self, written: Future[None]) -> None:
        if not written.cancelled() and written.exception() is None:
            self.on_drained()


def _nobody() -> None:
    """Before there is a connection, nobody waits."""
