"""Jobs: asked for, leased, ended. They live in the database until they are done; a wake-up is only a hint.

A worker takes a job for `LEASE_SECONDS` and prolongs that while it works. One that dies lets its leases run out, and
whoever looks next takes the job. What a job does is not known here.

Failures and crashes are counted apart: a job that fails is tried again as its task says; one whose worker was lost while it
ran is not to blame for that, until it was there every time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from config.settings import VERSION
from documents.base import Row
from documents.enums import JobState
from documents.job import Job
from lms_rt.bus.base import WakeUps
from lms_rt.clock import Clock
from lms_rt.contracts.jobs import QUEUES, JobArgs, TaskKind, task_kind
from lms_rt.contracts.mails import HEAD_START_DAYS
from lms_rt.ids import random_token
from lms_rt.services import figures

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
"""A worker that dies is missed within the lease, one that is slow may miss two renewals."""
MAX_CRASHES = 5
"""A job that takes its worker along so often is not given to another."""
SUSPECT_CRASHES = 2
"""From then on it waits a while before it runs again, so that the one to blame and those beside it come apart."""
SUSPECT_SECONDS = 5.0
UNREAD_SECONDS = 60.0
MAX_UNREAD_DAYS = 1
"""A task that this version does not know was asked for by a newer one: for so long it is left for a newer worker."""
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
"""No other server can put a job off for longer."""
SKEW = timedelta(milliseconds=250)
"""A worker whose clock is so far behind must not take what is due at once for what is due in a moment: it would look again in
a second."""
DAY = timedelta(days=1)
FIRST = 16
"""So many of those that wait longest are tried before all others: drawing lots alone, one of thousands is left until the end."""
MAX_ERROR = 500
WATCH_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Failed(Exception):
    """A run that did not succeed and that another run may mend. `retry_after_seconds` is the least wait before it."""

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Hopeless(Failed):
    """No further run can succeed: the job is a dead letter at once."""


class NotYet(Exception):
    """The job is to run later; this was no failure. `reason`: what it waits for, where people should know."""

    def __init__(self, due_at: datetime, reason: str = "") -> None:
        super().__init__(f"not before {due_at.isoformat()}")
        self.due_at, self.reason = due_at, reason


class LeaseLost(Exception):
    """Another worker has the job by now, or may have it: this one is to leave it alone."""


@dataclass(frozen=True, slots=True)
class Due:
    """A job that may be taken, as it was read."""

    row: Row

    @property
    def job_id(self) -> str:
        """Which one."""
        return str(self.row["_id"])

    @property
    def crashes(self) -> int:
        """How many workers were lost while it ran, the last one included."""
        return int(self.row["crashes"]) + int(self.row["state"] == JobState.RUNNING)


@dataclass(slots=True, eq=False)
class Taken:
    """A leased job, its arguments read. `failures` runs went before it. `is_done`: the database knows that it is.

    `queue` is the one that it waits in, which an older version may have chosen otherwise than `kind` does.
    `held_at`: when its lease was asked for that was had last.
    """

    job_id: str
    queue: str
    kind: TaskKind
    args: JobArgs
    token: str
    failures: int
    created_at: datetime
    due_at: datetime
    held_at: datetime
    is_done: bool = False


class Jobs:
    """The life of jobs."""

    def __init__(self, *, clock: Clock, wake_ups: WakeUps) -> None:
        self._clock, self._wake_ups = clock, wake_ups

    async def put(self, job_id: str, task: str, args: dict[str, Any], *, due_at: datetime | None = None) -> None:
        """Ask for a job; again with the same id changes nothing, even when it is done."""
        now = self._clock.now()
        is_due = due_at is None or due_at <= now
        kind = task_kind(task)
        due_at = _at_once(task, args, now) if due_at is None or is_due else due_at
        await Job.put(job_id, _new(kind, args, now, due_at=due_at))
        if is_due:
            await self.wake(kind.queue, job_id)

    async def put_all(self, task: str, args_by_id: Mapping[str, dict[str, Any]]) -> None:
        """The same for many jobs of a task that are due now, in one command."""
        await self.put_due([(job_id, task, args) for job_id, args in args_by_id.items()])

    async def put_due(self, asked: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        """The same for jobs of any tasks, each with its id, its task and its arguments."""
        if not asked:
            return
        now = self._clock.now()
        rows = {
            job_id: _new(task_kind(task), args, now, due_at=_at_once(task, args, now)) for job_id, task, args in asked
        }
        await Job.put_all(rows)
        for job_id, row in rows.items():
            await self.wake(row["queue"], job_id)

    async def wake(self, queue: str, job_id: str) -> None:
        """Tell the workers. Never raises: they look for themselves every second."""
        try:
            await self._wake_ups.wake(queue, job_id)
        except Exception as error:  # noqa: BLE001 - a hint; whatever befell it, the job is found
            _log.info("nobody could be woken for %s: %s", job_id, error)

    # --- workers ---

    async def find_due(self, queue: str, *, limit: int, for_seconds: float = 0.0) -> list[Due]:
        """What may be taken from a queue now, and could be for so long; the most urgent first."""
        rows = await Job.find_due(queue, self._clock.now() - timedelta(seconds=for_seconds), limit=limit)
        if len(rows) == limit:  # many wait, so that workers had better not go through them in the same order
            first, others = rows[:FIRST], rows[FIRST:]
            random.shuffle(first)
            random.shuffle(others)
            rows = sorted([*first, *others], key=_head_start, reverse=True)
        return [Due(row) for row in rows]

    async def find_one_due(self, job_id: str) -> Due | None:
        """A job by its id, if it waits; whether it is due, taking it tells."""
        row = await Job.find_row(job_id)
        return Due(row) if row is not None and row["state"] == JobState.WAITING else None

    async def take(self, due: Due, worker_id: str) -> Taken | None:
        """Lease a job; None when somebody else has it, or when it is not to be run now."""
        now, row = self._clock.now(), due.row
        token = random_token(12)
        lease = {"lease_by": token, "lease_until": self._lease_end(now), "worker": worker_id, "started_at": now}
        if not await Job.take(row, lease, now=now):
            return None
        if row["state"] == JobState.RUNNING and due.crashes >= SUSPECT_CRASHES:
            await self._suspect(due, token)
            return None
        try:
            kind = task_kind(row["task"])
            args = kind.args.model_validate(row["args"])
        except (KeyError, ValueError) as error:
            await self._leave_unread(row, token, error)
            return None
        times = row["created_at"], row["due_at"], now
        return Taken(due.job_id, row["queue"], kind, args, token, row["tries"], *times)

    async def _suspect(self, due: Due, token: str) -> None:
        """It was there when several workers were lost: let it run apart from what was there as well, or never again."""
        if due.crashes > MAX_CRASHES:
            await self._bury(due.row["queue"], due.job_id, token, f"{due.crashes} workers were lost while it ran")
            return
        wait = random.uniform(0, SUSPECT_SECONDS * 2 ** (due.crashes - SUSPECT_CRASHES))  # noqa: S311 - only apart
        later: Row = {"state": JobState.WAITING.value, "due_at": self._clock.now() + timedelta(seconds=wait)}
        await Job.leave(due.job_id, token, later)

    async def _leave_unread(self, row: Row, token: str, error: KeyError | ValueError) -> None:
        """Leave it for a worker of another version; after a day nobody is to be expected."""
        now, reason = self._clock.now(), f"cannot be read by {VERSION}: {_where(error)}"
        since = row.get("unread_since") or now
        if now - since > timedelta(days=MAX_UNREAD_DAYS):
            await self._bury(row["queue"], row["_id"], token, reason)
            return
        _log.warning("job %s (%s) %s", row["_id"], row["task"], reason)
        later = now + timedelta(seconds=UNREAD_SECONDS)
        fields: Row = {"state": JobState.WAITING.value, "due_at": later, "unread_since": since, "error": reason}
        await Job.leave(row["_id"], token, fields)

    async def renew(self, taken: Collection[Taken]) -> set[str]:
        """Prolong leases; the tokens of those that are no longer this worker's."""
        now = self._clock.now()
        until = self._lease_end(now)
        kept = await asyncio.gather(*(Job.renew(one.job_id, one.token, until) for one in taken))
        for one, is_kept in zip(taken, kept, strict=True):
            if is_kept:
                one.held_at = now
        return {one.token for one, is_kept in zip(taken, kept, strict=True) if not is_kept}

    async def hold(self, taken: Taken) -> None:
        """Make sure that nobody else can have it for a while, before what cannot be undone. Raises `LeaseLost`.

        Leases are prolonged all the time, so that this asks the database only when that did not go well.
        """
        age = self._clock.now() - taken.held_at
        if age.total_seconds() >= LEASE_SECONDS / 2 and await self.renew([taken]):
            raise LeaseLost

    async def done(self, taken: Taken) -> None:
        """It is done; kept for a while, so that a late repeat meets it, without what only the doing was for."""
        fields: Row = {"state": JobState.DONE.value, "finished_at": self._clock.now()}
        fields |= {f"args.{name}": {} for name in taken.kind.forgets}
        await Job.leave(taken.job_id, taken.token, fields)
        taken.is_done = True
        figures.TASKS.labels(taken.queue, "done").inc()

    async def failed(self, taken: Taken, error: BaseException) -> None:
        """It failed: again after a wait, or, after its last try, a dead letter."""
        reason = describe(error)
        wait = None if isinstance(error, Hopeless) else taken.kind.retries.wait_seconds(taken.failures + 1)
        if wait is None:
            await self._bury(taken.queue, taken.job_id, taken.token, reason, fault=error)
            return
        if isinstance(error, Failed) and error.retry_after_seconds is not None:
            wait = max(wait, min(error.retry_after_seconds, MAX_RETRY_AFTER_SECONDS))
        fields: Row = {
            "state": JobState.WAITING.value,
            "due_at": self._clock.now() + timedelta(seconds=wait),
            "error": reason,
        }
        await Job.leave(taken.job_id, taken.token, fields, failures=1)
        figures.TASKS.labels(taken.queue, "retried").inc()

    async def postpone(self, taken: Taken, due_at: datetime, reason: str = "") -> None:
        """It runs later, and this run does not count."""
        fields: Row = {"state": JobState.WAITING.value, "due_at": due_at}
        if reason:
            fields["error"] = reason[:MAX_ERROR]
        await Job.leave(taken.job_id, taken.token, fields)

    async def hand_back(self, taken: Taken) -> None:
        """Its worker ends: another may take it at once, and this run does not count.

        It keeps its place among those that wait: before all that were asked for since, among them what it asked for itself.
        """
        fields: Row = {"state": JobState.WAITING.value, "due_at": taken.due_at}
        if await Job.leave(taken.job_id, taken.token, fields):
            await self.wake(taken.queue, taken.job_id)

    # --- figures ---

    async def watch(self) -> None:
        """Count every few seconds what is due and not taken, until cancelled."""
        while True:
            try:
                for queue in QUEUES:
                    figures.QUEUE_LENGTH.labels(queue).set(await Job.count_due(queue, self._clock.now()))
            except Exception as error:  # noqa: BLE001 - the database is away, and others say so
                _log.info("the queues could not be counted: %s", type(error).__name__)
            await asyncio.sleep(WATCH_SECONDS)

    async def _bury(
        self, queue: str, job_id: str, token: str, reason: str, *, fault: BaseException | None = None
    ) -> None:
        fields: Row = {"state": JobState.DEAD.value, "finished_at": self._clock.now(), "error": reason[:MAX_ERROR]}
        if await Job.leave(job_id, token, fields, failures=0 if fault is None else 1):
            _log.error("job %s is a dead letter", job_id, extra={"queue": queue, "fault": fault})
            figures.TASKS.labels(queue, "dead").inc()

    @staticmethod
    def _lease_end(now: datetime) -> datetime:
        return now + timedelta(seconds=LEASE_SECONDS)


