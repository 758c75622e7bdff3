"""An invoice or a credit note: its number, all that is printed on it, and its file. None is ever removed or changed. No rules.

The number comes with the document itself, in one write, under a unique index: there is no number without its document, and no
gap whoever is killed when. The id follows from what it is for (a payment, a refund, a dispute), so that each is numbered once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Row, RowAggregate

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
MOST_OF_PAYMENT = 200
"""More refunds than a payment ever has; a list has an end."""


class Invoice(RowAggregate):
    """One of them. `printed` is all that stands on it, so that a later change of names or prices touches none.

    `amount` is what was paid or paid back, `tax_amount` the tax in it. Of a person who was erased the name goes, and the file.
    """

    number: str
    kind: str
    year: int
    sequence: int
    payment_id: str
    refund_id: str | None = None
    dispute_id: str | None = None
    order_id: str
    user_id: str
    amount: int
    tax_amount: int
    currency: str
    language: str
    issued_at: datetime
    printed: dict[str, Any]
    file_id: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "invoices"
        indexes: ClassVar = [
            IndexModel([("number", ASCENDING)], unique=True),
            IndexModel([("kind", ASCENDING), ("year", ASCENDING), ("sequence", DESCENDING)]),
            IndexModel([("payment_id", ASCENDING)]),
            IndexModel([("user_id", ASCENDING), ("issued_at", DESCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_highest(cls, kind: str, year: int) -> int:
        """The last number of a kind in a year, 0 before the first."""
        which = {"kind": kind, "year": year}
        found = cls.rows().find(which, {"sequence": 1}).sort("sequence", DESCENDING).limit(1)
        return int(next((row["sequence"] for row in await found.to_list(length=1)), 0))

    @classmethod
    async def of_payment(cls, payment_id: str) -> list[Row]:
        """The invoice of a payment and its credit notes, in the order in which they were numbered."""
        found = cls.rows().find({"payment_id": payment_id}, {"outbox": 0}).sort("issued_at", ASCENDING)
        rows = await found.limit(MOST_OF_PAYMENT).to_list(length=MOST_OF_PAYMENT)
        return sorted(rows, key=lambda row: (row["kind"] == CREDIT_NOTE, row["year"], row["sequence"]))

    @classmethod
    async def name_file(cls, invoice_id: str, version: int, fields: Row, *, at: datetime) -> bool:
        """Say which file it is in, if nobody changed it meanwhile."""
        update = {"$set": {**fields, "version": version + 1, "updated_at": at}}
        return bool((await cls.rows().update_one({"_id": invoice_id, "version": version}, update)).matched_count)

    @classmethod
    async def withhold(cls, invoice_id: str, version: int, printed: Row, *, at: datetime) -> bool:
        """Put `printed`, without the person, in place of what stood on it, and forget the file; if nobody changed it meanwhile."""
        update = {
            "$set": {"printed": printed, "version": version + 1, "updated_at": at},
            "$unset": {"file_id": "", "size_bytes": "", "sha256": ""},
        }
        return bool((await cls.rows().update_one({"_id": invoice_id, "version": version}, update)).matched_count)
