"""The timer of a quiz attempt: states at the thresholds, at every change, and every 30 s as a correction.

Each node makes them for its own connections; they never cross the bus. Closing an attempt is not this module's work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from lms_rt.clock import Clock, from_ms, rfc3339
from lms_rt.contracts.events import LiveEvent
from lms_rt.realtime.projections import Audience, Listener, Projection, wait_until

THRESHOLDS_MS = (600_000, 300_000, 60_000, 30_000, 10_000, 0)
CORRECTION_MS = 30_000
_SILENT_EVENTS = frozenset({"answer_saved", "writer_changed"})
"""Events that cannot move a deadline: no need to read it again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TimerFacts:
    """What the timer of an attempt follows from. `deadline_ms` None: untimed."""

    started_ms: int
    deadline_ms: int | None
    is_running: bool


ReadTimer = Callable[[str], Awaitable[TimerFacts | None]]
"""The facts of an attempt, by its id; None: there is no such attempt."""


def next_threshold_ms(facts: TimerFacts, after_ms: int) -> int | None:
    """When the next threshold is crossed, strictly after `after_ms`; None: none is left."""
    if facts.deadline_ms is None:
        return None
    half = (facts.deadline_ms - facts.started_ms) // 2
    moments = (facts.deadline_ms - left for left in {half, *THRESHOLDS_MS} if left <= 2 * half)
    return min((at for at in moments if at > after_ms), default=None)


class QuizTimer(Projection):
    """The projection on `attempt:{id}`."""

    def __init__(self, attempt_id: str, read: ReadTimer, clock: Clock) -> None:
        self._attempt_id, self._read, self._clock = attempt_id, read, clock
        self._changed = asyncio.Event()
        self._facts: TimerFacts | None = None
        self._audience: Audience | None = None

    async def run(self, audience: Audience) -> None:
        """Read the facts; then speak at each threshold and each correction, and read again when something changed."""
        self._audience = audience
        await self._read_again()
        told_ms = self._clock.now_ms()
        self._tell(announce=False)
        while True:
            threshold_ms, due_ms = self._next(told_ms)
            if not await wait_until(self._clock, due_ms, self._changed):
                told_ms = due_ms or told_ms
                self._tell(announce=due_ms == threshold_ms)
            elif await self._read_again():
                told_ms = self._clock.now_ms()
                self._tell(announce=False)

    def poked(self, about: Sequence[str] = ()) -> None:  # noqa: ARG002 - there is one deadline
        """The deadline may have moved."""
        self._changed.set()

    def heard(self, event: LiveEvent) -> None:
        """Most events of an attempt move or end its time."""
        if event.name not in _SILENT_EVENTS:
            self._changed.set()

    def joined(self, listener: Listener) -> None:
        """Learns the time at once, when it is known already."""
        self._tell(announce=False, listener=listener)

    def left(self, listener: Listener) -> None:
        """Nothing to forget."""

    def _next(self, told_ms: int) -> tuple[int | None, int | None]:
        """The next threshold, and when to speak next: at it, or at the correction before it. None: only at a change."""
        if self._facts is None or not self._facts.is_running:
            return None, None
        threshold_ms = next_threshold_ms(self._facts, told_ms)
        return threshold_ms, None if threshold_ms is None else min(threshold_ms, told_ms + CORRECTION_MS)

    async def _read_again(self) -> bool:
        """Read the facts; did they change?"""
        self._changed.clear()
        before = self._facts
        try:
            self._facts = await self._read(self._attempt_id)
        except Exception:  # noqa: BLE001 - the database is away for a moment: the old deadline still counts down
            _log.exception("the timer of %s could not be read", self._attempt_id)
        return self._facts != before

    def _tell(self, *, announce: bool, listener: Listener | None = None) -> None:
        facts = self._facts
        if facts is None or self._audience is None or not facts.is_running:
            return
        now_ms, deadline_ms = self._clock.now_ms(), facts.deadline_ms
        data = {
            "remaining_ms": None if deadline_ms is None else max(0, deadline_ms - now_ms),
            "deadline_at": None if deadline_ms is None else rfc3339(from_ms(deadline_ms)),
            "server_time": rfc3339(from_ms(now_ms)),
            "announce": announce,
        }
        self._audience.tell("quiz_timer", data, listener)
