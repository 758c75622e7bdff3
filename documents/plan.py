"""Plans: what subscriptions are made from. Who pays keeps the price that they began with. No rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import RowAggregate


class Plan(RowAggregate):
    """A plan. `is_for_all`: it opens every course; else those of `course_ids`. `amount` is before taxes on top."""

    plan_name: str
    description: str = ""
    amount: int
    currency: str
    interval: str
    course_ids: list[str] = Field(default_factory=list)
    is_for_all: bool = False
    is_active: bool = True

    ORDER: ClassVar = [("currency", ASCENDING), ("amount", ASCENDING), ("_id", ASCENDING)]

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "plans"
        indexes: ClassVar = [
            IndexModel([("is_active", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def names_of(cls, plan_ids: Iterable[str]) -> dict[str, str]:
        """What those of these plans are called that exist, by id."""
        found = cls.rows().find({"_id": {"$in": sorted(plan_ids)}}, {"plan_name": 1})
        return {row["_id"]: row["plan_name"] async for row in found}
