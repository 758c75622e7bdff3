"""What MyFatoorah's answers and webhooks mean, in the words of the contract. Asks nobody. No rules of ours.

An invoice of theirs is a checkout of ours. It is written in the payer's currency and kept in the account's; what is paid
back is told in the account's. Times without a zone are the account's country's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    GatewayPayment,
    GatewayRefund,
    GatewayUnavailable,
    Hint,
    Money,
    PaidBack,
    Renewing,
    Subject,
)
from lms_rt.contracts.money import from_decimal, to_decimal
from lms_rt.gateways.payments.apart_ids import apart_id
from lms_rt.gateways.payments.http import part, whole, words_of
from lms_rt.gateways.payments.myfatoorah_signature import could_be, text_v1, text_v2, verify
from lms_rt.gateways.payments.word_reader import read_word
from lms_rt.ids import looks_like_id

Row = Mapping[str, Any]
_Called = tuple[str | None, str | None]
"""How a transaction is called, and by what it was paid."""
_SHOWN = re.compile(r"([0-9][0-9,]{0,17}(?:\.[0-9]{1,4})?) ?([A-Za-z]{2,3})")
_SHORT = {"KD": "KWD", "BD": "BHD", "OR": "OMR", "JD": "JOD", "SR": "SAR", "QR": "QAR", "LE": "EGP"}
"""How some countries' accounts abbreviate their currency."""
_CHARGED = {
    "paid": Charged.COMPLETED,
    "duplicatepayment": Charged.COMPLETED,
    "canceled": Charged.CANCELLED,
    "cancelled": Charged.CANCELLED,
    "expired": Charged.EXPIRED,
}
_TWICE = "duplicatepayment"
_MOST_PAYMENTS = 10
"""So many times is one invoice paid at most, as far as it is looked at."""
_SUCCESS = frozenset({"succss", "success"})
"""The former is MyFatoorah's own spelling."""
_PAID_BACK = {"refunded": PaidBack.COMPLETED, "canceled": PaidBack.CANCELLED, "cancelled": PaidBack.CANCELLED}
_RENEWING = {
    "draft": Renewing.PENDING,
    "active": Renewing.ACTIVE,
    "uncompleted": Renewing.PAST_DUE,
    "completed": Renewing.EXPIRED,
    "canceled": Renewing.CANCELLED,
    "cancelled": Renewing.CANCELLED,
}
_SUBJECTS_V1 = {1: Subject.PAYMENT, 2: Subject.REFUND, 5: Subject.SUBSCRIPTION}
_ABOUT_V2 = {
    "PAYMENT_STATUS_CHANGED": (Subject.PAYMENT, "Invoice", "Id"),
    "REFUND_STATUS_CHANGED": (Subject.REFUND, "ReferencedInvoice", "Id"),
    "RECURRING_UPDATES": (Subject.SUBSCRIPTION, "Recurring", "Id"),
    "DISPUTE_STATUS_CHANGED": (Subject.DISPUTE, "Invoice", "Id"),
}


def shown_money(text: Any) -> Money:
    """What an invoice says it costs: "10.000 KWD"."""
    found = _SHOWN.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= 40 else None
    if found is None:
        raise GatewayUnavailable("an invoice without its amount")
    code = found[2].upper()
    currency = _SHORT.get(code, code)
    try:
        return Money(from_decimal(Decimal(found[1].replace(",", "")), currency), currency)
    except ValueError:
        raise GatewayUnavailable("an invoice with an amount that cannot be") from None


def base_value(invoice: Row) -> Decimal:
    """The invoice in the account's own currency."""
    value = number(invoice.get("InvoiceValue"))
    if value is None or value <= 0:
        raise GatewayUnavailable("an invoice without its value")
    return value


