"""What is printed on invoices and credit notes, in the language of each. Pure. How it is laid out is `printing/`.

What was numbered in an earlier form is printed in it for ever: the same document has the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import get_currency_name, get_currency_precision

from documents.base import Row
from documents.invoice import CREDIT_NOTE
from lms_rt.contracts.money import exponent
from lms_rt.printing.invoice import Position, PrintedInvoice
from lms_rt.services.payments.invoice_lines import lines_of

FORM = 3
"""The third form has vowel marks. The second has net, tax and total of each line, the buyer's country, and the places of ISO 4217; the first is not told."""
_WITH_MARKS = 3
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "invoice": "Invoice",
            "credit_note": "Credit note",
            "buyer": "Billed to",
            "issued": "Date",
            "paid": "Paid",
            "by": "Paid by",
            "payment": "Payment",
            "of_invoice": "For invoice",
            "what": "Description",
            "amount": "Amount",
            "discount": "Discount",
            "coupon": "Discount, coupon {code}",
            "back": "Paid back: {title}",
            "tax": "{name}, {rate}%",
            "any_tax": "Tax",
            "total": "Total, paid",
            "total_back": "Total, paid back",
            "within": "Contains {name}, {rate}%: {amount}",
            "seller_tax": "Tax number",
            "lost": "Taken back by the payer's bank: {title}",
            "total_lost": "Total, taken back",
            "net": "Net",
            "gross": "Total",
            "net_sum": "Net total",
            "service": "Service period",
            "country": "Country",
            "evidence": "Country of the buyer: {all}",
            "between": "; ",
            "from_buyer": "{country} (as the buyer said)",
            "from_card": "{country} (of the card)",
            "from_address": "{country} (of the network address)",
        },
        "ar": {
            "invoice": "فاتورة",
            "credit_note": "إشعار دائن",
            "buyer": "فاتورة إلى",
            "issued": "التاريخ",
            "paid": "تاريخ الدفع",
            "by": "وسيلة الدفع",
            "payment": "رقم العملية",
            "of_invoice": "عن الفاتورة",
            "what": "البيان",
            "amount": "المبلغ",
            "discount": "خصم",
            "coupon": "خصم بالقسيمة {code}",
            "back": "استرداد: {title}",
            "tax": "{name} {rate}%",
            "any_tax": "الضريبة",
            "total": "الإجمالي المدفوع",
            "total_back": "الإجمالي المُسترد",
            "within": "يشمل {name} {rate}%: {amount}",
            "seller_tax": "الرقم الضريبي",
            "lost": "استرده بنك الدافع: {title}",
            "total_lost": "الإجمالي الذي استرده البنك",
            "net": "الصافي",
            "gross": "الإجمالي",
            "net_sum": "إجمالي الصافي",
            "service": "فترة الخدمة",
            "country": "الدولة",
            "evidence": "دولة المشتري: {all}",
            "between": "؛ ",
            "from_buyer": "{country} (كما ذكر المشتري)",
            "from_card": "{country} (بحسب البطاقة)",
            "from_address": "{country} (بحسب عنوان الشبكة)",
        },
    }
)
_GATEWAYS = MappingProxyType({"stripe": "Stripe", "paymob": "Paymob", "myfatoorah": "MyFatoorah", "sandbox": "Sandbox"})


def sum_text(amount: int, currency: str, places: int | None = None) -> str:
    """Minor units as they are written on paper: every place of the currency, and its code. 12500 KWD → "12.500 KWD"."""
    return f"{_decimal(amount, currency, places):,f} {currency}"


def amount_words(amount: int, currency: str, language: str, places: int | None = None) -> str:
    """The same with the currency's name: "12.500 Kuwaiti dinars"."""
    value = _decimal(amount, currency, places)
    return f"{value:,f} {get_currency_name(currency, count=value, locale=language)}"


def printed(row: Row) -> PrintedInvoice:
    """All that is on one, from what is stored of it."""
    words, said = _WORDS[row["language"]], row["printed"]
    is_first, places = "form" not in said, _places(row)
    return PrintedInvoice(
        language=row["language"],
        heading=words[row["kind"]],
        number=row["number"],
        seller=said["seller_name"],
        seller_lines=_seller_lines(said, words),
        buyer_heading=words["buyer"],
        buyer=said["buyer_name"],
        facts=_facts(row, words),
        columns=(words["what"], words["amount"]) if is_first else tuple(words[name] for name in _COLUMNS),
        positions=_first_positions(row, words) if is_first else _positions(row, words),
        sums=() if is_first else _sums(row, words),
        total=Position(words[_total_of(row)], (sum_text(row["amount"], row["currency"], places),)),
        total_in_words=amount_words(row["amount"], row["currency"], row["language"], places),
        notes=_first_notes(row, words) if is_first else _evidence(row, words),
        is_shaped=said.get("form", 1) >= _WITH_MARKS,
    )


_COLUMNS = ("what", "net", "any_tax", "gross")


def _places(row: Row) -> int:
    """How many are written: in the first form those of CLDR."""
    currency: str = row["currency"]
    return exponent(currency) if "form" in row["printed"] else int(get_currency_precision(currency))


