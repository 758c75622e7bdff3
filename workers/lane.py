"""One queue in one worker: so many jobs at once, taken as they fall due, and each ended in the database. No brokers."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import deque
from dataclasses import dataclass

from config.logging import current_request_id
from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import Queue
from lms_rt.services import figures
from lms_rt.services.insisting import insist
from lms_rt.services.jobs import Due, Failed, LeaseLost, NotYet, Taken
from lms_rt.undoing import UNDO_SECONDS
from workers.tasks import TASKS

PAGE = 500
"""So many due jobs are looked up at once."""
FRESH_SECONDS = 2.0
"""What was looked up is taken for so long; then somebody looks again, since lost jobs and those due longer come first."""
CONCURRENCY: dict[Queue, int] = {"emails": 10, "certificates": 2, "webhooks": 20, "progress": 4, "payments": 4}
INLINE_SECONDS = 2.0
"""Where whoever asks runs the job, it is looked for only when that did not happen."""
HAND_BACK_SECONDS = 6.0
"""So long may it take to hand back what did not end, when a worker is told to end. What then still takes back what it began,
or does a write to its end, has `UNDO_SECONDS` more: what it uses is open as long."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """A job on its way. `is_lost`: its lease is somebody else's by now."""

    taken: Taken
    task: asyncio.Task[None]
    is_lost: bool = False


class Lane:
    """Runs the jobs of a queue, `CONCURRENCY` at once, until it is closed."""

    def __init__(self, queue: Queue, services: Services, worker_id: str, *, is_inline: bool = False) -> None:
        self.queue = queue
        self._late_seconds = INLINE_SECONDS if is_inline else 0.0
        self.done = self.failed = 0
        self._services, self._worker_id = services, worker_id
        self._runners: set[asyncio.Task[None]] = set()
        self._running: dict[str, _Run] = {}
        self._found: deque[Due] = deque()
        self._found_at = 0.0
        self._looking = asyncio.Lock()
        self._is_called = False
        self._is_closed = False

    @property
    def held(self) -> list[Taken]:
        """The jobs that are being run."""
        return [run.taken for run in self._running.values() if not run.taken.is_done]

    def wake(self) -> None:
        """There may be something to do."""
        self._is_called = True  # whoever is about to go home looks once more
        self._recruit(1)

    async def run_now(self, job_id: str) -> None:
        """Run this job here and at once, if it is due and nobody has it."""
        due = await self._services.jobs.find_one_due(job_id)
        if due is None or self._is_closed:
            return
        if (taken := await self._services.jobs.take(due, self._worker_id)) is not None:
            await self._run(taken)

    def drop(self, tokens: set[str]) -> None:
        """Stop running what was taken with these: the leases were lost, others have the jobs."""
        for token in tokens:
            if (run := self._running.get(token)) is not None and not run.taken.is_done:
                _log.warning("job %s is no longer this worker's", run.taken.job_id)
                run.is_lost = True
                run.task.cancel()

    async def close(self, *, patience_seconds: float) -> None:
        """Take nothing more; let what runs end, and hand back what does not within that time."""
        self._is_closed = True
        self._found.clear()
        if self._runners:
            await asyncio.wait(self._runners, timeout=patience_seconds)
        jobs = {run.task for run in self._running.values()}
        for job in jobs:
            job.cancel()
        if told := jobs | self._runners:
            await asyncio.wait(told, timeout=HAND_BACK_SECONDS)
        left = list(self._runners)
        for runner in left:
            runner.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if jobs:
            await asyncio.wait(jobs, timeout=UNDO_SECONDS)

    def _recruit(self, count: int) -> None:
        """Let so many more work, as far as there is room."""
        for _ in range(min(count, CONCURRENCY[self.queue] - len(self._runners))):
            if not self._is_closed:
                runner = asyncio.create_task(self._work(), name=f"lane {self.queue}")
                self._runners.add(runner)
                runner.add_done_callback(self._runners.discard)

    async def _work(self) -> None:
        try:
            while (taken := await self._take_next()) is not None:
                await self._run(taken)
        except Exception as error:  # noqa: BLE001 - the database is away: every second somebody looks again
            _log.warning("the queue %s could not be worked on: %s", self.queue, type(error).__name__)

    async def _take_next(self) -> Taken | None:
        """A job of this worker's own; None when nothing is due."""
        while not self._is_closed:
            if time.monotonic() - self._found_at > FRESH_SECONDS:
                self._found.clear()
            if self._found:
                if (taken := await self._services.jobs.take(self._found.popleft(), self._worker_id)) is not None:
                    return taken
                continue
            async with self._looking:
                if not self._found and not await self._look():
                    return None
            self._recruit(len(self._found) - 1)
        return None

    async def _look(self) -> bool:
        """Look for due jobs; again when somebody called meanwhile. Is there any?"""
        while not self._is_closed:
            self._is_called = False
            found = await self._services.jobs.find_due(self.queue, limit=PAGE, for_seconds=self._late_seconds)
            self._found_at = time.monotonic()
            held = {taken.job_id for taken in self.held}
            self._found.extend(due for due in found if due.job_id not in held)
            if self._found or not self._is_called:
                break
        return bool(self._found)

    async def _run(self, taken: Taken) -> None:
        """Run one job in a task of its own, which can be cancelled without ending the lane's work."""
        begun = time.perf_counter()
        run = _Run(taken, asyncio.create_task(self._perform(taken), name=f"job {taken.kind.name}"))
        self._running[taken.token] = run
        try:
            await asyncio.wait({run.task})
            figures.TASK_SECONDS.labels(self.queue).observe(time.perf_counter() - begun)
            await self._end(run)
        finally:
            run.task.cancel()
            del self._running[taken.token]

    async def _perform(self, taken: Taken) -> None:
        current_request_id.set(taken.job_id)  # every line that is logged on the way carries it
        limit = asyncio.timeout(taken.kind.time_limit_seconds)
        try:
            async with limit:
                await TASKS[taken.kind.name](self._services, taken)
        except TimeoutError:
            if limit.expired():
                raise Failed(f"it took longer than {taken.kind.time_limit_seconds:g} s") from None
            raise

    async def _end(self, run: _Run) -> None:
        """Tell the database how it ended."""
        jobs, taken = self._services.jobs, run.taken
        if run.is_lost:
            return
        if taken.is_done:  # by the task itself, in the moment when it was
            self.done += 1
            return
        if run.task.cancelled():
            error: BaseException | None = Failed("it was cancelled from within")
            if self._is_closed:
                await insist(lambda: jobs.hand_back(taken))
                return
        else:
            error = run.task.exception()
        match error:
            case None:
                self.done += 1
                await insist(lambda: jobs.done(taken))
            case LeaseLost():
                _log.warning("job %s is no longer this worker's", taken.job_id)
            case NotYet():
                due_at, reason = error.due_at, error.reason
                await insist(lambda: jobs.postpone(taken, due_at, reason))
            case _:
                self.failed += 1
                _log.warning("job %s (%s) failed: %s", taken.job_id, taken.kind.name, _without_words(error))
                fault = error
                await insist(lambda: jobs.failed(taken, fault))


def _without_words(error: BaseException) -> str:
    """What may be logged of a fault: its kind and place. Its words may repeat what the job was about."""
    if isinstance(error, Failed):
        return "for a reason that the job keeps"
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__)[-5:])}"
