"""The checkouts of a subscription, and what was promised at each: who was given a page at a price may pay that price there. Pure.

A page that its gateway could not close may be paid after the plan, or what its buyer asked for, was changed. Then the subscription
is what that page said, from its first payment on: its gateway draws the price of the page.
"""

from __future__ import annotations

from typing import Any

from documents.base import Row
from documents.plan_subscription import MOST_FORMER
from lms_rt.contracts.gateways import GatewaySubscription

TERMS = (
    "plan_name",
    "interval",
    "list_amount",
    "tax_name",
    "tax_basis_points",
    "tax_country",
    "tax_amount",
    "is_tax_included",
    "amount",
    "currency",
    "country",
    "address_country",
)
"""All that a page promised but the courses: those are the plan's, and are added to."""


def checkouts_of(row: Row) -> list[Row]:
    """All that were begun for it and may still be paid, the newest last; of very many the last ones."""
    known: list[Row] = list(row.get("former", []))
    if (intent_id := row.get("checkout_intent_id")) is not None:
        terms = {name: row[name] for name in TERMS if row.get(name) is not None}
        page = {"gateway": row["gateway"], "intent_id": intent_id, "attempt": row["attempt"], "terms": terms}
        known.append(page)
    return known[-MOST_FORMER:]


def key_of(row: Row, attempt: int) -> str:
    """What a checkout is called at its gateway."""
    return f"{row['_id']}-{attempt}"


def is_of(row: Row, gateway_name: str, read: GatewaySubscription) -> bool:
    """Is it the one at its gateway that is known to be this subscription?"""
    return row["gateway"] == gateway_name and row.get("gateway_subscription_id") == read.subscription_id


def may_be_of(row: Row, gateway_name: str, read: GatewaySubscription) -> bool:
    """Is it the one that is known; or, while none is, not of another checkout than the one whose money came first?"""
    if row.get("gateway_subscription_id") is not None:
        return is_of(row, gateway_name, read)
    return row.get("first_key") is None or read.key in (None, row["first_key"])


def counted(row: Row, key: str) -> dict[str, Any]:
    """What is to be written when the checkout of this key is the first that was paid. None takes a field away."""
    terms = next((one.get("terms") for one in row.get("former", []) if key_of(row, one["attempt"]) == key), None)
    return {"first_key": key} | ({name: terms.get(name) for name in TERMS} if terms else {})
