"""One-time tickets that were issued while the bus was away; all others live there. No rules.

There is no TTL index: reads check the time themselves, and who adds a ticket tidies up now and then.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pymongo import ASCENDING, IndexModel

from documents.base import Record


class SpareTicket(Record):
    """A ticket by its hash, until `expires_ms` (epoch milliseconds)."""

    facts: dict[str, Any]
    expires_ms: int

    class Settings(Record.Settings):
        """Collection and index."""

        name = "spare_tickets"
        indexes: ClassVar = [IndexModel([("expires_ms", ASCENDING)])]

    @classmethod
    async def add(cls, ticket_hash: str, facts: dict[str, Any], *, expires_ms: int) -> None:
        """Keep a ticket."""
        await cls.rows().insert_one({"_id": ticket_hash, "facts": facts, "expires_ms": expires_ms})

    @classmethod
    async def take(cls, ticket_hash: str, now_ms: int) -> dict[str, Any] | None:
        """What was kept, for one caller alone: whose removal met it."""
        row = await cls.rows().find_one({"_id": ticket_hash})
        if row is None or (await cls.rows().delete_one({"_id": ticket_hash})).deleted_count != 1:
            return None
        facts: dict[str, Any] = row["facts"]
        return facts if row["expires_ms"] > now_ms else None

    @classmethod
    async def forget_until(cls, now_ms: int) -> None:
        """Remove those whose time is over."""
        await cls.rows().delete_many({"expires_ms": {"$lte": now_ms}})
