"""Every day: what gateways say of payments is held against ours. Money that nobody here knows of is found so, whatever was lost.

Gateways that keep lists are asked for those of the last days, a day at a time; of what is older, and of gateways without lists,
payments that came are read again, ever more seldom: a refund at the gateway's own desk or a dispute may come months later. What
was paid back is read again each day while a bank may still send it home.

Each gateway is a walk of its own: it goes on where it was cut, and tells whether it left something out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from documents.base import Row
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayPayment
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.services.payments.comparing import Comparing
from lms_rt.services.payments.findings import Findings
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.refund_looking import RefundLooking
from lms_rt.services.payments.settling import Settling
from lms_rt.services.payments.walking import Page, Run, tried, walk

PAGE = 25
"""So many payments are read between two notes of how far it is."""
_DAY = timedelta(days=1)
COMPARED = timedelta(days=7)
"""So far back lists are asked for each day, so that a comparison that did not run for days leaves nothing out."""
FRESH = timedelta(minutes=10)
"""What is younger is on its way."""
MOST_FAILURES = 20
"""After so many that could not be compared the gateway is away, or something is broken: the rest is compared tomorrow."""
AGES_DAYS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)
"""On these days after it came a payment is read again."""
COMES_BACK = timedelta(days=45)
"""So long a bank may send home what was paid back; a card that was closed meanwhile takes weeks."""

_log = logging.getLogger(__name__)


def walk_of(gateway: str) -> str:
    """What the walk of a gateway's comparison is called."""
    return f"compare:{gateway}"


class Comparison:
    """Compares."""

    def __init__(
        self, *, clock: Clock, gateways: Gateways, settling: Settling, findings: Findings, looking: RefundLooking
    ) -> None:
        self._clock, self._gateways, self._looking = clock, gateways, looking
        self._comparing = Comparing(settling=settling, findings=findings)

    async def compare_all(self, run: Run | None = None) -> int:
        """All gateways; how many payments were compared. One that is away is compared tomorrow."""
        run, seen = run or Run(self._clock), 0
        for gateway in self._gateways.all():
            seen += await walk(walk_of(gateway.name.value), partial(self._step, gateway), run)
        return seen

    async def _step(self, gateway: PaymentGateway, state: Row) -> Page:
        """One page of what is to be compared; after too many failures that was all for today."""
        part = state.get("part") or ("list" if gateway.has_lists else "again")
        do = {"list": self._listed, "again": self._again, "refunds": self._refunded}[part]
        page = await do(gateway, state | {"part": part})
        if page.state is not None:
            page.state["failed"] = state.get("failed", 0) + page.failed
            if page.state["failed"] >= MOST_FAILURES:
                _log.error("the payments of %s could not all be compared", gateway.name.value)
                page.state = None
        return page

    async def _listed(self, gateway: PaymentGateway, state: Row) -> Page:
        """A day of its list. What cannot be compared is told, and keeps nothing else from being compared."""
        until = state["began"] - FRESH
        begin = state.get("listed") or until - COMPARED
        end, name = min(begin + _DAY, until), gateway.name.value
        page = Page(state | {"listed": end} if end < until else {"began": state["began"], "part": "again"})
        try:
            async for read in gateway.payments_between(begin, end):
                await self._counted(page, name, read)
                if page.failed >= MOST_FAILURES:
                    break
        except Exception as error:  # noqa: BLE001 - whatever it is about this list, the rest is compared
            _log.error("a day of %s could not be compared whole: %s", name, type(error).__name__)
            page.failed += 1
        return page

    async def _again(self, gateway: PaymentGateway, state: Row) -> Page:
        """What no list tells of any more, of one age after the other."""
        age, after = state.get("age", 0), state.get("after")
        until = state["began"] - AGES_DAYS[age] * _DAY
        rows = await Payment.find_completed(gateway.name.value, until - _DAY, until, after=after, limit=PAGE)
        page = Page(state | {"after": _place(rows)})
        if len(rows) < PAGE:
            is_last = age + 1 == len(AGES_DAYS)
            page.state = {**state, "after": None, "age": age + 1}
            if is_last:
                page.state = {"began": state["began"], "part": "refunds"}
        for row in rows:
            if row.get("intent_id") is not None and not self._is_listed(gateway, row, state):
                await self._read_again(gateway, row, page)
        return page

    async def _refunded(self, gateway: PaymentGateway, state: Row) -> Page:
        """Refunds that a bank may have sent home since."""
        since, until = state["began"] - COMES_BACK, state["began"] - _DAY
        rows = await Refund.find_completed(gateway.name.value, since, until, after=state.get("after"), limit=PAGE)
        page = Page(state | {"after": _place(rows)} if len(rows) == PAGE else None)
        for row in {row["payment_id"]: row for row in rows}.values():
            done = await tried(
                f"what was paid back of {row['payment_id']}",
                self._looking.look_back(row["gateway"], row["intent_id"], row["payment_id"]),
            )
            page.seen, page.failed = page.seen + done, page.failed + (not done)
        return page

    async def _read_again(self, gateway: PaymentGateway, row: Row, page: Page) -> None:
        async def read() -> None:
            await self._comparing.compare(row["gateway"], await gateway.read_payment(row["intent_id"]))

        done = await tried(f"payment {row['_id']}", read())
        page.seen, page.failed = page.seen + done, page.failed + (not done)

    async def _counted(self, page: Page, gateway: str, read: GatewayPayment) -> None:
        done = await tried(f"{read.intent_id} of {gateway}", self._comparing.compare(gateway, read))
        page.seen, page.failed = page.seen + done, page.failed + (not done)

    @staticmethod
    def _is_listed(gateway: PaymentGateway, row: Row, state: Row) -> bool:
        return bool(gateway.has_lists and row["created_at"] > state["began"] - COMPARED)


def _place(rows: Iterable[Row]) -> list[object] | None:
    """Where the next page begins: after the last of these."""
    last = next(iter(reversed(list(rows))), None)
    return None if last is None else [last["completed_at"], last["_id"]]
