"""Stripe's webhooks: was it Stripe that sent this, just now, and what is there to be read? Nothing is believed beyond that.

The signature is over the bytes as they came: HMAC-SHA256 of "<t>.<body>", its key the whole secret as text. Stripe's own code
takes a time in the future; we do not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lms_rt.contracts.gateways import BadSignature, Hint, Subject
from lms_rt.gateways.payments.stripe_reading import subscription_id_of

TOLERANCE_SECONDS = 300
MAX_HEADER = 4_096
MAX_ID = 255


def check_signature(header: str, body: bytes, *, secrets: Sequence[str], now_seconds: int) -> None:
    """Raises `BadSignature`, unless one of the secrets signed it within the last minutes."""
    parts = [part.strip().partition("=")[::2] for part in header[:MAX_HEADER].split(",")]
    times = [value for name, value in parts if name == "t"]
    given = [value for name, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal() and len(times[0]) <= 12):
        raise BadSignature
    signed = times[0].encode() + b"." + body
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets if secret]
    same = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given]
    if not any(same) or abs(now_seconds - int(times[0])) > TOLERANCE_SECONDS:
        raise BadSignature


def hint_of(body: bytes, *, is_live: bool, version: str) -> Hint:
    """What a body that was verified is about. Raises `BadSignature` for what is no event at all."""
    try:
        event = json.loads(body)
        told = event["data"]["object"]
        event_id, event_type = event["id"], event["type"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadSignature from error
    if not _is_id(event_id) or not _is_id(event_type) or not isinstance(told, dict):
        raise BadSignature
    facts = {"object": _text(told.get("object"))}
    if event.get("api_version") != version:
        facts["api_version"] = _text(event.get("api_version"))
    # Events of connected accounts, and tests at a live endpoint, are signed by us too, and are nobody's payment here.
    is_ours = not event.get("account") and bool(event.get("livemode")) == is_live
    subject, object_id = _subject_of(event_type, told) if is_ours else (Subject.OTHER, "")
    metadata = told.get("metadata")
    key = metadata.get("key") if isinstance(metadata, dict) and subject is not Subject.OTHER else None
    return Hint(event_id, event_type, subject, object_id, key if _is_id(key) else None, facts)


def _subject_of(event_type: str, told: Mapping[str, Any]) -> tuple[Subject, str]:
    family = next((name for name in _FAMILIES if event_type.startswith(name)), None)
    if family is None:
        return Subject.OTHER, ""
    subject, find = _FAMILIES[family]
    object_id = find(told)
    if family == "checkout.session." and told.get("mode") != "payment":  # one that only keeps a card has neither
        subject, object_id = Subject.SUBSCRIPTION, _named(told.get("subscription"))
    return (subject, str(object_id)) if _is_id(object_id) else (Subject.OTHER, "")


def _named(value: object) -> object:
    return value.get("id") if isinstance(value, Mapping) else value


_Find = Callable[[Mapping[str, Any]], object]
_FAMILIES: Mapping[str, tuple[Subject, _Find]] = {
    "payment_intent.": (Subject.PAYMENT, lambda told: told.get("id")),
    "checkout.session.": (Subject.PAYMENT, lambda told: told.get("id")),
    "charge.dispute.": (Subject.DISPUTE, lambda told: _named(told.get("payment_intent"))),
    "charge.refund": (Subject.REFUND, lambda told: _named(told.get("payment_intent"))),
    "refund.": (Subject.REFUND, lambda told: _named(told.get("payment_intent"))),
    "invoice.": (Subject.SUBSCRIPTION, subscription_id_of),
    "customer.subscription.": (Subject.SUBSCRIPTION, lambda told: told.get("id")),
}
"""By the beginnings of types: what such an event is about, and where its id stands. Other charges say what intents do."""


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isascii() and value.isprintable()


def _text(value: object) -> str:
    return str(value)[:60] if isinstance(value, str) and value.isprintable() else ""
