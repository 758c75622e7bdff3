"""One queue in one worker: so many jobs at once, taken as they fall due, and each ended in the database. No brokers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import Queue
from lms_rt.services import figures
from lms_rt.services.jobs import Due, Failed, NotYet, Taken
from workers.tasks import TASKS

PAGE = 100
"""So many due jobs are looked up at once."""
CONCURRENCY: dict[Queue, int] = {"emails": 10, "certificates": 2, "webhooks": 20, "progress": 4, "payments": 4}

_log = logging.getLogger(__name__)


class Lane:
    """Runs the jobs of a queue, `CONCURRENCY` at once, until it is closed."""

    def __init__(self, queue: Queue, services: Services, worker_id: str) -> None:
        self.queue = queue
        self.done = self.failed = 0
        self._services, self._worker_id = services, worker_id
        self._runners: set[asyncio.Task[None]] = set()
        self._running: dict[str, tuple[Taken, asyncio.Task[None]]] = {}
        self._found: deque[Due] = deque()
        self._looking = asyncio.Lock()
        self._is_called = False
        self._is_closed = False

    @property
    def held(self) -> list[Taken]:
        """The jobs that are being run."""
        return [taken for taken, _ in self._running.values()]

    def wake(self) -> None:
        """There may be something to do."""
        if self._is_closed:
            return
        self._is_called = True  # whoever is about to go home looks once more
        if len(self._runners) < CONCURRENCY[self.queue]:
            runner = asyncio.create_task(self._work(), name=f"lane {self.queue}")
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)

    def drop(self, job_ids: set[str]) -> None:
        """Stop running these: their leases were lost, others have them."""
        for job_id in job_ids:
            if (running := self._running.get(job_id)) is not None:
                _log.warning("job %s is no longer this worker's", job_id)
                running[1].cancel()

    async def close(self, *, patience_seconds: float) -> None:
        """Take nothing more; let what runs end, and hand back what does not within that time."""
        self._is_closed = True
        self._found.clear()
        if self._runners:
            await asyncio.wait(self._runners, timeout=patience_seconds)
        left = list(self._runners)
        for runner in left:
            runner.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while not self._is_closed and (taken := await self._take_next()) is not None:
                await self._run(taken)
        except Exception:  # noqa: BLE001 - the database is away: every second somebody looks again
            _log.exception("the queue %s could not be worked on", self.queue)

    async def _take_next(self) -> Taken | None:
        """A job of this worker's own; None when nothing is due."""
        jobs = self._services.jobs
        while not self._is_closed:
            if not self._found:
                async with self._looking:
                    if not self._found and not await self._look():
                        return None
                continue
            if (taken := await jobs.take(self._found.popleft(), self._worker_id)) is not None:
                return taken
        return None

    async def _look(self) -> bool:
        """Look for due jobs; again when somebody called meanwhile. Is there any?"""
        while True:
            self._is_called = False
            held = set(self._running)
            found = await self._services.jobs.find_due(self.queue, limit=PAGE)
            self._found.extend(one for one in found if one.job_id not in held)
            if self._found or not self._is_called:
                return bool(self._found)

    async def _run(self, taken: Taken) -> None:
        """Run one job in a task of its own, which can be cancelled without ending the lane's work."""
        begun = time.perf_counter()
        run = asyncio.create_task(self._perform(taken), name=f"job {taken.kind.name}")
        self._running[taken.job_id] = taken, run
        try:
            await asyncio.wait({run})
        except asyncio.CancelledError:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await self._services.jobs.hand_back(taken)
            raise
        finally:
            del self._running[taken.job_id]
            figures.TASK_SECONDS.labels(self.queue).observe(time.perf_counter() - begun)
        if not run.cancelled():  # else its lease was lost, and the job is somebody else's
            await self._end(taken, run.exception())

    async def _perform(self, taken: Taken) -> None:
        async with asyncio.timeout(taken.kind.time_limit_seconds):
            await TASKS[taken.kind.name](self._services, taken)

    async def _end(self, taken: Taken, error: BaseException | None) -> None:
        match error:
            case None:
                self.done += 1
                await self._services.jobs.done(taken)
            case NotYet():
                await self._services.jobs.postpone(taken, error.due_at)
            case _:
                self.failed += 1
                _log.warning("job %s (%s) failed", taken.job_id, taken.kind.name, exc_info=_unless_expected(error))
                await self._services.jobs.failed(taken, error)


def _unless_expected(error: BaseException) -> BaseException | None:
    """A traceback for what nobody foresaw; what a task says in words needs none (and may name people)."""
    return None if isinstance(error, Failed | TimeoutError) else error
