"""Rows for spreadsheets (RFC 4180), in which nothing that somebody wrote runs as a formula. Reading them is nobody's here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

MEDIA_TYPE = "text/csv; charset=utf-8"
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
_UNSEEN = " \u00a0\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    """These rows as lines. None is an empty cell; what a spreadsheet would run begins with an apostrophe."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and is_formula(text) else text


def is_formula(text: str) -> bool:
    """Would a spreadsheet run it?"""
    return text.lstrip(_UNSEEN).startswith(_FORMULAS)
