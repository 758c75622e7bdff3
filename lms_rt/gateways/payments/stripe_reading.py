"""What Stripe's objects say, in the words of the contract. No requests: who asks is `stripe.py`.

Shapes are those of API 2025-03-31 (basil) and later: periods are on the items of a subscription, payments of an invoice in
its `payments`, and a payment intent names its newest charge alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from lms_rt.clock import from_ms
from lms_rt.contracts.gateways import (
    Charged,
    Disputed,
    GatewayDispute,
    GatewayPayment,
    GatewayRefund,
    GatewaySubscription,
    Money,
    PaidBack,
    Renewing,
)
from lms_rt.gateways.payments.stripe_amounts import from_stripe

Answer = Mapping[str, Any]
MAX_INTENTS = 10

_CHARGED = {"succeeded": Charged.COMPLETED, "canceled": Charged.CANCELLED}
_PAID_BACK = {
    "pending": PaidBack.PENDING,
    "requires_action": PaidBack.PENDING,
    "succeeded": PaidBack.COMPLETED,
    "failed": PaidBack.FAILED,
    "canceled": PaidBack.CANCELLED,
}
_DISPUTED = {"won": Disputed.WON, "lost": Disputed.LOST, "prevented": Disputed.WON}
_RENEWING = {
    "incomplete": Renewing.PENDING,
    "incomplete_expired": Renewing.EXPIRED,
    "trialing": Renewing.ACTIVE,
    "active": Renewing.ACTIVE,
    "past_due": Renewing.PAST_DUE,
    "unpaid": Renewing.PAST_DUE,
    "paused": Renewing.PAST_DUE,
    "canceled": Renewing.CANCELLED,
}


class Origin(NamedTuple):
    """Where an intent comes from, if we did not make it ourselves: a hosted checkout, or a subscription."""

    session_id: str | None = None
    subscription_id: str | None = None


NO_ORIGIN = Origin()


def payment_of(
    intent: Answer,
    *,
    refunds: Sequence[Answer] = (),
    disputes: Sequence[Answer] = (),
    origin: Origin = NO_ORIGIN,
) -> GatewayPayment:
    """A payment intent with its newest charge inside. What began as a hosted checkout goes by that one's id."""
    state = _CHARGED.get(intent["status"], Charged.PENDING)
    currency = intent["currency"]
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, Mapping) else None
    paid = intent["amount_received"] if state is Charged.COMPLETED else intent["amount"]
    read = tuple(refund_of(one) for one in refunds)
    return GatewayPayment(
        intent_id=origin.session_id or intent["id"],
        state=state,
        money=from_stripe(paid, currency),
        key=_metadata(intent).get("key"),
        transaction_id=charge["id"] if charge and state is Charged.COMPLETED else None,
        method=_method_of(charge),
        paid_at=_at(charge.get("created")) if charge and state is Charged.COMPLETED else None,
        refunded=sum(one.amount for one in read if one.state is PaidBack.COMPLETED),
        refunds=read,
        disputes=tuple(_dispute_of(one) for one in disputes if not _is_inquiry(one)),
        subscription_id=origin.subscription_id,
        failure=_failure_of(intent) if state is not Charged.COMPLETED else None,
        country=_country_of(charge) if state is Charged.COMPLETED else None,
    )


def unread_of(intent: Answer, origin: Origin) -> GatewayPayment:
    """What is in a list and cannot be read, such as one in a currency that nobody knows: whose it is, as far as it says."""
    key = (intent.get("metadata") or {}).get("key")
    return GatewayPayment(
        intent_id=origin.session_id or intent["id"],
        state=Charged.PENDING,
        money=Money(0, ""),
        key=key if isinstance(key, str) else None,
        subscription_id=origin.subscription_id,
        is_whole=False,
    )


