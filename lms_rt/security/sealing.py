"""Sealing: secrets that the database keeps and that we must read again ourselves (a password is hashed instead).

AES-256-GCM under a key that HKDF-SHA256 derives from `SECRET_KEY`, bound to what the secret belongs to: a sealed text
that was copied to another document does not open there. What a former key sealed opens as long as that key is named.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lms_rt.security.keyring import Keyring

_VERSION = "v1"
_NONCE_BYTES = 12


class Unsealable(Exception):
    """The sealed text was made with a key that is not named, for another owner, or is damaged."""


class Sealer:
    """Seals and opens short texts for one purpose; what one purpose sealed, another cannot open."""

    def __init__(self, keys: Keyring, *, purpose: str) -> None:
        self._ciphers = [AESGCM(key.derived(f"sealing {_VERSION} {purpose}")) for key in keys]

    def seal(self, text: str, *, owner: str) -> str:
        """The text as it may be stored, with the document of this owner."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, text.encode(), owner.encode())
        return f"{_VERSION}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def resealed(self, sealed: str, *, owner: str) -> str | None:
        """The same sealed by the current key; None when it is already. Raises `Unsealable`."""
        text, number = self._open(sealed, owner=owner)
        return None if number == 0 else self.seal(text, owner=owner)

    def can_unseal(self, sealed: str, *, owner: str) -> bool:
        """Is it one of our keys and this owner?"""
        try:
            self.unseal(sealed, owner=owner)
        except Unsealable:
            return False
        return True

    def unseal(self, sealed: str, *, owner: str) -> str:
        """The text again. Raises `Unsealable`."""
        return self._open(sealed, owner=owner)[0]

    def _open(self, sealed: str, *, owner: str) -> tuple[str, int]:
        """The text, and the number of the key that sealed it; the current one is 0."""
        version, _, body = sealed.partition(".")
        if version != _VERSION:
            raise Unsealable("sealed by another version")
        try:
            raw = base64.urlsafe_b64decode(body)
        except (binascii.Error, ValueError) as error:
            raise Unsealable("not sealed text") from error
        for number, cipher in enumerate(self._ciphers):
            try:
                return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()).decode(), number
            except (InvalidTag, ValueError):  # the next key may be the one
                continue
        raise Unsealable("not sealed with this SECRET_KEY for this owner")
