"""What follows from each change of a payment, in the write that makes it: journal, access, events, mails. Pure.

Notifications follow from the events as they were recorded. Invoices, orders and findings are added by those who keep them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from documents.base import Row
from lms_rt.clock import rfc3339
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.outbox import Intent, Write, event, job
from lms_rt.services.payments.changes import PaymentChange
from lms_rt.services.payments.journal import journaled
from lms_rt.services.payments.refund_views import currency_of, paid_of
from lms_rt.services.payments.rounding import part_of

ACCESS_TASK = "payments.access"


def journal_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """Its entries in the book."""
    return journaled(write, before=change.before, after=change.after, order=change.order)


def access_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """The enrolments that live by it are looked at: of its course, or of all that its subscription opened."""
    if not change.is_about_access:
        return []
    args = {"user_id": change.after["user_id"], "course_id": change.after.get("course_id")}
    return [job(write, ACCESS_TASK, args)]


def told_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """The payer and the school's own systems hear of it. A declined card that may be tried again is nobody's news."""
    told: list[Intent] = []
    payment, channels = change.after, [user_channel(change.after["user_id"])]
    if change.is_newly_completed:
        told.append(_event(write, "payment.completed", payment, len(told), channels=channels))
        tax = _tax_in(payment, change.order)
        told.append(_mail(write, "payment_confirmation", payment, paid_of(payment), tax=tax))
    if change.is_newly_failed:
        told.append(_event(write, "payment.failed", payment, len(told)))
        told.append(_mail(write, "payment_failed", payment, paid_of(payment), has_reference=False))
    if change.newly_refunded > 0:
        events = sum(one["kind"] == "event" for one in told)
        told.append(_event(write, "payment.refunded", payment, events))
        told.append(_mail(write, "payment_refunded", payment, change.newly_refunded))
    if change.is_about_access and not change.is_newly_completed:
        told.append(_moved(write, payment, sum(one["kind"] == "event" for one in told), channels))
    return told


def event_facts(payment: Row) -> dict[str, Any]:
    """What events say of a payment: the sum that came, in its currency, which need not be what was asked for."""
    names = ("order_id", "user_id", "course_id", "plan_id", "gateway", "status")
    told = {"payment_id": payment["_id"], "title": payment.get("title", ""), **{one: payment.get(one) for one in names}}
    return {**told, "amount": paid_of(payment), "currency": currency_of(payment)}


def _event(write: Write, record: str, payment: Row, n: int, *, channels: Sequence[str] = ()) -> Intent:
    name = record.replace(".", "_") if channels else record
    return event(write, name, n=n, channels=channels, data=event_facts(payment), record=record)


def _moved(write: Write, payment: Row, n: int, channels: Sequence[str]) -> Intent:
    """For the pages that show it."""
    data = {"payment_id": payment["_id"], **{name: payment[name] for name in ("order_id", "user_id", "status")}}
    return event(write, "payment_changed", n=n, channels=channels, data=data)


def _tax_in(payment: Row, order: Row | None) -> dict[str, Any]:
    """The tax in what came, with its name and rate; as on the invoice."""
    if order is None or not order.get("tax_amount"):
        return {}
    rate = hundredths_text(order.get("tax_basis_points", 0)).rstrip("0").rstrip(".")
    amount = part_of(order["tax_amount"], paid_of(payment), order["amount"])
    return {"tax_amount": amount, "tax_label": f"{order['tax_name']}, {rate}%" if order.get("tax_name") else ""}


def _mail(
    write: Write, template: str, payment: Row, amount: int, *, has_reference: bool = True, tax: Row | None = None
) -> Intent:
    """A mail about money is sent whatever somebody wishes to hear of."""
    data = {
        "amount": amount,
        "currency": currency_of(payment),
        "description": payment.get("title", ""),
        "at": rfc3339(write.at),
        "reference": payment["_id"] if has_reference else "",
        "link": f"/payments/orders/{payment['order_id']}",
        **(tax or {}),
    }
    return job(write, "mail.send", {"template": template, "user_id": payment["user_id"], "data": data})
