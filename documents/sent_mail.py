"""Mails that a development server kept instead of sending. Elsewhere nothing is kept of a mail but its job."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pymongo import DESCENDING, IndexModel

from documents.base import Record, Row, by_ids


class SentMail(Record):
    """One mail as its reader would see it. `_id` is its Message-ID."""

    template: str
    recipient: str
    recipient_name: str
    subject: str
    text: str
    html: str
    language: str
    at: datetime
    unsubscribe_url: str | None = None

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "sent_mails"
        indexes: ClassVar = [IndexModel([("at", DESCENDING)])]

    @classmethod
    async def keep(cls, message_id: str, fields: Row, *, newest: int) -> None:
        """Insert it unless it is there, and forget all but the newest."""
        await cls.rows().update_one({"_id": message_id}, {"$setOnInsert": fields}, upsert=True)
        old = cls.rows().find({}, {"_id": 1}).sort([("at", DESCENDING), ("_id", DESCENDING)]).skip(newest).limit(100)
        if ids := [row["_id"] async for row in old]:
            await cls.rows().delete_many(by_ids(ids))

    @classmethod
    async def page(cls, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Mails without their bodies, the newest first, and how many there are."""
        heads = cls.rows().find({}, {"text": 0, "html": 0})
        found = heads.sort([("at", DESCENDING), ("_id", DESCENDING)]).skip(skip).limit(limit)
        return await found.to_list(length=limit), await cls.rows().count_documents({})

    @classmethod
    async def find_row(cls, message_id: str) -> Row | None:
        """One mail."""
        return await cls.rows().find_one({"_id": message_id})
