"""Events of record in their order, for replay and webhooks. The highest `seq` is never removed: it is the counter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from motor.motor_asyncio import AsyncIOMotorCollection
from pydantic import ConfigDict
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

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

    @classmethod
    async def append(cls, event: Row) -> bool:
        """Insert it after the highest; False when somebody else was first with that number."""
        highest = await cls.rows().find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
        try:
            await cls.rows().insert_one({"_id": 1 if highest is None else highest["_id"] + 1, **event})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def is_kept(cls, event_id: str) -> bool:
        """Has it been recorded?"""
        return await cls.rows().find_one({"event_id": event_id}, {"_id": 1}) is not None

    @classmethod
    async def find_event(cls, event_id: str) -> Row | None:
        """The record of an event."""
        return await cls.rows().find_one({"event_id": event_id})

    @classmethod
    async def find_after(cls, seq: int, *, limit: int) -> Sequence[Row]:
        """Records after a place, oldest first."""
        found = cls.rows().find({"_id": {"$gt": seq}}).sort("_id", ASCENDING).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def find_oldest(cls) -> int | None:
        """The lowest `seq` that is kept."""
        row = await cls.rows().find_one({}, {"_id": 1}, sort=[("_id", ASCENDING)])
        return None if row is None else int(row["_id"])
