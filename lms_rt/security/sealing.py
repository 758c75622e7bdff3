"""Sealing: secrets that the database keeps and that we must read again ourselves (a password is hashed instead).

AES-256-GCM under a key that HKDF-SHA256 derives from `SECRET_KEY`, bound to what the secret belongs to: a sealed text
that was copied to another document does not open there.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = "v1"
_NONCE_BYTES = 12


class Unsealable(Exception):
    """The sealed text was made with another key, for another owner, or is damaged."""


class Sealer:
    """Seals and opens short texts for one purpose; what one purpose sealed, another cannot open."""

    def __init__(self, secret_key: str, *, purpose: str) -> None:
        info = f"lms_rt sealing {_VERSION} {purpose}".encode()
        self._cipher = AESGCM(HKDF(SHA256(), length=32, salt=None, info=info).derive(secret_key.encode()))

    def seal(self, text: str, *, owner: str) -> str:
        """The text as it may be stored, with the document of this owner."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), owner.encode())
        return f"{_VERSION}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def can_unseal(self, sealed: str, *, owner: str) -> bool:
        """Is it one of this key and this owner?"""
        try:
            self.unseal(sealed, owner=owner)
        except Unsealable:
            return False
        return True

    def unseal(self, sealed: str, *, owner: str) -> str:
        """The text again. Raises `Unsealable`."""
        version, _, body = sealed.partition(".")
        if version != _VERSION:
            raise Unsealable("sealed by another version")
        try:
            raw = base64.urlsafe_b64decode(body)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise Unsealable("not sealed with this SECRET_KEY for this owner") from error
