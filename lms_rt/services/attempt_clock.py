"""What happens to attempts by themselves: closing at the deadline, grading what waits, ending what nobody goes on with.

Every node runs this, none leads: each step is idempotent and filters on what it depends on.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from config.settings import Settings
from lms_rt.clock import Clock
from lms_rt.security.signing import signing_key_of
from lms_rt.services import deadlines
from lms_rt.services.attempt_closing import AttemptClosing, closing_rules
from lms_rt.services.attempt_grading import AttemptGrading
from lms_rt.services.papers import Papers
from lms_rt.services.quiz_controls import QuizControls
from lms_rt.services.receipts import ReceiptSigning
from lms_rt.services.relay import Relay

SWEEP_MS = 1_000
ABANDON_EVERY_SWEEPS = 60
PENDING_AGE_MS = 5_000
"""A grade that waits longer was left behind by whoever closed the attempt."""

FEW_ALARMS = 10
"""When more attempts end at one moment they are closed together."""
GRADED_IN_A_ROW = 200
GRADED_AT_ONCE = 8

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class AttemptClock:
    """Owns the alarms of the attempts that this node handed out, and the sweeper that needs no alarm."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay, controls: QuizControls) -> None:
        self._clock, self.controls = clock, controls
        self._grace_ms = settings.attempt_grace_seconds * 1000
        self.papers = Papers()
        self.signing = ReceiptSigning(clock=clock, key=signing_key_of(settings))
        self.grading = AttemptGrading(clock=clock, relay=relay, signing=self.signing)
        rules = closing_rules(settings)
        self.closing = AttemptClosing(clock=clock, rules=rules, controls=controls, grading=self.grading)
        self._alarms: list[tuple[int, str]] = []
        self._watched: set[tuple[int, str]] = set()
        self._is_earlier = asyncio.Event()
        self._has_pending = asyncio.Event()
        controls.tell_of_pending(self.grade_soon)

    def watch(self, attempt_id: str, deadline_ms: int) -> None:
        """Close this attempt on the moment. If its deadline moves meanwhile, the alarm finds nothing to close."""
        alarm = (deadlines.closes_at_ms(deadline_ms, self._grace_ms), attempt_id)
        if alarm not in self._watched:
            self._watched.add(alarm)
            heapq.heappush(self._alarms, alarm)
            self._is_earlier.set()

    def grade_soon(self) -> None:
        """Something was closed: grade it behind whoever closed it, while this runs."""
        self._has_pending.set()

    async def run(self) -> None:
        """Alarms, sweeps and grades until cancelled. Closing never waits for grades."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_grades(), name="attempt grades")
            tasks.create_task(self._run_alarms(), name="attempt alarms")
            tasks.create_task(self._run_sweeps(), name="attempt sweeps")

    async def sweep(self, *, with_abandoned: bool = True, is_grading: bool = True) -> None:
        """One look at everything: finish controls, close what is due, grade what was left behind, end what was abandoned.

        `is_grading` False leaves the grades to the task that makes them.
        """
        closing = self.closing
        await self._done("controls", self.controls.take_up)
        await self._closed("closing", partial(closing.close_due, is_grading=is_grading))
        if is_grading:
            await self._done("grading", self._grade_waiting)
        elif await self._done("grading", self._is_some_waiting):
            self.grade_soon()
        if with_abandoned:
            await self._closed("pausing", partial(closing.close_paused, is_grading=is_grading))
            await self._closed("abandoning", partial(closing.close_abandoned, is_grading=is_grading))

    async def ring(self, *, is_grading: bool = True) -> None:
        """Close the attempts whose alarm is due: each for itself, or where many are, all that is due at once."""
        due: list[str] = []
        while self._alarms and self._alarms[0][0] <= self._clock.now_ms():
            alarm = heapq.heappop(self._alarms)
            self._watched.discard(alarm)
            due.append(alarm[1])
        for attempt_id in due if len(due) <= FEW_ALARMS else (None,):
            await self._closed("an alarm", partial(self.closing.close_due, attempt_id, is_grading=is_grading))

    async def _run_sweeps(self) -> None:
        sweeps = 0
        while True:
            await self.sweep(with_abandoned=sweeps % ABANDON_EVERY_SWEEPS == 0, is_grading=False)
            sweeps += 1
            await self._clock.sleep_until_ms(self._clock.now_ms() + SWEEP_MS)

    async def _run_grades(self) -> None:
        while True:
            await self._has_pending.wait()
            self._has_pending.clear()
            await self._done("grading", self._grade_all)

    async def _grade_all(self) -> None:
        """Everything that waits, some at once. In no order, so that nodes which closed together rarely meet.

        Telling of a grade costs several times what making it does: where a class ends together, all are graded first.
        """
        untold: list[str] = []
        try:
            await self._grade_some_at_once(untold)
        finally:
            await self.grading.tell_of(untold)

    async def _grade_some_at_once(self, untold: list[str]) -> None:
        while waiting := await self.grading.find_waiting(minimum_age_ms=0, limit=GRADED_IN_A_ROW):
            random.shuffle(waiting)
            left = iter(waiting)
            async with asyncio.TaskGroup() as graders:
                made = [
                    graders.create_task(self.grading.grade_read_together(left, untold)) for _ in range(GRADED_AT_ONCE)
                ]
            if not any(task.result() for task in made):
                return  # none could be: the next sweep comes back to them

    async def _run_alarms(self) -> None:
        while True:
            self._is_earlier.clear()
            await self.ring(is_grading=False)
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

    async def _is_some_waiting(self) -> bool:
        return bool(await self.grading.find_waiting(minimum_age_ms=PENDING_AGE_MS, limit=1))

    async def _closed(self, what: str, step: Callable[[], Awaitable[bool]]) -> None:
        if await self._done(what, step):
            self.grade_soon()

    async def _done(self, what: str, step: Callable[[], Awaitable[_T]]) -> _T | None:
        """One step; what fails is logged and tried again with the next sweep, and holds up nothing else."""
        try:
            return await step()
        except Exception:  # noqa: BLE001 - the database is away: the next sweep finds the same work
            _log.exception("%s of attempts failed", what)
            return None
