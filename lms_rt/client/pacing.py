"""When to try again, and how far the server's clock is: the two times that a client of the live protocol keeps."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any


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
    return ClockOffset(offset_ms, (received_ms - sent_ms - served_ms) / 2 + reply["clock_error_ms"])
