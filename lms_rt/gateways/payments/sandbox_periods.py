"""How a subscription of the sandbox goes from one period to the next. Pure; who keeps it is `sandbox.py`."""

from __future__ import annotations

from datetime import datetime

from documents.base import Row
from documents.sandbox_payment import PAYMENT
from lms_rt.clock import months_later
from lms_rt.contracts.gateways import Charged, Renewing


def renewed(row: Row, now: datetime) -> tuple[Row, Row | None]:
    """The fields to write and the payment to keep before, when its period is over; nothing, while it is not."""
    ends = row["facts"].get("period_end")
    if row["state"] != Renewing.ACTIVE or ends is None or now < ends:
        return {}, None
    if row["facts"].get("cancel_at_period_end"):
        return {"state": Renewing.CANCELLED.value}, None
    return period_from(row, ends)


def period_from(row: Row, begins: datetime) -> tuple[Row, Row]:
    """The next period, and its payment. The payment's id is made of the period's number: there is one of each."""
    number = row["facts"]["periods"] + 1
    payment = {name: row[name] for name in _COPIED} | {
        "_id": f"{row['_id']}-p{number}",
        "kind": PAYMENT,
        "subscription_id": row["_id"],
        "state": Charged.COMPLETED.value,
        "method": row.get("method") or "card",
        "facts": {"paid_at": begins},
        "refunds": {},
        "refunded": 0,
        "revision": 1,
        "version": 1,
        "created_at": begins,
        "updated_at": begins,
        "outbox": [],
    }
    fields = {
        "state": Renewing.ACTIVE.value,
        "facts.periods": number,
        "facts.period_start": begins,
        "facts.period_end": months_later(begins, 12 if row["facts"]["interval"] == "year" else 1),
    }
    return fields, payment


_COPIED = ("key", "user_id", "amount", "currency", "title", "return_url", "cancel_url")
