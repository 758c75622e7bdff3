"""The only "now": UTC, cut to milliseconds, monotonic while the process lives, and fakeable. Not for measuring speed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(epoch_ms: int) -> datetime:
    """The aware UTC time of epoch milliseconds."""
    return _EPOCH + timedelta(milliseconds=epoch_ms)


def to_ms(at: datetime) -> int:
    """Epoch milliseconds of an aware time, cut."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def rfc3339(at: datetime) -> str:
    """RFC 3339 in UTC with `Z` and milliseconds: 2026-01-02T03:04:05.678Z."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


class Clock:
    """The clock of this machine, anchored once: it never goes back, whatever is done to the wall clock meanwhile."""

    error_ms: int = 0
    """How far this clock may be from the shared one. One node alone is the shared clock."""

    def __init__(self) -> None:
        self._anchor_ns = time.time_ns() - time.monotonic_ns()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return (self._anchor_ns + time.monotonic_ns()) // 1_000_000

    def now(self) -> datetime:
        """Aware UTC time, cut to milliseconds."""
        return from_ms(self.now_ms())

    async def sleep_until_ms(self, epoch_ms: int) -> None:
        """Return once `now_ms()` has reached `epoch_ms`."""
        while (left := epoch_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - time passes, nobody tells
            await asyncio.sleep(left / 1000)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass on this clock."""
        await self.sleep_until_ms(self.now_ms() + round(seconds * 1000))


class FakeClock(Clock):
    """A clock that moves only when told to; sleepers wake in the order of their times."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        super().__init__()
        self._now_ms = to_ms(start)
        self._moved = asyncio.Event()

    def now_ms(self) -> int:
        """The time that was set."""
        return self._now_ms

    def advance(self, seconds: float) -> None:
        """Move on, and wake who slept until then."""
        self._now_ms += round(seconds * 1000)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep_until_ms(self, epoch_ms: int) -> None:
        """Return once the clock was moved to `epoch_ms`."""
        while self._now_ms < epoch_ms:
            await self._moved.wait()
