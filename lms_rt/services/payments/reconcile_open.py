"""Every hour: payments and refunds that should have come to an end are looked at again.

A webhook can be lost, a worker killed, a gateway away for a day. Whatever it was, what counts is read anew and settled.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from documents.base import Row
from documents.enums import RefundStatus
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable
from lms_rt.errors import Refused
from lms_rt.ids import derived_id
from lms_rt.services.jobs import Jobs
from lms_rt.services.payments.findings import Findings
from lms_rt.services.payments.refund_book import TASK as REFUND_TASK
from lms_rt.services.payments.refund_book import UNDER_WAY
from lms_rt.services.payments.settling import Settling
from lms_rt.services.payments.walking import Page, Run, tried, walk

PAGE = 100
WALK = "refunds"
"""What the walk over refunds under way is called."""
_HOUR = timedelta(hours=1)
LOOKED_AT = timedelta(days=30)
"""Longer than anybody takes to pay what was begun; what comes later still is told, or found in the lists."""
STUCK = timedelta(days=1)
"""A refund of which nothing was heard for so long is shown to people."""
STUCK_THERE = timedelta(days=14)
"""So long a gateway that took one may keep it; MyFatoorah's staff, and banks, take days."""

_log = logging.getLogger(__name__)


class OpenPayments:
    """Looks again."""

    def __init__(self, *, clock: Clock, jobs: Jobs, settling: Settling, findings: Findings) -> None:
        self._clock, self._jobs = clock, jobs
        self._settling, self._findings = settling, findings

    async def look(self, run: Run | None = None) -> int:
        """Look at all that is due; at how many. What a run leaves is due still."""
        run, seen, now = run or Run(self._clock), 0, self._clock.now()
        while (rows := await Payment.find_due(now, limit=PAGE)) and not run.is_over():
            for row in rows:
                await tried(f"payment {row['_id']}", self._look_at(row, now))
                run.spend()
                seen += 1
                if run.is_over():
                    return seen
        return seen + await walk(WALK, self._look_at_refunds, run)

    async def _look_at(self, row: Row, now: datetime) -> None:
        """Settle one from what its gateway says now. It is put off first: should this process die of it, the others are looked at.

        What is settled says itself when it is to be looked at next.
        """
        later = None if now - row["created_at"] > LOOKED_AT else now + _HOUR
        if not await Payment.put_off(row["_id"], row["check_at"], later):
            return
        try:
            await self._settling.look(row)
        except (GatewayRefused, GatewayUnavailable, Refused) as error:
            _log.warning("payment %s could not be looked at: %s", row["_id"], type(error).__name__)

    async def _look_at_refunds(self, state: Row) -> Page:
        """Refunds under way of which nothing was heard for an hour, a page of them."""
        until, after = state["began"] - _HOUR, state.get("after", "")
        rows = await Refund.find_standing(UNDER_WAY, until=until, after=after, limit=PAGE)
        page = Page(state | {"after": rows[-1]["_id"]} if len(rows) == PAGE else None)
        for row in rows:
            done = await tried(f"refund {row['_id']}", self._look_at_refund(row, state["began"]))
            page.seen, page.failed = page.seen + done, page.failed + (not done)
        return page

    async def _look_at_refund(self, row: Row, now: datetime) -> None:
        """A job of its own for each: its first may have been given up."""
        hour = now.strftime("%Y-%m-%dT%H")
        await self._jobs.put(derived_id("job", REFUND_TASK, row["_id"], hour), REFUND_TASK, {"refund_id": row["_id"]})
        if now - row["created_at"] > (STUCK if row["status"] == RefundStatus.REQUESTED else STUCK_THERE):
            refs = {name: row[name] for name in ("payment_id", "order_id", "user_id", "gateway")}
            facts = {"amount": row["amount"], "currency": row["currency"], "status": row["status"]}
            await self._findings.found("refund_failed", row["_id"], refs={**refs, "refund_id": row["_id"]}, facts=facts)
