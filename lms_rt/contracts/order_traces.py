"""The way of one order at the border: from what was meant to be bought to what it opened. No rules, and nobody's name."""

from __future__ import annotations

from typing import Literal

from documents.enums import CourseAccess, EnrollmentStatus
from lms_rt.contracts.base import Instant, View
from lms_rt.contracts.invoices import InvoiceView
from lms_rt.contracts.payment_findings import FindingView
from lms_rt.contracts.payments import OrderView, PaymentView
from lms_rt.contracts.refunds import RefundView


class WordView(View):
    """One word of a gateway: when it came, when it was settled, and what came of it. What it said counts for nothing."""

    id: str
    type: str
    subject: str
    received_at: Instant
    settled_at: Instant | None
    outcome: str | None


class JournalLineView(View):
    """So much on one account, debits positive."""

    account: str
    amount: int


class JournalEntryView(View):
    """One entry of the book. Its lines sum to zero."""

    id: str
    kind: str
    at: Instant
    currency: str
    lines: list[JournalLineView]


class TracedPaymentView(View):
    """One checkout, or renewal, with all that is known of it. `is_in_balance`: the book says of it what it is."""

    payment: PaymentView
    intent_id: str | None
    words: list[WordView]
    journal: list[JournalEntryView]
    is_in_balance: bool
    refunds: list[RefundView]
    invoices: list[InvoiceView]


class TracedAccessView(View):
    """What the buyer's payments and subscriptions open, and what the enrolment says.

    `is_entitled`: something that was paid opens the course now, `by` which kind, by `payment_id` or `subscription_id`. `due` is
    what would be done about the enrolment if access were derived this moment; `kept` and `none` are as it should be.
    """

    course_id: str
    is_entitled: bool
    by: CourseAccess | None
    payment_id: str | None
    subscription_id: str | None
    until: Instant | None
    due: Literal["none", "kept", "enrolled", "returned", "moved", "expired"]
    enrollment_id: str | None
    enrollment_status: EnrollmentStatus | None
    enrollment_access: CourseAccess | None
    enrollment_payment_id: str | None
    expires_at: Instant | None


class TraceStepView(View):
    """One step, for a list in time: `what` happened to `ref`."""

    at: Instant
    kind: Literal["order", "checkout", "word", "payment", "journal", "refund", "invoice", "enrollment", "finding"]
    what: str
    ref: str


class OrderTraceView(View):
    """An order, its payments with all that belongs to them, the access that came of it, and what was found about it.

    `steps` tells the same in the order of time. Long lists end at 200.
    """

    order: OrderView
    payments: list[TracedPaymentView]
    access: TracedAccessView | None
    findings: list[FindingView]
    steps: list[TraceStepView]
