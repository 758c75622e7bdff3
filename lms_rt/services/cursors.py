"""Cursors of lists that are ordered by a time and an id, newest first: a place in the list as one opaque word. Pure."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from lms_rt.clock import from_ms, to_ms
from lms_rt.errors import invalid

Place = tuple[datetime, str]
"""When, and which."""


def cursor_of(at: datetime, row_id: str) -> str:
    """The cursor after the row of this time and id."""
    return base64.urlsafe_b64encode(f"{to_ms(at)} {row_id}".encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> Place | None:
    """The place that a cursor names; None: the beginning. 422 for what is none."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at_ms, row_id = text.split(" ")
        return from_ms(int(at_ms)), row_id
    except (ValueError, binascii.Error, OverflowError):
        raise invalid("after", "This is no cursor of this list.", "invalid_cursor") from None
