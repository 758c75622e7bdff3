"""One checkout that was paid several times, by one means and then by another: each is a payment of its own. Pure.

The first that was settled is the payment of the checkout, whatever its gateway tells first later. Those that came on top go by
what their gateway calls them apart; that they are second ones of an order is for `claims.py` to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from documents.base import Row
from documents.enums import RefundStatus
from documents.payment import PAID
from lms_rt.contracts.gateways import GatewayPayment, GatewayRefund, Money, PaidBack
from lms_rt.gateways.payments.apart_ids import parted

_STANDING = frozenset({PaidBack.PENDING, PaidBack.COMPLETED})


def told_apart(rows: Sequence[Row], read: GatewayPayment) -> Sequence[GatewayPayment]:
    """What was read of a checkout, by payments; `rows` are those of it that are known here.

    The one that goes by the checkout's id comes first. It is missing where its gateway showed another one alone.
    """
    if read.apart_id is None:
        return (read,)
    told = (read, *read.others)
    known = next((row for row in rows if row["intent_id"] == read.intent_id and row["status"] in PAID), None)
    main = told[:1]
    if known is not None:
        apart = {row["intent_id"] for row in rows}
        main = _kept_as_one(known, [one for one in told if one.apart_id not in apart])
        transaction_id = known.get("transaction_id")
        main = main or tuple(one for one in told if transaction_id in {None, one.transaction_id})[:1]
    total = Money(sum(one.money.amount for one in main), read.money.currency)
    first = [replace(one, intent_id=read.intent_id, money=total, is_again=False, others=()) for one in main[:1]]
    return (*first, *(_again(one) for one in told if one not in main))


def with_own_refunds(
    told: Sequence[GatewayPayment], refunds: Sequence[GatewayRefund], known: Mapping[str, Sequence[Row]]
) -> Sequence[GatewayPayment]:
    """Each payment with its refunds, which were told of all of them together. `known` are ours, by intent.

    One that nobody here knows was made at the gateway's own desk: of the last payment that has so much left, of several where
    it is of more than one. One of a payment that was not told now is of none of these.
    """
    refunds = parted(refunds, max(one.money.amount for one in told))
    own: dict[str, list[GatewayRefund]] = {one.intent_id: [] for one in told}
    left = {one.intent_id: one.money.amount for one in told}
    waiting = {row["_id"]: (key, row["amount"]) for key, rows in known.items() for row in rows if _is_unanswered(row)}
    named = {id(one): _named(one, known) for one in refunds}
    for refund in sorted(refunds, key=lambda one: named[id(one)] is None):
        owner = named[id(refund)] or _waiting(refund, waiting)
        if owner is None:
            owner = next((key for key in reversed(own) if left[key] >= refund.amount), next(iter(own)))
        if owner not in own:
            continue
        own[owner].append(refund)
        left[owner] -= refund.amount if refund.state in _STANDING else 0
    return [replace(one, refunds=tuple(own[one.intent_id]), refunded=_completed(own[one.intent_id])) for one in told]


def _kept_as_one(known: Row, told: Sequence[GatewayPayment]) -> tuple[GatewayPayment, ...]:
    """The several that were written down as one payment, before they were told apart: it stays that. None, as a rule."""
    for count in range(2, len(told) + 1):
        kept = tuple(told[:count])
        if sum(one.money.amount for one in kept) == known.get("paid_amount"):
            is_known = known.get("transaction_id") in {None, *(one.transaction_id for one in kept)}
            return kept if is_known else ()
    return ()


def _again(read: GatewayPayment) -> GatewayPayment:
    return replace(read, intent_id=read.apart_id or read.intent_id, is_again=True, others=())


def _is_unanswered(row: Row) -> bool:
    """Was it asked for, without an answer that names it?"""
    return bool(row["status"] == RefundStatus.REQUESTED and row.get("attempts") and not row.get("gateway_refund_id"))


def _named(refund: GatewayRefund, known: Mapping[str, Sequence[Row]]) -> str | None:
    """The payment of ours that it is of, by the gateway's name for it, or by our own."""
    for names in ("gateway_refund_id", refund.refund_id), ("_id", refund.reference):
        for intent_id, rows in known.items():
            if names[1] is not None and any(row.get(names[0]) == names[1] for row in rows):
                return intent_id
    return None


def _waiting(refund: GatewayRefund, waiting: dict[str, tuple[str, int]]) -> str | None:
    """The payment of which one of this amount was asked for and not answered; that one is it, and of no other one."""
    if refund.reference is not None:
        return None
    for refund_id, (intent_id, amount) in waiting.items():
        if amount == refund.amount:
            del waiting[refund_id]
            return intent_id
    return None


def _completed(refunds: Sequence[GatewayRefund]) -> int:
    return sum(one.amount for one in refunds if one.state is PaidBack.COMPLETED)
