"""What a gateway told: one verified word, kept before it is answered, settled afterwards. No rules.

`_id` is "<gateway>:<event id>", so a repeat is known. Bodies are not kept: they hold people, and what counts is read anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Row, RowAggregate


class GatewayEvent(RowAggregate):
    """One word. `outcome` says what came of it, once it is settled."""

    gateway: str
    type: str
    subject: str
    object_id: str
    key: str | None = None
    facts: dict[str, str] = Field(default_factory=dict)
    received_at: datetime
    settled_at: datetime | None = None
    outcome: str | None = None

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "gateway_events"
        indexes: ClassVar = [
            IndexModel([("gateway", ASCENDING), ("object_id", ASCENDING), ("received_at", ASCENDING)]),
            IndexModel([("key", ASCENDING)], sparse=True),
            IndexModel([("received_at", DESCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_of(cls, gateway: str, object_id: str, *, limit: int = 200) -> list[Row]:
        """All that was told of one thing, in the order in which it came."""
        which = {"gateway": gateway, "object_id": object_id}
        found = cls.rows().find(which, {"outbox": 0}).sort("received_at", ASCENDING).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def settle(cls, event_id: str, outcome: str, *, at: datetime) -> bool:
        """Note what came of it; what was noted first stays."""
        which = {"_id": event_id, "settled_at": {"$exists": False}}
        fields = {"settled_at": at, "outcome": outcome, "updated_at": at}
        return await cls.change_one(which, {"$set": fields})

    @classmethod
    async def forget_before(cls, then: datetime, *, limit: int) -> int:
        """Remove up to so many that are older and settled; how many."""
        which = {"received_at": {"$lt": then}, "settled_at": {"$exists": True}, "outbox_at": {"$exists": False}}
        return await cls.forget_some(which, limit=limit)
