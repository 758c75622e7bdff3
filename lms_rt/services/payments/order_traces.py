"""The way of one order, for who looks after payments: order, checkouts, words of gateways, payments, journal, access.

It reads, and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from documents.base import Row
from documents.enrollment import Enrollment, enrollment_id_of
from documents.gateway_event import GatewayEvent
from documents.invoice import Invoice
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.refund import Refund
from lms_rt.clock import from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.order_traces import (
    JournalEntryView,
    OrderTraceView,
    TracedAccessView,
    TracedPaymentView,
    TraceStepView,
    WordView,
)
from lms_rt.errors import Code, Refused
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services.payments.access import Access, due_of
from lms_rt.services.payments.findings import finding_view
from lms_rt.services.payments.invoice_views import invoice_views
from lms_rt.services.payments.journal import Journal
from lms_rt.services.payments.payment_views import order_view, payment_view
from lms_rt.services.payments.refund_views import refund_view

MANY = 200


class OrderTraces:
    """Follows orders."""

    def __init__(self, *, access: Access, journal: Journal) -> None:
        self._access, self._journal = access, journal

    async def show(self, actor: Actor, order_id: str) -> OrderTraceView:
        """The whole way of an order."""
        require_treasurer(actor)
        order = await Order.find_row(order_id)
        if order is None:
            raise Refused(Code.NOT_FOUND)
        rows = (await Payment.find_of_order(order_id))[-MANY:]
        payments = [await self._payment(row) for row in rows]
        (found, _), (access, enrollment) = await asyncio.gather(
            PaymentFinding.page({"refs.order_id": order_id}, skip=0, limit=MANY), self._access_of(order)
        )
        findings = [finding_view(row) for row in found]
        trace = OrderTraceView(order=order_view(order), payments=payments, access=access, findings=findings, steps=[])
        steps = sorted(_steps(trace, enrollment), key=lambda step: step.at)
        return trace.model_copy(update={"steps": steps[:MANY]})

    async def _payment(self, row: Row) -> TracedPaymentView:
        entries, words, refunds, invoices, imbalance = await asyncio.gather(
            JournalEntry.find_of_payment(row["_id"], limit=MANY),
            _words(row),
            Refund.find_of_payment(row["_id"]),
            Invoice.of_payment(row["_id"]),
            self._journal.imbalance(row["_id"]),
        )
        return TracedPaymentView(
            payment=payment_view(row),
            intent_id=row.get("intent_id"),
            words=[_word(word) for word in words],
            journal=[_entry(entry) for entry in entries],
            is_in_balance=imbalance is None,
            refunds=[refund_view(refund, is_treasurer=True) for refund in refunds[-MANY:]],
            invoices=invoice_views(invoices)[-MANY:],
        )

    async def _access_of(self, order: Row) -> tuple[TracedAccessView | None, Enrollment | None]:
        """What it opened; None: an order for a plan opens what its owner enrols in."""
        course_id = order.get("course_id")
        if course_id is None:
            return None, None
        enrollment, entitlements = await asyncio.gather(
            Enrollment.find_one_by_id(enrollment_id_of(order["user_id"], course_id)),
            self._access.entitlements(order["user_id"], course_id),
        )
        due, best = due_of(enrollment, entitlements), entitlements[0] if entitlements else None
        until_ms = None if best is None else best.until_ms
        about: Row = {} if enrollment is None else _of_enrollment(enrollment)
        view = TracedAccessView(
            course_id=course_id,
            is_entitled=best is not None,
            by=None if best is None else best.access,
            payment_id=None if best is None else best.payment_id,
            subscription_id=None if best is None else best.subscription_id,
            until=None if until_ms is None else from_ms(until_ms),
            due=due.change.value,
            **{**dict.fromkeys(_ENROLLMENT), **about},
        )
        return view, enrollment


_ENROLLMENT = ("enrollment_id", "enrollment_status", "enrollment_access", "enrollment_payment_id", "expires_at")


def _of_enrollment(enrollment: Enrollment) -> Row:
    return {
        "enrollment_id": enrollment.id,
        "enrollment_status": enrollment.status,
        "enrollment_access": enrollment.access,
        "enrollment_payment_id": enrollment.payment_id,
        "expires_at": None if enrollment.expires_ms is None else from_ms(enrollment.expires_ms),
    }


async def _words(row: Row) -> Sequence[Row]:
    return [] if row.get("intent_id") is None else await GatewayEvent.find_of(row["gateway"], row["intent_id"])


def _word(row: Row) -> WordView:
    return WordView(
        id=row["_id"],
        **{name: row[name] for name in ("type", "subject", "received_at")},
        **{name: row.get(name) for name in ("settled_at", "outcome")},
    )


def _entry(row: Row) -> JournalEntryView:
    return JournalEntryView(id=row["_id"], **{name: row[name] for name in ("kind", "at", "currency", "lines")})


def _steps(trace: OrderTraceView, enrollment: Enrollment | None) -> Iterator[TraceStepView]:
    """All that has a time, in no order yet."""
    order = trace.order
    yield _step(order.created_at, "order", "created", order.id)
    if order.completed_at is not None:
        yield _step(order.completed_at, "order", "completed", order.id)
    for traced in trace.payments:
        yield from _steps_of(traced)
    if enrollment is not None:
        yield _step(enrollment.enrolled_at, "enrollment", "enrolled", enrollment.id)
    for finding in trace.findings:
        yield _step(finding.first_seen, "finding", finding.kind, finding.id)


def _steps_of(traced: TracedPaymentView) -> Iterator[TraceStepView]:
    payment = traced.payment
    yield _step(payment.created_at, "checkout", payment.gateway, payment.id)
    if payment.completed_at is not None:
        yield _step(payment.completed_at, "payment", "completed", payment.id)
    for word in traced.words:
        yield _step(word.received_at, "word", word.type, word.id)
    for entry in traced.journal:
        yield _step(entry.at, "journal", entry.kind, entry.id)
    for refund in traced.refunds:
        yield _step(refund.created_at, "refund", refund.status, refund.id)
    for invoice in traced.invoices:
        yield _step(invoice.issued_at, "invoice", invoice.kind, invoice.number)


def _step(at: datetime, kind: Any, what: str, ref: str) -> TraceStepView:
    return TraceStepView(at=at, kind=kind, what=what, ref=ref)
