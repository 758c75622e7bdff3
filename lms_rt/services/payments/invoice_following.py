"""When a payment is to have an invoice, or a credit note: in the write that completes it, or that pays something back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lms_rt.contracts.outbox import Intent, Write, job
from lms_rt.services.payments.changes import PaymentChange
from lms_rt.services.payments.invoices import TASK


def invoices_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """The job that makes what is missing. Of what costs nothing there is no invoice, of what is held none yet."""
    is_due = change.is_newly_completed or change.newly_refunded
    if not is_due or change.after.get("held") is not None or not change.after["amount"]:
        return []
    return [job(write, TASK, {"payment_id": change.after["_id"]})]
