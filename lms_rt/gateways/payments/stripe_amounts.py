"""Amounts as Stripe counts them, which is not always as the currency does. Exact, or refused.

Stripe counts two currencies without cents in hundredths (ISK, UGX: always a whole number of the currency), one with them in wholes (MGA), and wants
amounts with three places to end in a nought. The currencies are those that its documentation lists for charges.
"""

from __future__ import annotations

from lms_rt.contracts.gateways import GatewayRefused, Money
from lms_rt.contracts.money import exponent


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHOLE = _codes("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF")
_THOUSANDTHS = _codes("BHD JOD KWD OMR TND")
_HUNDREDTHS = _codes(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE CZK "
    "DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES KGS KHR KYD KZT LAK LBP "
    "LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
    "RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX USD UYU UZS WST XCD XCG YER ZAR ZMW"
)
MOST = 99_999_999
"""Stripe takes eight digits."""


def is_taken(money: Money) -> bool:
    """Can Stripe charge this?"""
    try:
        to_stripe(money)
    except GatewayRefused:
        return False
    return True


def to_stripe(money: Money) -> int:
    """The number that is sent. Raises `GatewayRefused` for what cannot be charged exactly."""
    places = _places(money.currency)
    if places is None:
        raise GatewayRefused("no such currency", code="currency")
    counted = _moved(money.amount, places - exponent(money.currency))
    if counted is None or not 0 < counted <= MOST or (places == 3 and counted % 10):
        raise GatewayRefused("cannot be charged exactly", code="amount")
    return counted


def from_stripe(amount: int, currency: str) -> Money:
    """What a number of Stripe's is for us. A part of our smallest unit, which nothing of ours was ever paid in, is dropped."""
    code = currency.upper()
    places = _places(code)
    if places is None:
        raise ValueError("not a currency of Stripe's")
    step = exponent(code) - places
    return Money(amount * int(10**step) if step >= 0 else amount // int(10**-step), code)


def _places(currency: str) -> int | None:
    if currency in _WHOLE:
        return 0
    if currency in _THOUSANDTHS:
        return 3
    return 2 if currency in _HUNDREDTHS else None


def _moved(amount: int, places: int) -> int | None:
    """So many places further left; None where it would leave a rest."""
    if places >= 0:
        return amount * int(10**places)
    whole, rest = divmod(amount, int(10**-places))
    return None if rest else whole
