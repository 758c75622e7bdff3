"""Coupons, and the uses of them: each counted in one write, so that two at the same instant are never one too many. No rules.

A use is a row of its own, whose id says whose how manieth it is: the unique `_id` is the limit per person. The limit in all
is the filter of the write that counts `uses`. The row says whether it was counted; the coupon remembers the tokens of the
newest, counted or given back, for as long as somebody may be in the middle of it: what a crash cut in two counts once.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Record, Row, RowAggregate

COUNTED = 1_000
"""So many of the newest uses a coupon remembers: more than are ever under way at once."""


class Coupon(RowAggregate):
    """A coupon. Either `percent_off` (hundredths of a percent) or `amounts_off` by currency; `code_key` is its code folded.

    Without `course_ids` it holds for every course. `version` moves with edits, never with uses.
    """

    code: str
    code_key: str
    description: str = ""
    percent_off: int | None = None
    amounts_off: dict[str, int] = Field(default_factory=dict)
    course_ids: list[str] = Field(default_factory=list)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    max_uses: int | None = None
    max_uses_per_user: int | None = None
    is_active: bool = True
    uses: int = 0
    counted: list[str] = Field(default_factory=list)
    given_back: list[str] = Field(default_factory=list)

    HEAD: ClassVar[Row] = {**RowAggregate.HEAD, "counted": 0, "given_back": 0}

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "coupons"
        indexes: ClassVar = [
            IndexModel([("code_key", ASCENDING)], unique=True),
            IndexModel([("created_at", DESCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_by_code(cls, code_key: str) -> Row | None:
        """The coupon of this code."""
        return await cls.rows().find_one({"code_key": code_key}, dict(cls.HEAD))

    @classmethod
    async def count_use(cls, coupon_id: str, token: str, *, limit: int | None) -> bool:
        """Count a use, unless there are as many as may be; again counts nothing."""
        which: Row = {"_id": coupon_id, "counted": {"$ne": token}}
        if limit is not None:
            which["uses"] = {"$lt": limit}
        update = {"$inc": {"uses": 1}, "$push": {"counted": {"$each": [token], "$slice": -COUNTED}}}
        if (await cls.rows().update_one(which, update)).matched_count:
            return True
        return await cls.rows().count_documents({"_id": coupon_id, "counted": token}, limit=1) > 0

    @classmethod
    async def count_back(cls, coupon_id: str, token: str, *, is_counted: bool) -> None:
        """Take a use from the count; again takes nothing. One that is not noted as counted was, if the coupon remembers it."""
        which: Row = {"_id": coupon_id, "given_back": {"$ne": token}}
        if not is_counted:
            which["counted"] = token
        update = {"$inc": {"uses": -1}, "$push": {"given_back": {"$each": [token], "$slice": -COUNTED}}}
        await cls.rows().update_one(which, update)


class CouponUse(Record):
    """Somebody's use of a coupon for an order. `is_counted` once the coupon has counted it, under its `token`.

    One that is kept belongs to an order that was paid, and never goes; one that goes is never kept, nor counted any more.
    """

    coupon_id: str
    user_id: str
    order_id: str
    token: str
    is_counted: bool = False
    is_kept: bool = False
    is_going: bool = False
    created_at: datetime

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "coupon_uses"
        indexes: ClassVar = [
            IndexModel([("order_id", ASCENDING)], unique=True),
            IndexModel([("coupon_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("user_id", ASCENDING)]),
            IndexModel([("is_kept", ASCENDING), ("created_at", ASCENDING)]),
        ]

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store one; False: this how manieth use is taken, or the order has one."""
        return await cls.insert_row(row)

    @classmethod
    async def find_of_order(cls, order_id: str) -> Row | None:
        """The use of an order."""
        return await cls.rows().find_one({"order_id": order_id})

    @classmethod
    async def count_of_user(cls, coupon_id: str, user_id: str) -> int:
        """How often somebody used a coupon."""
        return await cls.rows().count_documents({"coupon_id": coupon_id, "user_id": user_id})

    @classmethod
    async def find_row(cls, use: Row) -> Row | None:
        """One use as it stands; None: it is gone, and another may have its place."""
        return await cls.rows().find_one(_this(use))

    @classmethod
    async def note_counted(cls, use: Row) -> bool:
        """The coupon has counted it; False: it was given back meanwhile."""
        return await cls._noted(_this(use) | {"is_going": False}, {"is_counted": True})

    @classmethod
    async def keep(cls, use: Row) -> bool:
        """Let it never be given back any more; False: it is being given back."""
        return await cls._noted(_this(use) | {"is_going": False, "is_counted": True}, {"is_kept": True})

    @classmethod
    async def begin_going(cls, use: Row) -> bool:
        """It is being given back; False: it is kept, or gone."""
        return await cls._noted(_this(use) | {"is_kept": False}, {"is_going": True})

    @classmethod
    async def remove(cls, use: Row) -> None:
        """It was given back: somebody else's use may have its place."""
        await cls.rows().delete_one(_this(use))

    @classmethod
    async def find_unsettled(cls, before: datetime, *, limit: int) -> list[Row]:
        """Those that were begun before then and are not kept: their orders are open still, or came to nothing."""
        which: Row = {"is_kept": False, "created_at": {"$lt": before}}
        return await cls.rows().find(which).sort("created_at", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def _noted(cls, which: Row, fields: Row) -> bool:
        return bool((await cls.rows().update_one(which, {"$set": fields})).matched_count)


def _this(use: Row) -> Row:
    """That use alone: its place may be another's by now, and its order may have taken another."""
    return {"_id": use["_id"], "token": use["token"]}
