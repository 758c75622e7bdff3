"""Reading numbers as people type them: Western, Arabic-Indic and Persian digits, either decimal mark. Exact, bounded."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Any

_TRANSLATED = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫٬،−", "01234567890123456789.',-")
_DIRECTION_MARKS = re.compile(r"[\u200e\u200f\u061c\u2066-\u2069]+")
_AFTER_SIGN = re.compile(r"^([+-])\s+")
_SPACES = re.compile(r"\s+")
_PLAIN = re.compile(r"^[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?$")
_GROUPED = re.compile(r"^([+-]?)(\d{1,3}(?:([,.'])\d{3})(?:\3\d{3})*)(?:([.,])(\d{1,40}))?$")
_EXACT = Context(prec=1_000)
_MAX_LENGTH = 100
_MAX_EXPONENT = 300
_MAX_DIGITS = 40


def read_number(value: Any) -> Decimal | None:
    """The number that was typed or sent, or None when it is none (nor finite, nor of a sensible size).

    A lone comma or point is the decimal mark; with two kinds of mark the last is, the other groups thousands; a mark that
    occurs several times groups thousands ("1,234,567"); a space groups, too.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    text = str(value)
    if len(text) > _MAX_LENGTH:
        return None
    text = _DIRECTION_MARKS.sub("", text.translate(_TRANSLATED)).strip()
    number = _parse(_SPACES.sub("'", _AFTER_SIGN.sub(r"\1", text)))
    if number is None or (number and abs(number.adjusted()) > _MAX_EXPONENT):
        return None
    if len(number.as_tuple().digits) > _MAX_DIGITS:
        return None
    return number


def _parse(text: str) -> Decimal | None:
    if text.count(",") == 1 and "." not in text and "'" not in text:
        text = text.replace(",", ".")
    if _PLAIN.match(text):
        return Decimal(text)
    found = _GROUPED.match(text)
    if found is None or found[3] == found[4]:
        return None
    whole = found[2].replace(found[3], "")
    return Decimal(f"{found[1]}{whole}.{found[5] or 0}")


def decimal_text(number: Decimal) -> str:
    """The plain decimal text of a number where it is short ("0.0005", "1822"), else with an exponent; no idle zeros."""
    if not number:
        return "0"
    number = _EXACT.normalize(number)
    is_short = number.adjusted() <= 30 and int(number.as_tuple().exponent) >= -30
    return f"{number:f}" if is_short else str(number)
