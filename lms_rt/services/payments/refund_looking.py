"""Looking at what became of refunds that were paid back: some come back later, and not every gateway says so of its own accord.

A gateway that names each refund tells of it whenever its payment is read. One that tells a sum is asked for each by its number.
"""

from __future__ import annotations

from documents.enums import RefundStatus
from documents.refund import Refund
from lms_rt.contracts.gateways import GatewayRefused
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.refund_book import RefundBook
from lms_rt.services.payments.settling import Settling

MOST_LOOKED_AT = 20
"""So many refunds of one payment are asked for one by one, the newest: each is a call."""
_MAY_FAIL = frozenset({RefundStatus.PENDING.value, RefundStatus.COMPLETED.value})


class RefundLooking:
    """Looks."""

    def __init__(self, *, gateways: Gateways, settling: Settling, book: RefundBook) -> None:
        self._gateways, self._settling, self._book = gateways, settling, book

    async def look_back(self, gateway: str, intent_id: str, payment_id: str) -> None:
        """Take over what the gateway says now of a payment and of each of its refunds. Raises what the gateway raises."""
        await self.look_at_each(gateway, payment_id)
        await self._settling.settle(gateway, intent_id)

    async def look_at_each(self, gateway_name: str, payment_id: str) -> None:
        """The refunds that a gateway tells of only one by one. Raises `GatewayUnavailable`."""
        gateway = self._gateways.named(gateway_name)
        known = [one for one in await Refund.find_of_payment(payment_id) if one.get("gateway_refund_id")]
        for one in [one for one in known if one["status"] in _MAY_FAIL][-MOST_LOOKED_AT:]:
            try:
                told = await gateway.read_refund(one["gateway_refund_id"])
            except GatewayRefused:
                continue  # a name of our making
            if told is not None and told.amount == one["amount"]:
                await self._book.note(one["_id"], told)
