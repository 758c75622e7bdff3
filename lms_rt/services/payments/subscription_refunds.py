"""Money of subscriptions that went back: whoever got all of it back, or had their bank take it, is not drawn for again.

Otherwise the card would be charged next month for what is closed, or for what its owner said they did not want. Who has a part
paid back goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from documents.base import Row
from documents.enums import PaymentStatus
from documents.payment import Payment
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import Disputed
from lms_rt.contracts.outbox import Intent, Write, effect
from lms_rt.services.payments.changes import PaymentChange
from lms_rt.services.payments.entitlements import AccessRules, is_valid, paid_until
from lms_rt.services.payments.subscription_book import SubscriptionBook
from lms_rt.services.payments.subscription_moves import Move
from lms_rt.services.relay import EffectHandler

PAID_BACK_EFFECT = "subscriptions.paid_back"


def paid_back_of(write: Write, change: PaymentChange) -> Sequence[Intent]:
    """Somebody looks at a subscription when all of a payment of it went back, or a bank took it."""
    before, after = change.before, change.after
    is_back = after["status"] == PaymentStatus.REFUNDED != before["status"]
    if after.get("subscription_id") is None or not (is_back or (change.is_dispute_moved and _is_lost(after))):
        return []
    return [effect(write, PAID_BACK_EFFECT, {"subscription_id": after["subscription_id"], "is_lost": _is_lost(after)})]


class SubscriptionRefunds:
    """Ends what nobody pays for any more."""

    def __init__(self, *, clock: Clock, book: SubscriptionBook, rules: AccessRules) -> None:
        self._clock, self._book, self._rules = clock, book, rules

    def effects(self) -> dict[str, EffectHandler]:
        """What the relay carries out in its name."""
        return {PAID_BACK_EFFECT: self._on_paid_back}

    async def _on_paid_back(self, _: str, data: dict[str, Any]) -> None:
        row = await PlanSubscription.find_row(data["subscription_id"])
        if row is None:
            return
        payments = await Payment.find_last_of_subscription(row["_id"])
        if data["is_lost"] or not self._is_paid(row, payments):
            await self._book.write(row["_id"], self._ending)

    def _is_paid(self, row: Row, payments: Sequence[Row]) -> bool:
        """Does what was paid for it stand? Its money may come, and go back, before a word of the subscription does."""
        if row.get("end_date") is None:
            return any(is_valid(one, self._rules) for one in payments)
        return paid_until(row, payments, self._rules) is not None

    def _ending(self, row: Row) -> Move | None:
        """The next sweep ends it at its gateway, and asks again until that is done."""
        if row.get("must_end") or row.get("is_ended_there"):
            return None
        return Move({"must_end": True, "check_at": self._clock.now()})


def _is_lost(payment: Row) -> bool:
    return Disputed.LOST in {payment.get("dispute"), *(one["state"] for one in payment.get("disputes") or ())}
