"""The school in figures, for administrators. What costs a walk through collections is counted once a minute at most."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from config.settings import VERSION
from documents.base import Row
from documents.enums import JobState
from documents.job import Job
from documents.school_figures import counted_figures
from documents.stored_file import StoredFile
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.admin import AdminStatsView
from lms_rt.contracts.jobs import QUEUES
from lms_rt.security.access.operating import require_operator
from lms_rt.services.health import Health
from lms_rt.services.node_reports import NodeReports
from lms_rt.services.payments.revenue import revenue_since
from lms_rt.storage.mongo import OpenDatabase

FRESH = timedelta(minutes=1)
ACTIVE = timedelta(days=30)


class AdminStats:
    """Counts, and asks everything how it stands."""

    def __init__(self, *, clock: Clock, database: OpenDatabase, health: Health, nodes: NodeReports) -> None:
        self._clock, self._database, self._health, self._nodes = clock, database, health, nodes
        self._counted: tuple[datetime, Row] | None = None
        self._turn = asyncio.Lock()

    async def show(self, actor: Actor) -> AdminStatsView:
        """Everything as it stands."""
        require_operator(actor)
        now = self._clock.now()
        counted_at, figures = await self._figures(now)
        ready, nodes, size, beside = await asyncio.gather(
            self._health.ready(),
            self._nodes.list(),
            self._database.find_size_bytes(),
            StoredFile.sum_stored(but_in="gridfs"),
        )
        lengths = await asyncio.gather(*(Job.count_due(queue, now) for queue in QUEUES))
        return AdminStatsView(
            **figures,
            counted_at=counted_at,
            storage_bytes=None if size is None else size + beside,
            queue_lengths=dict(zip(QUEUES, lengths, strict=True)),
            dead_letters=await Job.count_matching({"state": JobState.DEAD.value}),
            connections=sum(node.connections for node in nodes),
            nodes=nodes,
            database=ready.checks.database,
            redis=ready.checks.redis,
            node=self._nodes.node_id,
            version=VERSION,
            uptime_seconds=int((now - self._nodes.started_at).total_seconds()),
        )

    async def _figures(self, now: datetime) -> tuple[datetime, Row]:
        """Those of the last minute, or new ones; whoever asks meanwhile waits for them."""
        async with self._turn:
            if self._counted is None or now - self._counted[0] >= FRESH:
                since = now - ACTIVE
                revenue = await revenue_since(since)
                self._counted = now, {**await counted_figures(since), "revenue_30d": revenue}
            return self._counted
