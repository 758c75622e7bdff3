"""The journal of money: what came, went back or is in dispute, double entry, append-only. No rules.

One document is one whole entry, so none is ever half there: its `lines` sum to zero, and nothing is ever changed or removed.
`_id` is the fact's own key, so that the same fact is entered once. Nobody's name or id is in it: `payment_id` leads on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row

BOOK = "money"
"""There is one book. The field is what an index can be asked for by equality, whatever else is asked."""
FIGURES = ("completed", "refunded", "disputed", "tax", "held")
_DAY_MS = 86_400_000


class JournalEntry(Record):
    """One entry. Amounts are minor units, debits positive; `at_ms` is when it happened, in epoch milliseconds.

    `figures` repeats for reports what the lines say: by how much each of `FIGURES` moved.
    """

    book: str = BOOK
    kind: str
    currency: str
    lines: list[dict[str, Any]]
    figures: dict[str, int]
    gateway: str
    subject_id: str
    payment_id: str
    order_id: str
    at: datetime
    at_ms: int

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "journal"
        indexes: ClassVar = [
            IndexModel([("payment_id", ASCENDING), ("at_ms", ASCENDING)]),
            IndexModel([("book", ASCENDING), ("at_ms", ASCENDING)]),
            IndexModel([("subject_id", ASCENDING), ("at_ms", ASCENDING)]),
        ]

    @classmethod
    async def enter(cls, row: Mapping[str, Any]) -> bool:
        """Enter it; False when it is in the book already."""
        try:
            await cls.rows().insert_one(dict(row))
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_of_payment(cls, payment_id: str, *, limit: int = 500) -> list[Row]:
        """All entries of a payment, in the order in which things happened."""
        found = cls.rows().find({"payment_id": payment_id}).sort([("at_ms", ASCENDING), ("_id", ASCENDING)])
        return await found.limit(limit).to_list(length=limit)

    @classmethod
    async def balances(cls, payment_ids: Collection[str]) -> dict[str, dict[tuple[str, str], int]]:
        """What stands on each account for each of these payments: by payment, then by currency and account."""
        found: dict[str, dict[tuple[str, str], int]] = {}
        stages: list[Row] = [
            {"$match": {"payment_id": {"$in": sorted(payment_ids)}}},
            {"$unwind": "$lines"},
            {
                "$group": {
                    "_id": {"payment_id": "$payment_id", "currency": "$currency", "account": "$lines.account"},
                    "amount": {"$sum": "$lines.amount"},
                }
            },
        ]
        async for row in cls.rows().aggregate(stages):
            key = row["_id"]["currency"], row["_id"]["account"]
            if row["amount"]:
                found.setdefault(row["_id"]["payment_id"], {})[key] = int(row["amount"])
        return found

    @classmethod
    async def totals(cls) -> dict[str, int]:
        """The sum of all lines there are, by currency: zero each, or the book is wrong."""
        stages: list[Row] = [
            {"$match": {"book": BOOK}},
            {"$unwind": "$lines"},
            {"$group": {"_id": "$currency", "amount": {"$sum": "$lines.amount"}}},
        ]
        return {row["_id"]: int(row["amount"]) async for row in cls.rows().aggregate(stages)}

    @classmethod
    async def page(cls, *, after: str, limit: int) -> list[Row]:
        """The next entries by id: currency and lines alone."""
        rows = cls.rows().find({"_id": {"$gt": after}}, {"currency": 1, "lines": 1}).sort("_id", ASCENDING)
        return await rows.limit(limit).to_list(length=limit)

    @classmethod
    async def sums_between(
        cls, since_ms: int, until_ms: int, *, subject_ids: Collection[str] | None = None, **equal: str
    ) -> list[Row]:
        """The figures of a time, by day, gateway and currency: `_id` is {day, gateway, currency}. `equal`: of these alone.

        Days are stretches of 24 hours since `since_ms`, counted from 0.
        """
        day = {"$floor": {"$divide": [{"$subtract": ["$at_ms", since_ms]}, _DAY_MS]}}
        names = {name: f"${name}" for name in ("gateway", "currency")}
        which = {**_of(subject_ids), "at_ms": {"$gte": since_ms, "$lt": until_ms}, **equal}
        return await cls._sums(which, {"day": day, **names})

    @classmethod
    async def sums_of_subjects(
        cls, since_ms: int, until_ms: int, *, subject_ids: Collection[str] | None = None, **equal: str
    ) -> list[Row]:
        """The same of the whole time by subject and currency: `_id` is {subject_id, currency}."""
        names = {name: f"${name}" for name in ("subject_id", "currency")}
        return await cls._sums({**_of(subject_ids), "at_ms": {"$gte": since_ms, "$lt": until_ms}, **equal}, names)

    @classmethod
    async def sums_since(cls, since_ms: int) -> list[Row]:
        """The same of the whole book since then, by subject and currency alone."""
        names = {name: f"${name}" for name in ("subject_id", "currency")}
        return await cls._sums({**_of(None), "at_ms": {"$gte": since_ms}}, names)

    @classmethod
    async def _sums(cls, which: Row, by: Row) -> list[Row]:
        figures: Row = {name: {"$sum": f"$figures.{name}"} for name in FIGURES}
        return [row async for row in cls.rows().aggregate([{"$match": which}, {"$group": {"_id": by, **figures}}])]


def _of(subject_ids: Collection[str] | None) -> Row:
    """What is asked for by an index: the whole book, or what was paid for these."""
    if subject_ids is None:
        return {"book": BOOK}
    return {"subject_id": next(iter(subject_ids)) if len(subject_ids) == 1 else {"$in": sorted(subject_ids)}}
