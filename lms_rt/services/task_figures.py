"""What is known of background work: how long the queues are, and the workers that report themselves. Not the work itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from documents.base import Row
from documents.enums import JobState
from documents.job import Job
from documents.worker import WorkerRecord
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import PageQuery, page_of
from lms_rt.contracts.jobs import QUEUES, Queue
from lms_rt.contracts.tasks import QueuesView, QueueView, WorkersView, WorkerView
from lms_rt.security.access.operating import require_operator

SEEN_SECONDS = 10.0
"""A worker that was silent for so long is gone."""
SHOWN_SECONDS = 3_600.0
"""So long one that fell silent is still shown, as lost: somebody should look why."""
MAX_WORKERS = 1_000
RATE_SECONDS = 60.0


class TaskFigures:
    """Reports of workers, and what they come to."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    # --- workers tell ---

    async def report(self, worker_id: str, fields: dict[str, Any]) -> None:
        """A worker says how it stands."""
        await WorkerRecord.report(worker_id, {**fields, "seen_at": self._clock.now()})

    async def leave(self, worker_id: str) -> None:
        """A worker ended as it should."""
        await WorkerRecord.leave(worker_id)

    # --- nodes ask ---

    async def find_queues_without_worker(self) -> list[Queue]:
        """The queues that nobody works on now."""
        workers = await self._seen_workers(self._clock.now(), SEEN_SECONDS)
        served = {queue for worker in workers for queue in worker["queues"]}
        return [queue for queue in QUEUES if queue not in served]

    # --- administrators ask ---

    async def show_queues(self, actor: Actor) -> QueuesView:
        """Every queue as it stands now."""
        require_operator(actor)
        now = self._clock.now()
        workers = await self._seen_workers(now, SEEN_SECONDS)
        views = await asyncio.gather(*(_queue_view(queue, now, workers) for queue in QUEUES))
        return QueuesView(as_of=now, queues=views)

    async def list_workers(self, actor: Actor, query: PageQuery) -> WorkersView:
        """The workers that have been heard of lately, those that fell silent too."""
        require_operator(actor)
        now = self._clock.now()
        rows = await self._seen_workers(now, SHOWN_SECONDS)
        views = [_worker_view(row, now) for row in rows[query.skip : query.skip + query.page_size]]
        page = page_of(views, query, len(rows))
        return WorkersView(**dict(page), as_of=now)

    @staticmethod
    async def _seen_workers(now: datetime, seconds: float) -> list[Row]:
        return await WorkerRecord.find_seen_since(now - timedelta(seconds=seconds), limit=MAX_WORKERS)


async def _queue_view(queue: Queue, now: datetime, workers: Sequence[Row]) -> QueueView:
    waiting: Row = {"queue": queue, "state": JobState.WAITING.value}
    done: Row = {"state": JobState.DONE.value, "finished_at": {"$gt": now - timedelta(seconds=RATE_SECONDS)}}
    counts = await asyncio.gather(
        Job.count_matching({**waiting, "due_at": {"$lte": now}}),
        Job.count_matching({**waiting, "due_at": {"$gt": now}}),
        Job.count_matching({"queue": queue, "state": JobState.RUNNING.value}),
        Job.count_matching({**waiting, "tries": {"$gt": 0}}),
        Job.count_matching({"queue": queue, "state": JobState.DEAD.value}),
        Job.count_matching({**done, "queue": queue}),
    )
    oldest = await Job.find_oldest_due(queue)
    return QueueView(
        queue=queue,
        waiting=counts[0],
        later=counts[1],
        running=counts[2],
        retries=counts[3],
        dead=counts[4],
        rate=counts[5],
        oldest_seconds=None if oldest is None or oldest > now else round((now - oldest).total_seconds(), 3),
        workers=sum(queue in row["queues"] for row in workers),
    )


def _worker_view(row: Row, now: datetime) -> WorkerView:
    names = ("host", "pid", "version", "queues", "running", "done", "failed", "started_at", "seen_at")
    is_silent = row["seen_at"] < now - timedelta(seconds=SEEN_SECONDS)
    return WorkerView(id=row["_id"], is_silent=is_silent, **{name: row[name] for name in names})
