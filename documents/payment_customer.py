"""What a gateway calls a person who pays by it: one for each person and gateway. No rules."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from documents.base import Record


class PaymentCustomer(Record):
    """One of them, under "<gateway>:<user id>". `kept_at` is when the gateway first said so."""

    user_id: str
    gateway: str
    customer_id: str
    kept_at: datetime

    class Settings(Record.Settings):
        """Collection and index."""

        name = "payment_customers"
        indexes: ClassVar = [IndexModel([("user_id", ASCENDING)])]

    @classmethod
    async def find_id(cls, user_id: str, gateway: str) -> str | None:
        """What the gateway calls this person, if that is known."""
        row = await cls.rows().find_one({"_id": _key(user_id, gateway)}, {"customer_id": 1})
        return None if row is None else str(row["customer_id"])

    @classmethod
    async def keep(cls, user_id: str, gateway: str, customer_id: str, *, instead_of: str | None, at: datetime) -> None:
        """Keep it in the place of the one that was known. Whoever was first with another keeps that place."""
        key, told = _key(user_id, gateway), {"customer_id": customer_id, "kept_at": at}
        if not await cls.insert_row({"_id": key, "user_id": user_id, "gateway": gateway, **told}):
            await cls.rows().update_one({"_id": key, "customer_id": instead_of}, {"$set": told})

    @classmethod
    async def forget(cls, user_id: str, gateway: str, customer_id: str) -> None:
        """The gateway knows this one no more."""
        await cls.rows().delete_one({"_id": _key(user_id, gateway), "customer_id": customer_id})


def _key(user_id: str, gateway: str) -> str:
    return f"{gateway}:{user_id}"
