"""What all documents share: string ids, raw rows for hot paths, and the outbox of an aggregate. No rules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from beanie import Document
from motor.motor_asyncio import AsyncIOMotorCollection
from pydantic import ConfigDict, Field

Row = dict[str, Any]
"""A raw document, or a projection of one."""


class Record(Document):
    """A document with a string id. Times and ids are passed in by services, never made here."""

    model_config = ConfigDict(extra="ignore", use_enum_values=True)

    id: str  # type: ignore[assignment]  # Beanie's default is an ObjectId

    class Settings:
        """Shared by every document."""

        keep_nulls = False  # a null in a sparse unique index would count as a value
        use_state_management = False

    @classmethod
    def rows(cls) -> AsyncIOMotorCollection[Row]:
        """The raw collection."""
        return cls.get_motor_collection()

    @classmethod
    async def forget_some(cls, which: Row, *, limit: int) -> int:
        """Remove up to so many of these; how many. What is none of them any more by then stays."""
        ids = [row["_id"] async for row in cls.rows().find(which, {"_id": 1}).limit(limit)]
        if not ids:
            return 0
        return int((await cls.rows().delete_many({**by_ids(ids), **which})).deleted_count)


def by_ids(ids: Collection[str]) -> Row:
    """The filter for these documents. The embedded store finds one id at once, but walks through all for a list."""
    return {"_id": next(iter(ids)) if len(ids) == 1 else {"$in": sorted(ids)}}


class Aggregate(Record):
    """A document that others hear of: `version` moves with every edit, `outbox` holds what must follow it."""

    version: int = 1
    created_at: datetime
    updated_at: datetime
    outbox: list[Row] = Field(default_factory=list)
    outbox_at: datetime | None = None

    @classmethod
    async def find_outbox(cls, document_id: str) -> Row | None:
        """The intents of one aggregate, oldest first, beside its `outbox_at`; None: there is no such document."""
        return await cls.rows().find_one({"_id": document_id}, {"outbox": 1, "outbox_at": 1})

    @classmethod
    async def find_pending(cls, *, until: datetime, after: tuple[datetime, str] | None, limit: int) -> list[Row]:
        """Aggregates whose `outbox_at` is not after `until`: (`_id`, `outbox_at`) in keyset pages by both."""
        asked: Row = {"outbox_at": {"$lte": until}}
        if after is not None:
            at, document_id = after
            asked["$or"] = [{"outbox_at": {"$gt": at}}, {"outbox_at": at, "_id": {"$gt": document_id}}]
        found = cls.rows().find(asked, {"outbox_at": 1}).sort([("outbox_at", 1), ("_id", 1)]).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def pull_intent(cls, document_id: str, intent_id: str) -> None:
        """Take an intent out by its id; the last one takes `outbox_at` with it, in the same write."""
        pulled = {"$pull": {"outbox": {"id": intent_id}}}
        last = await cls.rows().update_one(
            {"_id": document_id, "outbox": {"$size": 1}, "outbox.id": intent_id},
            {**pulled, "$unset": {"outbox_at": ""}},
        )
        if last.matched_count == 0:
            await cls.rows().update_one({"_id": document_id}, pulled)

    @classmethod
    async def put_intents(cls, document_id: str, intents: Sequence[Row], at: datetime) -> bool:
        """Put intents into its outbox without another change; False when it is gone."""
        if not intents:
            return True
        return bool((await cls.rows().update_one({"_id": document_id}, with_intents({}, intents, at))).matched_count)

    @classmethod
    async def unflag_empty_outbox(cls, document_id: str) -> None:
        """Unset an `outbox_at` that stands beside an empty outbox."""
        await cls.rows().update_one(
            {"_id": document_id, "outbox": {"$size": 0}, "outbox_at": {"$exists": True}}, {"$unset": {"outbox_at": ""}}
        )


def with_intents(update: Row, intents: Sequence[Row], at: datetime) -> Row:
    """The update that also puts `intents` into the aggregate's outbox, in the same write."""
    if not intents:
        return update
    pushed = {**update.get("$push", {}), "outbox": {"$each": list(intents)}}
    return {**update, "$push": pushed, "$set": {**update.get("$set", {}), "outbox_at": at}}
