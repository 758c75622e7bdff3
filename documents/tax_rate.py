"""Tax rates: one per country, whose code (ISO 3166-1 alpha-2) is its `_id`. No rules."""

from __future__ import annotations

from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from documents.base import RowAggregate


class TaxRate(RowAggregate):
    """A rate in hundredths of a percent. `is_included`: prices hold it already; else it comes on top."""

    tax_name: str
    basis_points: int
    is_included: bool = True
    is_active: bool = True

    ORDER: ClassVar = [("_id", ASCENDING)]

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "tax_rates"
        indexes: ClassVar = [IndexModel([("outbox_at", ASCENDING)], sparse=True)]
