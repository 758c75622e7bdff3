"""CSRF tokens for requests that a cookie signs in: a signed double submit, bound to the session. Bearer needs none."""

from __future__ import annotations

import hashlib
import hmac
import secrets

STRANGERS = "-"
"""The session of somebody who has none yet (the sign-in form): their token holds for no session."""


class CsrfTokens:
    """Makes and checks tokens `nonce.HMAC(key, session, nonce)`.

    The cookie and the header (or form field) must carry the same token, and its signature must name the session: a
    cookie that somebody tossed in from a sibling domain has no such signature.
    """

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"lms_rt csrf", "sha256")

    def issue(self, session_id: str) -> str:
        """A new token for this session."""
        nonce = secrets.token_urlsafe(12)
        return f"{nonce}.{self._sign(session_id, nonce)}"

    def is_valid(self, session_id: str, *, cookie: str | None, sent: str | None) -> bool:
        """Was the cookie's token sent back, and was it made for this session? In constant time."""
        if not cookie or not sent or len(sent) > 200:
            return False
        nonce, _, signature = sent.partition(".")
        is_same = hmac.compare_digest(cookie.encode(), sent.encode())
        is_ours = hmac.compare_digest(self._sign(session_id, nonce).encode(), signature.encode())
        return is_same and is_ours

    def _sign(self, session_id: str, nonce: str) -> str:
        return hmac.new(self._key, f"{session_id}!{nonce}".encode(), hashlib.sha256).hexdigest()
