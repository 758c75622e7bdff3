"""What Paymob's answers and callbacks mean, in the words of the contract. Asks nobody. No rules of ours.

A transaction is one try to pay an order of theirs; refunds and voids are transactions too, children of the one that paid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    GatewayPayment,
    GatewayUnavailable,
    Hint,
    Money,
    PaidBack,
    Renewing,
    Subject,
)
from lms_rt.gateways.payments.apart_ids import apart_id
from lms_rt.gateways.payments.http import part, whole, words_of
from lms_rt.gateways.payments.paymob_signature import (
    could_be,
    query_values,
    subscription_text,
    token_text,
    transaction_values,
    verify,
    verify_transaction,
)
from lms_rt.gateways.payments.word_reader import read_word

Row = Mapping[str, Any]
_DAY = timedelta(days=1)
_STATES = {
    "active": Renewing.ACTIVE,
    "pending": Renewing.PENDING,
    "suspended": Renewing.CANCELLED,
    "canceled": Renewing.CANCELLED,
    "cancelled": Renewing.CANCELLED,
    "expired": Renewing.EXPIRED,
    "completed": Renewing.EXPIRED,
    "disabled": Renewing.EXPIRED,
}


def order_of(transaction: Row) -> str | None:
    """Their number of the order that a transaction is a try to pay."""
    return words_of(part(transaction, "order", "id")) or words_of(transaction.get("order"))


def parent_of(transaction: Row) -> str | None:
    """The transaction that this one gives back (or draws in) money of."""
    if not (transaction.get("is_refund") or transaction.get("is_void") or transaction.get("has_parent_transaction")):
        return None
    parent = transaction.get("parent_transaction")
    return words_of(part(parent, "id")) or words_of(parent)


def is_paid(transaction: Row) -> bool:
    """Was money taken by it? What was given back afterwards is told by `refunded_of`."""
    is_held_only = bool(transaction.get("is_auth")) and not transaction.get("is_captured")
    return (
        transaction.get("success") is True
        and transaction.get("pending") is False
        and not transaction.get("error_occured")
        and not is_held_only
    )


def amount_of(transaction: Row) -> Money:
    """Minor units, which Paymob calls cents also where they are a thousandth."""
    amount, currency = whole(transaction.get("amount_cents")), words_of(transaction.get("currency"))
    if amount is None or currency is None:
        raise GatewayUnavailable("a transaction without its amount")
    return Money(amount, currency.upper())


def refunded_of(transaction: Row) -> int:
    """All that was given back of it."""
    total = amount_of(transaction).amount
    if transaction.get("is_voided"):
        return total
    told = whole(transaction.get("refunded_amount_cents"))
    if transaction.get("is_refunded"):
        return told or total
    return told or 0


def payment_of(transaction: Row, intent_id: str) -> GatewayPayment:
    """A payment, from the transaction that counts of its order. A try that failed may be followed by another: pending."""
    is_taken, money = is_paid(transaction), amount_of(transaction)
    if not is_taken and (whole(part(transaction, "order", "paid_amount_cents")) or 0) > 0:
        return _paid_by_another(transaction, intent_id)
    is_renewal = transaction.get("api_source") == "SUBSCRIPTION"
    return GatewayPayment(
        intent_id=intent_id,
        state=Charged.COMPLETED if is_taken else Charged.PENDING,
        money=money,
        key=words_of(part(transaction, "order", "merchant_order_id")),
        transaction_id=words_of(transaction.get("id")) if is_taken else None,
        method=words_of(part(transaction, "source_data", "type"), 40),
        paid_at=_moment(transaction.get("paid_at") or transaction.get("created_at")) if is_taken else None,
        refunded=refunded_of(transaction) if is_taken else 0,
        subscription_id=words_of(transaction.get("source_id")) if is_renewal else None,
        failure=_failure(transaction),
    )


def apart_of(transaction: Row, order_id: str) -> GatewayPayment:
    """One of several payments of an order, each by a transaction of its own."""
    transaction_id = words_of(transaction.get("id"))
    return replace(payment_of(transaction, order_id), apart_id=apart_id(order_id, transaction_id))


def took_money(transaction: Row, order_id: str) -> bool:
    """Was this order paid by it? What gave of the money back is none."""
    return is_paid(transaction) and parent_of(transaction) is None and order_of(transaction) == order_id


def _paid_by_another(transaction: Row, intent_id: str) -> GatewayPayment:
    """Paymob tells the last try alone; the order itself knows that one before it went through."""
    order = transaction["order"]
    return GatewayPayment(
        intent_id=intent_id,
        state=Charged.COMPLETED,
        money=Money(whole(order["paid_amount_cents"]) or 0, amount_of(transaction).currency),
        key=words_of(order.get("merchant_order_id")),
    )


def _failure(transaction: Row) -> str | None:
    if transaction.get("pending") or transaction.get("success"):
        return None
    code = words_of(part(transaction, "data", "txn_response_code"), 40)
    return f"declined:{code}" if code else "declined"


def refund_state(child: Row) -> PaidBack:
    """How giving back went."""
    if child.get("pending"):
        return PaidBack.PENDING
    return PaidBack.COMPLETED if child.get("success") else PaidBack.FAILED


def _moment(value: Any) -> datetime | None:
    """A time that says where it holds; Paymob's often do not, and are not guessed at."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def day_of(value: Any) -> datetime | None:
    """The beginning of a day such as 2026-12-20, in UTC."""
    try:
        return datetime.combine(date.fromisoformat(str(value)[:10]), time(), UTC)
    except ValueError:
        return None


