"""An order: what somebody means to buy, at which price, and where it stands. No rules.

What it costs was copied when it was made: no later change of a price, a coupon or a tax touches it. `open_key` is
"<user>:<course>" while it can be paid, so that two tabs and double clicks meet one order. `purchase` is how many orders of the same
buyer for the same course were completed when it was made, `bought_key` "<user>:<course>:<purchase>" from its completion until all
of it is paid back: of all orders that were made before one of them was completed, one counts.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import RevisedAggregate, Row, by_ids
from documents.enums import OrderKind, OrderStatus


class Order(RevisedAggregate):
    """One order. `attempt` counts the checkouts begun; `checkout` is what the newest gave the browser, sealed.

    `country` is the buyer's own word, `card_country` that of the card that paid, `address_country` that of the network address
    it was ordered from.
    """

    user_id: str
    kind: OrderKind = OrderKind.COURSE
    course_id: str | None = None
    plan_id: str | None = None
    subscription_id: str | None = None
    title: str
    list_amount: int
    discount_amount: int = 0
    coupon_id: str | None = None
    coupon_code: str | None = None
    tax_name: str | None = None
    tax_basis_points: int = 0
    country: str | None = None
    card_country: str | None = None
    address_country: str | None = None
    tax_country: str | None = None
    tax_amount: int = 0
    is_tax_included: bool = False
    amount: int
    currency: str
    status: OrderStatus = OrderStatus.PENDING
    gateway: str | None = None
    method: str | None = None
    attempt: int = 0
    gateway_intent_id: str | None = None
    checkout: str | None = None
    payment_id: str | None = None
    open_key: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    purchase: int = 0
    bought_key: str | None = None
    completed_at: datetime | None = None
    expires_at: datetime

    class Settings(RevisedAggregate.Settings):
        """Collection and indexes."""

        name = "orders"
        indexes: ClassVar = [
            IndexModel([("open_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("bought_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("status", ASCENDING), ("expires_at", ASCENDING)]),
            IndexModel([("subscription_id", ASCENDING)], sparse=True),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_these(cls, order_ids: Collection[str]) -> dict[str, Row]:
        """These orders, by id; whatever is none is left out."""
        if not order_ids:
            return {}
        return {row["_id"]: row async for row in cls.rows().find(by_ids(order_ids), {"outbox": 0})}

    @classmethod
    async def find_open(cls, open_key: str) -> Row | None:
        """The order that can be paid now."""
        return await cls.rows().find_one({"open_key": open_key}, {"outbox": 0})

    @classmethod
    async def find_bought(cls, bought_key: str) -> Row | None:
        """The order that counts, of those that were made before one of them was completed."""
        return await cls.rows().find_one({"bought_key": bought_key}, {"outbox": 0})

    @classmethod
    async def completed_of(cls, user_id: str, course_id: str) -> tuple[int, Row | None]:
        """How many orders for a course somebody completed, and the newest of them."""
        which: Row = {"user_id": user_id, "course_id": course_id, "completed_at": {"$exists": True}}
        found = cls.rows().find(which, {"outbox": 0}).sort([("completed_at", DESCENDING), ("_id", DESCENDING)])
        newest = await found.limit(1).to_list(length=1)
        return await cls.rows().count_documents(which), newest[0] if newest else None

    @classmethod
    async def find_over(cls, now: datetime, *, limit: int) -> list[Row]:
        """Orders that could be paid until now, the oldest first."""
        which: Row = {"status": OrderStatus.PENDING.value, "expires_at": {"$lte": now}}
        found = cls.rows().find(which, {"outbox": 0}).sort("expires_at", ASCENDING).limit(limit)
        return await found.to_list(length=limit)
