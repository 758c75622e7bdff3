"""How the comparison with each gateway stands: when it was last whole, and whether the last one left something out.

What nobody could compare is no finding, since nobody knows what is in it: it is a figure, and a line above the findings.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from documents.base import Row
from documents.payment_walk import PaymentWalk
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.payment_findings import ComparisonsView, ComparisonView
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services import figures
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.reconcile_lists import walk_of

WATCH_SECONDS = 60.0
LATE = timedelta(days=1)
"""A round that is under way for longer leaves out what the next night was to compare."""

_log = logging.getLogger(__name__)


class ComparisonState:
    """Tells."""

    def __init__(self, *, clock: Clock, gateways: Gateways) -> None:
        self._clock, self._gateways = clock, gateways

    async def list(self, actor: Actor) -> ComparisonsView:
        """All gateways that are set up."""
        require_treasurer(actor)
        now = self._clock.now()
        return ComparisonsView(items=[_view(name, row, now) for name, row in (await self._rows()).items()])

    async def count(self) -> None:
        """Set the figures; of a gateway that was never compared there is none."""
        now = self._clock.now()
        for name, row in (await self._rows()).items():
            if row is not None:
                age = now - (row.get("complete_at") or row["first_at"])
                figures.PAYMENT_COMPARISON_AGE.labels(name).set(age.total_seconds())
                figures.PAYMENT_COMPARISON_INCOMPLETE.labels(name).set(not _is_complete(row, now))
                for what, count in (("payments", "failed"), ("paid_again", "partly")):
                    figures.PAYMENT_COMPARISON_LEFT_OUT.labels(name, what).set(row.get(count, 0))

    async def watch(self) -> None:
        """Count now and then, until cancelled: one process compares, and another is watched."""
        while True:
            try:
                await self.count()
            except Exception as error:  # noqa: BLE001 - the database is away, and others say so
                _log.info("comparisons could not be counted: %s", type(error).__name__)
            await asyncio.sleep(WATCH_SECONDS)

    async def _rows(self) -> dict[str, Row | None]:
        names = [gateway.name.value for gateway in self._gateways.all()]
        return {name: await PaymentWalk.find_row(walk_of(name)) for name in names}


def _is_complete(row: Row, now: datetime) -> bool:
    """Did the last round that came to its end leave nothing out? Whoever has none, or takes days over the next, has."""
    began = (row.get("state") or {}).get("began")
    is_late = began is not None and now - began > LATE
    return not is_late and row.get("ended_at") is not None and row.get("complete_at") == row["ended_at"]


def _view(name: str, row: Row | None, now: datetime) -> ComparisonView:
    known: Row = row or {}
    return ComparisonView(
        gateway=name,
        is_complete=row is not None and _is_complete(row, now),
        is_under_way=known.get("state") is not None,
        ended_at=known.get("ended_at"),
        complete_at=known.get("complete_at"),
        seen=known.get("seen", 0),
        failed=known.get("failed", 0),
        partly=known.get("partly", 0),
    )