def renewing_of(subscription: Row, newest: Row | None, now: datetime) -> tuple[Renewing, bool]:
    """How a subscription stands, and whether it runs out at the end of what is paid for (suspended: nothing more is drawn)."""
    word = str(subscription.get("state")).lower()
    if word not in _STATES:
        raise GatewayUnavailable("a subscription in a state that is not known")
    state, end = _STATES[word], day_of(subscription.get("next_billing"))
    if word == "suspended":
        is_running = end is not None and end > now
        return (Renewing.ACTIVE, True) if is_running else (Renewing.CANCELLED, True)
    is_unpaid = newest is not None and not is_paid(newest) and not newest.get("pending")
    if state is Renewing.ACTIVE and is_unpaid:
        return Renewing.PAST_DUE, False
    return state, False


def period_of(subscription: Row) -> tuple[datetime | None, datetime | None]:
    """From when until when it is paid for, for all that the subscription says."""
    end, days = day_of(subscription.get("next_billing")), whole(subscription.get("frequency"))
    return (end - timedelta(days=days) if end and days else None, end)


def is_period_unpaid(newest: Row | None, end: datetime | None) -> bool:
    """Did the last try fail, and was it made before this end? Then it was for the period that ends then: no later one was due.

    Days are told without a zone: a try of the last one is for the period that follows.
    """
    tried = None if newest is None else day_of(newest.get("created_at"))
    if newest is None or tried is None or end is None or newest.get("pending"):
        return False
    return not is_paid(newest) and tried < end - _DAY


def hints_of(body: bytes, query: Mapping[str, str], *, secret: str, integrations: Collection[int]) -> list[Hint]:
    """What a callback says, once its signature holds. Raises `BadSignature`.

    Signed are fields of the body, not its bytes: so it is read first, within bounds. Not before there is a signature that
    could be one: it stands in the address, but for words about subscriptions, which have theirs inside.
    """
    signature = query.get("hmac", "")
    if not could_be(signature) and b'"subscription_data"' not in body:
        raise BadSignature
    if not body:
        values = query_values(query)
        verify_transaction(values, signature, secret)
        return [_transaction_hint(values, query, query.get("order") or query.get("order_id") or "", integrations)]
    told = read_word(body)
    if isinstance(told.get("subscription_data"), dict):
        return [_subscription_hint(told, body, secret)]
    inner = told.get("obj")
    if told.get("type") not in {"TRANSACTION", "TOKEN"} or not isinstance(inner, dict):
        raise BadSignature
    if told["type"] == "TOKEN":  # a card that Paymob keeps: nothing of it is for us
        verify(text := token_text(inner), signature, secret)
        return [Hint(f"token-{_digest(text)}", "TOKEN", Subject.OTHER, "")]
    values = transaction_values(inner)
    verify_transaction(values, signature, secret)
    return [_transaction_hint(values, inner, order_of(inner) or "", integrations)]


def _transaction_hint(values: Sequence[str], inner: Row, order_id: str, integrations: Collection[int]) -> Hint:
    """Known again by what was signed alone: whoever changes the rest of a true word makes no new one of it.

    And by how it was cut into values: whoever cuts it otherwise does not take the place of the true one.
    """
    is_back = any(inner.get(name) in {True, "true"} for name in ("is_refunded", "is_voided", "has_parent_transaction"))
    subject = Subject.REFUND if is_back else Subject.PAYMENT
    if not order_id or whole(inner.get("integration_id")) not in integrations:
        subject = Subject.OTHER  # of another shop of the same account
    transaction_id, known_by = words_of(inner.get("id")) or "", _digest("\x1f".join(values))
    facts = {"transaction_id": transaction_id}
    return Hint(f"{transaction_id}-{known_by}", "TRANSACTION", subject, order_id, facts=facts)


def _subscription_hint(told: Row, body: bytes, secret: str) -> Hint:
    subscription_id, trigger = words_of(told["subscription_data"].get("id")), words_of(told.get("trigger_type"))
    signature = told.get("hmac")
    if subscription_id is None or trigger is None or not isinstance(signature, str):
        raise BadSignature
    verify(subscription_text(trigger, subscription_id), signature, secret)
    own_id = words_of(told.get("paymob_request_id"), 80)
    which = _digest(own_id or body.decode(errors="replace"))
    return Hint(f"subscription-{subscription_id}-{which}", trigger[:80], Subject.SUBSCRIPTION, subscription_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
