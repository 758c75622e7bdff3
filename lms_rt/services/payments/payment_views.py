"""Orders and payments as people see them."""

from __future__ import annotations

from collections.abc import Mapping

from documents.base import Row
from lms_rt.contracts.payments import CheckoutView, CountryEvidenceView, OrderView, PaymentView
from lms_rt.services.payments.tax_evidence import evidence_of

_ORDER = (
    "user_id", "kind", "course_id", "plan_id", "subscription_id", "title", "list_amount", "coupon_code", "tax_name",
    "tax_country", "amount", "currency", "status", "gateway", "method", "gateway_intent_id", "payment_id", "created_at",
    "completed_at", "expires_at", "version", "updated_at",
)  # fmt: skip
_ORDER_NUMBERS = ("discount_amount", "tax_amount")
_PAYMENT = (
    "user_id", "order_id", "course_id", "plan_id", "subscription_id", "enrollment_id", "amount", "currency",
    "paid_amount", "paid_currency", "gateway", "status", "transaction_id", "payment_method", "held", "dispute", "created_at", "completed_at", "version",
    "updated_at",
)  # fmt: skip
_CLIENT = ("client_secret", "publishable_key", "redirect_url", "iframe_url")


def order_view(row: Row) -> OrderView:
    """An order."""
    return OrderView(
        id=row["_id"],
        **{name: row.get(name) for name in _ORDER},
        **{name: row.get(name, 0) for name in _ORDER_NUMBERS},
        tax_rate=row.get("tax_basis_points", 0),
        is_tax_included=row.get("is_tax_included", False),
        metadata=row.get("metadata") or {},
        country_evidence=[CountryEvidenceView(**one) for one in evidence_of(row)],
    )


def payment_view(row: Row) -> PaymentView:
    """A payment."""
    return PaymentView(
        id=row["_id"],
        **{name: row.get(name) for name in _PAYMENT},
        title=row.get("title", ""),
        refunded_amount=row.get("refunded_amount", 0),
        metadata=row.get("metadata") or {},
    )


def checkout_view(order: Row, client: Mapping[str, str], *, payment_id: str | None) -> CheckoutView:
    """What the browser needs to pay."""
    return CheckoutView(
        order_id=order["_id"],
        payment_id=payment_id,
        status=order["status"],
        gateway=order.get("gateway"),
        method=order.get("method"),
        intent_id=order.get("gateway_intent_id"),
        amount=order["amount"],
        currency=order["currency"],
        expires_at=order["expires_at"],
        **{name: client.get(name) for name in _CLIENT},
    )
