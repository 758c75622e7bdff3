"""What a payment is read by that came on top of another one of the same checkout: "<the checkout's id>:<its own>"."""

from __future__ import annotations


def apart_id(checkout_id: str, transaction_id: str | None) -> str:
    """The id of one of several payments of a checkout."""
    return f"{checkout_id}:{transaction_id}"


def ids_of(intent_id: str) -> tuple[str, str]:
    """The checkout of an intent's id, and the payment's own, where it is one that came on top; "" else."""
    checkout_id, _, transaction_id = intent_id.partition(":")
    return checkout_id, transaction_id
