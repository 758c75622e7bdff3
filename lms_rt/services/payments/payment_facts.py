"""What a reading of a payment changes in what is written down of it. Pure.

Nothing that is known is taken back by a reading that is older: states move along their table, a dispute never opens again,
and what was paid back is what the refunds come to (`refund_book.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from documents.base import Row
from documents.payment import PAID, intent_key_of
from lms_rt.contracts.gateways import Charged, Disputed, GatewayPayment
from lms_rt.services.payments.positions import TAKEN_BACK
from lms_rt.services.payments.states import PAYMENT, money_event

FIRST_LOOK = timedelta(minutes=10)
LONGEST_WAIT = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=8)
"""No gateway keeps an unpaid checkout open for so long; what comes later is taken all the same."""
MOST_DISPUTES = 50
"""A payment is disputed once, or twice; a list has an end."""
_EVENTS = {
    Charged.COMPLETED: "pay",
    Charged.FAILED: "fail",
    Charged.CANCELLED: "cancel",
    Charged.EXPIRED: "expire",
}
_COUNTRY = re.compile(r"[A-Z]{2}")
_STANDING = (Disputed.OPEN.value, Disputed.LOST.value, Disputed.WON.value)
"""Of several disputes the first of these is what they come to; the bank has the sum of those that are open or lost."""


def facts_of(row: Row, read: GatewayPayment, refunds: Mapping[str, Any], *, held: str | None, now: datetime) -> Row:
    """The fields that are other ones than in `row`; None takes a field away. `held` counts when the money is new."""
    wanted = _named(row, read)
    event = _EVENTS.get(read.state)
    status = PAYMENT.after(row["status"], event) if event else None
    status = status or row["status"]
    if status in PAID and row["status"] not in PAID:
        wanted |= {
            "paid_amount": read.money.amount,
            "paid_currency": read.money.currency,
            "completed_at": read.paid_at or now,
            "held": held,
            "failure": None,
        }
    if status in PAID:
        paid = int({**row, **wanted}.get("paid_amount") or 0)
        wanted |= {**dispute_facts(row, read), **refunds}
        status = paid_status(status, paid=paid, refunds=refunds)
    elif status == row["status"] and _is_hopeless(row, now):
        status = PAYMENT.after(status, "expire") or status
    wanted |= {
        "status": status,
        "check_at": _next_look(row, status, reserved=refunds.get("reserved_amount", 0), now=now),
    }
    return {name: value for name, value in wanted.items() if row.get(name) != value}


def paid_status(status: str, *, paid: int, refunds: Mapping[str, Any]) -> str:
    """The status of a paid payment by what was paid back, and what is under way."""
    event = money_event(
        due=paid, refunded=refunds.get("refunded_amount", 0), reserved=refunds.get("reserved_amount", 0)
    )
    if paid == 0:
        return status
    return PAYMENT.after(status, event) or status


def dispute_facts(row: Row, read: GatewayPayment) -> Row:
    """All disputes there ever were, as many as are kept, and what all of them come to."""
    known: dict[str, Row] = {one["id"]: dict(one) for one in row.get("disputes") or []}
    for one in read.disputes:
        before = known.get(one.dispute_id)
        state = one.state.value
        if before is not None and state == Disputed.OPEN.value:
            state = before["state"]
        known[one.dispute_id] = {"id": one.dispute_id, "amount": one.amount, "state": state}
    if not known:
        return {}
    every = _in_order(list(known.values()))
    return {"disputes": every[:MOST_DISPUTES], **_sum_of(every)}


def knows_disputes(row: Row, read: GatewayPayment) -> bool:
    """Does it stand so for each dispute that was read, or, of those that there is no room for, for what all come to?"""
    known = {one["id"]: one["state"] for one in row.get("disputes") or ()}
    if any(known.get(one.dispute_id, one.state.value) != one.state.value for one in read.disputes):
        return False
    if all(one.dispute_id in known for one in read.disputes):
        return True
    return all(row.get(name) == value for name, value in dispute_facts(row, read).items())


def with_dispute(row: Row, one: Row) -> Row:
    """All disputes with this one as it is now, and what they come to."""
    others = [known for known in row.get("disputes") or [] if known["id"] != one["id"]]
    return {"disputes": [*others, one], **_sum_of([*others, one])}


def _in_order(disputes: list[Row]) -> list[Row]:
    """Of more than a payment keeps always the same ones come first: those that the bank has the money of."""
    if len(disputes) <= MOST_DISPUTES:
        return disputes
    return sorted(disputes, key=lambda one: (_STANDING.index(one["state"]), one["id"]))


def _sum_of(disputes: Sequence[Row]) -> Row:
    states = {one["state"] for one in disputes}
    state = next(one for one in _STANDING if one in states)
    so = [one for one in disputes if one["state"] == state]
    taken = [one for one in disputes if one["state"] in TAKEN_BACK] or so
    return {"dispute": state, "dispute_id": so[0]["id"], "dispute_amount": sum(one["amount"] for one in taken)}


def _named(row: Row, read: GatewayPayment) -> Row:
    """How the gateway calls it, and how it was paid; what it does not say any more stays."""
    found = {"transaction_id": read.transaction_id, "payment_method": read.method, "failure": read.failure}
    named: Row = {name: value[:200] for name, value in found.items() if value}
    named |= card_of(read)
    if row.get("intent_id") is None:
        named |= {"intent_id": read.intent_id, "intent_key": intent_key_of(row["gateway"], read.intent_id)}
    return named


def card_of(read: GatewayPayment) -> Row:
    """Where the card that paid is from, if that was read."""
    is_told = read.country is not None and _COUNTRY.fullmatch(read.country)
    return {"card_country": read.country} if is_told else {}


def next_look(created_at: datetime, now: datetime) -> datetime:
    """When a pending payment is looked at again: soon while it is young, then ever more seldom."""
    return now + min(max(FIRST_LOOK, now - created_at), LONGEST_WAIT)


def _next_look(row: Row, status: str, *, reserved: int, now: datetime) -> datetime | None:
    if status not in PAID and status != row["status"]:
        return None  # it ended just now; what comes after all, the gateway says
    if status == "pending":
        return next_look(row["created_at"], now)
    return now + LONGEST_WAIT if reserved else None


def _is_hopeless(row: Row, now: datetime) -> bool:
    return bool(row["status"] == "pending" and row["created_at"] + GIVE_UP_AFTER < now)
