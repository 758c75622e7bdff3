"""Invoices and credit notes at the border. No rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from lms_rt.contracts.base import Hundredths, Instant, PageQuery, View
from lms_rt.contracts.payments import CountryEvidenceView

InvoiceKind = Literal["invoice", "credit_note"]


class SellerView(View):
    """Who sold it: the legal name, the address and the tax number as they were then; empty where none was set."""

    name: str
    address: str
    tax_number: str


class InvoiceLineView(View):
    """One line in minor units: what was bought (`item`), a `discount` (less than nothing), or what goes `back`."""

    kind: Literal["item", "discount", "back"]
    description: str
    net_amount: int
    tax_amount: int
    gross_amount: int


class InvoiceView(View):
    """One of them. `amount` is what was paid, or paid back; `tax_amount` the tax in it; both in minor units.

    A credit note is for a refund (`refund_id`) or a dispute that was lost (`dispute_id`), and names its invoice
    (`invoice_number`); an invoice names its credit notes (`credit_notes`). `buyer_country` is the first of
    `country_evidence`. `service_from` and `service_until` (not included) are the period of a subscription that was paid.
    """

    id: str
    number: str
    kind: InvoiceKind
    payment_id: str
    refund_id: str | None
    dispute_id: str | None
    invoice_number: str | None
    credit_notes: list[str]
    order_id: str
    title: str
    seller: SellerView
    buyer_country: str | None
    country_evidence: list[CountryEvidenceView]
    service_from: Instant | None
    service_until: Instant | None
    lines: list[InvoiceLineView]
    tax_name: str | None
    tax_rate: Hundredths
    tax_country: str | None
    net_amount: int
    tax_amount: int
    amount: int
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
