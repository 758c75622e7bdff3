"""What the sandbox keeps as a gateway would: payments that move no money, and subscriptions of them. No rules.

The id is made of our key, so that the same checkout begun twice is one. A subscription's payments are rows of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import RevisedAggregate, Row

PAYMENT, SUBSCRIPTION = "payment", "subscription"


class SandboxPayment(RevisedAggregate):
    """One payment, or one subscription.

    `facts` are a payment's `pays_at`, `paid_at`, `failure`, and a subscription's `interval`, `period_start`, `period_end`,
    `cancel_at_period_end`, `periods`. `refunds` are by our own ids of them.
    """

    kind: str = PAYMENT
    key: str
    user_id: str
    subscription_id: str | None = None
    amount: int
    currency: str
    title: str
    return_url: str
    cancel_url: str
    state: str
    method: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict)
    refunds: dict[str, Any] = Field(default_factory=dict)
    refunded: int = 0

    class Settings(RevisedAggregate.Settings):
        """Collection and indexes."""

        name = "sandbox_payments"
        indexes: ClassVar = [
            IndexModel([("user_id", ASCENDING)]),
            IndexModel([("subscription_id", ASCENDING), ("created_at", DESCENDING)], sparse=True),
            IndexModel([("created_at", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_of_subscription(cls, subscription_id: str, *, limit: int, skip: int = 0) -> list[Row]:
        """Its payments, newest first."""
        found = cls.rows().find({"subscription_id": subscription_id}, {"outbox": 0})
        newest = found.sort([("created_at", DESCENDING), ("_id", DESCENDING)])
        return await newest.skip(skip).limit(limit).to_list(length=limit)

    @classmethod
    async def page_between(cls, since: datetime, until: datetime, *, after: str, limit: int) -> list[Row]:
        """Payments that were made in this time, in pages by their ids."""
        which: Row = {"kind": PAYMENT, "created_at": {"$gte": since, "$lt": until}, "_id": {"$gt": after}}
        return await cls.rows().find(which, {"outbox": 0}).sort("_id", ASCENDING).limit(limit).to_list(length=limit)
