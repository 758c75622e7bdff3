"""What each line of an invoice comes to, in numbers. That the lines of any invoice sum up to it is a test of invoices."""

from __future__ import annotations

from typing import Any

import pytest

from documents.invoice import CREDIT_NOTE, INVOICE
from lms_rt.services.payments.invoice_lines import lines_of


def lines(*, kind: str = INVOICE, amount: int, tax: int, **said: Any) -> list[tuple[str, int, int, int]]:
    """Of a document with a list price of 1190 and 19% of tax: (kind, net, tax, gross)."""
    told = {"list_amount": 1190, "discount_amount": 0, "tax_basis_points": 1900, "is_tax_included": True, **said}
    row = {"kind": kind, "amount": amount, "tax_amount": tax, "printed": told}
    return [(line.kind, line.net, line.tax, line.gross) for line in lines_of(row)]


@pytest.mark.parametrize(
    ("said", "amount", "tax", "wanted"),
    [
        ({}, 1190, 190, [("item", 1000, 190, 1190)]),
        ({"discount_amount": 119}, 1071, 171, [("item", 1000, 190, 1190), ("discount", -100, -19, -119)]),
        ({"is_tax_included": False}, 1416, 226, [("item", 1190, 226, 1416)]),
        (
            {"is_tax_included": False, "discount_amount": 190},
            1190,
            190,
            [("item", 1190, 226, 1416), ("discount", -190, -36, -226)],
        ),
        ({"discount_amount": 1190}, 0, 0, [("item", 1000, 190, 1190), ("discount", -1000, -190, -1190)]),
        ({"tax_basis_points": 0}, 1190, 0, [("item", 1190, 0, 1190)]),
    ],
    ids=["within", "within, and less", "on top", "on top, and less", "all taken off", "no tax"],
)
def test_what_was_bought_has_the_tax_of_its_list_price_and_a_discount_saves_its_own(
    said: dict[str, Any], amount: int, tax: int, wanted: list[tuple[str, int, int, int]]
) -> None:
    assert lines(amount=amount, tax=tax, **said) == wanted


@pytest.mark.parametrize("is_included", [True, False])
def test_what_goes_back_holds_its_tax_however_it_was_asked_for(*, is_included: bool) -> None:
    note = lines(kind=CREDIT_NOTE, amount=595, tax=95, discount_amount=119, is_tax_included=is_included)
    assert note == [("back", 500, 95, 595)]
