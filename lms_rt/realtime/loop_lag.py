"""How late the event loop is: looked at 20 times a second, so that short stops are seen too. Tells nobody but the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

STEP_SECONDS = 0.05
_MAX_MISSED = 1_200
"""A process that was stopped for longer than a minute is not made to count every moment of it."""


async def watch_loop_lag(observe: Callable[[float], None], *, step_seconds: float = STEP_SECONDS) -> None:
    """Hand the loop's lateness to `observe`, until cancelled.

    Each moment that passed while the loop stood still counts as late as it was, not only the first: a stop of one
    second is twenty late moments, so that the figures are those that somebody at the door would have met.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + step_seconds
    while True:
        await asyncio.sleep(due - loop.time())
        now = loop.time()
        if now < due:
            continue
        for late in late_by(now, due, step_seconds):
            observe(late)
        due += step_seconds * (int((now - due) / step_seconds) + 1)


def late_by(now: float, due: float, step_seconds: float) -> list[float]:
    """How late each of the moments `due`, `due + step`, … up to `now` is, the oldest first."""
    passed = int((now - due) / step_seconds) + 1
    return [now - due - step_seconds * number for number in range(min(passed, _MAX_MISSED))]
