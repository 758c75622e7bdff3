"""A copy of what is held about a person, made for them: how far it is, and where its file lies. No rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, with_intents

OPEN = ("waiting", "running")
_FILES = {"file_id": 1, "tries": 1}


class Export(Aggregate):
    """One export. `open_key` is there while it is being made, so that a person has one at a time.

    `tries` is counted before a byte is written: what any of them may have left is named by it. `file_id` is what came of one.
    `asked_lately` are the times of a day's requests, this one the last: older exports are gone when a newer one is made.
    """

    user_id: str
    status: str
    open_key: str | None = None
    asked_lately: list[datetime] = Field(default_factory=list)
    tries: int = 0
    file_id: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    expires_at: datetime | None = None

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "exports"
        indexes: ClassVar = [
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("open_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("created_at", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def add(cls, export_id: str, fields: Row, intents: Sequence[Row]) -> bool:
        """Insert with what follows; False while the person has another one that is being made."""
        try:
            await cls.rows().insert_one(
                {"_id": export_id, **fields, "outbox": list(intents), "outbox_at": fields["created_at"]}
            )
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_row(cls, export_id: str) -> Row | None:
        """One export."""
        return await cls.rows().find_one({"_id": export_id}, {"outbox": 0})

    @classmethod
    async def find_newest(cls, user_id: str) -> Row | None:
        """The latest of a person."""
        newest = [("created_at", DESCENDING), ("_id", DESCENDING)]
        return await cls.rows().find_one({"user_id": user_id}, {"outbox": 0}, sort=newest)

    @classmethod
    async def begin(cls, export_id: str, at: datetime) -> Row | None:
        """It is being made, once more; None when it is not to be made any more."""
        which = {"_id": export_id, "status": {"$in": list(OPEN)}}
        update = {"$set": {"status": "running", "updated_at": at}, "$inc": {"tries": 1}}
        return await cls.rows().find_one_and_update(which, update, {"outbox": 0}, return_document=ReturnDocument.AFTER)

    @classmethod
    async def end(cls, export_id: str, fields: dict[str, Any], *, at: datetime, intents: Sequence[Row] = ()) -> bool:
        """It is made, or will not be; False when somebody else ended it before."""
        which = {"_id": export_id, "status": {"$in": list(OPEN)}}
        update: Row = {"$set": {**fields, "version": 2, "updated_at": at}, "$unset": {"open_key": ""}}
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)

    @classmethod
    async def find_of(cls, user_id: str, *, limit: int) -> list[Row]:
        """Some of a person's, with their files."""
        found = cls.rows().find({"user_id": user_id}, {**_FILES, "outbox_at": 1}).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def find_before(cls, moment: datetime, *, limit: int) -> list[Row]:
        """Some that were asked for before then and have nothing left to tell, with their files."""
        which = {"created_at": {"$lt": moment}, "outbox_at": {"$exists": False}}
        return await cls.rows().find(which, _FILES).limit(limit).to_list(length=limit)

    @classmethod
    async def remove(cls, export_id: str) -> None:
        """Remove one that has nothing left to tell."""
        await cls.rows().delete_one({"_id": export_id, "outbox_at": {"$exists": False}})

    @classmethod
    async def find_named(cls, file_ids: Sequence[str]) -> set[str]:
        """Which of these files an export speaks of."""
        which: Row = {"file_id": {"$in": list(file_ids)}}
        return {row["file_id"] async for row in cls.rows().find(which, {"file_id": 1})}


def file_ids_of(row: Row) -> list[str]:
    """Every file that there may be of an export, oldest try first, whole or broken off; the last is that of the running try."""
    tried = [f"{row['_id']}x{number}.zip" for number in range(1, row.get("tries", 0) + 1)]
    named = row.get("file_id")
    return tried if named is None or named in tried else [named, *tried]
