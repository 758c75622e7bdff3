"""The key that signs what others keep and check without us: Ed25519. Who signs what is others' affair.

A key is named by its `key_id`, the beginning of the SHA-256 of its public half, so that whoever holds the public half can
tell the name from a wrong one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from config.settings import Settings

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64


def key_id_of(public_key: bytes) -> str:
    """The name of a key: the first 16 hex digits of the SHA-256 of its 32 public bytes."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Was this signed by the owner of this key? False also for what is no key or no signature at all."""
    if len(public_key) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def to_text(raw: bytes) -> str:
    """Bytes as they stand in files: base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """The bytes again; none at all for what is not base64url in the one form that `to_text` writes."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if to_text(raw) == text else b""


class SigningKey:
    """The secret half, and what is published of it."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"

    @cached_property
    def public_key(self) -> bytes:
        """The 32 bytes by which everybody can check."""
        return self._key.public_key().public_bytes_raw()

    @cached_property
    def key_id(self) -> str:
        """How receipts call it."""
        return key_id_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """64 bytes; the same each time for the same message."""
        return self._key.sign(message)


def signing_key_of(settings: Settings) -> SigningKey | None:
    """The key that the settings name; None where there is none, which only happens before the keys are opened."""
    seed = settings.signing_seed
    return None if seed is None else SigningKey(seed)
