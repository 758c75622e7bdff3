"""Secrets and signatures of outgoing webhooks, as Standard Webhooks 1.0.0 has them. Where secrets are kept is `sealing.py`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The standard asks for 24 to 64."""


def new_webhook_secret() -> str:
    """A secret of one endpoint."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def webhook_signature(webhook_secrets: Iterable[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, the newest first. `timestamp` in seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (hmac.digest(base64.b64decode(one.removeprefix(PREFIX)), signed, hashlib.sha256) for one in webhook_secrets)
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in made)
