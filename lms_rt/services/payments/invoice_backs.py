"""What takes an invoice back, in whole or in part: a refund that went out, a dispute that was lost. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from documents.base import Row
from documents.enums import RefundStatus
from documents.invoice import CREDIT_NOTE, INVOICE
from lms_rt.contracts.gateways import Disputed
from lms_rt.ids import derived_id

PREFIX = "inv"
_SIGNS = {CREDIT_NOTE: 1, INVOICE: -1}


@dataclass(frozen=True, slots=True)
class Back:
    """So much is gone by it now. `field` is where its papers name it, `key` what their ids are derived from."""

    field: Literal["refund_id", "dispute_id"]
    id: str
    key: tuple[str, ...]
    amount: int


def refunded_of(refund: Row) -> Back:
    """What a refund paid back; nothing, unless it went out and stayed out."""
    amount = refund["amount"] if refund["status"] == RefundStatus.COMPLETED else 0
    return Back("refund_id", refund["_id"], (refund["_id"],), amount)


def lost_of(payment: Row) -> list[Back]:
    """What banks took back for good, dispute by dispute; nothing of one that is open, or was won after all."""
    return [
        Back(
            "dispute_id",
            one["id"],
            ("dispute", payment["_id"], one["id"]),
            one["amount"] if one["state"] == Disputed.LOST else 0,
        )
        for one in payment.get("disputes") or ()
    ]


def missing_of(made: Sequence[Row], backs: Sequence[Back]) -> list[Row]:
    """What brings the papers of a payment in line with what is gone by each; what takes a note back comes first.

    All together never come to more than the invoice: of what was paid back already nothing is left to be lost.
    """
    invoice = next(one for one in made if not is_beside(one))
    told = {back: [row for row in made if row.get(back.field) == back.id] for back in backs}
    left, missing = invoice["amount"] - sum_back(made)[0] + sum(sum_back(own)[0] for own in told.values()), []
    for back, own in told.items():
        due = min(max(back.amount, 0), max(left, 0))
        left -= due
        if rest := due - sum_back(own)[0]:
            missing.append(_paper(invoice, back, own, rest))
    return sorted(missing, key=lambda one: bool(one["kind"] == CREDIT_NOTE))


def _paper(invoice: Row, back: Back, own: Sequence[Row], rest: int) -> Row:
    """A credit note of what is gone; or of what came back of that, the invoice."""
    kind, amount = CREDIT_NOTE if rest > 0 else INVOICE, abs(rest)
    before = sum(row["kind"] == kind for row in own)
    paper_id = derived_id(PREFIX, *back.key, kind, *([str(before)] if before else []))
    kept = ("payment_id", "order_id", "user_id", "currency", "language")
    said = {**invoice["printed"], "invoice_number": invoice["number"], "is_tax_included": True}
    said |= {"list_amount": amount, "discount_amount": 0, "coupon_code": None}
    named = {name: invoice[name] for name in kept}
    facts = {"_id": paper_id, "kind": kind, back.field: back.id, **named}
    return {**facts, "amount": amount, "tax_amount": 0, "printed": said}


def is_beside(row: Row) -> bool:
    """Is it of a refund or a dispute? Else it is the invoice of the payment."""
    return row.get("refund_id") is not None or row.get("dispute_id") is not None


def sum_back(made: Sequence[Row]) -> tuple[int, int]:
    """What is gone so far, and the tax in it."""
    rows = [one for one in made if is_beside(one)]
    back, tax = (sum(_SIGNS[one["kind"]] * one[name] for one in rows) for name in ("amount", "tax_amount"))
    return back, tax
