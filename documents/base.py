"""What all documents share: string ids, raw rows for hot paths, and the outbox of an aggregate. No rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from motor.motor_asyncio import AsyncIOMotorCollection
from pydantic import ConfigDict, Field
from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

Row = dict[str, Any]
"""A raw document, or a projection of one."""
PULLS = 2
"""So often is it tried to take intents out of an outbox that others write to."""


class Record(Document):
    """A document with a string id. Times and ids are passed in by services, never made here."""

    model_config = ConfigDict(extra="ignore", use_enum_values=True, defer_build=True)

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
    async def insert_row(cls, row: Row) -> bool:
        """Store a new one; False when it is there already, or another has a key of its that only one may have."""
        try:
            await cls.rows().insert_one(dict(row))
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def change_one(cls, which: Row, update: Row) -> bool:
        """Change the one that is so, which `which` names by its id; False when it is so no more.

        Asked in this way, mongo-java-server goes by the id; for `update_one` with any condition beside the id it walks
        through them all (3 ms among 10,000). Only whether there was one is taken from the answer, never what it says.
        """
        return await cls.rows().find_one_and_update(which, update, projection=["_id"]) is not None

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
    async def pull_intents(cls, document_id: str, *intent_ids: str) -> None:
        """Take intents out by their ids; the last ones take `outbox_at` with them, in the same write.

        Each write says whether it leaves any: others may write, or pull some of the same, in between.
        """
        other: Row = {"$elemMatch": {"id": {"$nin": list(intent_ids)}}}
        emptied: Row = {"$set": {"outbox": []}, "$unset": {"outbox_at": ""}}
        pulled: Row = {"$pull": {"outbox": {"id": {"$in": list(intent_ids)}}}}
        for _ in range(PULLS):  # whoever is gone, or changes all the time, is left to the sweeper
            if await cls.change_one({"_id": document_id, "outbox": {"$not": other}}, emptied):
                return
            if await cls.change_one({"_id": document_id, "outbox": other}, pulled):
                return

    @classmethod
    async def pull_last_intents(cls, last: Mapping[str, str]) -> None:
        """The same of many aggregates that have one each, by their ids, in one write; one by one where some have more."""
        which: Row = {
            **by_ids(last),
            "outbox": {"$size": 1},
            "outbox.id": {"$in": list(last.values())},
        }
        emptied: Row = {"$set": {"outbox": []}, "$unset": {"outbox_at": ""}}
        if len(last) == 1 or (await cls.rows().update_many(which, emptied)).matched_count < len(last):
            for document_id, intent_id in last.items():
                await cls.pull_intents(document_id, intent_id)

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

    @classmethod
    async def change_at(
        cls, document_id: str, version: int, fields: Row, *, intents: Sequence[Row] = (), at: datetime, **which: Any
    ) -> bool:
        """Set `fields` (None takes one away) and move the version, if it still is `version`, and so as `which` says."""
        update = with_intents(setting({**fields, "version": version + 1, "updated_at": at}), intents, at)
        wanted = {"_id": document_id, "version": version, **which}
        return bool((await cls.rows().update_one(wanted, update)).matched_count)

    @classmethod
    async def upsert_at(
        cls, document_id: str, version: int, fields: Row, *, intents: Sequence[Row] = (), at: datetime
    ) -> bool:
        """Make it (version 0) or change it, if nobody was first."""
        if version > 0:
            return await cls.change_at(document_id, version, fields, intents=intents, at=at)
        stored = {name: value for name, value in fields.items() if value is not None}
        told: Row = {"outbox": list(intents), "outbox_at": at} if intents else {}
        return await cls.insert_row(
            {"_id": document_id, **stored, "version": 1, "created_at": at, "updated_at": at, **told}
        )


class RowAggregate(Aggregate):
    """An aggregate that services handle as raw rows, without its outbox."""

    HEAD: ClassVar[Row] = {"outbox": 0, "outbox_at": 0}
    ORDER: ClassVar[list[tuple[str, int]]] = [("created_at", DESCENDING), ("_id", DESCENDING)]
    """How pages are sorted."""

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store a new one; False when it is there already, or another has a key of its that only one may have."""
        return await cls.insert_row(row)

    @classmethod
    async def find_row(cls, document_id: str, *, user_id: str | None = None) -> Row | None:
        """The one of this id; of this user, if one is named."""
        which = {"_id": document_id} | ({} if user_id is None else {"user_id": user_id})
        return await cls.rows().find_one(which, dict(cls.HEAD))

    @classmethod
    async def page(cls, which: Row, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Some of those that are so, sorted by `ORDER`, and how many there are."""
        total = await cls.rows().count_documents(which)
        found = cls.rows().find(which, dict(cls.HEAD)).sort(list(cls.ORDER)).skip(skip).limit(limit)
        return await found.to_list(length=limit), total


class RevisedAggregate(RowAggregate):
    """One of which `revision` moves with every write, and every write but the relay's asks for it."""

    revision: int = 1

    @classmethod
    async def change(cls, row: Row, update: Row, *, intents: Sequence[Row] = (), at: datetime) -> bool:
        """One write on what `row` says; it moves `revision` and `version`.

        False: somebody was first, or another has by now a key of its that only one may have.
        """
        moved = {"revision": row["revision"] + 1, "version": row["version"] + 1, "updated_at": at}
        written = with_intents({**update, "$set": {**update.get("$set", {}), **moved}}, intents, at)
        which = {"_id": row["_id"], "revision": row["revision"]}
        try:
            return await cls.change_one(which, written)
        except DuplicateKeyError:
            return False


def setting(fields: Row) -> Row:
    """The update that sets these fields; one that is None it takes away."""
    update: Row = {"$set": {name: value for name, value in fields.items() if value is not None}}
    if gone := {name: "" for name, value in fields.items() if value is None}:
        update["$unset"] = gone
    return update


def with_intents(update: Row, intents: Sequence[Row], at: datetime) -> Row:
    """The update that also puts `intents` into the aggregate's outbox, in the same write."""
    if not intents:
        return update
    pushed = {**update.get("$push", {}), "outbox": {"$each": list(intents)}}
    return {**update, "$push": pushed, "$set": {**update.get("$set", {}), "outbox_at": at}}
