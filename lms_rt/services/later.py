"""Work that is done after the answer, so that the answer says nothing of it: neither by words nor by time.

For what must not be lost there are outboxes and jobs. What is asked for here and lost with the process is asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lms_rt.errors import Code, Refused
from lms_rt.storage.faults import faults_translated

MAX_WAITING = 500
CLOSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Later:
    """Works on what it was given, all at once, and owns it until it is done."""

    def __init__(self, *, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Work on this after the answer. Refused while too much waits, whatever it is about."""
        if len(self._tasks) >= self._limit:
            raise Refused(Code.BUSY, retry_after_seconds=1)
        task = asyncio.create_task(self._perform(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until nothing is left."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Give what is under way a moment, then let go of it."""
        if not self._tasks:
            return
        _, left = await asyncio.wait(set(self._tasks), timeout=CLOSE_SECONDS)
        for task in left:
            task.cancel()
        if left:
            _log.warning("%d pieces of work after an answer were given up at the end", len(left))
            await asyncio.wait(left, timeout=CLOSE_SECONDS)

    async def _perform(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Whoever asked has their answer: a fault is for the log."""
        try:
            with faults_translated():
                await work()
        except Refused as refused:
            _log.warning("%s could not be done: %s", name, refused.code.code)
        except Exception:  # noqa: BLE001 - it is seen, and nobody waits for it
            _log.exception("%s was ended by a fault", name)
