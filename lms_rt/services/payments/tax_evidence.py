"""Where a buyer is, by all that is known of it: their own word, the card that paid, the address that they ordered from. Pure.

The tax is that of their word, or of where the school sells where they say nothing, and nothing here changes a price: what speaks
against it is kept, and shown to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documents.base import Row

SOURCES = {"buyer": "country", "card": "card_country", "address": "address_country"}
"""Which field of an order each is kept in; what counts more comes first."""


def evidence_of(order: Mapping[str, Any]) -> list[Row]:
    """All that is known: `{source, country}`."""
    return [{"source": source, "country": order[name]} for source, name in SOURCES.items() if order.get(name)]


def is_contradicted(order: Mapping[str, Any]) -> bool:
    """Do they name different countries, or another than the one whose tax was taken of who said none?"""
    taken = {order.get("country") or order.get("tax_country")} - {None}
    return len(taken | {one["country"] for one in evidence_of(order)}) > 1
