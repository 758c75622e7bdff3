"""Tax rates: one per country, whose code (ISO 3166-1 alpha-2) is its `_id`. No rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, with_intents


class TaxRate(Aggregate):
    """A rate in hundredths of a percent. `is_included`: prices hold it already; else it comes on top."""

    tax_name: str
    basis_points: int
    is_included: bool = True
    is_active: bool = True

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "tax_rates"
        indexes: ClassVar = [IndexModel([("outbox_at", ASCENDING)], sparse=True)]

    @classmethod
    async def find_row(cls, country: str) -> Row | None:
        """The rate of a country, in force or not."""
        return await cls.rows().find_one({"_id": country}, {"outbox": 0, "outbox_at": 0})

    @classmethod
    async def page(cls, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Some of all, by country, and how many there are."""
        total = await cls.rows().count_documents({})
        found = cls.rows().find({}, {"outbox": 0, "outbox_at": 0}).sort("_id", ASCENDING)
        return await found.skip(skip).limit(limit).to_list(length=limit), total

    @classmethod
    async def put(cls, country: str, version: int, fields: Row, *, intents: Sequence[Row], at: datetime) -> bool:
        """Make it (version 0) or change it, if nobody was first."""
        if version == 0:
            row = {"_id": country, **fields, "version": 1, "created_at": at, "updated_at": at}
            if intents:
                row |= {"outbox": list(intents), "outbox_at": at}
            try:
                await cls.rows().insert_one(row)
            except DuplicateKeyError:
                return False
            return True
        update: Row = {"$set": {**fields, "version": version + 1, "updated_at": at}}
        which = {"_id": country, "version": version}
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)
