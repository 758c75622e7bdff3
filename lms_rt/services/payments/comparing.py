"""One payment, as its gateway says it, against ours. What differs is settled, and what differs still is shown to people."""

from __future__ import annotations

import logging

from documents.base import Row
from documents.payment import PAID, Payment
from lms_rt.contracts.gateways import Charged, GatewayPayment, PaidBack
from lms_rt.contracts.payment_findings import FindingKind
from lms_rt.services import figures
from lms_rt.services.payments.findings import Findings, refs_of
from lms_rt.services.payments.payment_facts import knows_disputes
from lms_rt.services.payments.refund_views import currency_of, paid_of
from lms_rt.services.payments.settling import Settling

_KINDS: tuple[FindingKind, ...] = ("unknown_payment", "amount_differs", "state_differs")

_log = logging.getLogger(__name__)


class Comparing:
    """Compares."""

    def __init__(self, *, settling: Settling, findings: Findings) -> None:
        self._settling, self._findings = settling, findings

    async def compare(self, gateway: str, read: GatewayPayment) -> None:
        """Settle what differs; what differs still is shown to people, what does not any more is no longer."""
        for one in await self._settling.told_apart(gateway, read):
            await self._compare(gateway, one)

    async def _compare(self, gateway: str, read: GatewayPayment) -> None:
        row = await _found(gateway, read)
        kind = _difference(row, read)
        if kind == "unknown_payment" and not await self._settling.is_ours(gateway, read):
            figures.PAYMENTS_FOREIGN.labels(gateway).inc()
            kind = None
        if kind is None:
            for one in _KINDS:
                await self._findings.mended(one, _ref(one, row, gateway, read))
            return
        await self._settling.settle(gateway, read.intent_id, key=read.key)
        row = await _found(gateway, read)
        if (left := _difference(row, read)) is None:
            figures.PAYMENTS_MENDED.labels(kind).inc()
            await self._findings.mended(kind, _ref(kind, row, gateway, read))
            _log.warning("money: %s was mended by asking its gateway", kind)
            return
        facts = {"amount": read.money.amount, "currency": read.money.currency, "state": read.state.value}
        facts["refunded"] = refunded_of(read)
        refs = {"gateway": gateway, "intent_id": read.intent_id}
        named = {name: value for name, value in ({} if row is None else refs_of(row)).items() if value}
        await self._findings.found(left, _ref(left, row, gateway, read), refs={**refs, **named}, facts=facts)


def refunded_of(read: GatewayPayment) -> int:
    """What was paid back for good, as read; of gateways that name refunds those that are completed alone."""
    if not read.refunds:
        return read.refunded
    return sum(one.amount for one in read.refunds if one.state is PaidBack.COMPLETED)


async def _found(gateway: str, read: GatewayPayment) -> Row | None:
    """The payment that was read; another one that came of the same checkout is not it."""
    row = await Payment.find_by_intent(gateway, read.intent_id)
    if row is not None or read.key is None:
        return row
    row = await Payment.find_by_key(read.key)
    return row if row is not None and row.get("intent_id") in {None, read.intent_id} else None


def _ref(kind: FindingKind, row: Row | None, gateway: str, read: GatewayPayment) -> str:
    """What a finding of this kind is called: what nobody here knew, by its gateway's name for it."""
    return f"{gateway}:{read.intent_id}" if row is None or kind == "unknown_payment" else str(row["_id"])


def _difference(row: Row | None, read: GatewayPayment) -> FindingKind | None:
    """What is not the same about the money; None: nothing. Checkouts that nobody paid are nobody's concern."""
    is_paid = read.state is Charged.COMPLETED
    if row is None:
        return "unknown_payment" if is_paid else None
    if is_paid != (row["status"] in PAID):
        return "state_differs"
    if not is_paid:
        return None
    if (read.money.amount, read.money.currency) != (paid_of(row), currency_of(row)):
        return "amount_differs"
    if refunded_of(read) != row.get("refunded_amount", 0):
        return "amount_differs"
    return None if knows_disputes(row, read) else "state_differs"
