"""Jobs: asked for, leased, ended. They live in the database until they are done; a wake-up is only a hint.

A worker takes a job for `LEASE_SECONDS` and prolongs that while it works. One that dies lets its leases run out, and
whoever looks next takes the job. What a job does is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from documents.base import Row
from documents.enums import JobState
from documents.job import Job
from lms_rt.bus.base import WakeUps
from lms_rt.clock import Clock
from lms_rt.contracts.jobs import JobArgs, TaskKind, task_kind
from lms_rt.ids import random_token
from lms_rt.services import figures

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
"""A worker that dies is missed within the lease, one that is slow may miss two renewals."""
MAX_CRASHES = 5
"""A job that takes its worker along so often is not given to another."""
MAX_ERROR = 500

_log = logging.getLogger(__name__)


class Failed(Exception):
    """A run that did not succeed and that another run may mend. `retry_after_seconds` is the least wait before it."""

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Hopeless(Failed):
    """No further run can succeed: the job is a dead letter at once."""


class NotYet(Exception):
    """The job is to run later; this was no failure."""

    def __init__(self, due_at: datetime) -> None:
        super().__init__(f"not before {due_at.isoformat()}")
        self.due_at = due_at


@dataclass(frozen=True, slots=True)
class Due:
    """A job that may be taken. `is_lost`: whoever had it was never heard of again."""

    job_id: str
    is_lost: bool
    crashes: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A leased job, its arguments read. `failures` runs went before it."""

    job_id: str
    kind: TaskKind
    args: JobArgs
    token: str
    failures: int
    created_at: datetime


class Jobs:
    """The life of jobs."""

    def __init__(self, *, clock: Clock, wake_ups: WakeUps) -> None:
        self._clock, self._wake_ups = clock, wake_ups

    async def put(self, job_id: str, task: str, args: dict[str, Any], *, due_at: datetime | None = None) -> None:
        """Ask for a job; again with the same id changes nothing, even when it is done."""
        kind, now = task_kind(task), self._clock.now()
        due_at = due_at or now
        fields = {
            "queue": kind.queue,
            "task": task,
            "args": args,
            "state": JobState.WAITING.value,
            "due_at": due_at,
            "created_at": now,
            "tries": 0,
            "crashes": 0,
        }
        await Job.put(job_id, fields)
        if due_at <= now:
            await self.wake(kind.queue, job_id)

    async def wake(self, queue: str, job_id: str) -> None:
        """Tell the workers. Never raises: they look for themselves every second."""
        try:
            await self._wake_ups.wake(queue, job_id)
        except Exception as error:  # noqa: BLE001 - a hint; whatever befell it, the job is found
            _log.info("nobody could be woken for %s: %s", job_id, error)

    # --- workers ---

    async def find_due(self, queue: str, *, limit: int) -> list[Due]:
        """What may be taken from a queue now, the most urgent first."""
        rows = await Job.find_due(queue, self._clock.now(), limit=limit)
        return [Due(row["_id"], row["state"] == JobState.RUNNING, row.get("crashes", 0)) for row in rows]

    async def take(self, due: Due, worker_id: str) -> Taken | None:
        """Lease a job; None when somebody else has it, or when it has killed too many workers."""
        now = self._clock.now()
        token = random_token(12)
        lease = {"lease_by": token, "lease_until": self._lease_end(now), "worker": worker_id, "started_at": now}
        row = await Job.take(due.job_id, lease, now=now, is_lost=due.is_lost)
        if row is None:
            return None
        if row["crashes"] > MAX_CRASHES:
            await self._bury(row["queue"], due.job_id, token, f"{row['crashes']} workers were lost while it ran")
            return None
        try:
            kind = task_kind(row["task"])
            args = kind.args.model_validate(row["args"])
        except (KeyError, ValueError) as error:  # of another version of this program, or a fault of ours
            await self._bury(row["queue"], due.job_id, token, f"cannot be read: {error}")
            return None
        return Taken(due.job_id, kind, args, token, row["tries"], row["created_at"])

    async def renew(self, taken: Collection[Taken]) -> set[str]:
        """Prolong leases; the ids of jobs that are no longer this worker's."""
        if not taken:
            return set()
        leases = [(one.job_id, one.token) for one in taken]
        return await Job.renew(leases, self._lease_end(self._clock.now()))

    async def done(self, taken: Taken) -> None:
        """It is done; kept for a while, so that a late repeat meets it."""
        fields: Row = {"state": JobState.DONE.value, "finished_at": self._clock.now()}
        await Job.leave(taken.job_id, taken.token, fields)
        figures.TASKS.labels(taken.kind.queue, "done").inc()

    async def failed(self, taken: Taken, error: BaseException) -> None:
        """It failed: again after a wait, or, after its last try, a dead letter."""
        reason = describe(error)
        wait = None if isinstance(error, Hopeless) else taken.kind.retries.wait_seconds(taken.failures + 1)
        if wait is None:
            await self._bury(taken.kind.queue, taken.job_id, taken.token, reason, failures=1)
            return
        if isinstance(error, Failed) and error.retry_after_seconds is not None:
            wait = max(wait, error.retry_after_seconds)
        fields: Row = {
            "state": JobState.WAITING.value,
            "due_at": self._clock.now() + timedelta(seconds=wait),
            "error": reason,
        }
        await Job.leave(taken.job_id, taken.token, fields, failures=1)
        figures.TASKS.labels(taken.kind.queue, "retried").inc()

    async def postpone(self, taken: Taken, due_at: datetime) -> None:
        """It runs later, and this run does not count."""
        await Job.leave(taken.job_id, taken.token, {"state": JobState.WAITING.value, "due_at": due_at})

    async def hand_back(self, taken: Taken) -> None:
        """This worker ends: another may take it at once, and this run does not count."""
        fields: Row = {"state": JobState.WAITING.value, "due_at": self._clock.now()}
        if await Job.leave(taken.job_id, taken.token, fields):
            await self.wake(taken.kind.queue, taken.job_id)

    async def _bury(self, queue: str, job_id: str, token: str, reason: str, *, failures: int = 0) -> None:
        fields: Row = {"state": JobState.DEAD.value, "finished_at": self._clock.now(), "error": reason[:MAX_ERROR]}
        if await Job.leave(job_id, token, fields, failures=failures):
            _log.error("job %s is a dead letter", job_id)
            figures.TASKS.labels(queue, "dead").inc()

    @staticmethod
    def _lease_end(now: datetime) -> datetime:
        return now + timedelta(seconds=LEASE_SECONDS)


def describe(error: BaseException) -> str:
    """What a person who looks at a dead letter needs to know of the fault."""
    words = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
    return words[:MAX_ERROR]
