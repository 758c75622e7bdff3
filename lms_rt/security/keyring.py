"""The keys of this installation: the one that signs and seals, and those before it, by which what they made is still read.

Keys are derived from `SECRET_KEY` by purpose (HKDF-SHA256), so that what one purpose signed means nothing to another. A key
is named by its `key_id`, a digest that tells nothing of it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.settings import Settings

_KEY_BYTES = 32
_ID_LABEL = b"lms_rt key id"


@dataclass(frozen=True, slots=True)
class Key:
    """One secret and the name by which tokens call it."""

    key_id: str
    secret: str

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        info = f"lms_rt {purpose}".encode()
        return HKDF(SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(self.secret.encode())

    def derived_by_hmac(self, purpose: str) -> bytes:
        """The same as releases before 0.2 did it, so that the tokens and links that they made go on holding."""
        return hmac.digest(self.secret.encode(), f"lms_rt {purpose}".encode(), "sha256")


class Keyring:
    """The key of today, and former ones."""

    def __init__(self, current: str, former: tuple[str, ...] = ()) -> None:
        self.current = _named(current)
        self._by_id = {key.key_id: key for key in (self.current, *(_named(secret) for secret in former if secret))}

    def __iter__(self) -> Iterator[Key]:
        """Every key, the current one first."""
        return iter(self._by_id.values())

    def find(self, key_id: str) -> Key | None:
        """The key of this name; None: it is none of ours, or no longer."""
        return self._by_id.get(key_id)

    def sign(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA256 by the current key."""
        return hmac.digest(self.current.derived(purpose), message, "sha256")

    def is_signed(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Did any of our keys sign it? Takes as long for a wrong signature as for a right one."""
        found = [hmac.compare_digest(hmac.digest(key.derived(purpose), message, "sha256"), signature) for key in self]
        return any(found)


def keyring_of(settings: Settings) -> Keyring:
    """The keys that the settings name."""
    return Keyring(settings.secret_key.get_secret_value(), settings.former_keys)


def _named(secret: str) -> Key:
    return Key(hmac.digest(hashlib.sha256(secret.encode()).digest(), _ID_LABEL, "sha256").hex()[:12], secret)
