"""Asking a gateway again how an order stands, for its buyer who came back and waits. Not more often than gateways like."""

from __future__ import annotations

from datetime import timedelta

from documents.enums import PaymentStatus
from documents.payment import Payment
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable
from lms_rt.errors import Code, Refused
from lms_rt.services.payments.orders import Orders
from lms_rt.services.payments.settling import Settling

BETWEEN = timedelta(seconds=10)
"""So long one payment is not asked for again, whoever presses how often."""


class LookingAgain:
    """Looks."""

    def __init__(self, *, clock: Clock, orders: Orders, settling: Settling) -> None:
        self._clock, self._orders, self._settling = clock, orders, settling

    async def look(self, actor: Actor, order_id: str) -> None:
        """Settle the newest checkout of an order of one's own by what its gateway says now. 503 when it says nothing."""
        order, at = await self._orders.require_own(actor, order_id), self._clock.now()
        waiting = [row for row in await Payment.find_of_order(order["_id"]) if row["status"] == PaymentStatus.PENDING]
        if not waiting or not await Payment.note_look(waiting[-1]["_id"], at=at, not_since=at - BETWEEN):
            return
        try:
            await self._settling.look(waiting[-1])
        except (GatewayRefused, GatewayUnavailable):
            words = "The gateway does not answer; what was paid is not lost."
            raise Refused(Code.UNAVAILABLE, words, retry_after_seconds=int(BETWEEN.total_seconds())) from None
