"""What is printed on invoices and credit notes, in the language of each. Pure. How it is laid out is `printing/`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from babel.dates import format_date
from babel.numbers import get_currency_name

from documents.base import Row
from documents.invoice import CREDIT_NOTE
from lms_rt.contracts.money import to_decimal
from lms_rt.printing.invoice import Position, PrintedInvoice

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
        },
    }
)
_GATEWAYS = MappingProxyType({"stripe": "Stripe", "paymob": "Paymob", "myfatoorah": "MyFatoorah", "sandbox": "Sandbox"})


def sum_text(amount: int, currency: str) -> str:
    """Minor units as they are written on paper: every place of the currency, and its code. 12500 KWD → "12.500 KWD"."""
    return f"{_decimal(amount, currency)} {currency}"


def amount_words(amount: int, currency: str, language: str) -> str:
    """The same with the currency's name: "12.500 Kuwaiti dinars"."""
    value = to_decimal(amount, currency)
    return f"{_decimal(amount, currency)} {get_currency_name(currency, count=value, locale=language)}"


def printed(row: Row) -> PrintedInvoice:
    """All that is on one, from what is stored of it."""
    words, said = _WORDS[row["language"]], row["printed"]
    is_back = row["kind"] == CREDIT_NOTE
    return PrintedInvoice(
        language=row["language"],
        heading=words[row["kind"]],
        number=row["number"],
        seller=said["seller_name"],
        seller_lines=_seller_lines(said, words),
        buyer_heading=words["buyer"],
        buyer=said["buyer_name"],
        facts=_facts(row, words),
        columns=(words["what"], words["amount"]),
        positions=_positions(row, words),
        total=Position(words["total_back" if is_back else "total"], sum_text(row["amount"], row["currency"])),
        total_in_words=amount_words(row["amount"], row["currency"], row["language"]),
        notes=_notes(row, words),
    )


def _decimal(amount: int, currency: str) -> str:
    value: Decimal = to_decimal(amount, currency)
    return f"{value:,f}"


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
    return (*facts, (words["by"], method), (words["payment"], row["payment_id"]))


def _positions(row: Row, words: Mapping[str, str]) -> tuple[Position, ...]:
    said, currency = row["printed"], row["currency"]
    if row["kind"] == CREDIT_NOTE:
        return (Position(words["back"].format(title=said["title"]), sum_text(row["amount"], currency)),)
    positions = [Position(said["title"], sum_text(said["list_amount"], currency))]
    if said["discount_amount"]:
        code = said.get("coupon_code")
        name = words["coupon"].format(code=code) if code else words["discount"]
        positions.append(Position(name, sum_text(-said["discount_amount"], currency)))
    if row["tax_amount"] and not said["is_tax_included"]:
        positions.append(Position(words["tax"].format(**_tax(said, words)), sum_text(row["tax_amount"], currency)))
    return tuple(positions)


def _notes(row: Row, words: Mapping[str, str]) -> tuple[str, ...]:
    """The tax that is in the total, where no row above adds it."""
    said = row["printed"]
    if not row["tax_amount"] or not (said["is_tax_included"] or row["kind"] == CREDIT_NOTE):
        return ()
    amount = sum_text(row["tax_amount"], row["currency"])
    return (words["within"].format(amount=amount, **_tax(said, words)),)


def _tax(said: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str]:
    rate = Decimal(said["tax_basis_points"]) / 100
    return {"name": said.get("tax_name") or words["any_tax"], "rate": f"{rate.normalize():f}"}


def _day(at: datetime, language: str) -> str:
    return str(format_date(at.date(), "d MMMM y", locale=language))
