"""Every day: what gateways say of payments is held against ours. Money that nobody here knows of is found so, whatever was lost.

Gateways that keep lists are asked for those of the last days; of what is older, and of gateways without lists, payments that
came are read again, ever more seldom: a refund at the gateway's own desk or a dispute may come months later.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from documents.base import Row
from documents.payment import PAID, Payment
from documents.payment_finding import PaymentFinding
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import Charged, GatewayPayment, GatewayRefused, GatewayUnavailable, PaidBack
from lms_rt.contracts.payment_findings import FindingKind
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.services import figures
from lms_rt.services.payments.findings import Findings, refs_of
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.refund_views import currency_of, paid_of
from lms_rt.services.payments.settling import Settling

PAGE = 100
_DAY = timedelta(days=1)
COMPARED = timedelta(days=7)
"""So far back lists are asked for each day, so that a comparison that did not run for days leaves nothing out."""
FRESH = timedelta(minutes=10)
"""What is younger is on its way."""
MOST_FAILURES = 20
"""After so many that could not be compared the gateway is away, or something is broken: the rest is compared tomorrow."""
AGES_DAYS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)
"""On these days after it came a payment is read again."""
_KINDS: tuple[FindingKind, ...] = ("unknown_payment", "amount_differs", "state_differs")

_log = logging.getLogger(__name__)


class Comparison:
    """Compares."""

    def __init__(self, *, clock: Clock, gateways: Gateways, settling: Settling, findings: Findings) -> None:
        self._clock, self._gateways = clock, gateways
        self._settling, self._findings = settling, findings

    async def compare_all(self) -> int:
        """All gateways; how many payments were compared. One that is away is compared tomorrow."""
        known, seen = await _open_findings(), 0
        for gateway in self._gateways.all():
            if gateway.has_lists:
                seen += await self._compare_list(gateway, known)
        return seen + await self._read_again(known)

    async def _compare_list(self, gateway: PaymentGateway, known: frozenset[str]) -> int:
        """All that one lists. What cannot be compared is told, and keeps nothing else from being compared."""
        until, name, seen, failed = self._clock.now() - FRESH, gateway.name.value, 0, 0
        try:
            async for read in gateway.payments_between(until - COMPARED, until):
                is_done = await self._tried(name, read, known)
                seen, failed = seen + is_done, failed + (not is_done)
                if failed == MOST_FAILURES:
                    raise GatewayUnavailable("too many could not be compared")
        except Exception as error:  # noqa: BLE001 - whatever it is about this gateway, the others are compared
            _log.error("the payments of %s could not all be compared: %s", name, type(error).__name__)
        return seen

    async def _tried(self, gateway: str, read: GatewayPayment, known: frozenset[str]) -> bool:
        try:
            await self._compare(gateway, read, known)
        except Exception as error:  # noqa: BLE001 - whatever it is about this payment, the others are compared
            _log.error("%s of %s could not be compared: %s", read.intent_id, gateway, type(error).__name__)
            return False
        return True

    async def _read_again(self, known: frozenset[str]) -> int:
        """What no list tells of any more."""
        now, seen = self._clock.now(), 0
        for days in AGES_DAYS:
            after, until = "", now - days * _DAY
            while rows := await Payment.find_completed(until - _DAY, until, after=after, limit=PAGE):
                for row in rows:
                    seen += await self._read_one(row, known)
                after = rows[-1]["_id"]
        return seen

    async def _read_one(self, row: Row, known: frozenset[str]) -> bool:
        gateway = self._gateways.find(row["gateway"])
        is_listed = row["created_at"] > self._clock.now() - COMPARED
        if gateway is None or row.get("intent_id") is None or (gateway.has_lists and is_listed):
            return False
        try:
            read = await gateway.read_payment(row["intent_id"])
        except (GatewayRefused, GatewayUnavailable) as error:
            _log.warning("payment %s could not be read again: %s", row["_id"], type(error).__name__)
            return False
        return await self._tried(row["gateway"], read, known)

    async def _compare(self, gateway: str, read: GatewayPayment, known: frozenset[str]) -> None:
        """Settle what differs; what differs still is shown to people, what does not any more is no longer."""
        row = await _found(gateway, read)
        kind = _difference(row, read)
        if kind is None:
            for one in _KINDS:
                if f"{one}:{_ref(one, row, gateway, read)}" in known:
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


async def _open_findings() -> frozenset[str]:
    """What is open of the kinds that are found here, by id."""
    found = set[str]()
    for kind in _KINDS:
        after = ""
        while rows := await PaymentFinding.page_open(kind, after=after, limit=PAGE):
            found |= {row["_id"] for row in rows}
            after = rows[-1]["_id"]
    return frozenset(found)


async def _found(gateway: str, read: GatewayPayment) -> Row | None:
    row = await Payment.find_by_intent(gateway, read.intent_id)
    return row if row is not None or read.key is None else await Payment.find_by_key(read.key)


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
    known = {one["id"]: one["state"] for one in row.get("disputes") or ()}
    is_known = all(known.get(one.dispute_id) == one.state.value for one in read.disputes)
    return None if is_known else "state_differs"
