"""Events of one channel that came together, and leave together: joined once, and the same bytes for every listener."""

from __future__ import annotations

from collections.abc import Iterable

from lms_rt.realtime.connection import CHUNK_BYTES
from lms_rt.realtime.subscription import Subscription


class Batch:
    """Frames with their offsets, in order."""

    __slots__ = ("_bytes", "_first_offset", "_frames", "_last_offset")

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._first_offset = self._last_offset = self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_full(self) -> bool:
        """Would one more make it too much for one write?"""
        return self._bytes >= CHUNK_BYTES // 2

    def add(self, offset: int, frame: bytes) -> None:
        """Put the event that follows the last one."""
        if not self._frames:
            self._first_offset = offset
        self._frames.append(frame)
        self._last_offset = offset
        self._bytes += len(frame)

    def send_to(self, subscriptions: Iterable[Subscription]) -> None:
        """Send to each what its reply has not told already."""
        frames, first = self._frames, self._first_offset
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        for subscription in subscriptions:
            if subscription.after_offset < first:
                subscription.send(data, frames)
            elif subscription.after_offset < self._last_offset:
                rest = frames[subscription.after_offset - self._last_offset :]
                subscription.send(b"".join(rest), rest)
