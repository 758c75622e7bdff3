"""Keeps this node's clock at the shared time of the bus, and its stated error true. The arithmetic is the clock's."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from lms_rt.bus.base import Receiver, SharedTime
from lms_rt.clock import Clock
from lms_rt.errors import Refused

MEASURE_EVERY_SECONDS = 30
QUESTIONS = 5
"""So often is asked at each measuring; the answer with the smallest round trip counts."""
UNKNOWN_ERROR_MS = 1_000
"""Assumed of a machine's own clock while nobody can be asked: machines that keep time at all are not further off."""
_CUT_MS = 1.0
"""The time that is told is cut to milliseconds."""

_log = logging.getLogger(__name__)


class ClockKeeper(Receiver[bool]):
    """Measures at the start, every half a minute, and when the bus is back."""

    def __init__(self, *, clock: Clock, time: SharedTime) -> None:
        self._clock, self._time = clock, time
        self._is_back = asyncio.Event()

    def receive(self, message: bool) -> None:
        """The bus went away, or is back."""
        if message:
            self._is_back.set()

    async def open(self) -> None:
        """The first measuring, before anybody goes by this clock; without an answer it says that it is this machine's."""
        if not await self.measure(may_go_back=True):
            self._clock.anchor(self._clock.now_ms(), error_ms=UNKNOWN_ERROR_MS)

    async def run(self) -> None:
        """Measure again and again, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MEASURE_EVERY_SECONDS):
                    await self._is_back.wait()
            self._is_back.clear()
            await self.measure()

    async def measure(self, *, may_go_back: bool = False) -> bool:
        """Ask, and tell the clock what was nearest; False: no answer came."""
        is_told = False
        try:
            for _ in range(QUESTIONS):
                shared_ms, round_trip_ms = await self._time.measure()
                # The clock keeps the better of what it knows and what it is told.
                half_ms = round_trip_ms / 2
                self._clock.anchor(shared_ms + half_ms, error_ms=half_ms + _CUT_MS, may_go_back=may_go_back)
                is_told = True
        except Refused:
            _log.info("nobody could be asked for the time; the clock goes on by itself")
        return is_told
