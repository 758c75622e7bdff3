"""A refund: what is to be paid back of a payment, by whose word, and how it stands at the gateway. None is ever removed. No rules.

It is written before the gateway is asked, so that whoever dies in between finds it again. How much of the payment it holds
stands on the payment itself (`Payment.refund_holds`), where the sum is guarded. One that was made at the gateway's own desk
is adopted: it has no `requested_by`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import RevisedAggregate, Row
from documents.enums import RefundStatus
from documents.payment import completed_between

_MANY = 1_000
"""More than are ever made of one payment; a list has an end."""


class Refund(RevisedAggregate):
    """One refund. `asked_at` is when the gateway was last asked for it.

    Until `asking_until` nobody else asks: one asks now, or did and does not know what came of it. `gateway_key` is "<gateway>:<its id there>". `was_completed` stays once the money went out: should it come back, that
    is another fact. Of one that came back `in_sum` is how much of it the gateway's sum of refunds still held when it was last
    read; None: nobody looked. `held_back` is why the gateway would not, in its words.
    """

    payment_id: str
    order_id: str
    user_id: str
    course_id: str | None = None
    plan_id: str | None = None
    gateway: str
    intent_id: str
    amount: int
    currency: str
    status: str
    reason: str = ""
    requested_by: str | None = None
    gateway_refund_id: str | None = None
    gateway_key: str | None = None
    attempts: int = 0
    asked_at: datetime | None = None
    asking_until: datetime | None = None
    was_completed: bool = False
    in_sum: int | None = None
    held_back: str | None = None
    completed_at: datetime | None = None
    cancelled_by: str | None = None
    cancelled_at: datetime | None = None

    class Settings(RevisedAggregate.Settings):
        """Collection and indexes."""

        name = "refunds"
        indexes: ClassVar = [
            IndexModel([("gateway_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("payment_id", ASCENDING), ("created_at", ASCENDING)]),
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("status", ASCENDING), ("updated_at", ASCENDING)]),
            IndexModel([("gateway", ASCENDING), ("completed_at", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_by_gateway_key(cls, gateway_key: str) -> Row | None:
        """The refund by what its gateway calls it."""
        return await cls.rows().find_one({"gateway_key": gateway_key}, {"outbox": 0})

    @classmethod
    async def find_of_payment(cls, payment_id: str) -> list[Row]:
        """All of a payment, the oldest first."""
        found = cls.rows().find({"payment_id": payment_id}, {"outbox": 0})
        return await found.sort([("created_at", ASCENDING), ("_id", ASCENDING)]).limit(_MANY).to_list(length=_MANY)

    @classmethod
    async def count_of_payment(cls, payment_id: str) -> int:
        """How many there are of a payment."""
        return await cls.rows().count_documents({"payment_id": payment_id})

    @classmethod
    async def find_completed(
        cls, gateway: str, since: datetime, until: datetime, *, after: Sequence[Any] | None, limit: int
    ) -> list[Row]:
        """Those that a gateway paid back in this time, in pages by when and id: `after` is (completed_at, _id)."""
        completed = RefundStatus.COMPLETED.value
        which: Row = {"gateway": gateway, "status": completed, **completed_between(since, until, after)}
        found = cls.rows().find(which, {"outbox": 0}).sort([("completed_at", ASCENDING), ("_id", ASCENDING)])
        return await found.limit(limit).to_list(length=limit)

    @classmethod
    async def find_standing(
        cls, statuses: Collection[str], *, until: datetime, after: str = "", limit: int
    ) -> list[Row]:
        """Those that stand so and were not written since, in pages by their ids."""
        which: Row = {"status": {"$in": sorted(statuses)}, "updated_at": {"$lte": until}, "_id": {"$gt": after}}
        return await cls.rows().find(which, {"outbox": 0}).sort("_id", ASCENDING).limit(limit).to_list(length=limit)
