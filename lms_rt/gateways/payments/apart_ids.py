"""What a payment is read by that came on top of another one of the same checkout: "<the checkout's id>:<its own>".

So are the parts of a refund that is of several of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lms_rt.contracts.gateways import GatewayRefund


def apart_id(checkout_id: str, transaction_id: str | None) -> str:
    """The id of one of several payments of a checkout."""
    return f"{checkout_id}:{transaction_id}"


def ids_of(intent_id: str) -> tuple[str, str]:
    """The checkout of an intent's id, and the payment's own, where it is one that came on top; "" else."""
    checkout_id, _, transaction_id = intent_id.partition(":")
    return checkout_id, transaction_id


def parted(refunds: Sequence[GatewayRefund], most: int) -> list[GatewayRefund]:
    """Each refund of no more than one payment, of which `most` came: one of more is several, the first by its own id.

    What was asked for here is of one payment, whatever is told of it.
    """
    return [part for one in refunds for part in ([one] if one.reference is not None else _parts(one, most))]


def _parts(refund: GatewayRefund, most: int) -> list[GatewayRefund]:
    if not 0 < most < refund.amount:
        return [refund]
    sizes = [min(most, refund.amount - taken) for taken in range(0, refund.amount, most)]
    names = [refund.refund_id, *(f"{refund.refund_id}:{place}" for place in range(2, len(sizes) + 1))]
    return [replace(refund, refund_id=name, amount=size) for name, size in zip(names, sizes, strict=True)]
