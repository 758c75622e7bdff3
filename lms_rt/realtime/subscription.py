"""One connection's ear on one channel. Made by the hub, kept by the channel's actor and the connection."""

from __future__ import annotations

from collections.abc import Sequence

from lms_rt.bus.base import Position, Published
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import MAX_QUEUE_FRAMES, Connection, MakeFrame


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
        self._held: list[tuple[str | None, bytes | MakeFrame]] | None = []
        self._is_over = False

    @property
    def is_released(self) -> bool:
        """Does it get what arrives at once?"""
        return self._held is None

    def admit(self, top: Position, missed: tuple[Published, ...] | None) -> None:
        """It stands at `top` now; `missed` is what its reply brings, None when that cannot be said."""
        self.position, self.after_offset = top, top.offset
        self.recovered, self.events = missed is not None, missed or ()

    def send(self, data: bytes, frames: Sequence[bytes]) -> None:
        """Frames of events, in one piece and one by one."""
        if self._held is None:
            self.connection.send_together(data, frames)
        else:
            for frame in frames:
                self._hold(None, frame)

    def send_state(self, name: str, frame: bytes | MakeFrame) -> None:
        """A state's frame, or what makes it."""
        if self._held is None:
            self.connection.send_state((self.channel, name), frame)
        else:
            self._hold(name, frame)

    def end(self) -> None:
        """Let nothing more through, from this moment on, whatever its channel is busy with."""
        self._is_over, self._held = True, []

    def release(self) -> None:
        """The reply is on its way: let go what was held. Again, or after the end, does nothing."""
        if self._is_over:
            return
        held, self._held = self._held or [], None
        for name, frame in held:
            if name is not None:
                self.connection.send_state((self.channel, name), frame)
            elif isinstance(frame, bytes):
                self.connection.send(frame)

    def _hold(self, name: str | None, frame: bytes | MakeFrame) -> None:
        if self._is_over:
            return
        assert self._held is not None  # noqa: S101 - asked by the callers
        self._held.append((name, frame))
        if len(self._held) > MAX_QUEUE_FRAMES:
            self.connection.close(Close.TOO_SLOW)
