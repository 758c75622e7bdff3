"""Events of record in their order, for replay and webhooks. The highest `seq` is never removed: it is the counter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from motor.motor_asyncio import AsyncIOMotorCollection
from pydantic import ConfigDict
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.appending import append
from documents.base import Row


class EventRecord(Document):
    """One event. `_id` is its `seq`: a number of its own place, without gaps."""

    model_config = ConfigDict(extra="ignore")

    id: int  # type: ignore[assignment]  # Beanie's default is an ObjectId
    event_id: str
    type: str
    at: datetime
    data: dict[str, Any]

    class Settings:
        """Collection and index."""

        name = "events"
        keep_nulls = False
        use_state_management = False
        indexes: ClassVar = [IndexModel([("event_id", ASCENDING)], unique=True)]

    @classmethod
    def rows(cls) -> AsyncIOMotorCollection[Row]:
        """The raw collection."""
        return cls.get_motor_collection()

    # --- writing ---

    @classmethod
    async def append(cls, events: Sequence[Row], *, after: int) -> bool:
        """Insert them, in this order, right after that place. False when a place or an event was there already.

        What comes before the one that was there is inserted all the same: whoever is refused looks which are kept.
        """
        rows = [{"_id": seq, **event} for seq, event in enumerate(events, start=after + 1)]
        return await append(cls.rows(), rows)

    @classmethod
    async def forget_before(cls, moment: datetime, *, limit: int) -> int:
        """Remove some of the oldest that are from before then; how many. What is kept has no gaps, and the highest stays.

        Whoever knows a place that is kept may rely on that: every later one is kept, too.
        """
        highest = await cls.find_highest()
        asked = cls.rows().find({"_id": {"$lt": highest}}, {"at": 1}).sort("_id", ASCENDING).limit(limit)
        rows = await asked.to_list(length=limit)
        gone = list(itertools.takewhile(lambda row: row["at"] < moment, rows))
        if gone:
            await cls.rows().delete_many({"_id": {"$lte": gone[-1]["_id"]}})
        return len(gone)

    # --- reading ---

    @classmethod
    async def kept_among(cls, event_ids: Sequence[str]) -> set[str]:
        """Which of these events have been recorded."""
        which: Row = {"event_id": event_ids[0] if len(event_ids) == 1 else {"$in": list(event_ids)}}
        return {row["event_id"] async for row in cls.rows().find(which, {"event_id": 1})}

    @classmethod
    async def find_event(cls, event_id: str) -> Row | None:
        """The record of an event."""
        return await cls.rows().find_one({"event_id": event_id})

    @classmethod
    async def is_kept_at(cls, seq: int) -> bool:
        """Is there a record at this place?"""
        return await cls.rows().find_one({"_id": seq}, {"_id": 1}) is not None

    @classmethod
    async def find_highest(cls) -> int:
        """The last place; 0 while nothing has ever been recorded."""
        row = await cls.rows().find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
        return 0 if row is None else int(row["_id"])

    @classmethod
    async def find_oldest(cls) -> int | None:
        """The first place that is kept."""
        row = await cls.rows().find_one({}, {"_id": 1}, sort=[("_id", ASCENDING)])
        return None if row is None else int(row["_id"])

    @classmethod
    async def find_stretch(cls, *, after: int, until: int | None, types: Sequence[str], limit: int) -> list[Row]:
        """Records after a place and up to another (None: to the end), of these types (none: of all), oldest first."""
        which: Row = {"_id": {"$gt": after} if until is None else {"$gt": after, "$lte": until}}
        if types:
            which["type"] = {"$in": list(types)}
        return await cls.rows().find(which).sort("_id", ASCENDING).limit(limit).to_list(length=limit)
