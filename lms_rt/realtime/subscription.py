"""One connection's ear on one channel. Made by the hub, kept by the channel's actor and the connection."""

from __future__ import annotations

from collections.abc import Sequence

from lms_rt.bus.base import Position, Published
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import MAX_QUEUE_BYTES, MAX_QUEUE_FRAMES, Connection, MakeFrame


class _Held:
    """What waits for the reply: events in order; of a state only the newest, by its name, as in the send queue."""

    __slots__ = ("bytes", "queue", "states")

    def __init__(self) -> None:
        self.queue: list[bytes | str] = []
        self.states: dict[str, bytes | MakeFrame] = {}
        self.bytes = 0

    @property
    def is_too_much(self) -> bool:
        """Is it more than a send queue may hold?"""
        return len(self.queue) > MAX_QUEUE_FRAMES or self.bytes > MAX_QUEUE_BYTES


class Subscription:
    """One connection's ear on a channel. What arrives before `release` is held, so that it follows the reply."""

    __slots__ = (
        "_held",
        "_is_over",
        "after_offset",
        "channel",
        "connection",
        "events",
        "generation",
        "position",
        "recovered",
    )

    def __init__(self, channel: str, connection: Connection, generation: int) -> None:
        self.channel, self.connection, self.generation = channel, connection, generation
        self.position = Position("", 0)
        self.after_offset = 0
        self.recovered = False
        self.events: tuple[Published, ...] = ()
        self._held: _Held | None = _Held()
        self._is_over = False

    def admit(self, top: Position, missed: tuple[Published, ...] | None) -> None:
        """It stands at `top` now; `missed` is what its reply brings, None when that cannot be said."""
        self.position, self.after_offset = top, top.offset
        self.recovered, self.events = missed is not None, missed or ()

    def send(self, data: bytes, frames: Sequence[bytes]) -> None:
        """Frames of events, in one piece and one by one."""
        held = self._held
        if held is None:
            self.connection.send_together(data, frames)
        elif not self._is_over:
            held.queue += frames
            held.bytes += len(data)
            self._close_if_slow(held)

    def send_state(self, name: str, frame: bytes | MakeFrame) -> None:
        """A state's frame, or what makes it."""
        held = self._held
        if held is None:
            self.connection.send_state((self.channel, name), frame)
        elif not self._is_over:
            if name not in held.states:
                held.queue.append(name)
            held.states[name] = frame
            self._close_if_slow(held)

    def end(self) -> None:
        """Let nothing more through, from this moment on, whatever its channel is busy with."""
        self._is_over, self._held = True, _Held()

    def release(self) -> None:
        """The reply is on its way: let go what was held. Again, or after the end, does nothing."""
        held = self._held
        if held is None or self._is_over:
            return
        self._held = None
        for entry in held.queue:
            if isinstance(entry, bytes):
                self.connection.send(entry)
            else:
                self.connection.send_state((self.channel, entry), held.states[entry])

    def _close_if_slow(self, held: _Held) -> None:
        if held.is_too_much:
            self.end()
            self.connection.close(Close.TOO_SLOW)
