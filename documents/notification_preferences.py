"""What a person wishes to hear of, and up to when they have read everything: one document per account. No rules.

Kinds are event types, whose dot cannot stand in a path: `key_of` makes it a dash. `edits` is the version that people see;
`version` moves with what others hear of, and `read_until` is such a thing; `read_all_at` is when they said so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, by_ids, with_intents


class NotificationPreferences(Aggregate):
    """`channels`, and `live` and `email` per kind, hold only what was chosen; whatever is not there is on."""

    channels: dict[str, bool] = Field(default_factory=dict)
    live: dict[str, bool] = Field(default_factory=dict)
    email: dict[str, bool] = Field(default_factory=dict)
    quiet_from: str | None = None
    quiet_to: str | None = None
    digest: str | None = None
    edits: int = 0
    read_until: datetime | None = None
    read_all_at: datetime | None = None

    class Settings(Aggregate.Settings):
        """Collection and index."""

        name = "notification_preferences"
        indexes: ClassVar = [IndexModel("outbox_at", sparse=True)]

    @classmethod
    async def find_rows(cls, user_ids: Collection[str]) -> dict[str, Row]:
        """The preferences of those of these accounts that ever chose any."""
        if not user_ids:
            return {}
        return {row["_id"]: row async for row in cls.rows().find(by_ids(set(user_ids)), {"outbox": 0})}

    @classmethod
    async def find_row(cls, user_id: str) -> Row | None:
        """The preferences of one account, if they ever chose any."""
        return await cls.rows().find_one({"_id": user_id}, {"outbox": 0})

    @classmethod
    async def ensure(cls, user_id: str, at: datetime) -> None:
        """Make the document, with nothing chosen, unless it is there."""
        first: Row = {"version": 1, "edits": 0, "created_at": at, "updated_at": at, "outbox": []}
        try:
            await cls.rows().update_one({"_id": user_id}, {"$setOnInsert": first}, upsert=True)
        except DuplicateKeyError:  # another writer made it at the same moment
            return

    @classmethod
    async def change(
        cls,
        user_id: str,
        fields: Mapping[str, Any],
        at: datetime,
        *,
        unset: Sequence[str] = (),
        edits: int | None = None,
    ) -> bool:
        """Set and unset fields, by their paths; False when there have been other `edits` than expected."""
        which: Row = {"_id": user_id}
        if edits is not None:
            which["edits"] = edits
        update: Row = {"$set": {**fields, "updated_at": at}, "$inc": {"edits": 1}}
        if unset:
            update["$unset"] = dict.fromkeys(unset, "")
        return bool((await cls.rows().update_one(which, update)).matched_count)

    @classmethod
    async def read_all(
        cls, user_id: str, until: datetime, *, at: datetime, version: int, intents: Sequence[Row]
    ) -> bool:
        """Everything up to then is read, as was said `at`; False when somebody else wrote since `version` was read."""
        update: Row = {"$set": {"read_until": until, "read_all_at": at, "updated_at": at}, "$inc": {"version": 1}}
        result = await cls.rows().update_one({"_id": user_id, "version": version}, with_intents(update, intents, at))
        return bool(result.matched_count)


def key_of(kind: str) -> str:
    """The name of a kind in a path."""
    return kind.replace(".", "-")
