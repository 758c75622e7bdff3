"""The only "now": UTC, cut to milliseconds, monotonic while the process lives, and fakeable. Not for measuring speed."""

from __future__ import annotations

import asyncio
import calendar
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = 1_000_000
"""In nanoseconds."""
_DRIFT_PPM = 500
"""So much faster or slower than the shared clock may this one go: more than quartz does, as much as NTP ever corrects."""


def from_ms(epoch_ms: int) -> datetime:
    """The aware UTC time of epoch milliseconds."""
    return _EPOCH + timedelta(milliseconds=epoch_ms)


def to_ms(at: datetime) -> int:
    """Epoch milliseconds of an aware time, cut."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def rfc3339(at: datetime) -> str:
    """RFC 3339 in UTC with `Z` and milliseconds: 2026-01-02T03:04:05.678Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def rfc3339_of_ms(epoch_ms: int) -> str:
    """The same for epoch milliseconds. Nearly all times that are told lie in the present second."""
    seconds, ms = divmod(epoch_ms, 1000)
    return f"{_to_the_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(epoch_seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=epoch_seconds)).isoformat().removesuffix("+00:00")


def months_later(at: datetime, months: int) -> datetime:
    """The same day and hour of a later month (of an earlier one, if less than nothing), or its last day."""
    years, month = divmod(at.month - 1 + months, 12)
    year = at.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return at.replace(year=year, month=month + 1, day=min(at.day, last))


class Clock:
    """The clock of this machine, or the shared one of all nodes once it was told of it. It never goes back.

    Told that it is ahead, it goes at half its speed until that is made up for; told that it is behind, it jumps.
    """

    def __init__(self, *, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._offset_ns = time.time_ns() - monotonic_ns()
        self._told_ns: int | None = None
        self._error_ns = 0
        self._ahead_ns = 0

    @property
    def error_ms(self) -> int:
        """How far this clock may be from the shared one, rounded up. One node alone is the shared clock."""
        if self._told_ns is None:
            return 0
        at_ns = self._monotonic_ns()
        return -(-(self._doubt_ns(at_ns) + self._excess_ns(at_ns)) // _MS)

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        at_ns = self._monotonic_ns()
        return (at_ns + self._offset_ns + self._excess_ns(at_ns)) // _MS

    def anchor(self, shared_ms: float, *, error_ms: float, may_go_back: bool = False) -> None:
        """It is `shared_ms` on the shared clock, give or take `error_ms`. What is known better already stays.

        Before anybody has been told the time, it `may_go_back` to the right one at once.
        """
        at_ns = self._monotonic_ns()
        offset_ns, error_ns = round(shared_ms * _MS) - at_ns, round(error_ms * _MS)
        if self._told_ns is not None:
            doubt_ns = self._doubt_ns(at_ns)
            if doubt_ns <= error_ns and abs(offset_ns - self._offset_ns) <= doubt_ns + error_ns:
                return
        shown_ns = at_ns + self._offset_ns + self._excess_ns(at_ns)
        self._offset_ns, self._error_ns, self._told_ns = offset_ns, error_ns, at_ns
        self._ahead_ns = 0 if may_go_back else max(0, shown_ns - at_ns - offset_ns)

    def _doubt_ns(self, at_ns: int) -> int:
        """The error it was told with, and what two clocks may have drifted apart since."""
        since_ns = at_ns - (self._told_ns or at_ns)
        return self._error_ns + since_ns * _DRIFT_PPM // 1_000_000

    def _excess_ns(self, at_ns: int) -> int:
        """How much is still shown too much."""
        if not self._ahead_ns or self._told_ns is None:
            return 0
        return max(0, self._ahead_ns - (at_ns - self._told_ns) // 2)

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
        self._stated_error_ms = 0

    @property
    def error_ms(self) -> int:
        """The error that was set."""
        return self._stated_error_ms

    @error_ms.setter
    def error_ms(self, error_ms: int) -> None:
        self._stated_error_ms = error_ms

    def anchor(self, shared_ms: float, *, error_ms: float, may_go_back: bool = False) -> None:
        """Nobody else sets it."""

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
