"""Refunds as people see them, and what a payment has left to be paid back. Pure."""

from __future__ import annotations

from documents.base import Row
from documents.enums import RefundStatus
from documents.payment import PAID
from lms_rt.contracts.gateways import Disputed
from lms_rt.contracts.refunds import RefundView

TAKEN = (Disputed.OPEN.value, Disputed.LOST.value)
"""States of a dispute in which the payer's bank has the money."""


def paid_of(payment: Row) -> int:
    """So much came, as far as is known."""
    paid = payment.get("paid_amount")
    return int(payment["amount"] if paid is None else paid)


def currency_of(payment: Row) -> str:
    """The currency in which it came, and goes back."""
    return str(payment.get("paid_currency") or payment["currency"])


def refundable(payment: Row) -> int:
    """What could be paid back of it now: nothing while its bank has the money."""
    if payment["status"] not in PAID or payment.get("dispute") in TAKEN:
        return 0
    held_back = sum((payment.get("refund_holds") or {}).values())
    return max(0, paid_of(payment) - int(payment.get("refunded_amount", 0)) - int(held_back))


def copied_from(payment: Row) -> Row:
    """What a refund repeats of its payment."""
    names = ("order_id", "user_id", "course_id", "plan_id", "gateway", "intent_id")
    copied = {name: payment[name] for name in names if payment.get(name) is not None}
    return {**copied, "payment_id": payment["_id"], "currency": currency_of(payment)}


def is_cancellable(row: Row) -> bool:
    """Was nobody asked for it yet? Of whoever was and did not answer nobody knows what they did."""
    return row["status"] == RefundStatus.REQUESTED and not row.get("attempts")


def refund_view(row: Row, *, is_treasurer: bool) -> RefundView:
    """A refund as people see it; who paid is not told who decided, nor in which words."""
    return RefundView(
        id=row["_id"],
        **{
            name: row[name]
            for name in ("payment_id", "order_id", "amount", "currency", "status", "gateway", "created_at")
        },
        gateway_refund_id=row.get("gateway_refund_id"),
        is_from_gateway=row.get("requested_by") is None,
        reason=row.get("reason", "") if is_treasurer else "",
        failure=row.get("held_back") if is_treasurer else None,
        requested_by=row.get("requested_by") if is_treasurer else None,
        completed_at=row.get("completed_at"),
        is_cancellable=is_treasurer and is_cancellable(row),
        cancelled_by=row.get("cancelled_by") if is_treasurer else None,
        cancelled_at=row.get("cancelled_at"),
    )
