"""A worker: the lanes of its queues, the renewal of what it holds, and its own report. How it is woken is `app.py`'s."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from config.settings import VERSION
from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import QUEUES, Queue
from lms_rt.ids import new_id
from lms_rt.services.background import Background
from lms_rt.services.jobs import RENEW_SECONDS
from workers.lane import Lane

LOOK_SECONDS = 1.0
"""Everybody looks so often for what nobody was woken for: a lost wake-up costs a second."""
REPORT_SECONDS = 4.0
PATIENCE_SECONDS = 20.0
"""So long may a job run on when the worker is told to end."""

_log = logging.getLogger(__name__)


class Worker:
    """Runs jobs until it is closed. `wake` is called whenever there may be one."""

    def __init__(self, services: Services, queues: Sequence[Queue] = QUEUES, *, is_inline: bool = False) -> None:
        self.worker_id = new_id("wrk")
        self._services = services
        self._lanes: Mapping[str, Lane] = {
            queue: Lane(queue, services, self.worker_id, is_inline=is_inline) for queue in queues
        }
        self._started_at = services.clock.now()

    @property
    def tasks(self) -> dict[str, Background]:
        """What has to run while it works, and until it is closed."""
        return {"jobs": self.look, "leases": self.hold, "worker's report": self.report}

    async def wake(self, queue: str, job_id: str) -> None:  # noqa: ARG002 - whoever looks finds what is due, this one too
        """There may be a job in this queue."""
        if (lane := self._lanes.get(queue)) is not None:
            lane.wake()

    async def run_now(self, queue: str, job_id: str) -> None:
        """Run this job here and now, if it can be had; returns when it has ended. A failed one runs again later."""
        if (lane := self._lanes.get(queue)) is not None:
            await lane.run_now(job_id)

    async def look(self) -> None:
        """Look for due jobs every second, until cancelled."""
        while True:
            for lane in self._lanes.values():
                lane.wake()
            await asyncio.sleep(LOOK_SECONDS)

    async def hold(self) -> None:
        """Prolong the leases of what runs, until cancelled."""
        while True:
            await self._try("the leases could not be renewed", self._renew)
            await asyncio.sleep(RENEW_SECONDS)

    async def report(self) -> None:
        """Say every few seconds how it stands, until cancelled."""
        while True:
            await self._try("this worker could not be reported", self._tell)
            await asyncio.sleep(REPORT_SECONDS)

    async def close(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Take nothing more, let what runs end, hand back what does not."""
        await asyncio.gather(*(lane.close(patience_seconds=patience_seconds) for lane in self._lanes.values()))
        await self._try("this worker's report stays", partial(self._services.task_figures.leave, self.worker_id))

    @staticmethod
    async def _try(words: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do it, and say in one line when the database is away: the next time comes soon."""
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
            _log.warning("%s: %s", words, type(error).__name__)

    async def _renew(self) -> None:
        lost = await self._services.jobs.renew([taken for lane in self._lanes.values() for taken in lane.held])
        for lane in self._lanes.values():
            lane.drop(lost)

    async def _tell(self) -> None:
        lanes = self._lanes.values()
        fields = {
            "queues": list(self._lanes),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": VERSION,
            "started_at": self._started_at,
            "running": sum(len(lane.held) for lane in lanes),
            "done": sum(lane.done for lane in lanes),
            "failed": sum(lane.failed for lane in lanes),
        }
        await self._services.task_figures.report(self.worker_id, fields)
