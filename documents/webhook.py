"""Outgoing webhooks: endpoints that are told of events. What is sent, and when one is switched off, services decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from documents.base import Aggregate, Row, with_intents


class Webhook(Aggregate):
    """An endpoint. No `event_types`: it is told of all.

    `secret` and `old_secrets` ({secret, until}) are sealed. `failing_since` is there while deliveries fail, `paused_until`
    while the endpoint asked for patience; neither moves `version`.
    """

    url: str
    event_types: list[str] = Field(default_factory=list)
    description: str = ""
    is_active: bool = True
    secret: str
    old_secrets: list[Row] = Field(default_factory=list)
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    created_by: str

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "webhooks"
        indexes: ClassVar = [
            IndexModel([("is_active", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def add(cls, webhook: Webhook) -> None:
        """Store a new one."""
        await cls.rows().insert_one({"_id": webhook.id, **webhook.model_dump(exclude={"id"}, exclude_none=True)})

    @classmethod
    async def find_by_id(cls, webhook_id: str) -> Webhook | None:
        """The webhook of this id."""
        row = await cls.rows().find_one({"_id": webhook_id}, {"outbox": 0})
        return None if row is None else cls.model_validate(row)

    @classmethod
    async def page(cls, *, newest_first: bool, skip: int, limit: int) -> tuple[list[Webhook], int]:
        """One page of all, and how many there are."""
        order = -1 if newest_first else 1
        found = cls.rows().find({}, {"outbox": 0}).sort([("created_at", order), ("_id", order)])
        rows = await found.skip(skip).limit(limit).to_list(length=limit)
        return [cls.model_validate(row) for row in rows], await cls.count_all()

    @classmethod
    async def count_all(cls) -> int:
        """How many there are."""
        return await cls.rows().count_documents({})

    @classmethod
    async def find_listening(cls, event_type: str, at: datetime, *, limit: int) -> list[str]:
        """The ids of those that are on, were there at that moment, and want to be told of this type."""
        wants = [{"event_types": event_type}, {"event_types": {"$size": 0}}]
        asked = {"is_active": True, "created_at": {"$lte": at}, "$or": wants}
        found = cls.rows().find(asked, {"_id": 1}).limit(limit)
        return [row["_id"] async for row in found]

    @classmethod
    async def tell(cls, webhook_id: str, intents: Sequence[Row], *, at: datetime) -> bool:
        """Put intents into its outbox; False when it is gone."""
        return bool((await cls.rows().update_one({"_id": webhook_id}, with_intents({}, intents, at))).matched_count)

    @classmethod
    async def remove_at(cls, webhook_id: str, version: int) -> bool:
        """Remove it, if it still is `version` and has nothing left to tell."""
        unused = {"_id": webhook_id, "version": version, "outbox_at": {"$exists": False}}
        return bool((await cls.rows().delete_one(unused)).deleted_count)

    # --- how its deliveries go; `asked` is the webhook as it was when it was asked: another address has another record ---

    @classmethod
    async def begin_failing(cls, asked: Webhook, at: datetime) -> None:
        """A delivery failed; only the first of a row of failures is noted."""
        first = {**_still(asked), "failing_since": {"$exists": False}}
        await cls.rows().update_one(first, {"$set": {"failing_since": at}})

    @classmethod
    async def pause(cls, asked: Webhook, until: datetime) -> None:
        """Leave it alone until then."""
        await cls.rows().update_one(_still(asked), {"$max": {"paused_until": until}})

    @classmethod
    async def end_failing(cls, asked: Webhook) -> None:
        """A delivery arrived."""
        failing = {**_still(asked), "failing_since": {"$exists": True}}
        await cls.rows().update_one(failing, {"$unset": {"failing_since": "", "paused_until": ""}})

    @classmethod
    async def disable(
        cls, asked: Webhook, reason: str, *, failing_since: datetime | None, intents: Sequence[Row], at: datetime
    ) -> bool:
        """Switch it off, once, and tell of it; when `failing_since` is given, only while that very row of failures lasts."""
        filter_: Row = {**_still(asked), "is_active": True}
        if failing_since is not None:
            filter_["failing_since"] = failing_since
        off = {"is_active": False, "disabled_reason": reason, "updated_at": at}
        update = with_intents({"$set": off, "$inc": {"version": 1}}, intents, at)
        return bool((await cls.rows().update_one(filter_, update)).matched_count)


def _still(asked: Webhook) -> Row:
    return {"_id": asked.id, "url": asked.url}
