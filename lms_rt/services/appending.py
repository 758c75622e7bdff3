"""Appending to a log in turns: whoever has the turn takes along all that waits. How a log is written is not known here.

A node writes one batch at a time: k writers at once would need k(k+1)/2 inserts for k places. Other nodes write into the
same log; of two who want the same place one wins, and the other looks again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence

from documents.base import Row
from lms_rt.services.contended import until_written

Append = Callable[[Sequence[Row]], Awaitable[bool]]
"""Write these at the end, in this order; False when somebody was first, or one of them is there already."""
KeptAmong = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Which of these event ids are in the log."""


class Appending:
    """Keeps rows by their `event_id`, each once."""

    def __init__(self, append: Append, kept_among: KeptAmong, *, max_batch: int) -> None:
        self._append, self._kept_among, self._max_batch = append, kept_among, max_batch
        self._turn = asyncio.Lock()
        self._waiting: dict[_Entry, None] = {}

    async def keep(self, row: Row) -> None:
        """Wait for the turn, and return when it is kept."""
        entry = _Entry(row)
        self._waiting[entry] = None
        try:
            async with self._turn:
                while not entry.is_kept:
                    await self._write(list(itertools.islice(self._waiting, self._max_batch)))
        finally:
            self._waiting.pop(entry, None)

    async def _write(self, batch: Sequence[_Entry]) -> None:
        left = {entry.row["event_id"]: entry.row for entry in batch}

        async def step() -> bool | None:
            if await self._append(list(left.values())):
                return True
            for event_id in await self._kept_among(list(left)):
                del left[event_id]
            return None if left else True

        await until_written(step)
        for entry in batch:
            entry.is_kept = True
            self._waiting.pop(entry, None)


class _Entry:
    """A row that waits to be kept."""

    __slots__ = ("is_kept", "row")

    def __init__(self, row: Row) -> None:
        self.row, self.is_kept = row, False
