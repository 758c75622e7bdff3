"""What is told of payments. The catalogue of events is `events.py`."""

from __future__ import annotations

from lms_rt.contracts.event_data import OfRecord


class PaymentCompleted(OfRecord):
    """Money came for what the user bought, and opens it. `amount` in minor units of `currency`."""

    payment_id: str
    order_id: str
    user_id: str
    course_id: str | None
    plan_id: str | None
    title: str
    amount: int
    currency: str
    gateway: str
    status: str


class PaymentChanged(OfRecord):
    """A payment of the user moved otherwise: it failed, was paid back or is in dispute. What it is now is read, not told."""

    payment_id: str
    order_id: str
    user_id: str
    status: str
