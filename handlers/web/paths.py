"""Addresses of pages that other pages lead to, and which addresses somebody may be sent on to."""

from __future__ import annotations

from urllib.parse import quote, urlsplit


def is_own_path(path: str) -> bool:
    """Is it a path on this site, which somebody may be sent on to?"""
    parts = urlsplit(path)
    return path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()


def sign_in_path(path: str) -> str:
    """Where to sign in and come back to a path."""
    return "/signin" if path in {"", "/"} else f"/signin?next={quote(path, safe='/')}"


KEEP_PATH = "/me/keep"
"""Where whoever has closed their account is sent."""
