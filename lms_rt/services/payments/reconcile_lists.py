"""Every day: what gateways say of payments is held against ours. Money that nobody here knows of is found so, whatever was lost.

Gateways that keep lists are asked for those of the last days, a day at a time; of what is older, and of gateways without lists,
payments that came are read again, ever more seldom: a refund at the gateway's own desk or a dispute may come months later. What
was paid back is read again each day while a bank may still send it home.

Each gateway is a walk of its own: it goes on where it was cut, and tells whether it left something out.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import partial

from documents.base import Row
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayPayment, GatewayRefused, GatewayUnavailable
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
MOST_MISSED = timedelta(days=30)
"""What came to an age while no round ran, or the gateway was away, is read again by the next one, so far back."""
MOST_LISTED = 2_000
"""So many are compared between two notes of how far a list is; of a day with more, half of it is asked for."""
_SHORTEST = timedelta(minutes=1)
MOST_FAILURES = 20
"""After so many without an answer, one after the other, the gateway is away: this part of the round is left."""
PARTS = ("list", "again", "refunds")
"""In this order."""
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
        self._settling = settling
        self._comparing = Comparing(settling=settling, findings=findings)

    async def compare_all(self, run: Run | None = None) -> int:
        """All gateways; how many payments were compared. One that is away is compared tomorrow."""
        run, seen = run or Run(self._clock), 0
        for gateway in self._gateways.all():
            seen += await walk(walk_of(gateway.name.value), partial(self._step, gateway), run)
        return seen

    async def _step(self, gateway: PaymentGateway, state: Row) -> Page:
        """One page of what is to be compared; a part in which nobody answers any more is left, and the next one begun."""
        part = state.get("part") or ("list" if gateway.has_lists else PARTS[1])
        do = {"list": self._listed, "again": self._again, "refunds": self._refunded}[part]
        looked = _Looked(state.get("away", 0))
        following = await do(gateway, state | {"part": part}, looked)
        if is_left := looked.away >= MOST_FAILURES:
            _log.error("the payments of %s could not all be compared: it is away", gateway.name.value)
        page = Page(following, looked.seen, looked.failed, looked.partly)
        if following is not None and not is_left:
            following["away"] = looked.away
            return page
        is_passed_over = bool(state.get("is_passed_over") or looked.away)
        page.state = _of_round(state) | {"is_passed_over": is_passed_over}
        if part != PARTS[-1]:
            page.state["part"] = PARTS[PARTS.index(part) + 1]
            return page
        return replace(page, state=None, reached=None if is_passed_over else state["began"])

    async def _listed(self, gateway: PaymentGateway, state: Row, looked: _Looked) -> Row | None:
        """A day of its list, or less, where a day holds much. What cannot be compared is told, and keeps nothing else from it."""
        until, name = state["began"] - FRESH, gateway.name.value
        begin = state.get("listed") or min(_goes_on(state) - FRESH, until - COMPARED)
        span = timedelta(seconds=state.get("span", _DAY.total_seconds()))
        end = min(begin + span, until)
        try:
            async for read in gateway.payments_between(begin, end):
                await looked.at(f"{read.intent_id} of {name}", self._compared(name, read))
                if looked.away >= MOST_FAILURES:
                    break
                if looked.seen + looked.failed >= MOST_LISTED and end - begin > _SHORTEST:
                    return state | {"listed": begin, "span": (end - begin).total_seconds() / 2}
        except Exception as error:  # noqa: BLE001 - whatever it is about this list, the rest is compared
            _log.error("a day of %s could not be compared whole: %s", name, type(error).__name__)
            looked.failed += 1
            looked.away += isinstance(error, GatewayUnavailable)
        return state | {"listed": end, "span": min(2 * span, _DAY).total_seconds()} if end < until else None

    async def _again(self, gateway: PaymentGateway, state: Row, looked: _Looked) -> Row | None:
        """What no list tells of any more, of one age after the other: what has come to that age since the last round."""
        age, after = state.get("age", 0), state.get("after")
        older = AGES_DAYS[age] * _DAY
        since, until = _goes_on(state) - older, state["began"] - older
        rows = await Payment.find_completed(gateway.name.value, since, until, after=after, limit=PAGE)
        for row in rows:
            if row.get("intent_id") is not None and not self._is_listed(gateway, row, state):
                await looked.at(f"payment {row['_id']}", self._read_again(gateway, row))
            if looked.away >= MOST_FAILURES:
                break
        if len(rows) == PAGE:
            return state | {"after": _place(rows)}
        return state | {"after": None, "age": age + 1} if age + 1 < len(AGES_DAYS) else None

    async def _refunded(self, gateway: PaymentGateway, state: Row, looked: _Looked) -> Row | None:
        """Refunds that a bank may have sent home since."""
        since, until = state["began"] - COMES_BACK, state["began"] - _DAY
        rows = await Refund.find_completed(gateway.name.value, since, until, after=state.get("after"), limit=PAGE)
        for row in {row["payment_id"]: row for row in rows}.values():
            await looked.at(f"what was paid back of {row['payment_id']}", self._looked_back(row))
            if looked.away >= MOST_FAILURES:
                break
        return state | {"after": _place(rows)} if len(rows) == PAGE else None

    async def _looked_back(self, row: Row) -> _Compared:
        await self._looking.look_back(row["gateway"], row["intent_id"], row["payment_id"])
        return _Compared.WHOLE

    async def _read_again(self, gateway: PaymentGateway, row: Row) -> _Compared:
        return await self._compared(row["gateway"], await gateway.read_payment(row["intent_id"]))

    async def _compared(self, gateway: str, read: GatewayPayment) -> _Compared:
        """Compare it, as far as it could be read. What others sell by the same account is nothing."""
        if read.is_whole or read.money.currency:
            await self._comparing.compare(gateway, read)
        if read.is_whole or not await self._settling.is_ours(gateway, read):
            return _Compared.WHOLE
        return _Compared.PARTLY if read.money.currency else _Compared.NOT

    @staticmethod
    def _is_listed(gateway: PaymentGateway, row: Row, state: Row) -> bool:
        return bool(gateway.has_lists and row["created_at"] > state["began"] - COMPARED)


class _Compared(Enum):
    """How much of a payment could be compared: without whether it was paid again it is a part."""

    WHOLE = "whole"
    PARTLY = "partly"
    NOT = "not"


@dataclass(slots=True)
class _Looked:
    """How much was looked at, of that in part alone, how much could not be, and to how many in a row a gateway gave no answer."""

    away: int
    seen: int = 0
    partly: int = 0
    failed: int = 0

    async def at(self, what: str, doing: Awaitable[_Compared]) -> None:
        """Look at one; `doing` says how much of it could be compared.

        A gateway that says no is there, and what is broken here says nothing of it.
        """
        compared = _Compared.NOT

        async def noted() -> None:
            nonlocal compared
            try:
                compared = await doing
            except GatewayUnavailable:
                self.away += 1
                raise
            except GatewayRefused:
                self.away = 0
                raise
            self.away = 0

        self.seen += await tried(what, noted())
        self.partly += compared is _Compared.PARTLY
        self.failed += compared is _Compared.NOT


def _of_round(state: Row) -> Row:
    """What holds for all parts of a round."""
    return {name: state[name] for name in ("began", "reached") if name in state}


def _goes_on(state: Row) -> datetime:
    """From when on something may have been passed over: a day, or more where the rounds of some nights are missing."""
    began: datetime = state["began"]
    reached: datetime = state.get("reached") or began
    return max(min(reached, began - _DAY), began - MOST_MISSED)


def _place(rows: Iterable[Row]) -> list[object] | None:
    """Where the next page begins: after the last of these."""
    last = next(iter(reversed(list(rows))), None)
    return None if last is None else [last["completed_at"], last["_id"]]
