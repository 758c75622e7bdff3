"""What all documents share: string ids, raw rows for hot paths, and the outbox of an aggregate. No rules."""

from __future__ import annotations

from collections.abc import Sequence
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


class Aggregate(Record):
    """A document that others hear of: `version` moves with every edit, `outbox` holds what must follow it."""

    version: int = 1
    created_at: datetime
    updated_at: datetime
    outbox: list[Row] = Field(default_factory=list)
    outbox_at: datetime | None = None


def with_intents(update: Row, intents: Sequence[Row], at: datetime) -> Row:
    """The update that also puts `intents` into the aggregate's outbox, in the same write."""
    if not intents:
        return update
    pushed = {**update.get("$push", {}), "outbox": {"$each": list(intents)}}
    return {**update, "$push": pushed, "$set": {**update.get("$set", {}), "outbox_at": at}}
