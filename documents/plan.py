"""Plans: what subscriptions are made from. Who pays keeps the price that they began with. No rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, with_intents


class Plan(Aggregate):
    """A plan. `is_for_all`: it opens every course; else those of `course_ids`. `amount` is before taxes on top."""

    plan_name: str
    description: str = ""
    amount: int
    currency: str
    interval: str
    course_ids: list[str] = Field(default_factory=list)
    is_for_all: bool = False
    is_active: bool = True

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "plans"
        indexes: ClassVar = [
            IndexModel([("is_active", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store a new one; False: it is there, since somebody asked twice."""
        try:
            await cls.rows().insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_row(cls, plan_id: str) -> Row | None:
        """One plan."""
        return await cls.rows().find_one({"_id": plan_id}, {"outbox": 0, "outbox_at": 0})

    @classmethod
    async def names_of(cls, plan_ids: Iterable[str]) -> dict[str, str]:
        """What those of these plans are called that exist, by id."""
        found = cls.rows().find({"_id": {"$in": sorted(plan_ids)}}, {"plan_name": 1})
        return {row["_id"]: row["plan_name"] async for row in found}

    @classmethod
    async def page(cls, which: Row, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Some of those that are so, the cheapest of a currency first, and how many there are."""
        total = await cls.rows().count_documents(which)
        found = cls.rows().find(which, {"outbox": 0, "outbox_at": 0})
        found = found.sort([("currency", ASCENDING), ("amount", ASCENDING), ("_id", ASCENDING)])
        return await found.skip(skip).limit(limit).to_list(length=limit), total

    @classmethod
    async def change_at(
        cls, plan_id: str, version: int, fields: dict[str, Any], *, intents: Sequence[Row] = (), at: datetime
    ) -> bool:
        """Set `fields` and move the version, if it still is `version`."""
        update: Row = {"$set": {**fields, "version": version + 1, "updated_at": at}}
        still = {"_id": plan_id, "version": version}
        return bool((await cls.rows().update_one(still, with_intents(update, intents, at))).matched_count)
