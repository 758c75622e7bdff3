"""What each line of an invoice comes to without tax, in tax, and with it: parts that sum up to the document. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from documents.base import Row
from documents.invoice import CREDIT_NOTE
from lms_rt.services.payments.rounding import share_of, tax_within

LineKind = Literal["item", "discount", "back"]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line, in minor units. A discount is less than nothing."""

    kind: LineKind
    net: int
    tax: int

    @property
    def gross(self) -> int:
        """With its tax."""
        return self.net + self.tax


def lines_of(row: Row) -> tuple[InvoiceLine, ...]:
    """What was bought, and what was taken off; of a credit note what goes back.

    The tax of what was bought is that of its list price; what the discount saves of it is the rest, so that both together are
    the tax of the document to the unit.
    """
    said, tax = row["printed"], row["tax_amount"]
    if row["kind"] == CREDIT_NOTE:
        return (InvoiceLine("back", row["amount"] - tax, tax),)
    listed, off, is_included = said["list_amount"], said["discount_amount"], said["is_tax_included"]
    if not off:
        return (InvoiceLine("item", listed - tax if is_included else listed, tax),)
    points = said["tax_basis_points"]
    own = tax_within(listed, points) if is_included else share_of(listed, points)
    saved = tax - own
    item = InvoiceLine("item", listed - own if is_included else listed, own)
    return item, InvoiceLine("discount", -off - saved if is_included else -off, saved)
