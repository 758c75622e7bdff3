"""Tokens of unsubscribe links: whose mails of which kind. They open without signing in, and can do this one thing only."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from lms_rt.security.keyring import Keyring

MAX_TOKEN = 400
_MAC_BYTES = 20


class UnsubscribeTokens:
    """Makes and reads tokens `base64(user id, kind, MAC)`. They hold as long as the key, also as a former one."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = [key.derived_by_hmac("unsubscribe") for key in keys]

    def issue(self, user_id: str, kind: str) -> str:
        """The token for somebody's mails of a kind."""
        said = f"{user_id}\x1f{kind}".encode()
        return urlsafe_b64encode(_mac(self._keys[0], said) + said).decode().rstrip("=")

    def read(self, token: str) -> tuple[str, str] | None:
        """User id and kind; None: not made here."""
        if len(token) > MAX_TOKEN:
            return None
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (Error, ValueError):
            return None
        mac, said = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, said)) for key in self._keys):
            return None
        user_id, _, kind = said.decode().partition("\x1f")
        return user_id, kind


def _mac(key: bytes, said: bytes) -> bytes:
    return hmac.new(key, said, hashlib.sha256).digest()[:_MAC_BYTES]
