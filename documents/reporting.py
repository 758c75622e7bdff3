"""Processes that report themselves every few seconds; one that is silent is gone. Which kinds there are, their modules say."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from documents.base import Record, Row


class ReportedRecord(Record):
    """What one process said of itself last."""

    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime

    class Settings(Record.Settings):
        """The index that each kind has."""

        indexes: ClassVar = [IndexModel([("seen_at", ASCENDING)])]

    @classmethod
    async def report(cls, process_id: str, fields: Row) -> None:
        """How it stands now."""
        await cls.rows().update_one({"_id": process_id}, {"$set": fields}, upsert=True)

    @classmethod
    async def leave(cls, process_id: str) -> None:
        """It ended as it should."""
        await cls.rows().delete_one({"_id": process_id})

    @classmethod
    async def find_seen_since(cls, moment: datetime, *, limit: int) -> list[Row]:
        """Those that were seen since then, the oldest first."""
        found = cls.rows().find({"seen_at": {"$gte": moment}}).sort([("started_at", 1), ("_id", 1)]).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def forget_before(cls, moment: datetime) -> None:
        """Remove those that have been silent since."""
        await cls.rows().delete_many({"seen_at": {"$lt": moment}})