def _new(kind: TaskKind, args: dict[str, Any], now: datetime, *, due_at: datetime) -> Row:
    return {
        "queue": kind.queue,
        "task": kind.name,
        "args": args,
        "state": JobState.WAITING.value,
        "due_at": due_at,
        "created_at": now,
        "tries": 0,
        "crashes": 0,
    }


def _at_once(task: str, args: Mapping[str, Any], now: datetime) -> datetime:
    """Since when a job is due that may be done now: before others, when it is a mail that somebody waits for."""
    days = HEAD_START_DAYS.get(args["template"], 0) if task == "mail.send" else 0
    return now - SKEW - days * DAY


def _head_start(row: Row) -> int:
    """How many days it was due before it was asked for."""
    ahead: timedelta = row["created_at"] - row["due_at"]
    return max(0, round(ahead / DAY))


def describe(error: BaseException) -> str:
    """What a person who looks at a dead letter needs to know of the fault."""
    words = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
    return words[:MAX_ERROR]


def _where(error: KeyError | ValueError) -> str:
    """What cannot be read, without what was given: that may be private."""
    if isinstance(error, ValidationError):
        return ", ".join(
            ".".join(map(str, fault["loc"])) or fault["type"] for fault in error.errors(include_input=False)
        )
    return "there is no such task" if isinstance(error, KeyError) else type(error).__name__
