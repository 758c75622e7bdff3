"""Subscriptions of students to plans, with all of the plan that they were promised. What they come to, services decide.

`revision` is the compare-and-set of every write; `version` moves with what others hear of. Until something was paid
for one it is `pending`, and no more than a checkout.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Row, RowAggregate, setting, with_intents

PAID_FOR = ("active", "past_due", "cancelled", "expired")
"""The statuses of those that were ever paid for."""
OPEN = ("pending", "active", "past_due")
"""The statuses in which its gateway may charge for it, or begin to."""
MOST_FORMER = 10
"""So many of its checkouts are remembered, the last ones."""


class PlanSubscription(RowAggregate):
    """A subscription. `amount` is what is paid each `interval`, taxes included; it was copied and moves by upgrades alone.

    `open_key` ("<user>:<plan>") is there while it is open: one at most. `checkout` is what the client needs to pay,
    sealed. `end_date` is until when it is paid; `next_price` the plan that it is being changed to, which its gateway
    has agreed to draw with the next period when `is_next_agreed`; `check_at` when it is looked at next; `must_end`:
    nobody may be charged any more (its owner is gone, or has another); `is_ended_there`: its gateway says that it has
    ended. `former` are the checkouts that came before: `{gateway, intent_id, attempt, terms}`, with what was promised
    at each; `first_key` is the key of the one that counts, the first that was heard to be paid. `read_at` is when the
    gateway was asked for what it says here; `known_amounts` is all that it ever cost. `begun_at` is when its last
    checkout was given, `asked_at` when all of them were asked of at last, or given up.
    """

    user_id: str
    plan_id: str
    plan_name: str
    interval: str
    course_ids: list[str] = Field(default_factory=list)
    is_for_all: bool = False
    list_amount: int
    tax_name: str | None = None
    tax_basis_points: int = 0
    tax_country: str | None = None
    tax_amount: int = 0
    is_tax_included: bool = True
    amount: int
    currency: str
    status: str = "pending"
    gateway: str
    attempt: int = 1
    checkout_intent_id: str | None = None
    checkout: str | None = None
    gateway_subscription_id: str | None = None
    first_key: str | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    cancel_at_period_end: bool = False
    cancelled_at: datetime | None = None
    past_due_since: datetime | None = None
    reminded: list[int] = Field(default_factory=list)
    changes: int = 0
    changed_at: datetime | None = None
    next_price: Row | None = None
    is_next_agreed: bool = False
    country: str | None = None
    address_country: str | None = None
    open_key: str | None = None
    request_seed: str | None = None
    check_at: datetime | None = None
    read_at: datetime | None = None
    begun_at: datetime | None = None
    asked_at: datetime | None = None
    known_amounts: list[int] = Field(default_factory=list)
    must_end: bool = False
    is_ended_there: bool = False
    former: list[Row] = Field(default_factory=list)
    revision: int = 1

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "subscriptions"
        indexes: ClassVar = [
            IndexModel([("open_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("gateway_subscription_id", ASCENDING)], sparse=True),
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("plan_id", ASCENDING), ("status", ASCENDING)]),
            IndexModel([("status", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("check_at", ASCENDING)], sparse=True),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_open(cls, open_key: str) -> Row | None:
        """The open one of a person and a plan."""
        return await cls.rows().find_one({"open_key": open_key}, dict(cls.HEAD))

    @classmethod
    async def find_at_gateway(cls, gateway: str, gateway_subscription_id: str) -> Row | None:
        """The one that a gateway knows by this id."""
        which = {"gateway_subscription_id": gateway_subscription_id, "gateway": gateway}
        return await cls.rows().find_one(which, dict(cls.HEAD))

    @classmethod
    async def find_unnamed(cls, subscription_ids: Sequence[str]) -> list[Row]:
        """Those of these that no gateway is known to have."""
        which: Row = {"_id": {"$in": list(subscription_ids)}, "gateway_subscription_id": {"$exists": False}}
        return await cls.rows().find(which, dict(cls.HEAD)).to_list(length=len(subscription_ids) or 1)

    @classmethod
    async def find_paid_of(cls, user_id: str, *, ends_after: datetime, limit: int = 50) -> list[Row]:
        """Somebody's that were paid for until then or longer, the longest first. Courses are not asked."""
        which: Row = {"user_id": user_id, "status": {"$in": list(PAID_FOR)}, "end_date": {"$gt": ends_after}}
        found = cls.rows().find(which, dict(cls.HEAD)).sort([("end_date", DESCENDING), ("_id", ASCENDING)])
        return await found.limit(limit).to_list(length=limit)

    @classmethod
    async def find_due(cls, now: datetime, *, after: Row | None = None, limit: int) -> list[Row]:
        """Some of those that are to be looked at by now, the longest due first, `after` one that was."""
        which: Row = {"check_at": {"$lte": now}}
        if after is not None:
            later: Row = {"check_at": {"$lte": now, "$gt": after["check_at"]}}
            which = {"$or": [later, {"check_at": after["check_at"], "_id": {"$gt": after["_id"]}}]}
        found = cls.rows().find(which, dict(cls.HEAD)).sort([("check_at", ASCENDING), ("_id", ASCENDING)])
        return await found.limit(limit).to_list(length=limit)

    @classmethod
    async def move(cls, seen: Row, fields: dict[str, Any], *, intents: Sequence[Row] = (), at: datetime) -> bool:
        """Set `fields` (None takes one away), if nobody wrote since it was `seen`; with intents its version moves, too.

        False as well when another open one has its `open_key`.
        """
        moved = {"revision": 1, "version": 1} if intents else {"revision": 1}
        update = setting({**fields, "updated_at": at}) | {"$inc": moved}
        still = {"_id": seen["_id"], "revision": seen["revision"]}
        try:
            return bool((await cls.rows().update_one(still, with_intents(update, intents, at))).matched_count)
        except DuplicateKeyError:
            return False

    @classmethod
    async def ask_again(cls, subscription_id: str, at: datetime) -> None:
        """Let all its checkouts be asked of, however long ago that was done: money came of one of them."""
        due: Row = {"$set": {"check_at": at}, "$unset": {"asked_at": ""}, "$inc": {"revision": 1}}
        await cls.rows().update_one({"_id": subscription_id}, due)

    @classmethod
    async def open_more(cls, plan_id: str, course_ids: Sequence[str], *, is_for_all: bool) -> None:
        """Let those of a plan open these courses too, or all, and those that go over to it; again changes nothing.

        One that is over may come back by a renewal that comes late.
        """
        for prefix in ("", "next_price."):
            update: Row = {"$addToSet": {f"{prefix}course_ids": {"$each": list(course_ids)}}, "$inc": {"revision": 1}}
            if is_for_all:
                update["$set"] = {f"{prefix}is_for_all": True}
            await cls.rows().update_many({f"{prefix}plan_id": plan_id}, update)

    @classmethod
    async def find_live(cls, user_id: str, plan_id: str, *, limit: int = 20) -> list[Row]:
        """Somebody's that go on, of a plan or on the way to it; the newest first."""
        which: Row = {"user_id": user_id, "status": {"$in": ["active", "past_due"]}, "must_end": {"$ne": True}}
        which["$or"] = [{"plan_id": plan_id}, {"next_price.plan_id": plan_id}]
        found = cls.rows().find(which, dict(cls.HEAD)).sort([("created_at", DESCENDING), ("_id", DESCENDING)])
        return await found.limit(limit).to_list(length=limit)

    @classmethod
    async def end_expired(cls, user_id: str, plan_id: str, at: datetime) -> None:
        """Let those of a plan that are over, and that their gateway may still try to draw for, end there, too."""
        still: Row = {"user_id": user_id, "plan_id": plan_id, "status": "expired", "must_end": {"$ne": True}}
        still |= {"gateway_subscription_id": {"$exists": True}, "is_ended_there": {"$ne": True}}
        ending = {"must_end": True, "check_at": at, "updated_at": at}
        await cls.rows().update_many(still, {"$set": ending, "$inc": {"revision": 1}})

    @classmethod
    async def forget_person(cls, user_id: str, at: datetime) -> None:
        """Let those that may still be charged end as soon as somebody looks, and take away what is not the books'."""
        begun = ({name: {"$exists": True}} for name in ("gateway_subscription_id", "checkout_intent_id", "former.0"))
        still: Row = {"user_id": user_id, "is_ended_there": {"$ne": True}}
        still["$or"] = [{"status": {"$in": list(OPEN)}}, *begun]
        ending = {"must_end": True, "check_at": at, "updated_at": at}
        await cls.rows().update_many(still, {"$set": ending, "$inc": {"revision": 1}})
        gone = {"checkout": "", "request_seed": "", "country": "", "address_country": ""}
        await cls.rows().update_many({"user_id": user_id}, {"$unset": gone, "$inc": {"revision": 1}})
        for terms in (f"former.{place}.terms" for place in range(MOST_FORMER)):
            there: Row = {"user_id": user_id, terms: {"$exists": True}}
            told = {f"{terms}.country": "", f"{terms}.address_country": ""}
            await cls.rows().update_many(there, {"$unset": told, "$inc": {"revision": 1}})
