"""MyFatoorah's signatures of webhooks: HMAC-SHA256 in base64 over named values, in two versions that the header tells apart.

Version 1 takes every value, by name without regard to case; version 2 a few, in an order of its own for each event. The
secret looks like base64 and is used as it is written. No time of delivery is signed. No rules of ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from lms_rt.contracts.gateways import BadSignature

REFUND_V1 = 2
SIGNED_V2 = {
    "PAYMENT_STATUS_CHANGED": (
        "Invoice.Id",
        "Invoice.Status",
        "Transaction.Status",
        "Transaction.PaymentId",
        "Invoice.ExternalIdentifier",
    ),
    "REFUND_STATUS_CHANGED": ("Refund.Id", "Refund.Status", "Amount.ValueInBaseCurrency", "ReferencedInvoice.Id"),
    "BALANCE_TRANSFERRED": ("Deposit.Reference", "Deposit.ValueInBaseCurrency", "Deposit.NumberOfTransactions"),
    "SUPPLIER_STATUS_CHANGED": ("Supplier.Code", "KycDecision.Status"),
    "RECURRING_UPDATES": ("Recurring.Id", "Recurring.Status", "Recurring.InitialInvoiceId"),
    "DISPUTE_STATUS_CHANGED": (
        "Dispute.DisputeTransactionId",
        "Dispute.Status",
        "Invoice.Id",
        "Invoice.Status",
        "Transaction.Status",
        "Transaction.PaymentId",
        "Invoice.ExternalIdentifier",
    ),
}
"""By the event's name. That of disputes is from others' code, not from MyFatoorah's own."""


_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")


def could_be(signature: str) -> bool:
    """Has it the form of a signature?"""
    return _SIGNATURE.fullmatch(signature) is not None


def sign(text: str, secret: str) -> str:
    """The signature of a text."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def verify(text: str, signature: str, secret: str) -> None:
    """Raises `BadSignature` when it is another's; nobody signs with an empty secret."""
    if not secret or not hmac.compare_digest(sign(text, secret).encode(), signature.encode()):
        raise BadSignature


def text_v1(event_type: int | None, data: Mapping[str, Any]) -> str:
    """What is signed in version 1: all that came, also what nobody knows yet."""
    left_out = {"GatewayReference"} if event_type == REFUND_V1 else set()
    names = sorted((name for name in data if name not in left_out), key=lambda name: (name.lower(), name))
    return ",".join(f"{name}={_written(data[name])}" for name in names)


def text_v2(event_name: str, data: Mapping[str, Any]) -> str:
    """What is signed in version 2. Raises `BadSignature` for an event that nobody knows: what of it is signed?"""
    if event_name not in SIGNED_V2:
        raise BadSignature
    return ",".join(f"{name}={_written(_at(data, name))}" for name in SIGNED_V2[event_name])


def _at(data: Mapping[str, Any], name: str) -> Any:
    owner, _, inner = name.partition(".")
    value = data.get(owner)
    return value.get(inner) if isinstance(value, dict) else None


def _written(value: Any) -> str:
    """As PHP, in which MyFatoorah's own library is written, makes a text of it; numbers as they came."""
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if not isinstance(value, str | int):
        raise BadSignature
    return str(value)
