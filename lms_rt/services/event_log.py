"""The log of events of record: one order for replay and webhooks. What follows from an event is a job of its own.

A node records one event at a time: k writers at once would need k(k+1)/2 inserts for k numbers.
"""

from __future__ import annotations

import asyncio

from documents.base import Row
from documents.event_record import EventRecord
from lms_rt.services.contended import until_written
from lms_rt.services.jobs import Jobs

FOLLOW = "events.follow"


class EventLog:
    """Keeps events and asks for what follows them."""

    def __init__(self, *, jobs: Jobs) -> None:
        self._jobs = jobs
        self._turn = asyncio.Lock()

    async def record(self, intent: Row) -> None:
        """Keep the event of an intent, once, and ask for what follows it."""
        event = {
            "event_id": intent["id"],
            "type": intent["type"],
            "at": intent["at"],
            "data": intent["data"],
        }

        async def step() -> bool | None:
            if await EventRecord.is_kept(event["event_id"]):
                return True
            return await EventRecord.append(event) or None

        async with self._turn:
            await until_written(step)
        await self._jobs.put(event["event_id"], FOLLOW, {"event_id": event["event_id"]})
