"""A finding: something about money that is not as it should be, for a person to look at. No rules.

The id is "<kind>:<what it is about>", so that what is found each night again is one finding. It is open until the rule that
mends it did (`mended`), or until somebody looked into it (`resolved`, with who and a note). What is found with other facts
than those that somebody looked into is open again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Row, RowAggregate

OPEN, MENDED, RESOLVED = "open", "mended", "resolved"
MAX_HEARD = 50


class PaymentFinding(RowAggregate):
    """One finding. `refs` are ids of what it is about, `facts` amounts and states, never words about a person."""

    kind: str
    refs: dict[str, str]
    facts: dict[str, Any]
    status: str = OPEN
    first_seen: datetime
    last_seen: datetime
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    note: str = ""
    heard: list[str] = Field(default_factory=list)
    """The intents that opened or mended it last: a relay may hand one on late, when another has done those after it."""

    ORDER: ClassVar = [("last_seen", DESCENDING), ("_id", ASCENDING)]

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "payment_findings"
        indexes: ClassVar = [
            IndexModel([("status", ASCENDING), ("last_seen", DESCENDING)]),
            IndexModel([("kind", ASCENDING), ("last_seen", DESCENDING)]),
            IndexModel([("refs.payment_id", ASCENDING)], sparse=True),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def see_again(cls, row: Row, facts: Row, at: datetime, *, is_open: bool, intent_id: str = "") -> bool:
        """It was found once more. False: somebody wrote it since `row` was read, or this intent was heard."""
        seen: Row = {"$set": {"facts": facts, "last_seen": at}}
        if is_open and row["status"] != OPEN:
            seen["$set"] |= {"status": OPEN, "updated_at": at}
            seen["$inc"] = {"version": 1}
        which = {"_id": row["_id"], "version": row["version"]}
        done = await cls.rows().update_one(which | _unheard(intent_id), seen | _hearing(intent_id))
        return bool(done.matched_count)

    @classmethod
    async def mend(cls, finding_id: str, at: datetime, *, intent_id: str = "") -> bool:
        """It is as it should be again; False when it was not open, or this intent was heard."""
        fields = {"status": MENDED, "updated_at": at}
        which = {"_id": finding_id, "status": OPEN} | _unheard(intent_id)
        update = {"$set": fields, "$inc": {"version": 1}} | _hearing(intent_id)
        return bool((await cls.rows().update_one(which, update)).matched_count)

    @classmethod
    async def page_open(cls, kind: str, *, after: str, limit: int) -> list[Row]:
        """Open ones of a kind, in pages by their ids."""
        which: Row = {"kind": kind, "status": OPEN, "_id": {"$gt": after}}
        return await cls.rows().find(which, {"outbox": 0}).sort("_id", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def count_open(cls) -> dict[str, int]:
        """How many of each kind are open."""
        asked: list[Row] = [{"$match": {"status": OPEN}}, {"$group": {"_id": "$kind", "count": {"$sum": 1}}}]
        return {row["_id"]: int(row["count"]) async for row in cls.rows().aggregate(asked)}


def _unheard(intent_id: str) -> Row:
    return {"heard": {"$ne": intent_id}} if intent_id else {}


def _hearing(intent_id: str) -> Row:
    return {"$push": {"heard": {"$each": [intent_id], "$slice": -MAX_HEARD}}} if intent_id else {}
