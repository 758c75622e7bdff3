"""The audit log: one order, appended to and never changed. What lies beside it, and can be taken away, is `audit_beside.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from motor.motor_asyncio import AsyncIOMotorCollection
from pydantic import ConfigDict
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.appending import append
from documents.base import Row

FILTERS = ("actor_id", "impersonator_id", "action", "kind", "target_id", "request_id")
"""By what records are looked for, besides their time."""
_BEYOND = 2**53
"""No place is as high. What has such a one, or none that is a number, is no record: it stands in nobody's way."""


class AuditRecord(Document):
    """One record. `_id` is its `seq`; `hash` is over all of it and `previous_hash`; `signature` says that we wrote it.

    `before` and `after` hold a keyed hash for each field, `key_id` names the key that made them and the signature.
    """

    model_config = ConfigDict(extra="ignore")

    id: int  # type: ignore[assignment]  # Beanie's default is an ObjectId
    event_id: str
    at: datetime
    actor_id: str
    impersonator_id: str
    action: str
    kind: str
    target_id: str
    before: list[list[str]]
    after: list[list[str]]
    reason_hash: str
    request_id: str
    key_id: str
    previous_hash: str
    hash: str
    signature: str

    class Settings:
        """Collection and indexes."""

        name = "audit"
        keep_nulls = False
        use_state_management = False
        indexes: ClassVar = [
            IndexModel([("event_id", ASCENDING)], unique=True),
            # Each way of asking finds what fits, newest first, without walking through years of what does not.
            *(IndexModel([(name, ASCENDING), ("_id", DESCENDING)]) for name in FILTERS),
            IndexModel([("at", ASCENDING)]),
        ]

    @classmethod
    def rows(cls) -> AsyncIOMotorCollection[Row]:
        """The raw collection."""
        return cls.get_motor_collection()

    # --- writing ---

    @classmethod
    async def append(cls, records: Sequence[Row]) -> bool:
        """Insert them, in this order, at the places that they name. False when a place or an event was there already.

        What comes before the one that was there is inserted all the same: whoever is refused looks which are kept.
        """
        return await append(cls.rows(), [dict(record) for record in records])

    @classmethod
    async def forget_until(cls, seq: int) -> int:
        """Remove the records up to this place; how many."""
        return int((await cls.rows().delete_many({"_id": {"$lte": seq}})).deleted_count)

    # --- reading ---

    @classmethod
    async def kept_among(cls, event_ids: Sequence[str]) -> set[str]:
        """Which of these intents have become records."""
        which: Row = {"event_id": event_ids[0] if len(event_ids) == 1 else {"$in": list(event_ids)}}
        return {row["event_id"] async for row in cls.rows().find(which, {"event_id": 1})}

    @classmethod
    async def find_last(cls) -> Row | None:
        """The record at the highest place."""
        return await cls.rows().find_one({"_id": {"$gt": 0, "$lt": _BEYOND}}, sort=[("_id", DESCENDING)])

    @classmethod
    async def has_others(cls) -> bool:
        """Is there anything besides that is no record?"""
        return await cls.rows().find_one({"_id": {"$not": {"$gt": 0, "$lt": _BEYOND}}}, {"_id": 1}) is not None

    @classmethod
    async def find_at(cls, seq: int) -> Row | None:
        """The record at this place."""
        return await cls.rows().find_one({"_id": seq})

    @classmethod
    async def find_stretch(cls, *, after: int, limit: int) -> list[Row]:
        """Records behind a place, oldest first."""
        which = {"_id": {"$gt": after, "$lt": _BEYOND}}
        return await cls.rows().find(which).sort("_id", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def find_newest(cls, which: Row, *, before: int | None, limit: int) -> list[Row]:
        """Records that fit, from before a place (None: from the end), newest first."""
        asked = {**which, "_id": {"$gt": 0, "$lt": _BEYOND if before is None else min(before, _BEYOND)}}
        return await cls.rows().find(asked).sort("_id", DESCENDING).limit(limit).to_list(length=limit)

    @classmethod
    def asked_for(cls, equal: dict[str, Any], *, since: datetime | None, until: datetime | None) -> Row:
        """The filter for records with these members, from within a time."""
        moments = {name: moment for name, moment in (("$gte", since), ("$lt", until)) if moment is not None}
        return {**equal, **({"at": moments} if moments else {})}
