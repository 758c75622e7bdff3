"""Invoices as they are shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from documents.base import Row
from documents.invoice import CREDIT_NOTE
from lms_rt.contracts.invoices import InvoiceLineView, InvoiceView, SellerView
from lms_rt.contracts.payments import CountryEvidenceView
from lms_rt.services.payments.invoice_backs import is_beside
from lms_rt.services.payments.invoice_lines import lines_of

_NAMES = (
    "number", "kind", "payment_id", "order_id", "amount", "tax_amount", "currency", "language", "issued_at",
)  # fmt: skip
_SAID = ("invoice_number", "service_from", "service_until", "tax_name", "tax_country")


def invoice_view(row: Row, made: Sequence[Row] = ()) -> InvoiceView:
    """One of them, to who paid and to who sees to payments. `made` are all of its payment."""
    said = row["printed"]
    evidence = [CountryEvidenceView(**one) for one in said.get("evidence") or ()]
    return InvoiceView(
        id=row["_id"],
        refund_id=row.get("refund_id"),
        dispute_id=row.get("dispute_id"),
        credit_notes=_notes_of(row, made),
        title=said["title"],
        seller=SellerView(
            name=said["seller_name"], address=said["seller_address"], tax_number=said["seller_tax_number"]
        ),
        buyer_country=evidence[0].country if evidence else None,
        country_evidence=evidence,
        lines=_lines(row, said),
        tax_rate=said["tax_basis_points"],
        net_amount=row["amount"] - row["tax_amount"],
        pdf_url=f"/api/v1/payments/{row['payment_id']}/invoice?number={row['number']}",
        **{name: said.get(name) for name in _SAID},
        **{name: row[name] for name in _NAMES},
    )


def invoice_views(made: Sequence[Row]) -> list[InvoiceView]:
    """All of a payment, each with what it is linked to."""
    return [invoice_view(row, made) for row in made]


def _lines(row: Row, said: Mapping[str, Any]) -> list[InvoiceLineView]:
    return [
        InvoiceLineView(
            kind=line.kind,
            description=said.get("coupon_code") or "" if line.kind == "discount" else said["title"],
            net_amount=line.net,
            tax_amount=line.tax,
            gross_amount=line.gross,
        )
        for line in lines_of(row)
    ]


def _notes_of(row: Row, made: Sequence[Row]) -> list[str]:
    """Of the invoice of a payment, its credit notes."""
    return [] if is_beside(row) else [one["number"] for one in made if one["kind"] == CREDIT_NOTE]