def _decimal(amount: int, currency: str, places: int | None) -> Decimal:
    return Decimal(amount).scaleb(-(exponent(currency) if places is None else places))


def _total_of(row: Row) -> str:
    if row["kind"] != CREDIT_NOTE:
        return "total"
    return "total_lost" if row.get("dispute_id") else "total_back"


def _positions(row: Row, words: Mapping[str, str]) -> tuple[Position, ...]:
    """Each line, without tax, in tax, and with it."""
    said, currency = row["printed"], row["currency"]
    code = said.get("coupon_code")
    back = words["lost" if row.get("dispute_id") else "back"].format(title=said["title"])
    off = words["coupon"].format(code=code) if code else words["discount"]
    names = {"item": said["title"], "discount": off, "back": back}
    return tuple(
        Position(names[line.kind], tuple(sum_text(amount, currency) for amount in (line.net, line.tax, line.gross)))
        for line in lines_of(row)
    )


def _sums(row: Row, words: Mapping[str, str]) -> tuple[Position, ...]:
    """What all lines come to without tax, and the tax at its rate."""
    said, currency = row["printed"], row["currency"]
    return (
        Position(words["net_sum"], (sum_text(row["amount"] - row["tax_amount"], currency),)),
        Position(words["tax"].format(**_tax(said, words)), (sum_text(row["tax_amount"], currency),)),
    )


def _evidence(row: Row, words: Mapping[str, str]) -> tuple[str, ...]:
    """From what it is known where the buyer is."""
    told = [
        words[f"from_{one['source']}"].format(country=_country(one["country"], row["language"]))
        for one in row["printed"].get("evidence") or ()
    ]
    return (words["evidence"].format(all=_between(row, words).join(told)),) if told else ()


def _between(row: Row, words: Mapping[str, str]) -> str:
    return words["between"] if row["printed"]["form"] >= _WITH_MARKS else "; "


def _country(code: str, language: str) -> str:
    return str(Locale.parse(language).territories.get(code, code))


def _seller_lines(said: Mapping[str, Any], words: Mapping[str, str]) -> tuple[str, ...]:
    lines = [line.strip() for line in str(said["seller_address"]).splitlines() if line.strip()]
    number = said["seller_tax_number"]
    # On a line of its own: among Arabic words the parts of a number with hyphens would be turned around.
    return (*lines, *((words["seller_tax"], number) if number else ()))


def _facts(row: Row, words: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    said = row["printed"]
    method = _GATEWAYS.get(said["gateway"], said["gateway"])
    if said.get("method"):
        method = f"{method} ({said['method']})"
    facts = [(words["issued"], _day(row["issued_at"], row["language"]))]
    if said.get("invoice_number"):
        facts.append((words["of_invoice"], said["invoice_number"]))
    elif said.get("paid_at"):
        facts.append((words["paid"], _day(datetime.fromisoformat(said["paid_at"]), row["language"])))
    facts += _told_since(row, words)
    return (*facts, (words["by"], method), (words["payment"], row["payment_id"]))


def _told_since(row: Row, words: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the second form tells besides."""
    said, language, facts = row["printed"], row["language"], []
    if said.get("service_from"):
        days = [_day(datetime.fromisoformat(said[name]), language) for name in ("service_from", "service_until")]
        facts.append((words["service"], " – ".join(days)))
    if evidence := said.get("evidence"):
        facts.append((words["country"], _country(evidence[0]["country"], language)))
    return facts


def _first_positions(row: Row, words: Mapping[str, str]) -> tuple[Position, ...]:
    said = row["printed"]
    if row["kind"] == CREDIT_NOTE:
        back = words["lost" if row.get("dispute_id") else "back"]
        return (Position(back.format(title=said["title"]), (_first_sum(row, row["amount"]),)),)
    positions = [Position(said["title"], (_first_sum(row, said["list_amount"]),))]
    if said["discount_amount"]:
        code = said.get("coupon_code")
        name = words["coupon"].format(code=code) if code else words["discount"]
        positions.append(Position(name, (_first_sum(row, -said["discount_amount"]),)))
    if row["tax_amount"] and not said["is_tax_included"]:
        positions.append(Position(words["tax"].format(**_tax(said, words)), (_first_sum(row, row["tax_amount"]),)))
    return tuple(positions)


def _first_notes(row: Row, words: Mapping[str, str]) -> tuple[str, ...]:
    """The tax that is in the total, where no row above adds it."""
    said = row["printed"]
    if not row["tax_amount"] or not (said["is_tax_included"] or row["kind"] == CREDIT_NOTE):
        return ()
    amount = _first_sum(row, row["tax_amount"])
    return (words["within"].format(amount=amount, **_tax(said, words)),)


def _first_sum(row: Row, amount: int) -> str:
    return sum_text(amount, row["currency"], _places(row))


def _tax(said: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str]:
    rate = Decimal(said["tax_basis_points"]) / 100
    return {"name": said.get("tax_name") or words["any_tax"], "rate": f"{rate.normalize():f}"}


def _day(at: datetime, language: str) -> str:
    return str(format_date(at.date(), "d MMMM y", locale=language))
