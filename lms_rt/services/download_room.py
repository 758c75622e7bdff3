"""How much one reader fetches at once: a few files run, some more wait a moment, the rest is refused.

So nobody who reads slowly holds what all others need: connections to the store, and files that are open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lms_rt.errors import Code, Refused

RUNNING = 8
WAITING = 32
"""A page shows so many pictures at once, and browsers ask for all of them."""
_PATIENCE_SECONDS = 15.0
_RETRY_SECONDS = 5


@dataclass(slots=True)
class _Queue:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RUNNING))
    asked: int = 0


class DownloadRoom:
    """Counts, per reader, on this node."""

    def __init__(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._queues: dict[str, _Queue] = {}
        self._patience_seconds = patience_seconds

    @asynccontextmanager
    async def taken(self, reader: str) -> AsyncIterator[None]:
        """While one download of this reader runs; 429 when too many do."""
        queue = self._queues.setdefault(reader, _Queue())
        if queue.asked >= RUNNING + WAITING:
            raise Refused(Code.RATE_LIMITED, retry_after_seconds=_RETRY_SECONDS)
        queue.asked += 1
        try:
            await self._wait(queue)
            try:
                yield
            finally:
                queue.free.release()
        finally:
            queue.asked -= 1
            if not queue.asked:
                self._queues.pop(reader, None)

    async def _wait(self, queue: _Queue) -> None:
        try:
            async with asyncio.timeout(self._patience_seconds):
                await queue.free.acquire()
        except TimeoutError:
            raise Refused(Code.RATE_LIMITED, retry_after_seconds=_RETRY_SECONDS) from None
