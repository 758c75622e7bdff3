"""What a teacher told everybody in a course, and how far the telling has come. No rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row


class Announcement(Aggregate):
    """One announcement. `told_until` is the last enrolment whose student was told, by id; whoever goes on goes on there."""

    course_id: str
    author_id: str
    author_name: str
    title: str | None = None
    text: str
    told_until: str | None = None
    told_at: datetime | None = None

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "announcements"
        indexes: ClassVar = [
            IndexModel([("course_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def add(cls, announcement_id: str, fields: Row, intents: Sequence[Row]) -> bool:
        """Insert with what follows; False when it is there already."""
        flagged = {"outbox": list(intents), "outbox_at": fields["created_at"]}
        try:
            await cls.rows().insert_one({"_id": announcement_id, **fields, **flagged})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_row(cls, announcement_id: str) -> Row | None:
        """One announcement."""
        return await cls.rows().find_one({"_id": announcement_id}, {"outbox": 0})

    @classmethod
    async def told(cls, announcement_id: str, until: str) -> None:
        """Everybody up to this enrolment has been told."""
        await cls.rows().update_one({"_id": announcement_id}, {"$max": {"told_until": until}})

    @classmethod
    async def all_told(cls, announcement_id: str, at: datetime) -> None:
        """Everybody has."""
        await cls.rows().update_one({"_id": announcement_id}, {"$set": {"told_at": at}})
