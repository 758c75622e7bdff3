"""How many bytes of files one account or one course has: counted in the write that lets more in. No rules.

`_id` is that of the account or the course. `revision` moves with every count, so that counting anew from the files themselves
never writes over what was counted meanwhile.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row


class FileQuota(Record):
    """One account's, or one course's."""

    used_bytes: int = 0
    revision: int = 0
    updated_at: datetime

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "file_quotas"
        indexes: ClassVar[list[IndexModel]] = [IndexModel([("updated_at", ASCENDING)])]

    @classmethod
    async def find_used(cls, owner_id: str) -> int:
        """How many bytes are counted."""
        row = await cls.rows().find_one({"_id": owner_id}, {"used_bytes": 1})
        return 0 if row is None else int(row["used_bytes"])

    @classmethod
    async def find_row(cls, owner_id: str) -> Row | None:
        """The count as it is stored."""
        return await cls.rows().find_one({"_id": owner_id})

    @classmethod
    async def take(cls, owner_id: str, size_bytes: int, *, limit_bytes: int, at: datetime) -> bool:
        """Count so many more, if they fit; one write, so that of two who meet only those get in for whom there is room."""
        update = {"$inc": {"used_bytes": size_bytes, "revision": 1}, "$set": {"updated_at": at}}
        fitting: Row = {"_id": owner_id, "used_bytes": {"$lte": limit_bytes - size_bytes}}
        if (await cls.rows().update_one(fitting, update)).matched_count:
            return True
        if size_bytes > limit_bytes:
            return False
        first = {"_id": owner_id, "used_bytes": size_bytes, "revision": 1, "updated_at": at}
        try:
            await cls.rows().insert_one(first)
        except DuplicateKeyError:
            return bool((await cls.rows().update_one(fitting, update)).matched_count)
        return True

    @classmethod
    async def give_back(cls, owner_id: str, size_bytes: int, *, at: datetime) -> None:
        """Count so many less (or, below zero, more without asking)."""
        if size_bytes:
            update = {"$inc": {"used_bytes": -size_bytes, "revision": 1}, "$set": {"updated_at": at}}
            await cls.rows().update_one({"_id": owner_id}, update)

    @classmethod
    async def page(cls, after: str, *, limit: int) -> list[Row]:
        """The next counts, by id."""
        return await cls.rows().find({"_id": {"$gt": after}}).sort("_id", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def correct(cls, seen: Row, used_bytes: int) -> bool:
        """Set the count to what the files say, if nobody counted since it was seen."""
        which = {"_id": seen["_id"], "revision": seen["revision"]}
        update = {"$set": {"used_bytes": used_bytes}, "$inc": {"revision": 1}}
        return bool((await cls.rows().update_one(which, update)).matched_count)
