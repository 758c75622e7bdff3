"""What administrators see of background work: queues, workers, and the jobs that nobody could do. Nothing secret is in it."""

from __future__ import annotations

from typing import Any

from lms_rt.contracts.base import Instant, Page, PageQuery, View
from lms_rt.contracts.jobs import Queue


class QueueView(View):
    """One queue as it stands.

    `waiting` are due and not taken, `later` are not due yet; `retries` of these two have failed before. `rate` is how many
    were done in the last minute; `oldest_seconds` is how long the longest due has been waiting.
    """

    queue: Queue
    waiting: int
    later: int
    running: int
    retries: int
    dead: int
    rate: int
    oldest_seconds: float | None
    workers: int


class QueuesView(View):
    """All queues, at one moment."""

    as_of: Instant
    queues: list[QueueView]


class WorkerView(View):
    """One process that runs jobs, by its own report. `is_silent`: it has not reported for so long that it counts as lost."""

    id: str
    host: str
    pid: int
    version: str
    queues: list[str]
    running: int
    done: int
    failed: int
    started_at: Instant
    seen_at: Instant
    is_silent: bool


class WorkersView(Page[WorkerView]):
    """Workers, the oldest first."""

    as_of: Instant


class DeadLetterQuery(PageQuery):
    """By queue and by task; the latest first."""

    queue: str | None = None
    task: str | None = None


class DeadLetterView(View):
    """A job that ran as often as it may, or that no run can help. In `args` and `error` secrets are masked."""

    id: str
    queue: str
    task: str
    args: dict[str, Any]
    state: str
    error: str | None
    tries: int
    crashes: int
    created_at: Instant
    died_at: Instant | None
