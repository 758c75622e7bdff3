"""What happens to attempts by themselves: closing at the deadline, grading what waits, ending what nobody goes on with.

Every node runs this, none leads: each step is idempotent and filters on what it depends on.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from config.settings import Settings
from lms_rt.clock import Clock
from lms_rt.services import deadlines
from lms_rt.services.attempt_grading import AttemptGrading
from lms_rt.services.papers import Papers
from lms_rt.services.relay import Relay

SWEEP_MS = 1_000
ABANDON_EVERY_SWEEPS = 60
PENDING_AGE_MS = 5_000
"""A grade that waits longer was left behind by whoever closed the attempt."""

_log = logging.getLogger(__name__)


class AttemptClock:
    """Owns the alarms of the attempts that this node handed out, and the sweeper that needs no alarm."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay) -> None:
        self._clock = clock
        self._grace_ms = settings.attempt_grace_seconds * 1000
        self.papers = Papers()
        self.grading = AttemptGrading(
            clock=clock,
            relay=relay,
            papers=self.papers,
            grace_ms=self._grace_ms,
            abandon_days=settings.attempt_abandon_days,
        )
        self._alarms: list[tuple[int, str]] = []
        self._watched: set[tuple[int, str]] = set()
        self._is_earlier = asyncio.Event()

    def watch(self, attempt_id: str, deadline_ms: int) -> None:
        """Close this attempt on the moment. If its deadline moves meanwhile, the alarm finds nothing to close."""
        alarm = (deadlines.closes_at_ms(deadline_ms, self._grace_ms), attempt_id)
        if alarm not in self._watched:
            self._watched.add(alarm)
            heapq.heappush(self._alarms, alarm)
            self._is_earlier.set()

    async def run(self) -> None:
        """Alarms and sweeps until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_alarms(), name="attempt alarms")
            tasks.create_task(self._run_sweeps(), name="attempt sweeps")

    async def sweep(self, *, with_abandoned: bool = True) -> None:
        """One look at everything: close what is due, grade what was left behind, end what was abandoned."""
        await self._done("closing", self.grading.close_due)
        await self._done("grading", self._grade_waiting)
        if with_abandoned:
            await self._done("abandoning", self.grading.close_abandoned)

    async def ring(self) -> None:
        """Close the attempts whose alarm is due."""
        while self._alarms and self._alarms[0][0] <= self._clock.now_ms():
            alarm = heapq.heappop(self._alarms)
            self._watched.discard(alarm)
            await self._done("an alarm", partial(self.grading.close_due, alarm[1]))

    async def _run_sweeps(self) -> None:
        sweeps = 0
        while True:
            await self.sweep(with_abandoned=sweeps % ABANDON_EVERY_SWEEPS == 0)
            sweeps += 1
            await self._clock.sleep_until_ms(self._clock.now_ms() + SWEEP_MS)

    async def _run_alarms(self) -> None:
        while True:
            self._is_earlier.clear()
            await self.ring()
            async with asyncio.TaskGroup() as waiting:
                told = waiting.create_task(self._is_earlier.wait())
                timed = waiting.create_task(self._next_alarm())
                await asyncio.wait((told, timed), return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
                timed.cancel()

    async def _next_alarm(self) -> None:
        if self._alarms:
            await self._clock.sleep_until_ms(self._alarms[0][0])
        else:
            await self._is_earlier.wait()

    async def _grade_waiting(self) -> None:
        await self.grading.grade_waiting(minimum_age_ms=PENDING_AGE_MS)

    async def _done(self, what: str, step: Callable[[], Awaitable[object]]) -> None:
        """One step; what fails is logged and tried again with the next sweep, and holds up nothing else."""
        try:
            await step()
        except Exception:  # noqa: BLE001 - the database is away: the next sweep finds the same work
            _log.exception("%s of attempts failed", what)
