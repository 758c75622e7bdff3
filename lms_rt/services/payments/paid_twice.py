"""One checkout that was paid several times, by one means and then by another: each is a payment of its own. Pure.

The first that was settled is the payment of the checkout, whatever its gateway tells first later. Those that came on top go by
what their gateway calls them apart; that they are second ones of an order is for `claims.py` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from documents.base import Row
from documents.payment import PAID
from lms_rt.contracts.gateways import GatewayPayment


def told_apart(row: Row | None, read: GatewayPayment) -> Sequence[GatewayPayment]:
    """What was read of a checkout, by payments; `row` is the payment that goes by its id here, if there is one.

    That one comes first. It is missing where its gateway showed another one alone.
    """
    if read.apart_id is None:
        return (read,)
    told = (read, *read.others)
    known = row.get("transaction_id") if row is not None and row["status"] in PAID else None
    main = read if known is None else next((one for one in told if one.transaction_id == known), None)
    first = () if main is None else (replace(main, intent_id=read.intent_id, is_again=False, others=()),)
    return (*first, *(_again(one) for one in told if one is not main))


def _again(read: GatewayPayment) -> GatewayPayment:
    return replace(read, intent_id=read.apart_id or read.intent_id, is_again=True, others=())
