"""Paymob's signatures: HMAC-SHA512 over some fields one after the other, of transactions, card tokens and subscriptions.

None of them covers a time of delivery, and that of subscriptions covers almost nothing: whatever is signed so may be a
repeat, and is only a hint to read again. No rules of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lms_rt.contracts.gateways import BadSignature

TRANSACTION_FIELDS = (
    "amount_cents",
    "created_at",
    "currency",
    "error_occured",
    "has_parent_transaction",
    "id",
    "integration_id",
    "is_3d_secure",
    "is_auth",
    "is_capture",
    "is_refunded",
    "is_standalone_payment",
    "is_voided",
    "order.id",
    "owner",
    "pending",
    "source_data.pan",
    "source_data.sub_type",
    "source_data.type",
    "success",
)
"""In this order; the vendor's spelling."""
_WHOLE, _FLAG = re.compile("0|[1-9][0-9]{0,18}"), re.compile("true|false|")
_FORMS = {
    **dict.fromkeys(("amount_cents", "id", "integration_id", "order.id", "owner"), _WHOLE),
    **dict.fromkeys(("error_occured", "has_parent_transaction", "is_3d_secure", "is_auth", "is_capture"), _FLAG),
    **dict.fromkeys(("is_refunded", "is_standalone_payment", "is_voided"), _FLAG),
    **dict.fromkeys(("pending", "success"), re.compile("true|false")),
    "created_at": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,20}(?:Z|[+-][0-9:]{4,6})?"),
    "currency": re.compile("[A-Z]{3}"),
}
"""How the fields of a transaction are written. Nothing stands between them where they are signed, so that what belongs to one
could be read as a part of its neighbour: most of such cuts give something that is written otherwise."""
_SIGNATURE = re.compile("[0-9a-f]{128}")
TOKEN_FIELDS = ("card_subtype", "created_at", "email", "id", "masked_pan", "merchant_id", "order_id", "token")
_IN_QUERIES = {
    "order.id": ("order", "order_id"),
    **{f"source_data.{name}": (f"source_data.{name}", f"source_data_{name}") for name in ("pan", "sub_type", "type")},
}
"""Names of the same in the address of a browser that comes back: some are older, some were changed by PHP."""


def sign(text: str, secret: str) -> str:
    """The signature of a text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def verify(text: str, signature: str, secret: str) -> None:
    """Raises `BadSignature` when it is another's; nobody signs with an empty secret."""
    if not secret or not hmac.compare_digest(sign(text, secret).encode(), signature.encode()):
        raise BadSignature


def could_be(signature: str) -> bool:
    """Has it the form of a signature?"""
    return _SIGNATURE.fullmatch(signature) is not None


def transaction_values(transaction: Mapping[str, Any]) -> Sequence[str]:
    """What is signed of a transaction, one by one, its numbers as they were written. Raises `BadSignature`."""
    return [_written(_at(transaction, name)) for name in TRANSACTION_FIELDS]


def query_values(query: Mapping[str, str]) -> Sequence[str]:
    """The same of the address by which a browser comes back."""
    return [
        next((query[word] for word in _IN_QUERIES.get(name, (name,)) if word in query), "")
        for name in TRANSACTION_FIELDS
    ]


def verify_transaction(values: Sequence[str], signature: str, secret: str) -> None:
    """Raises `BadSignature` for what is another's, and for values of which one is no such value."""
    verify("".join(values), signature, secret)
    told = zip(TRANSACTION_FIELDS, values, strict=True)
    if not all(_FORMS[name].fullmatch(value) for name, value in told if name in _FORMS):
        raise BadSignature


def token_text(token: Mapping[str, Any]) -> str:
    """What is signed of a card that was kept at Paymob."""
    return _joined(token.get(name) for name in TOKEN_FIELDS)


def subscription_text(trigger_type: str, subscription_id: str) -> str:
    """What is signed of a word about a subscription: the same for ever, so a poke and no more."""
    return f"{trigger_type}for{subscription_id}"


def _at(transaction: Mapping[str, Any], name: str) -> Any:
    owner, _, inner = name.partition(".")
    value = transaction.get(owner)
    if inner and isinstance(value, dict):
        return value.get(inner)
    return value if not inner or owner == "order" else None  # an order may be its number alone


def _joined(values: Iterable[Any]) -> str:
    return "".join(_written(value) for value in values)


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise BadSignature
    return value
