"""Looking at what became of refunds that were paid back: some come back later, and not every gateway says so of its own accord.

A gateway that names each refund tells of it whenever its payment is read. One that tells a sum is asked for each by its number.
"""

from __future__ import annotations

from documents.enums import RefundStatus
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.contracts.gateways import GatewayRefused
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.refund_book import RefundBook
from lms_rt.services.payments.settling import Settling

_MAY_FAIL = frozenset({RefundStatus.PENDING.value, RefundStatus.COMPLETED.value})


class RefundLooking:
    """Looks. Each refund is a call."""

    def __init__(self, *, gateways: Gateways, settling: Settling, book: RefundBook) -> None:
        self._gateways, self._settling, self._book = gateways, settling, book

    async def look_back(self, gateway: str, intent_id: str, payment_id: str) -> None:
        """Take over what the gateway says now of a payment and of each of its refunds. Raises what the gateway raises."""
        await self.look_at_each(gateway, payment_id)
        await self._settling.settle(gateway, intent_id)

    async def look_at_each(self, gateway_name: str, payment_id: str) -> None:
        """The refunds of a payment that a gateway tells of only one by one. Raises `GatewayUnavailable`."""
        gateway = self._gateways.named(gateway_name)
        for row in await Refund.find_of_payment(payment_id):
            if row["status"] not in _MAY_FAIL or not row.get("gateway_refund_id"):
                continue
            try:
                told = await gateway.read_refund(row["gateway_refund_id"])
            except GatewayRefused:
                continue  # a name of our making
            if told is not None and told.amount == row["amount"]:
                await self._book.note(row["_id"], told)

    async def look_at_order(self, gateway: str, payment_id: str) -> None:
        """Those of all payments of its order, of which a word may name no more. Raises `GatewayUnavailable`."""
        payment = await Payment.find_row(payment_id)
        rows = [] if payment is None else await Payment.find_of_order(payment["order_id"])
        for row in rows:
            if row["gateway"] == gateway:
                await self.look_at_each(gateway, row["_id"])