def number(value: Any) -> Decimal | None:
    """A number as it was written, also in a text."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal) or len(str(value)) > 40:
        return None
    try:
        made = Decimal(value.replace(",", "") if isinstance(value, str) else value)
    except InvalidOperation:
        return None
    return made if made.is_finite() else None


def to_base(amount: int, invoice: Row) -> Decimal:
    """A part of an invoice in the account's currency; all of it exactly."""
    shown, base = shown_money(invoice.get("InvoiceDisplayValue")), base_value(invoice)
    part_of = to_decimal(amount, shown.currency)
    total = to_decimal(shown.amount, shown.currency)
    if total == base:
        return part_of
    return base if amount == shown.amount else (base * part_of / total).quantize(Decimal("0.001"), ROUND_HALF_UP)


def from_base(value: Decimal, invoice: Row) -> int:
    """The other way; never more than was paid: the invoice, as many times as it was."""
    shown, base = shown_money(invoice.get("InvoiceDisplayValue")), base_value(invoice)
    times = max(1, len(_taken(_tries(invoice))))
    if value >= base * times:
        return shown.amount * times
    return int((shown.amount * value / base).to_integral_value(ROUND_HALF_UP))


def payment_of(invoice: Row, refunds: Sequence[GatewayRefund] = ()) -> GatewayPayment:
    """A payment. A card that was declined leaves the invoice to be paid by another: pending.

    An invoice can be paid again, in another tab: who paid first is the payment, the others came on top. Refunds are told by the
    invoice alone, and stand with the first.
    """
    intent_id = words_of(invoice.get("InvoiceId"))
    if intent_id is None:
        raise GatewayUnavailable("an invoice without its number")
    tries = _tries(invoice)
    status = str(invoice.get("InvoiceStatus")).lower()
    state, shown = _CHARGED.get(status, Charged.PENDING), shown_money(invoice.get("InvoiceDisplayValue"))
    is_paid = state is Charged.COMPLETED
    taken = _taken(tries) if is_paid else []
    first, *others = [_called(row) for row in taken[:_MOST_PAYMENTS]] or [(None, None)]
    is_apart = bool(others) and all(number for number, _ in (first, *others))
    told = GatewayPayment(
        intent_id=intent_id,
        state=state,
        money=Money(shown.amount * (1 if is_apart else len(others) + 1), shown.currency),
        key=words_of(invoice.get("CustomerReference")),
        transaction_id=first[0],
        method=first[1],
        refunded=sum(one.amount for one in refunds if one.state is PaidBack.COMPLETED),
        refunds=tuple(refunds),
        subscription_id=words_of(invoice.get("RecurringId")),
        failure=None if is_paid or not tries else f"declined:{words_of(tries[-1].get('ErrorCode'), 40) or 'unknown'}",
        is_whole=len(taken) <= _MOST_PAYMENTS and (bool(others) or status != _TWICE),
    )
    return _apart(told, others) if is_apart else told


def _apart(first: GatewayPayment, others: Sequence[_Called]) -> GatewayPayment:
    """The first payment of an invoice with those that came on top of it."""
    alone = replace(first, refunded=0, refunds=(), is_again=True)
    again = [replace(alone, transaction_id=number, method=method) for number, method in others]
    main, *on_top = [replace(one, apart_id=apart_id(first.intent_id, one.transaction_id)) for one in (first, *again)]
    return replace(main, others=tuple(on_top))


def _tries(invoice: Row) -> list[Row]:
    return [row for row in invoice.get("InvoiceTransactions") or () if isinstance(row, dict)]


def _taken(tries: Sequence[Row]) -> list[Row]:
    """The transactions that took money, the oldest first, each once."""
    went_through = [row for row in tries if str(row.get("TransactionStatus")).lower() in _SUCCESS]
    by_id = {words_of(row.get("PaymentId")) or str(place): row for place, row in enumerate(went_through)}
    return sorted(by_id.values(), key=lambda row: words_of(row.get("TransactionDate")) or "")


def _called(transaction: Row) -> _Called:
    return words_of(transaction.get("PaymentId")), words_of(transaction.get("PaymentGateway"), 40)