def unpaid_session_of(session: Answer) -> GatewayPayment:
    """A hosted checkout that nobody has tried to pay yet, and perhaps never will."""
    return GatewayPayment(
        intent_id=session["id"],
        state=Charged.EXPIRED if session["status"] == "expired" else Charged.PENDING,
        money=from_stripe(session["amount_total"], session["currency"]),
        key=_metadata(session).get("key"),
        subscription_id=id_of(session.get("subscription")),
    )


def refund_of(refund: Answer) -> GatewayRefund:
    """A refund; one that was made at Stripe's own desk has no reference."""
    return GatewayRefund(
        refund_id=refund["id"],
        amount=from_stripe(refund["amount"], refund["currency"]).amount,
        state=_PAID_BACK.get(refund.get("status") or "", PaidBack.PENDING),
        reference=_metadata(refund).get("refund_id"),
    )


def subscription_of(subscription: Answer, intent_ids: Sequence[str]) -> GatewaySubscription:
    """A subscription of one item, as ours are."""
    items = subscription["items"]["data"]
    item = items[0] if items else {}
    return GatewaySubscription(
        subscription_id=subscription["id"],
        state=_RENEWING.get(subscription["status"], Renewing.PAST_DUE),
        key=_metadata(subscription).get("key"),
        period_start=_at(item.get("current_period_start")),
        period_end=_at(item.get("current_period_end")),
        cancel_at_period_end=bool(subscription.get("cancel_at_period_end") or subscription.get("cancel_at")),
        money=_price_of(item),
        intent_ids=tuple(dict.fromkeys(intent_ids)),
    )


def intents_of(invoice: Answer) -> list[str]:
    """The intents by which an invoice was paid, or was to be."""
    payments = (invoice.get("payments") or {}).get("data") or ()
    return [intent for one in payments if (intent := id_of((one.get("payment") or {}).get("payment_intent")))]


def subscription_id_of(invoice: object) -> str | None:
    """Whose invoice it is; None: no subscription's. Endpoints of older versions have it elsewhere."""
    if not isinstance(invoice, Mapping):
        return None
    parent = invoice.get("parent") or {}
    details = parent.get("subscription_details") or {}
    return id_of(details.get("subscription")) or id_of(invoice.get("subscription"))


def _price_of(item: Answer) -> Money | None:
    price = item.get("price")
    if not isinstance(price, Mapping) or price.get("unit_amount") is None:
        return None
    return from_stripe(price["unit_amount"], price["currency"])


def _dispute_of(dispute: Answer) -> GatewayDispute:
    return GatewayDispute(
        dispute_id=dispute["id"],
        amount=from_stripe(dispute["amount"], dispute["currency"]).amount,
        state=_DISPUTED.get(dispute["status"], Disputed.OPEN),
    )


def _is_inquiry(dispute: Answer) -> bool:
    """A bank that only asks has taken no money back yet."""
    return str(dispute["status"]).startswith("warning_")


def _method_of(charge: Answer | None) -> str | None:
    """The kind of means, such as card: never its number, brand or holder."""
    details = (charge or {}).get("payment_method_details") or {}
    return details.get("type")


def _country_of(charge: Answer | None) -> str | None:
    """Where the card, or the bank, that paid is from."""
    details = (charge or {}).get("payment_method_details") or {}
    country = (details.get(details.get("type")) or {}).get("country")
    return country if isinstance(country, str) else None


def _failure_of(intent: Answer) -> str | None:
    """Why the last try did not succeed, as a word of Stripe's catalogue."""
    error = intent.get("last_payment_error") or {}
    word = error.get("decline_code") or error.get("code")
    return str(word)[:60] if word else None


def _metadata(told: Answer) -> Mapping[str, str]:
    return told.get("metadata") or {}


def id_of(told: object) -> str | None:
    """An id, whether the object came along or not."""
    found = told.get("id") if isinstance(told, Mapping) else told
    return found if isinstance(found, str) else None


def _at(epoch_seconds: int | None) -> datetime | None:
    return None if epoch_seconds is None else from_ms(epoch_seconds * 1000)
