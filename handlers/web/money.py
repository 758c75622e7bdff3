"""What pages about money share: sums as they are typed, the words of what is refused, and the pages of lists."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from babel import Locale

from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen
from lms_rt.contracts.gateways import GatewayName
from lms_rt.contracts.money import from_decimal
from lms_rt.contracts.numbers import read_number
from lms_rt.errors import Code, FieldError, Refused, invalid

SHEETS = ("pages.css", "payments.css")
ADMIN_SHEETS = ("pages.css", "teach.css", "admin.css", "statistics.css", "payments.css")
MAX_ERRORS = 10
_MAX_PAGE_DIGITS = 6
_MAX_VERSION_DIGITS = 9
_MAX_AMOUNT_DIGITS = 13
_COUNTRY_LETTERS = 2
_OTHER_PRICE = FieldError("price", "The price is another one by now.", "other_price")
_SAID_BY_THE_FORM = (Code.VALIDATION_FAILED, Code.CONFLICT, Code.VERSION_MISMATCH, Code.UNAVAILABLE, Code.BUSY)

Errors = list[tuple[str, str]]


class MoneyPage(PageHandler):
    """A page about money."""

    def page_number(self) -> int:
        """Which page of a list the address asks for."""
        text = self.get_query_argument("page", "1")
        return max(1, int(text)) if text.isdecimal() and len(text) <= _MAX_PAGE_DIGITS else 1

    def typed_version(self) -> int | None:
        """The version that a form was made from; without one it fits none."""
        text = self.field("version")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_VERSION_DIGITS else 0

    def refused(self, refused: Refused, *, field: str, own: Collection[str] | None = None) -> Errors:
        """What the form says of a refusal; what no form can say is raised again.

        It is said at `field` where none is named, or one that the page has not: `own` are those it has, None: all.
        """
        if refused.code not in _SAID_BY_THE_FORM and not self.t.knows(f"payments.fault_{refused.code.code}"):
            raise refused
        self.set_status(status_of(refused.code))
        self.tell_when(refused)
        faults = refused.fields or (FieldError(field, refused.detail, refused.code.code),)
        named = [(fault.field.partition(".")[0], self._words_of(fault)) for fault in faults[:MAX_ERRORS]]
        return [(name if own is None or name in own else field, words) for name, words in named]

    def _words_of(self, fault: FieldError) -> str:
        for key in (f"payments.fault_{fault.code}", f"errors.{fault.code}"):
            if self.t.knows(key):
                return self.t(key)
        return self.t("payments.fault_other")

    def typed_amount(self) -> int | None:
        """The sum that the form showed, in minor units; None where it says none."""
        text = self.field("amount")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_AMOUNT_DIGITS else None

    def refuse_other_price(self, amount: int) -> None:
        """Refuse what costs another sum by now than the form showed."""
        if self.typed_amount() not in (None, amount):
            raise Refused(Code.CONFLICT, fields=(_OTHER_PRICE,))

    def go_on(self, begun: Mapping[str, Any], *, order_path: str) -> None:
        """The link that leads to the gateway; where nothing is to be paid, on to what was bought."""
        link = begun.get("redirect_url") or begun.get("iframe_url")
        if link and begun["gateway"] == GatewayName.SANDBOX:
            link = urlsplit(link).path  # a page of ours, whatever name we are called by at the moment
        elif link and urlsplit(link).scheme not in ("https", urlsplit(self.services.settings.public_url).scheme):
            raise Refused(Code.UNAVAILABLE, "The gateway leads to no page that can be opened.")
        if not link:
            self.redirect(order_path, status=303)
            return
        screen = Screen(
            "checkout_go.html",
            title=(self.t("payments.go_title"),),
            data={"link": link},
            scripts=("shell.js", "checkout-go.js"),
            sheets=SHEETS,
        )
        self.show(screen, link=link, gateway=begun["gateway"], order_path=order_path)

    def titled(self, title: str, errors: Sequence[object]) -> str:
        """The page's title; it says first that something is wrong."""
        return f"{self.t('client.error_title')} {title}" if errors else title


def typed_country(text: str) -> str:
    """A country that was typed, as its two letters; what is none is as if nothing was typed."""
    country = text.strip().upper()
    return country if len(country) == _COUNTRY_LETTERS and country.isascii() and country.isalpha() else ""


def minor_units(typed: str, currency: str, *, field: str) -> int:
    """The sum that was typed, in minor units; what is none, or has more places than the currency, is refused."""
    number = read_number(typed)
    try:
        return from_decimal(Decimal("NaN") if number is None else number, currency)
    except (ValueError, ArithmeticError):
        raise invalid(field, "Write an amount of this currency.", "amount") from None


def countries_of(language: str) -> list[tuple[str, str]]:
    """Every country with its name, in the order of the names."""
    names: Mapping[str, Any] = Locale(language).territories
    known = {code: str(name) for code, name in names.items() if len(code) == _COUNTRY_LETTERS and code.isalpha()}
    return sorted(((code, name) for code, name in known.items() if code not in _NO_COUNTRIES), key=lambda row: row[1])


_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB"})
"""Unions, and codes of the names' own."""