def is_paid_for(invoice: Row) -> bool:
    """Was it paid?"""
    return _CHARGED.get(str(invoice.get("InvoiceStatus")).lower()) is Charged.COMPLETED


def refund_of(row: Row, invoice: Row) -> GatewayRefund | None:
    """One refund of an invoice; None where a row is none."""
    refund_id, value = words_of(row.get("RefundId")), number(row.get("Amount"))
    if refund_id is None or value is None:
        return None
    state = _PAID_BACK.get(str(row.get("RefundStatus")).lower(), PaidBack.PENDING)
    told = (words_of(row.get(name)) for name in ("ExternalIdentifier", "Comments", "Comment"))
    reference = next((words for words in told if words is not None and looks_like_id(words)), None)
    return GatewayRefund(refund_id, from_base(value, invoice), state, reference)


def renewing_of(row: Row) -> Renewing:
    """How a subscription stands."""
    state = _RENEWING.get(str(row.get("RecurringStatus")).lower())
    if state is None:
        raise GatewayUnavailable("a subscription in a state that is not known")
    return state


def moment(value: Any, zone: ZoneInfo) -> datetime | None:
    """A time of the account's country, or with a zone of its own."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def hints_of(body: bytes, *, version: str, signature: str, secret: str) -> list[Hint]:
    """What a webhook says, once its signature holds. Raises `BadSignature`.

    Signed are values of the body, not its bytes: so it is read first, within bounds, and only below a signature that could
    be one.
    """
    make_hint = _HINTS.get(version.lower())
    if make_hint is None or not could_be(signature):
        raise BadSignature
    told = read_word(body)
    data = told.get("Data")
    if not isinstance(data, dict):
        raise BadSignature
    return [make_hint(told, data, signature=signature, secret=secret)]


def _hint_v1(told: Row, data: Row, *, signature: str, secret: str) -> Hint:
    event_type = whole(told.get("EventType"))
    text = text_v1(event_type, data)
    verify(text, signature, secret)
    subject = _SUBJECTS_V1.get(event_type or 0, Subject.OTHER)
    object_id = words_of(data.get("RecurringId" if subject is Subject.SUBSCRIPTION else "InvoiceId")) or ""
    if not object_id:
        subject = Subject.OTHER
    name = words_of(told.get("Event"), 80) or "unknown"
    return Hint(f"v1-{event_type}-{_digest(text)}", name, subject, object_id, words_of(data.get("CustomerReference")))


def _hint_v2(told: Row, data: Row, *, signature: str, secret: str) -> Hint:
    event = told.get("Event") if isinstance(told.get("Event"), dict) else {}
    name = words_of(part(event, "Name"), 80) or ""
    text = text_v2(name, data)
    verify(text, signature, secret)
    subject, owner, inner = _ABOUT_V2.get(name, (Subject.OTHER, "", ""))
    object_id = words_of(part(data, owner, inner)) or ""
    known_by = text
    if subject is Subject.SUBSCRIPTION:  # what is signed of it is the same every month
        known_by += words_of(part(event, "Reference")) or words_of(part(event, "CreationDate")) or ""
    facts = _of_dispute(data) if subject is Subject.DISPUTE else {}
    if not object_id:
        subject = Subject.OTHER
    key = words_of(part(data, "Invoice", "ExternalIdentifier")) if subject is Subject.PAYMENT else None
    return Hint(f"v2-{name}-{_digest(known_by)}", name, subject, object_id, key, facts)


def _of_dispute(data: Row) -> dict[str, str]:
    """How it stands, and of which payment of its invoice it is."""
    facts = {"dispute_status": words_of(part(data, "Dispute", "Status"), 40) or ""}
    paid_by = words_of(part(data, "Transaction", "PaymentId"))
    return facts if paid_by is None else {**facts, "transaction_id": paid_by}


_HINTS = {"v1": _hint_v1, "v2": _hint_v2}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
