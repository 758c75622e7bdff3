"""The times and amounts that a client of the live protocol keeps: when to try again, how fast to ask, how late it is there."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

COMMANDS_PER_SECOND = 25
COMMANDS_BURST = 50
"""Below what the server allows (30 and 60): what a stalled network hands over at once must not look like a flood."""
DRIFT = 1e-4
"""Two ordinary clocks part by up to 100 µs in each second."""
SYNC_ROUNDS = 5
SYNC_EVERY_SECONDS = 300.0


@dataclass(slots=True)
class Backoff:
    """Full jitter: a random wait below a bound that doubles with each failure."""

    first_seconds: float = 0.5
    most_seconds: float = 15.0
    _failures: int = 0

    def next_seconds(self) -> float:
        """How long to wait before the next try."""
        bound: float = min(self.most_seconds, self.first_seconds * 2.0**self._failures)
        self._failures = min(self._failures + 1, 20)
        return random.random() * bound  # noqa: S311 - spreads a herd, no secret

    def reset(self) -> None:
        """It worked."""
        self._failures = 0


class Pace:
    """Lets commands through in their order, no faster than the server takes them and not too many unanswered ones.

    `async with pace:` lasts from before the sending to the reply.
    """

    def __init__(self, per_second: float = COMMANDS_PER_SECOND, burst: int = COMMANDS_BURST) -> None:
        self._per_second, self._burst = per_second, float(burst)
        self._left, self._at_ms = float(burst), local_ms()
        self._unanswered = asyncio.Semaphore(burst)
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> None:
        """Wait for the turn."""
        await self._unanswered.acquire()
        try:
            async with self._turn:
                await asyncio.sleep(self._wait_seconds())
                self._left -= 1
        except BaseException:
            self._unanswered.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The reply came, or nobody waits for it any more."""
        self._unanswered.release()

    def lift(self) -> None:
        """The line is over: nobody has to wait for a turn to hear of it."""
        self._burst = self._left = float("inf")

    def _wait_seconds(self) -> float:
        now_ms = local_ms()
        self._left = min(self._burst, self._left + (now_ms - self._at_ms) / 1000 * self._per_second)
        self._at_ms = now_ms
        return max(0.0, (1 - self._left) / self._per_second)


def local_ms() -> float:
    """Milliseconds of this machine's steady clock, whatever its zero is."""
    return time.monotonic_ns() / 1_000_000


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Server time = local time + offset, right within the error."""

    offset_ms: float
    error_ms: float

    def server_ms(self) -> float:
        """Epoch milliseconds on the server's clock, now."""
        return local_ms() + self.offset_ms


def measured(sent_ms: float, received_ms: float, reply: dict[str, Any]) -> ClockOffset:
    """What one exchange of `time.sync` says: half of its round trip, and the server's own error, is the bound."""
    served_ms = reply["t2"] - reply["t1"]
    offset_ms = ((reply["t1"] - sent_ms) + (reply["t2"] - received_ms)) / 2
    return ClockOffset(offset_ms, max(0.0, received_ms - sent_ms - served_ms) / 2 + reply["clock_error_ms"])


class ServerClock:
    """The server's time as this client knows it: `now_ms`, right within `error_ms` (infinite before the first measure)."""

    def __init__(self) -> None:
        self._offset_ms, self._error_ms, self._measured_ms = 0.0, float("inf"), 0.0

    def now_ms(self) -> float:
        """Epoch milliseconds on the server's clock."""
        return local_ms() + self._offset_ms

    @property
    def error_ms(self) -> float:
        """How far `now_ms` may be off; grows from measure to measure, as clocks part."""
        return self._error_ms + (local_ms() - self._measured_ms) * DRIFT

    def take(self, found: Sequence[ClockOffset]) -> None:
        """Of several exchanges the one with the smallest error counts."""
        if found:
            best = min(found, key=lambda offset: offset.error_ms)
            self._offset_ms, self._error_ms, self._measured_ms = best.offset_ms, best.error_ms, local_ms()

    def confirm(self, server_ms: float) -> None:
        """A word of the server with its time, sent just now at the latest: our clock is never behind it."""
        self._offset_ms += max(0.0, server_ms - self.now_ms())
