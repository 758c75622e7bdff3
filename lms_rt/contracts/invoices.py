"""Invoices and credit notes at the border. No rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from lms_rt.contracts.base import Instant, PageQuery, View

InvoiceKind = Literal["invoice", "credit_note"]


class InvoiceView(View):
    """One of them. `amount` is what was paid, or paid back; `tax_amount` the tax in it; both in minor units."""

    id: str
    number: str
    kind: InvoiceKind
    payment_id: str
    refund_id: str | None
    order_id: str
    amount: int
    tax_amount: int
    currency: str
    language: Literal["en", "ar"]
    issued_at: Instant
    pdf_url: str


class InvoicesQuery(PageQuery):
    """The invoice of a payment and its credit notes, in the order of their numbers."""


class InvoiceQuery(BaseModel):
    """Which of a payment's is wanted: by its number; without one, the invoice."""

    model_config = ConfigDict(extra="ignore")

    number: Annotated[str, StringConstraints(max_length=40)] | None = None
