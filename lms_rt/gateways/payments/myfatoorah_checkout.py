"""What MyFatoorah is sent to make an invoice, and which methods an account has; their numbers differ from account to account.

Methods that would have the card's number pass through us are left out.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable, Method, Money, Payer, Places
from lms_rt.contracts.money import exponent, to_decimal
from lms_rt.gateways.payments.http import part, whole, words_of
from lms_rt.gateways.payments.myfatoorah_calls import MyFatoorahCalls, exactly
from lms_rt.gateways.payments.myfatoorah_reading import number

_KEPT_FOR = timedelta(minutes=10)
_MOST_KEPT = 256
_CARDS = ("vm", "md", "mada", "ae", "uaecc")
_MAX_ADDRESS, _MAX_MOBILE, _MAX_NAME = 254, 11, 100


@dataclass(frozen=True, slots=True)
class Sale:
    """What is sold to whom, once or for the first time. `key` is our reference, `subject_id` the order's or subscription's."""

    key: str
    subject_id: str
    title: str
    money: Money
    payer: Payer
    places: Places


@dataclass(frozen=True, slots=True)
class Offer:
    """A method, and its number in this account."""

    method: Method
    number: int


class MyFatoorahMethods:
    """The methods of one account, kept for ten minutes for each amount: the fee depends on it."""

    def __init__(self, calls: MyFatoorahCalls, clock: Clock) -> None:
        self._calls, self._clock = calls, clock
        self._kept: dict[Money, tuple[datetime, tuple[Offer, ...]]] = {}

    async def offers(self, money: Money) -> tuple[Offer, ...]:
        """All that this can be paid by."""
        until, offers = self._kept.get(money, (None, ()))
        if until is not None and self._clock.now() < until:
            return offers
        body = {"InvoiceAmount": exactly(to_decimal(money.amount, money.currency)), "CurrencyIso": money.currency}
        rows = part(await self._calls.ask("InitiatePayment", body), "PaymentMethods")
        if not isinstance(rows, list):
            raise GatewayUnavailable("no list of methods")
        offers = tuple(offer for row in rows if (offer := _offer(row, money)) is not None)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[money] = (self._clock.now() + _KEPT_FOR, offers)
        return offers

    async def number_of(self, method: str, money: Money) -> int:
        """Raises `GatewayRefused` when the account has no such method."""
        for offer in await self.offers(money):
            if offer.method.method == method:
                return offer.number
        raise GatewayRefused("no such method", code="method")

    async def card(self, money: Money) -> str:
        """The method that takes cards, by which alone something can be drawn again."""
        had = {offer.method.method for offer in await self.offers(money)}
        for word in _CARDS:
            if word in had:
                return word
        raise GatewayRefused("no cards here", code="method")


def _offer(row: Any, money: Money) -> Offer | None:
    code, own_number = words_of(part(row, "PaymentMethodCode"), 40), whole(part(row, "PaymentMethodId"))
    if code is None or own_number is None or row.get("IsDirectPayment") is True:
        return None
    english = words_of(row.get("PaymentMethodEn"), 80) or code
    name = {"en": english, "ar": words_of(row.get("PaymentMethodAr"), 80) or english}
    return Offer(Method(code, name, _fee(row, money)), own_number)


def _fee(row: dict[str, Any], money: Money) -> int:
    """What comes on top; unknown where the method counts in another currency."""
    total = number(row.get("TotalAmount"))
    if total is None or row.get("CurrencyIso") != money.currency:
        return 0
    extra = total - to_decimal(money.amount, money.currency)
    return max(0, int((extra * Decimal(10) ** exponent(money.currency)).to_integral_value()))


def invoice_body(sale: Sale, until: datetime) -> dict[str, Any]:
    """What both kinds of invoice are made of; `until` in the time of the account's country. Raises `GatewayRefused`."""
    if len(sale.places.return_url) > _MAX_ADDRESS or len(sale.places.cancel_url) > _MAX_ADDRESS:
        raise GatewayRefused("an address that is too long", code="address")
    price = exactly(to_decimal(sale.money.amount, sale.money.currency))
    body = {
        "InvoiceValue": price,
        "DisplayCurrencyIso": sale.money.currency,
        "CustomerName": _plain(sale.payer.full_name) or "Customer",
        "CustomerEmail": sale.payer.email,
        "CustomerReference": sale.key,
        "CallBackUrl": sale.places.return_url,
        "ErrorUrl": sale.places.return_url,
        "Language": "ar" if sale.payer.language == "ar" else "en",
        "ExpiryDate": until.replace(tzinfo=None).isoformat(timespec="seconds"),
        "InvoiceItems": [{"ItemName": _plain(sale.title) or "Course", "Quantity": 1, "UnitPrice": price}],
        "UserDefinedField": sale.subject_id,
    }
    digits = "".join(sign for sign in sale.payer.phone or "" if sign in "0123456789")
    return {**body, "CustomerMobile": digits[-_MAX_MOBILE:]} if digits else body


def _plain(text: str) -> str:
    """Letters, digits and spaces: others are refused there."""
    kept = "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in text)
    return " ".join(kept.split())[:_MAX_NAME]
