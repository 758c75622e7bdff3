"""Storing what the ledger decided for many attempts in one command: what arrives while a command is under way goes along.

Each is the same atomic step as `Attempt.record`, with its own filter and its own answer, and is waited for by who brought
it. Where nobody else is writing, nothing waits. For servers only: the embedded store takes one update at a time anyway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from documents.attempt import Attempt, LedgerWrite
from documents.base import by_ids

MOST_AT_ONCE = 100
MOST_WAITING = 10_000
COMMANDS_AT_ONCE = 2


@dataclass(eq=False, slots=True)
class _Record:
    """One step that waits. It is told whether it took place, or (None) to send what waits, itself first."""

    attempt_id: str
    write: LedgerWrite
    told: asyncio.Future[bool | None]


class AttemptRecords:
    """Sends steps together. There is no task behind it: one of those who wait sends for all, then hands on."""

    def __init__(self) -> None:
        self._waiting: deque[_Record] = deque()
        self._sending = 0

    async def record(self, attempt_id: str, write: LedgerWrite) -> bool:
        """Store what the ledger decided, if the attempt is still as it was read."""
        mine = _Record(attempt_id, write, asyncio.get_running_loop().create_future())
        if self._sending < COMMANDS_AT_ONCE:
            self._sending += 1
        elif len(self._waiting) >= MOST_WAITING:
            return await Attempt.record(attempt_id, write)
        elif (is_stored := await self._turn_of(mine)) is not None:
            return is_stored
        return await self._send(mine)

    async def _turn_of(self, mine: _Record) -> bool | None:
        self._waiting.append(mine)
        try:
            return await mine.told
        except asyncio.CancelledError:
            if mine in self._waiting:
                self._waiting.remove(mine)
            elif mine.told.done() and not mine.told.cancelled() and mine.told.result() is None:
                self._hand_on()
            raise

    async def _send(self, mine: _Record) -> bool:
        """Send mine and what waits; whoever is cut off here does not know, and the others read and decide again."""
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE - 1))]
        try:
            stored = await stored_of([mine, *taken])
        except asyncio.CancelledError:
            for other in taken:
                _tell(other, is_stored=False)
            raise
        except Exception as error:
            for other in taken:
                if not other.told.done():
                    other.told.set_exception(error)
            raise
        finally:
            self._hand_on()
        for other, is_stored in zip(taken, stored[1:], strict=True):
            _tell(other, is_stored=is_stored)
        return stored[0]

    def _hand_on(self) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.told.done():
                following.told.set_result(None)
                return
        self._sending -= 1


def _tell(record: _Record, *, is_stored: bool) -> None:
    if not record.told.done():
        record.told.set_result(is_stored)


async def stored_of(records: Sequence[_Record]) -> list[bool]:
    """Which of these steps took place, in their order; one after the other, as the server takes them."""
    if len(records) == 1:
        return [await Attempt.record(records[0].attempt_id, records[0].write)]
    steps = [UpdateOne(one.write.filter(one.attempt_id), one.write.update()) for one in records]
    try:
        result = await Attempt.rows().bulk_write(steps, ordered=True)
    except BulkWriteError:  # one of them cannot be stored; those before it were, and say so when they are read
        return [await Attempt.record(one.attempt_id, one.write) for one in records]
    if result.matched_count == len(records):
        return [True] * len(records)
    return await _found(records)


async def _found(records: Sequence[_Record]) -> list[bool]:
    """The server counts what matched, but does not name it: a step took place when its marks are there."""
    fields = {f"ops.{op_id}": 1 for one in records for op_id in one.write.marks}
    rows = Attempt.rows().find(by_ids({one.attempt_id for one in records}), fields)
    marks = {row["_id"]: row.get("ops", {}) async for row in rows}
    return [
        all(marks.get(one.attempt_id, {}).get(op) == list(mark) for op, mark in one.write.marks.items())
        for one in records
    ]
