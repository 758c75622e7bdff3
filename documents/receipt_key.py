"""The public halves of the keys that have signed receipts. None is ever removed: a receipt outlives the key's use."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from documents.base import Record, Row

MOST = 1_000
"""More keys than any school will ever have; a list has an end."""


class ReceiptKey(Record):
    """One public key under its name (`key_id`), 32 bytes in base64url, and since when it signs."""

    public_key: str
    created_at: datetime

    class Settings(Record.Settings):
        """The collection; it is only ever asked by id, or whole."""

        name = "receipt_keys"
        indexes: ClassVar[list[object]] = []

    @classmethod
    async def publish(cls, key_id: str, public_key: str, at: datetime) -> None:
        """Make sure that a key is there; one that is there stays as it is."""
        await cls.rows().update_one(
            {"_id": key_id}, {"$setOnInsert": {"public_key": public_key, "created_at": at}}, upsert=True
        )

    @classmethod
    async def find_published(cls) -> list[Row]:
        """All keys, the oldest first."""
        return await cls.rows().find({}).sort([("created_at", 1), ("_id", 1)]).limit(MOST).to_list(MOST)
