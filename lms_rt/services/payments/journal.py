"""The journal: each write of a payment leaves the entries that it means, and the book is held against the payments.

Whoever writes a payment puts `journaled(...)` beside the write; the relay enters it, again after a crash, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents.base import Row
from documents.journal_entry import BOOK, FIGURES, JournalEntry
from documents.order import Order
from documents.payment import Payment
from lms_rt.clock import to_ms
from lms_rt.contracts.outbox import Intent, Write, effect
from lms_rt.services.payments.positions import Position, position_of, standing_of, subject_of
from lms_rt.services.relay import EffectHandler

JOURNAL_EFFECT = "payment.journal"


@dataclass(frozen=True, slots=True)
class Imbalance:
    """A payment of which the book says something else than the payment: by currency and account, what is too much."""

    payment_id: str
    by: Position


def journaled(
    write: Write, *, before: Mapping[str, Any] | None, after: Mapping[str, Any], order: Mapping[str, Any] | None
) -> list[Intent]:
    """The intents that enter what one write changes about a payment's money; none, where it changes nothing.

    `before` and `after` are the payment's fields around the write (None: it is new). `order` is what it pays for.
    """
    rows = entries_between(write, before or {**after, "status": "pending"}, after, order=order)
    return [effect(write, JOURNAL_EFFECT, row) for row in rows]


def entries_between(
    write: Write, before: Mapping[str, Any], after: Mapping[str, Any], *, order: Mapping[str, Any] | None
) -> list[Row]:
    """The entries of one write, one for each currency that moves: nearly always one."""
    moved = difference(position_of(after, order), position_of(before, order))
    return [
        {
            "_id": f"{after['_id']}:{write.version}:{currency}",
            "book": BOOK,
            "kind": _kind(before, after),
            "currency": currency,
            "lines": [
                {"account": account, "amount": amount} for (its, account), amount in moved.items() if its == currency
            ],
            "figures": _figures(before, after, order=order, currency=currency),
            "gateway": after["gateway"],
            "subject_id": subject_of(after),
            "payment_id": after["_id"],
            "order_id": after["order_id"],
            "at": write.at,
            "at_ms": to_ms(write.at),
        }
        for currency in dict.fromkeys(currency for currency, _ in moved)
    ]


def difference(one: Position, other: Position) -> dict[tuple[str, str], int]:
    """By how much accounts differ, in a fixed order; those that do not are left out."""
    moved = {key: one.get(key, 0) - other.get(key, 0) for key in sorted({*one, *other})}
    return {key: amount for key, amount in moved.items() if amount}


class Journal:
    """Enters, and holds the book against the payments."""

    def effects(self) -> dict[str, EffectHandler]:
        """What the relay carries out in its name."""
        return {JOURNAL_EFFECT: self._enter}

    async def imbalances(self, payments: Sequence[Row], orders: Mapping[str, Row]) -> list[Imbalance]:
        """Those of these payments that the book does not tell as they are. `payments` may have something in their outbox still."""
        if not payments:
            return []
        told = await JournalEntry.balances([payment["_id"] for payment in payments])
        found = []
        for payment in payments:
            due = position_of(payment, orders.get(payment["order_id"]))
            if by := difference(told.get(payment["_id"], {}), due):
                found.append(Imbalance(payment["_id"], by))
        return found

    async def imbalance(self, payment_id: str) -> Imbalance | None:
        """The same of one payment; None: all is well, or there is none."""
        payment = await Payment.find_row(payment_id)
        if payment is None:
            return None
        order = await Order.find_row(payment["order_id"])
        found = await self.imbalances([payment], {} if order is None else {order["_id"]: order})
        return found[0] if found else None

    async def totals(self) -> dict[str, int]:
        """The sum of the whole book by currency: zero each."""
        return await JournalEntry.totals()

    async def _enter(self, _: str, data: dict[str, Any]) -> None:
        await JournalEntry.enter(data)


def _kind(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What happened, in a word; where several things did, the first of them."""
    was, now = standing_of(before, None), standing_of(after, None)
    if was is None or now is None:
        return "hold" if now is not None and now.is_held else "charge"
    if was.is_held != now.is_held:
        return "hold" if now.is_held else "release"
    if was.disputed != now.disputed:
        return f"dispute_{after.get('dispute')}"
    return "refund" if was.refunded != now.refunded else "correction"


def _figures(
    before: Mapping[str, Any], after: Mapping[str, Any], *, order: Mapping[str, Any] | None, currency: str
) -> dict[str, int]:
    """By how much each figure of this currency moves."""
    was, now = (_figures_in(one, order, currency) for one in (before, after))
    return {name: now.get(name, 0) - was.get(name, 0) for name in FIGURES}


def _figures_in(payment: Mapping[str, Any], order: Mapping[str, Any] | None, currency: str) -> Mapping[str, int]:
    standing = standing_of(payment, order)
    return standing.figures if standing is not None and standing.currency == currency else {}
