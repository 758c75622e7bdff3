"""The settings that were changed while the school runs: one document, by the names of the settings. No rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, with_intents

THE_ONE = "settings"


class RuntimeSetting(Aggregate):
    """What was changed, and nothing that was not. Before the first change it is as if there were an empty one."""

    values: dict[str, Any] = Field(default_factory=dict)

    class Settings(Aggregate.Settings):
        """Collection and index."""

        name = "runtime_settings"
        indexes: ClassVar[list[IndexModel]] = [IndexModel([("outbox_at", ASCENDING)], sparse=True)]

    @classmethod
    async def find_changed(cls) -> Row | None:
        """Values, version and time of the last change, if there was one."""
        return await cls.rows().find_one({"_id": THE_ONE}, ["values", "version", "updated_at"])

    @classmethod
    async def begin(cls, at: datetime) -> None:
        """Keep the document without any change, where there is none."""
        empty: Row = {"_id": THE_ONE, "values": {}, "version": 1, "created_at": at, "updated_at": at}
        try:
            await cls.rows().insert_one(empty)
        except DuplicateKeyError:
            return

    @classmethod
    async def put_values(cls, version: int, values: Row, *, intents: Sequence[Row], at: datetime) -> bool:
        """Let these be all that is changed, if it still is `version`."""
        update: Row = {"$set": {"values": values, "version": version + 1, "updated_at": at}}
        written = await cls.rows().update_one({"_id": THE_ONE, "version": version}, with_intents(update, intents, at))
        return bool(written.matched_count)
