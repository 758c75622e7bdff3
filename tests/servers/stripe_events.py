"""How Stripe signs a webhook, written from its documentation and apart from the product's own code."""

from __future__ import annotations

import hashlib
import hmac

from tests.servers.gateway_desk import Word


def signed_word(body: bytes, secret: str, at_seconds: int) -> Word:
    """With the header that is right for it."""
    mac = hmac.new(secret.encode(), b"%d." % at_seconds + body, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={at_seconds},v1={mac}", "Content-Type": "application/json; charset=utf-8"}
    return Word(headers, {}, body)
