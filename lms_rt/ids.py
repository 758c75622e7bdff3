"""The only ids: opaque strings with letters in them, sortable by their making, or derived; and random secrets."""

from __future__ import annotations

import hashlib
import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sortable, no look-alikes
_SHAPE = re.compile(r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$")


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def new_id(prefix: str) -> str:
    """A new id such as `usr_01jq…`: 48 bits of time in ms (the order of a ULID), then 80 random bits."""
    return f"{prefix}_{_base32(time.time_ns() // 1_000_000 << 80 | secrets.randbits(80), 26)}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, for ever: what is made again after a crash meets its own work."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return f"{prefix}_{_base32(int.from_bytes(digest[:17], 'big') >> 6, 26)}"


def random_token(nbytes: int = 32) -> str:
    """A secret of `nbytes` random bytes, URL-safe."""
    return secrets.token_urlsafe(nbytes)


def looks_like_id(text: str) -> bool:
    """Has it the shape of an id (a slug must not)?"""
    return _SHAPE.match(text) is not None
