"""A payment: one checkout, or one renewal, and what became of its money. None is ever removed. No rules.

It is kept before its gateway is asked, under a `key` that the gateway keeps, too: "<order id>-<attempt>" of a checkout,
"<subscription id>-<intent>" of a renewal. `intent_key` is "<gateway>:<intent id>".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import RevisedAggregate, Row
from documents.enums import HeldFor, PaymentStatus

PAID = (
    PaymentStatus.COMPLETED.value,
    PaymentStatus.REFUND_PENDING.value,
    PaymentStatus.PARTIALLY_REFUNDED.value,
    PaymentStatus.REFUNDED.value,
)
"""States in which the money came, whatever was paid back since."""


def intent_key_of(gateway: str, intent_id: str) -> str:
    """How a payment is found by what its gateway calls it."""
    return f"{gateway}:{intent_id}"


def completed_between(since: datetime, until: datetime, after: Sequence[Any] | None) -> Row:
    """What was completed in this time, after the last one of the page before."""
    if after is None:
        return {"completed_at": {"$gte": since, "$lt": until}}
    at, row_id = after
    return {
        "completed_at": {"$gte": at, "$lt": until},
        "$or": [{"completed_at": {"$gt": at}}, {"completed_at": at, "_id": {"$gt": row_id}}],
    }


class Payment(RevisedAggregate):
    """One payment. `amount` and `currency` are what is due, `paid_amount` and `paid_currency` what the gateway says came.

    `refunded_amount` is what was paid back for good. `reserved_amount` is what refunds under way will add to it, each of them
    in `refund_holds`. `disputes` are `{id, amount, state}`; `dispute` (open, won, lost) and the two beside it are what they
    come to. Until `asking_until` somebody is asking the gateway for its checkout. `held` names why a paid one opens nothing. `check_at` is when the reconcile job looks next, while there is
    something to look for. `customer_id`, what the gateway calls the payer, is of older ones; newer are in `payment_customers`.
    """

    key: str
    user_id: str
    order_id: str
    title: str = ""
    course_id: str | None = None
    plan_id: str | None = None
    subscription_id: str | None = None
    enrollment_id: str | None = None
    amount: int
    currency: str
    gateway: str
    intent_id: str | None = None
    intent_key: str | None = None
    transaction_id: str | None = None
    customer_id: str | None = None
    status: PaymentStatus = PaymentStatus.PENDING
    payment_method: str | None = None
    card_country: str | None = None
    paid_amount: int | None = None
    paid_currency: str | None = None
    refunded_amount: int = 0
    reserved_amount: int = 0
    refund_holds: dict[str, int] = Field(default_factory=dict)
    disputes: list[Row] = Field(default_factory=list)
    dispute: str | None = None
    dispute_id: str | None = None
    dispute_amount: int = 0
    held: HeldFor | None = None
    failure: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    asking_until: datetime | None = None
    completed_at: datetime | None = None
    check_at: datetime | None = None
    looked_at: datetime | None = None

    class Settings(RevisedAggregate.Settings):
        """Collection and indexes."""

        name = "payments"
        indexes: ClassVar = [
            IndexModel([("key", ASCENDING)], unique=True),
            IndexModel([("intent_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("user_id", ASCENDING), ("course_id", ASCENDING)]),
            IndexModel([("order_id", ASCENDING)]),
            IndexModel([("subscription_id", ASCENDING)], sparse=True),
            IndexModel([("course_id", ASCENDING), ("completed_at", DESCENDING)]),
            IndexModel([("gateway", ASCENDING), ("completed_at", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("status", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("gateway", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("plan_id", ASCENDING)], sparse=True),
            IndexModel([("held", ASCENDING)], sparse=True),
            IndexModel([("dispute", ASCENDING)], sparse=True),
            IndexModel([("created_at", DESCENDING)]),
            IndexModel([("check_at", ASCENDING)], sparse=True),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_by_key(cls, key: str) -> Row | None:
        """The payment of a checkout or a renewal."""
        return await cls.rows().find_one({"key": key}, {"outbox": 0})

    @classmethod
    async def find_by_intent(cls, gateway: str, intent_id: str) -> Row | None:
        """The payment by what its gateway calls it."""
        return await cls.rows().find_one({"intent_key": intent_key_of(gateway, intent_id)}, {"outbox": 0})

    @classmethod
    async def find_by_intents(cls, gateway: str, intent_ids: Sequence[str]) -> list[Row]:
        """The payments that a gateway calls so, in no order."""
        keys = [intent_key_of(gateway, intent_id) for intent_id in intent_ids]
        return await cls.rows().find({"intent_key": {"$in": keys}}, {"outbox": 0}).to_list(length=len(keys) or 1)

    @classmethod
    async def find_of_checkout(cls, gateway: str, checkout_id: str, *, limit: int = 100) -> list[Row]:
        """The payment of a checkout, and those that came on top of it, whose ids begin with the checkout's and a colon."""
        key = intent_key_of(gateway, checkout_id)
        on_top: Row = {"intent_key": {"$gte": f"{key}:", "$lt": f"{key};"}}  # what stands behind a colon
        found = cls.rows().find({"$or": [{"intent_key": key}, on_top]}, {"outbox": 0}).sort("intent_key", ASCENDING)
        return await found.limit(limit).to_list(length=limit)

    @classmethod
    async def find_of_order(cls, order_id: str, *, limit: int = 100) -> list[Row]:
        """The payments of an order, the oldest first; one for each checkout."""
        found = cls.rows().find({"order_id": order_id}, {"outbox": 0})
        found = found.sort([("created_at", ASCENDING), ("_id", ASCENDING)]).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def find_of_course(cls, user_id: str, course_id: str, *, limit: int = 200) -> list[Row]:
        """All that somebody ever paid for a course, whatever was paid back since; the newest first."""
        which: Row = {"user_id": user_id, "course_id": course_id, "status": {"$in": list(PAID)}}
        found = cls.rows().find(which, {"outbox": 0}).sort("created_at", DESCENDING).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def find_last_of_subscription(cls, subscription_id: str, *, limit: int = 20) -> list[Row]:
        """The newest payments of a subscription for which money came that does not wait for somebody; the newest first."""
        which: Row = {"subscription_id": subscription_id, "status": {"$in": list(PAID)}, "held": None}
        found = cls.rows().find(which, {"outbox": 0}).sort([("completed_at", DESCENDING), ("_id", DESCENDING)])
        return await found.limit(limit).to_list(length=limit)

    @classmethod
    async def find_customer(cls, user_id: str, gateway: str) -> Row | None:
        """The newest payment that says what its gateway calls the payer: `customer_id` and `created_at`. Older ones do."""
        which: Row = {"user_id": user_id, "gateway": gateway, "customer_id": {"$exists": True}}
        found = cls.rows().find(which, {"customer_id": 1, "created_at": 1}).sort("created_at", DESCENDING).limit(1)
        return next(iter(await found.to_list(length=1)), None)

    @classmethod
    async def forget_customer(cls, user_id: str, gateway: str) -> None:
        """No payment says any more what its gateway calls this payer."""
        which: Row = {"user_id": user_id, "gateway": gateway, "customer_id": {"$exists": True}}
        await cls.rows().update_many(which, {"$unset": {"customer_id": ""}})

    @classmethod
    async def note_use(cls, payment_id: str, enrollment_id: str) -> None:
        """Let it say which enrolment it opened, the first time."""
        which = {"_id": payment_id, "enrollment_id": {"$exists": False}}
        await cls.rows().update_one(
            which, {"$set": {"enrollment_id": enrollment_id}, "$inc": {"revision": 1, "version": 1}}
        )

    @classmethod
    async def find_due(cls, now: datetime, *, limit: int) -> list[Row]:
        """Payments that are to be looked at now, the longest overdue first."""
        found = cls.rows().find({"check_at": {"$lte": now}}, {"outbox": 0}).sort("check_at", ASCENDING).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def put_off(cls, payment_id: str, due: datetime, until: datetime | None) -> bool:
        """Let one that was due then be looked at later, or no more; False when somebody else has done so."""
        update: Row = {"$unset": {"check_at": ""}} if until is None else {"$set": {"check_at": until}}
        return bool((await cls.rows().update_one({"_id": payment_id, "check_at": due}, update)).matched_count)

    @classmethod
    async def walk(cls, statuses: Sequence[str], *, after: str, limit: int) -> list[Row]:
        """All that stand so, by their ids, in pages; what they still have to tell, too."""
        which: Row = {"status": {"$in": list(statuses)}, "_id": {"$gt": after}}
        return await cls.rows().find(which).sort("_id", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def note_look(cls, payment_id: str, *, at: datetime, not_since: datetime) -> bool:
        """Note that its buyer has it looked at now; False when that was done since then already."""
        long_ago: Row = {"$or": [{"looked_at": {"$exists": False}}, {"looked_at": {"$lt": not_since}}]}
        written = {"$set": {"looked_at": at}}
        return bool((await cls.rows().update_one({"_id": payment_id, **long_ago}, written)).matched_count)

    @classmethod
    async def find_completed(
        cls, gateway: str, since: datetime, until: datetime, *, after: Sequence[Any] | None, limit: int
    ) -> list[Row]:
        """Payments that came by a gateway in this time, in pages by when and id: `after` is (completed_at, _id)."""
        which: Row = {"gateway": gateway, "status": {"$in": list(PAID)}, **completed_between(since, until, after)}
        found = cls.rows().find(which, {"outbox": 0}).sort([("completed_at", ASCENDING), ("_id", ASCENDING)])
        return await found.limit(limit).to_list(length=limit)
