"""What is said in the chat of a course. `number` orders the messages of one course, and `_id` keeps each from being there twice.

A number is one more than the last one's: of two nodes that took the same one wins, so none can put a message below one that
was read already. The course remembers the highest that was removed, and none comes again. No rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.appending import append
from documents.base import Aggregate, Row, by_ids, with_intents
from documents.course import Course

_SHOWN = {"outbox": 0, "outbox_at": 0}


class Message(Aggregate):
    """One message. Of a deleted one the text is gone; `op_digest` tells whether a repeat of `op_id` says the same."""

    course_id: str
    number: int
    sender_id: str
    sender_name: str
    is_staff: bool = False
    text: str
    mentions: list[str] = Field(default_factory=list)
    op_id: str | None = None
    op_digest: str | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "messages"
        indexes: ClassVar = [
            IndexModel([("course_id", ASCENDING), ("number", DESCENDING)], unique=True),
            IndexModel([("sender_id", ASCENDING)]),
            IndexModel([("created_at", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def add_all(cls, rows: Sequence[Row]) -> bool:
        """Insert them in this order. False when a place or a message was there already: look which are kept."""
        return await append(cls.rows(), rows)

    @classmethod
    async def kept_among(cls, message_ids: Sequence[str]) -> set[str]:
        """Which of these are there."""
        return {row["_id"] async for row in cls.rows().find(by_ids(message_ids), {"_id": 1})}

    @classmethod
    async def find_highest(cls, course_id: str) -> int:
        """The number of a course's newest message, or of the newest that was removed; 0 before the first."""
        newest = [("number", DESCENDING)]
        row = await cls.rows().find_one({"course_id": course_id}, {"number": 1}, sort=newest)
        if row is not None:
            return int(row["number"])
        course = await Course.rows().find_one({"_id": course_id}, {"chat_floor": 1})
        return int((course or {}).get("chat_floor", 0))

    @classmethod
    async def find_row(cls, message_id: str) -> Row | None:
        """One message."""
        return await cls.rows().find_one({"_id": message_id}, dict(_SHOWN))

    @classmethod
    async def find_before(cls, course_id: str, number: int | None, *, limit: int) -> list[Row]:
        """A course's messages below this number (None: the newest), newest first."""
        which: Row = {"course_id": course_id}
        if number is not None:
            which["number"] = {"$lt": number}
        found = cls.rows().find(which, dict(_SHOWN)).sort("number", DESCENDING).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def count_after(cls, course_id: str, number: int, *, but_of: str, most: int) -> int:
        """How many there are after this number that others said and that were not deleted; it stops at so many."""
        which: Row = {
            "course_id": course_id,
            "number": {"$gt": number},
            "sender_id": {"$ne": but_of},
            "deleted_at": {"$exists": False},
        }
        return len(await cls.rows().find(which, {"_id": 1}).limit(most).to_list(length=most))

    @classmethod
    async def write(
        cls, message_id: str, version: int, update: dict[str, Any], *, intents: Sequence[Row], at: datetime
    ) -> bool:
        """One change with what follows; False when somebody else wrote since `version` was read."""
        fields = {**update.get("$set", {}), "version": version + 1, "updated_at": at}
        changed = with_intents({**update, "$set": fields}, intents, at)
        return bool((await cls.rows().update_one({"_id": message_id, "version": version}, changed)).matched_count)

    @classmethod
    async def forget_before(cls, moment: datetime, *, limit: int) -> int:
        """Remove some that were said before then and have nothing left to tell; how many. First each course knows up to where."""
        which: Row = {"created_at": {"$lt": moment}, "outbox_at": {"$exists": False}}
        places = {"course_id": 1, "number": 1}
        rows = await cls.rows().find(which, places).sort("created_at", ASCENDING).limit(limit).to_list(length=limit)
        floors: dict[str, int] = {}
        for row in rows:
            floors[row["course_id"]] = max(row["number"], floors.get(row["course_id"], 0))
        for course_id, number in floors.items():
            await Course.rows().update_one({"_id": course_id}, {"$max": {"chat_floor": number}})
        ids = [row["_id"] for row in rows]
        return await cls.forget_some({**by_ids(ids), **which}, limit=limit) if ids else 0
