"""Money in numbers: how many places a currency has, and its amounts as decimals and back. Exact, or refused; never a float.

The places are those of CLDR (`babel`), as pages and mails show them. Gateways that count otherwise say so in their own code.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated

from babel.numbers import get_currency_precision, is_currency
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_AMOUNT = 10**12
"""More than anything costs, in minor units; sums of a million such still fit where the database keeps numbers."""
_CODE = re.compile(r"[A-Z]{3}")


@lru_cache(maxsize=512)
def is_known(currency: str) -> bool:
    """Is it a currency (ISO 4217, upper case)?"""
    return _CODE.fullmatch(currency) is not None and is_currency(currency)


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """So many decimal places it has: JPY 0, USD 2, KWD 3. Raises `ValueError` of what is none."""
    if not is_known(currency):
        raise ValueError("not a currency")
    return int(get_currency_precision(currency))


def to_decimal(amount: int, currency: str) -> Decimal:
    """Minor units as the number that people write, with all its places: 1999 USD -> 19.99, 10000 KWD -> 10.000."""
    return Decimal(amount).scaleb(-exponent(currency))


def from_decimal(value: Decimal | int | str, currency: str) -> int:
    """The minor units of a number; `ValueError` of what is none, is not finite, or has more places than the currency."""
    if isinstance(value, float | bool):
        raise TypeError("money is never a float")
    try:
        scaled = Decimal(value).scaleb(exponent(currency))
    except InvalidOperation as error:
        raise ValueError("not an amount") from error
    if not scaled.is_finite() or abs(scaled) > MAX_AMOUNT or scaled != scaled.to_integral_value():
        raise ValueError("not an amount of this currency")
    return int(scaled)


def amount_text(amount: int, currency: str) -> str:
    """The number alone, for fields and tables that machines read: "19.99"."""
    return f"{to_decimal(amount, currency):f}"


def _check_currency(currency: str) -> str:
    if not is_known(currency):
        raise PydanticCustomError("currency", "Input should be a currency of ISO 4217, such as USD")
    return currency


CurrencyIn = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_check_currency)]
"""In requests: a currency that there is."""
AmountIn = Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
"""In requests: minor units, at least one."""
CountryIn = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""In requests: a country by ISO 3166-1, alpha-2."""
