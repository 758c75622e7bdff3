"""Numbers as people type them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.contracts.numbers import decimal_text, read_number


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("3.14", "3.14"),
        ("3,14", "3.14"),
        (" -3.5 ", "-3.5"),
        ("- 5", "-5"),
        ("−5", "-5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("1,234", "1.234"),
        ("1.234", "1.234"),
        ("1,234.5", "1234.5"),
        ("1.234,5", "1234.5"),
        ("1,234,567", "1234567"),
        ("1 234 567,5", "1234567.5"),
        ("1\u202f234", "1234"),
        ("1'234.5", "1234.5"),
        ("٣٫١٤", "3.14"),
        ("۱۲۳۴", "1234"),
        ("١٬٢٣٤٫٥", "1234.5"),
        ("\u200f٥", "5"),
        (5, "5"),
        (0.1, "0.1"),
        (1e22, "1E+22"),
    ],
)
def test_reads(typed: object, number: str) -> None:
    assert read_number(typed) == Decimal(number)


@pytest.mark.parametrize(
    "typed",
    [
        *("", " ", "x", "1x", "--1", "1 2", "1,2,3", "1,23.4", "1.2.3", "12,34,567", "NaN", "inf", "1e999", "1e1000"),
        *("1_0", "½", "²", "9" * 41, "9" * 101, "0x10", "1,234,5", True, None, float("nan"), float("inf"), [1]),
    ],
)
def test_reads_nothing_else(typed: object) -> None:
    assert read_number(typed) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**25), max_value=10**25))
def test_a_number_written_reads_back(number: Decimal) -> None:
    is_readable = len(number.as_tuple().digits) <= 40 and abs(number.adjusted()) <= 300
    if number == 0 or is_readable:
        assert read_number(decimal_text(number)) == number


@given(st.text(alphabet="0123456789.,' eE+-٠٩۰٫٬", max_size=30))
def test_reading_never_fails(text: str) -> None:
    number = read_number(text)
    assert number is None or number.is_finite()
