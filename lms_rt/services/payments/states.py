"""The state machine of money: every way that an order, a payment, a refund or a subscription can go. All that moves asks here.

The tables are data; `docs/payments.md` is drawn from them. What is in none of them does not happen: nothing that was completed
is completed again, and nothing goes back to pending. Money that comes late, after its order ended, is an edge of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from documents.enums import OrderStatus as O
from documents.enums import PaymentStatus as P
from documents.enums import RefundStatus as R
from documents.enums import SubscriptionStatus as S


@dataclass(frozen=True, slots=True)
class Machine:
    """One table: (state, event) to state. `events` says what each event is, for the drawing."""

    name: str
    initial: str
    table: Mapping[tuple[str, str], str]
    events: Mapping[str, str]

    def after(self, state: str, event: str) -> str | None:
        """The state that follows; None: the event does nothing in this state."""
        return self.table.get((state, event))

    def states(self) -> tuple[str, ...]:
        """All states, in the order of the table."""
        found = [self.initial, *(state for pair in self.table.items() for state in (pair[0][0], pair[1]))]
        return tuple(dict.fromkeys(found))


def _machine(name: str, initial: str, events: dict[str, str], table: dict[tuple[str, str], str]) -> Machine:
    plain = {(str(state), event): str(after) for (state, event), after in table.items()}
    return Machine(name, str(initial), MappingProxyType(plain), MappingProxyType(events))


ORDER = _machine(
    "order",
    O.PENDING,
    {
        "pay": "a payment of it came, and matches it",
        "fail": "its time is over, and its last checkout failed",
        "cancel": "the buyer called it off",
        "expire": "its time is over",
        "refund": "all of its payment was paid back",
        "refund_failed": "money that was paid back came back to us",
    },
    {
        (O.PENDING, "pay"): O.COMPLETED,
        (O.PENDING, "fail"): O.FAILED,
        (O.PENDING, "cancel"): O.CANCELLED,
        (O.PENDING, "expire"): O.EXPIRED,
        (O.FAILED, "pay"): O.COMPLETED,
        (O.CANCELLED, "pay"): O.COMPLETED,
        (O.EXPIRED, "pay"): O.COMPLETED,
        (O.COMPLETED, "refund"): O.REFUNDED,
        (O.REFUNDED, "refund_failed"): O.COMPLETED,
    },
)

PAYMENT = _machine(
    "payment",
    P.PENDING,
    {
        "pay": "the gateway says that the money came",
        "fail": "the gateway says that it will not come",
        "cancel": "it was called off before it was paid",
        "expire": "nobody paid in time",
        "ask_refund": "paying back is under way",
        "refund_part": "a part of it is paid back, and nothing is under way",
        "refund_all": "all of it is paid back",
        "refund_none": "nothing is paid back any more, nor under way",
    },
    {
        (P.PENDING, "pay"): P.COMPLETED,
        (P.PENDING, "fail"): P.FAILED,
        (P.PENDING, "cancel"): P.CANCELLED,
        (P.PENDING, "expire"): P.EXPIRED,
        (P.FAILED, "pay"): P.COMPLETED,
        (P.CANCELLED, "pay"): P.COMPLETED,
        (P.EXPIRED, "pay"): P.COMPLETED,
        (P.COMPLETED, "ask_refund"): P.REFUND_PENDING,
        (P.COMPLETED, "refund_part"): P.PARTIALLY_REFUNDED,
        (P.COMPLETED, "refund_all"): P.REFUNDED,
        (P.REFUND_PENDING, "refund_part"): P.PARTIALLY_REFUNDED,
        (P.REFUND_PENDING, "refund_all"): P.REFUNDED,
        (P.REFUND_PENDING, "refund_none"): P.COMPLETED,
        (P.PARTIALLY_REFUNDED, "ask_refund"): P.REFUND_PENDING,
        (P.PARTIALLY_REFUNDED, "refund_all"): P.REFUNDED,
        (P.PARTIALLY_REFUNDED, "refund_none"): P.COMPLETED,
        (P.REFUNDED, "refund_part"): P.PARTIALLY_REFUNDED,
        (P.REFUNDED, "refund_none"): P.COMPLETED,
        (P.REFUNDED, "ask_refund"): P.REFUND_PENDING,
    },
)

REFUND = _machine(
    "refund",
    R.REQUESTED,
    {
        "send": "the gateway took it, and has not paid yet",
        "complete": "the gateway paid back",
        "fail": "the gateway could not, or the money came back later",
        "cancel": "the gateway, or we, called it off",
        "find_pending": "given up or called off here, and under way at the gateway after all",
        "find_completed": "given up or called off here, and paid back after all",
    },
    {
        (R.REQUESTED, "send"): R.PENDING,
        (R.REQUESTED, "complete"): R.COMPLETED,
        (R.REQUESTED, "fail"): R.FAILED,
        (R.REQUESTED, "cancel"): R.CANCELLED,
        (R.PENDING, "complete"): R.COMPLETED,
        (R.PENDING, "fail"): R.FAILED,
        (R.PENDING, "cancel"): R.CANCELLED,
        (R.COMPLETED, "fail"): R.FAILED,
        (R.FAILED, "find_pending"): R.PENDING,
        (R.FAILED, "find_completed"): R.COMPLETED,
        (R.CANCELLED, "find_pending"): R.PENDING,
        (R.CANCELLED, "find_completed"): R.COMPLETED,
    },
)

SUBSCRIPTION = _machine(
    "subscription",
    S.PENDING,
    {
        "activate": "its first payment came",
        "fall_due": "a renewal could not be paid, and is tried again",
        "renew": "a renewal was paid",
        "cancel": "it was ended, by its owner or at the gateway",
        "expire": "what was paid for is over",
    },
    {
        (S.PENDING, "activate"): S.ACTIVE,
        (S.PENDING, "cancel"): S.CANCELLED,
        (S.PENDING, "expire"): S.EXPIRED,
        (S.ACTIVE, "fall_due"): S.PAST_DUE,
        (S.ACTIVE, "cancel"): S.CANCELLED,
        (S.ACTIVE, "expire"): S.EXPIRED,
        (S.PAST_DUE, "renew"): S.ACTIVE,
        (S.PAST_DUE, "cancel"): S.CANCELLED,
        (S.PAST_DUE, "expire"): S.EXPIRED,
        (S.CANCELLED, "expire"): S.EXPIRED,
        (S.EXPIRED, "activate"): S.ACTIVE,
        (S.EXPIRED, "renew"): S.ACTIVE,
    },
)

MACHINES: tuple[Machine, ...] = (ORDER, PAYMENT, REFUND, SUBSCRIPTION)
"""All of them, as they are drawn."""


def money_event(*, due: int, refunded: int, reserved: int) -> str:
    """What a paid payment's sums say of it: which of the refund events of `PAYMENT` holds now."""
    if refunded >= due:
        return "refund_all"
    if reserved > 0:
        return "ask_refund"
    return "refund_part" if refunded > 0 else "refund_none"
