"""One live connection: who it is, and its bounded send queue, which never makes anybody wait. No sockets, no protocol.

What one turn of the loop brought is joined into one write. Events are kept in order; of a state only the newest
waits. A connection that lets more than 1 MiB or 1,000 frames pile up is closed as too slow and recovers later.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lms_rt.contracts.actor import Actor
from lms_rt.contracts.frames import text_frame
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.metrics import LiveMetrics

if TYPE_CHECKING:
    from lms_rt.realtime.subscription import Subscription

MAX_QUEUE_BYTES = 1024 * 1024
MAX_QUEUE_FRAMES = 1_000
CHUNK_BYTES = 256 * 1024
"""At most so much is handed to the transport at once: what waits there counts, and cannot be conflated any more."""

StateKey = tuple[str, str]
MakeFrame = Callable[[], bytes | None]
"""Makes a state's frame at the moment when it can leave; None: there is nothing to say."""

_log = logging.getLogger(__name__)


class Transport(ABC):
    """The write side of one socket."""

    @abstractmethod
    def write(self, data: bytes) -> bool:
        """Take whole frames. True: all went to the socket; False: `Connection.drained` is called once the rest went."""

    @abstractmethod
    def close(self, code: int, reason: str) -> None:
        """Send a close frame behind what was written, then end; again does nothing."""

    @abstractmethod
    def abort(self) -> None:
        """Cut the line at once."""


