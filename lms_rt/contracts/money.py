"""Money in numbers: how many places a currency has, and its amounts as decimals and back. Exact, or refused; never a float.

Money is kept and charged in the minor unit of ISO 4217. CLDR (`babel`) has fewer places for some (IQD 0, not 3): they say how
many are shown where no more are needed, and never what an amount is. Gateways that count otherwise say so in their own code.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated

from babel import Locale
from babel.numbers import format_currency, get_currency_precision, is_currency
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_AMOUNT = 10**12
"""More than anything costs, in minor units; sums of a million such still fit where the database keeps numbers."""
_CODE = re.compile(r"[A-Z]{3}")
_USUAL_PLACES = 2


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHOLE = _codes("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF")
_THOUSANDTHS = _codes("BHD IQD JOD KWD LYD OMR TND")
_PLACES = {**dict.fromkeys(_WHOLE, 0), **dict.fromkeys(_THOUSANDTHS, 3), "CLF": 4, "UYW": 4}
"""ISO 4217, list one: the minor units that are not hundredths."""
_NO_MONEY = _codes("XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX")
"""Codes without a minor unit: metals, units of account, tests. Nobody pays in them."""


@lru_cache(maxsize=512)
def is_known(currency: str) -> bool:
    """Is it a currency (ISO 4217, upper case)?"""
    return _CODE.fullmatch(currency) is not None and currency not in _NO_MONEY and is_currency(currency)


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """So many decimal places it has: JPY 0, USD 2, KWD and IQD 3. Raises `ValueError` of what is none."""
    if not is_known(currency):
        raise ValueError("not a currency")
    return _PLACES.get(currency, _USUAL_PLACES)


def unusual_places() -> str:
    """The currencies whose places are not two, for scripts that read amounts: "CLF:4 JPY:0 KWD:3"."""
    return " ".join(f"{currency}:{places}" for currency, places in sorted(_PLACES.items()))


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


def money_text(amount: int, currency: str, language: str) -> str:
    """Minor units as people read them: "$19.99". The places are those of CLDR, unless that would leave out a part of it."""
    places = exponent(currency) if is_known(currency) else _USUAL_PLACES
    value, shown = Decimal(amount).scaleb(-places), get_currency_precision(currency)
    if value == round(value, shown):
        return format_currency(value, currency, locale=language)
    pattern = Locale.parse(language).currency_formats["standard"].pattern.replace(".00", "." + "0" * places)
    return format_currency(value, currency, format=pattern, locale=language, currency_digits=False)


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
