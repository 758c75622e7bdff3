"""Refunds at the border. No rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from lms_rt.contracts.base import Draft, Instant, Page, PageQuery, View, check_line
from lms_rt.contracts.money import AmountIn

RefundStatus = Literal["requested", "pending", "completed", "failed", "cancelled"]
WhyLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(check_line)]


class RefundDraft(Draft):
    """What is to be paid back: so many minor units of the payment's currency, or all that is left. Why goes into the audit log."""

    amount: AmountIn | None = None
    reason: WhyLine = ""


class ReleaseDraft(Draft):
    """Why a payment that was held counts all the same. It goes into the audit log."""

    reason: WhyLine = ""


class RefundCancelDraft(Draft):
    """Why a refund is called off after all. It goes into the audit log."""

    reason: WhyLine = ""


class RefundView(View):
    """A refund. `requested`: the gateway was not asked yet; `pending`: it took it and has not paid yet.

    `is_from_gateway`: it was made at the gateway's own desk. One that is completed can still fail: then the money came back.
    `is_cancellable`: whoever looks after payments can still call it off; the gateway was not asked for it.
    """

    id: str
    payment_id: str
    order_id: str
    amount: int
    currency: str
    status: RefundStatus
    gateway: str
    gateway_refund_id: str | None
    is_from_gateway: bool
    reason: str
    failure: str | None
    requested_by: str | None
    created_at: Instant
    completed_at: Instant | None
    is_cancellable: bool
    cancelled_by: str | None
    cancelled_at: Instant | None


class RefundsQuery(PageQuery):
    """Which page of a payment's refunds, the oldest first."""

    sort: Literal["created_at"] = "created_at"


class RefundsView(Page[RefundView]):
    """The refunds of a payment, the oldest first, and what could be paid back now."""

    refundable_amount: int
    currency: str