class Flusher:
    """Lets every connection that got frames in this tick write them once, at the tick's end."""

    def __init__(self) -> None:
        self._waiting: list[Connection] = []

    def add(self, connection: Connection) -> None:
        """Flush this connection at the end of the tick; called once per connection and tick."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(connection)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()


class Connection:
    """A signed-in connection. `subscriptions` and `is_busy` are kept by the node and the session that own it."""

    __slots__ = (
        "_bytes",
        "_detach",
        "_flusher",
        "_in_transport",
        "_is_scheduled",
        "_metrics",
        "_queue",
        "_states",
        "_transport",
        "actor",
        "close_code",
        "id",
        "is_busy",
        "is_closed",
        "is_told_of_expiry",
        "knows_degraded",
        "last_heard_ms",
        "last_look",
        "subscriptions",
    )

    def __init__(
        self,
        connection_id: str,
        actor: Actor,
        *,
        transport: Transport,
        flusher: Flusher,
        metrics: LiveMetrics,
        detach: Callable[[Connection], None],
    ) -> None:
        self.id, self.actor = connection_id, actor
        self.subscriptions: dict[str, Subscription] = {}
        self.last_heard_ms = self.last_look = 0
        self.is_told_of_expiry = self.is_busy = self.is_closed = False
        self.knows_degraded: bool | None = None  # None: it has not been welcomed yet
        self.close_code: int | None = None
        self._transport, self._flusher, self._metrics, self._detach = transport, flusher, metrics, detach
        self._queue: list[bytes | StateKey] = []
        self._states: dict[StateKey, bytes | MakeFrame] = {}
        self._bytes = self._in_transport = 0
        self._is_scheduled = False

    @property
    def is_to_be_told_of_expiry(self) -> bool:
        """Once, and not before its welcome."""
        return self.knows_degraded is not None and not self.is_told_of_expiry

    @property
    def queued_bytes(self) -> int:
        """What waits here and in the transport."""
        return self._bytes + self._in_transport

    def send_text(self, payload: bytes) -> None:
        """Send a JSON text to this connection alone."""
        self.send(text_frame(payload))

    def send(self, frame: bytes) -> None:
        """Queue one RFC 6455 frame; it leaves with the others of this tick."""
        if self.is_closed:
            return
        self._queue.append(frame)
        self._bytes += len(frame)
        if not self._is_scheduled and not self._in_transport:
            self._is_scheduled = True
            self._flusher.add(self)
        elif len(self._queue) > MAX_QUEUE_FRAMES or self._bytes + self._in_transport > MAX_QUEUE_BYTES:
            self._relieve()

    def send_together(self, data: bytes, frames: Sequence[bytes]) -> None:
        """Send frames at once, in the one piece that they have been joined to, unless something waits before them."""
        if self._queue or self._is_scheduled or self._in_transport or self.is_closed:
            for frame in frames:
                self.send(frame)
        elif not self._transport.write(data):
            self._in_transport = len(data)

    def send_state(self, key: StateKey, frame: bytes | MakeFrame) -> None:
        """Queue a state; one of the same (channel, event) that still waits gives its place to it."""
        if self.is_closed:
            return
        if key in self._states:
            self._metrics.conflations.inc()
        else:
            self._queue.append(key)
        self._states[key] = frame
        if not self._is_scheduled and not self._in_transport:
            self._is_scheduled = True
            self._flusher.add(self)
        elif len(self._queue) > MAX_QUEUE_FRAMES:
            self._relieve()

    def drop_states(self, channel: str) -> None:
        """Forget the waiting states of a channel that is not listened to any more."""
        for key in [key for key in self._states if key[0] == channel]:
            del self._states[key]

    def cork(self) -> None:
        """Let frames wait for the `flush` that the caller is going to call in this turn of the loop."""
        self._is_scheduled = True

    def flush(self) -> None:
        """Hand to the transport what waits, in chunks, until the socket takes no more."""
        self._is_scheduled = False
        try:
            while self._queue and not self._in_transport and not self.is_closed:
                data = self._next_chunk()
                if data and not self._transport.write(data):
                    self._in_transport = len(data)
        except Exception:  # noqa: BLE001 - what was taken is lost: this line ends and recovers, the others go on
            _log.exception("what waited for a connection could not be sent")
            self.abort()

    def drained(self) -> None:
        """The transport has nothing left: go on."""
        self._in_transport = 0
        self.flush()

    def close(self, close: Close) -> None:
        """End the connection from this side; what waits goes first, except to one that is too slow."""
        if self.is_closed:
            return
        if close is Close.TOO_SLOW:
            self._metrics.slow_closes.inc()
        elif self._queue and (data := self._rest()):
            self._transport.write(data)
        self._end(close.code)
        self._transport.close(close.code, close.reason)

    def abort(self) -> None:
        """The peer is dead: cut the line."""
        if not self.is_closed:
            self._end(None)
            self._transport.abort()

    def lost(self, code: int | None) -> None:
        """The line ended from the other side."""
        if not self.is_closed:
            self._end(code)

    def _end(self, code: int | None) -> None:
        self.is_closed, self.close_code = True, code
        self._queue.clear()
        self._states.clear()
        self._bytes = self._in_transport = 0
        self._detach(self)

    def _relieve(self) -> None:
        """Over the bound. A burst within one tick may still fit into the socket; what does not is too slow."""
        self.flush()
        if len(self._queue) > MAX_QUEUE_FRAMES or self._bytes + self._in_transport > MAX_QUEUE_BYTES:
            self.close(Close.TOO_SLOW)

    def _next_chunk(self) -> bytes:
        queue = self._queue
        if len(queue) == 1 and isinstance(queue[0], bytes):
            self._bytes = 0
            return queue.pop()  # type: ignore[return-value]
        if self._bytes <= CHUNK_BYTES:
            return self._rest()
        taken: list[bytes] = []
        size = count = 0
        while count < len(queue) and size < CHUNK_BYTES:
            frame = self._frame(queue[count])
            taken.append(frame)
            size += len(frame)
            count += 1
        del queue[:count]
        return b"".join(taken)

    def _rest(self) -> bytes:
        queue, self._queue = self._queue, []
        return b"".join([self._frame(entry) for entry in queue])

    def _frame(self, entry: bytes | StateKey) -> bytes:
        """The frame of one entry of the queue, which leaves it. A state's is made now, if it was not before."""
        if isinstance(entry, bytes):
            self._bytes -= len(entry)
            return entry
        state = self._states.pop(entry, None)
        if callable(state):
            state = state()
        return state or b""
