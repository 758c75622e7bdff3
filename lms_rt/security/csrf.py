"""CSRF tokens for requests that a cookie signs in: a signed double submit, bound to the session. Bearer needs none."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from lms_rt.security.keyring import Keyring

STRANGERS = "-"
"""The session of somebody who has none yet (the sign-in form): their token holds for no session."""


class CsrfTokens:
    """Makes and checks tokens `nonce.HMAC(key, session, nonce)`, and knows those that former keys made.

    The cookie and the header (or form field) must carry the same token, and its signature must name the session: a
    cookie that somebody tossed in from a sibling domain has no such signature.
    """

    def __init__(self, keys: Keyring) -> None:
        self._keys = [key.derived_by_hmac("csrf") for key in keys]

    def issue(self, session_id: str) -> str:
        """A new token for this session."""
        nonce = secrets.token_urlsafe(12)
        return f"{nonce}.{_signature(self._keys[0], session_id, nonce)}"

    def is_valid(self, session_id: str, *, cookie: str | None, sent: str | None) -> bool:
        """Was the cookie's token sent back, and was it made for this session? In constant time."""
        if not cookie or not sent or len(sent) > 200:
            return False
        nonce, _, signature = sent.partition(".")
        is_same = hmac.compare_digest(cookie.encode(), sent.encode())
        signed = [_signature(key, session_id, nonce).encode() for key in self._keys]
        is_ours = any(hmac.compare_digest(one, signature.encode()) for one in signed)
        return is_same and is_ours


def _signature(key: bytes, session_id: str, nonce: str) -> str:
    return hmac.new(key, f"{session_id}!{nonce}".encode(), hashlib.sha256).hexdigest()
