"""Invoices as they are shown. Pure."""

from __future__ import annotations

from documents.base import Row
from lms_rt.contracts.invoices import InvoiceView


def invoice_view(row: Row) -> InvoiceView:
    """One of them, to who paid and to who sees to payments."""
    names = (
        "number", "kind", "payment_id", "order_id", "amount", "tax_amount", "currency", "language", "issued_at",
    )  # fmt: skip
    url = f"/api/v1/payments/{row['payment_id']}/invoice?number={row['number']}"
    return InvoiceView(
        id=row["_id"], refund_id=row.get("refund_id"), pdf_url=url, **{name: row[name] for name in names}
    )
