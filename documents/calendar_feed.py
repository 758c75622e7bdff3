"""The calendar feed of a person: by what secret it is found, and what it has told so far. No rules.

`_id` is the user's. The secret itself is sealed beside its SHA-256, by which it is found. `told` holds of each entry what was
last said and how often that moved, so that `SEQUENCE` grows and what is gone is told as cancelled. A feed that was taken away
stays without its secret: made anew it goes on counting, because calendars know its entries by the same ids.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row

_THERE: Row = {"is_removed": {"$ne": True}}


class CalendarFeed(Record):
    """One person's feed. `revision` is the compare-and-set of `told`."""

    secret_hash: str
    secret: str | None = None
    told: dict[str, Row] = Field(default_factory=dict)
    revision: int = 1
    is_removed: bool = False
    fetched_at: datetime | None = None
    created_at: datetime
    rotated_at: datetime

    class Settings(Record.Settings):
        """The collection and its indexes."""

        name = "calendar_feeds"
        indexes: ClassVar = [IndexModel([("secret_hash", ASCENDING)], unique=True)]

    @classmethod
    async def find_row(cls, user_id: str) -> Row | None:
        """Somebody's feed, without what it told."""
        return await cls.rows().find_one({"_id": user_id, **_THERE}, {"told": 0})

    @classmethod
    async def find_by_secret(cls, secret_hash: str) -> Row | None:
        """The feed of this secret, with what it told."""
        return await cls.rows().find_one({"secret_hash": secret_hash, **_THERE})

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store a new one, or the secret of one that was taken away; False: there is one."""
        try:
            await cls.rows().insert_one(row)
        except DuplicateKeyError:
            fields = {name: value for name, value in row.items() if name not in ("_id", "told", "revision")}
            update = {"$set": fields, "$unset": {"is_removed": "", "fetched_at": ""}, "$inc": {"revision": 1}}
            return bool((await cls.rows().update_one({"_id": row["_id"], "is_removed": True}, update)).matched_count)
        return True

    @classmethod
    async def rotate(cls, user_id: str, fields: Row) -> bool:
        """Give it another secret: the old one opens nothing from now on. False: there is none."""
        result = await cls.rows().update_one({"_id": user_id, **_THERE}, {"$set": fields})
        return bool(result.matched_count)

    @classmethod
    async def remove(cls, user_id: str) -> bool:
        """Take it away: its secret opens nothing any more, and is forgotten."""
        gone = {"secret_hash": f"removed {user_id}", "is_removed": True}
        return bool(
            (
                await cls.rows().update_one({"_id": user_id, **_THERE}, {"$set": gone, "$unset": {"secret": ""}})
            ).matched_count
        )

    @classmethod
    async def tell(cls, seen: Row, told: Row) -> bool:
        """Keep what it tells now, if nobody kept something else since it was `seen`."""
        which = {"_id": seen["_id"], "revision": seen["revision"], "secret_hash": seen["secret_hash"]}
        update = {"$set": {"told": told}, "$inc": {"revision": 1}}
        return bool((await cls.rows().update_one(which, update)).matched_count)

    @classmethod
    async def note_fetch(cls, user_id: str, at: datetime) -> None:
        """Keep that somebody read it."""
        await cls.rows().update_one({"_id": user_id}, {"$set": {"fetched_at": at}})
