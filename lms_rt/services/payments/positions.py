"""What the journal has to say of one payment, derived from the payment and its order as they stand. Pure.

Every entry is the difference of two positions, so that the entries of a payment sum to its position whatever happened in
between, in whatever order: money is neither lost nor doubled. Each position sums to zero, and so does each entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from documents.payment import PAID
from lms_rt.contracts.gateways import Disputed
from lms_rt.services.payments.rounding import part_of

Position = Mapping[tuple[str, str], int]
"""Minor units by currency and account, debits positive."""

TAKEN_BACK = (Disputed.OPEN.value, Disputed.LOST.value)
"""States of a dispute in which its gateway keeps the money."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The amounts of a payment, in `currency`. What is held is nobody's revenue yet."""

    currency: str
    paid: int
    tax: int
    refunded: int
    refunded_tax: int
    disputed: int
    is_held: bool

    @property
    def figures(self) -> dict[str, int]:
        """For reports: what came for good, went back, is in dispute, belongs to the state, and waits for somebody."""
        if self.is_held:
            waiting = self.paid - self.refunded - self.disputed
            return {"completed": 0, "refunded": 0, "disputed": 0, "tax": 0, "held": waiting}
        return {
            "completed": self.paid,
            "refunded": self.refunded,
            "disputed": self.disputed,
            "tax": self.tax - self.refunded_tax,
            "held": 0,
        }


def standing_of(payment: Mapping[str, Any], order: Mapping[str, Any] | None) -> Standing | None:
    """How a payment stands; None: no money came."""
    if payment["status"] not in PAID:
        return None
    paid = _or(payment.get("paid_amount"), payment["amount"])
    is_held = payment.get("held") is not None
    tax = 0 if is_held or order is None else part_of(order.get("tax_amount", 0), paid, order["amount"])
    refunded = payment.get("refunded_amount", 0)
    return Standing(
        currency=payment.get("paid_currency") or payment["currency"],
        paid=paid,
        tax=tax,
        refunded=refunded,
        refunded_tax=part_of(tax, refunded, paid),
        disputed=_disputed(payment, paid),
        is_held=is_held,
    )


def position_of(payment: Mapping[str, Any], order: Mapping[str, Any] | None) -> Position:
    """What stands on which account for a payment; accounts with nothing on them are left out."""
    standing = standing_of(payment, order)
    if standing is None:
        return {}
    gateway, subject = payment["gateway"], subject_of(payment)
    receivable = standing.paid - standing.refunded - standing.disputed
    lines = {f"receivable:{gateway}": receivable, f"disputes:{gateway}": standing.disputed}
    if standing.is_held:
        lines[f"held:{gateway}"] = standing.refunded - standing.paid
    else:
        country = (order or {}).get("tax_country") or "none"
        lines[f"revenue:{subject}"] = standing.tax - standing.paid
        lines[f"refunds:{subject}"] = standing.refunded - standing.refunded_tax
        lines[f"tax:{country}"] = standing.refunded_tax - standing.tax
    return {(standing.currency, account): amount for account, amount in lines.items() if amount}


def subject_of(payment: Mapping[str, Any]) -> str:
    """What was bought: a course, or a plan."""
    return str(payment.get("course_id") or payment.get("plan_id") or "unknown")


def _disputed(payment: Mapping[str, Any], paid: int) -> int:
    if payment.get("dispute") not in TAKEN_BACK:
        return 0
    return int(payment.get("dispute_amount") or paid)


def _or(value: int | None, other: int) -> int:
    return int(other if value is None else value)
