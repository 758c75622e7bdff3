"""When a payment is to have an invoice, or a credit note: in the write that completes it, or that takes something back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from documents.base import Row
from lms_rt.contracts.outbox import Intent, Write, job
from lms_rt.services.payments.changes import PaymentChange
from lms_rt.services.payments.invoice_backs import lost_of
from lms_rt.services.payments.invoices import TASK


def invoices_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """The job that makes what is missing. Of what costs nothing there is no invoice, of what is held none yet."""
    is_due = change.is_newly_completed or change.newly_refunded or _lost(change.before) != _lost(change.after)
    if not is_due or change.after.get("held") is not None or not change.after["amount"]:
        return []
    return [job(write, TASK, {"payment_id": change.after["_id"]})]


def _lost(payment: Row) -> set[tuple[str, int]]:
    return {(one.id, one.amount) for one in lost_of(payment) if one.amount}
