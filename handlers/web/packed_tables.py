"""A table that was looked through, as a field of a form can carry it: what is done by it is to the byte what was seen."""

from __future__ import annotations

import base64
import zlib

MAX_UNPACKED = 6 << 20
"""More than a table may have: what is longer is refused as too large, and never cut."""


def packed(table: bytes) -> str:
    """As text. Takes a moment: beside the event loop."""
    return base64.b64encode(zlib.compress(table)).decode()


def unpacked(text: str) -> bytes:
    """The table again; nothing for what is none."""
    try:
        return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), MAX_UNPACKED)
    except (ValueError, zlib.error):
        return b""
