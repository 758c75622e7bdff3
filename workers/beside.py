"""What `serve` is handed by run.py: how workers are woken, and, where there is one process alone, the workers themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from config.settings import Settings
from lms_rt.bootstrap import Services
from lms_rt.bus.base import WakeUps
from lms_rt.services.background import running
from workers.app import Bell, InlineWakeUps, TaskiqWakeUps, broker_in_memory, brokers_on_redis
from workers.scheduler import keeping_time
from workers.worker import Worker

PATIENCE_SECONDS = 5.0
"""So long may a job run on when the one process ends; what does not end is handed back, and runs at the next start."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The work beside a node."""

    wake_ups: WakeUps
    bell: Bell

    @asynccontextmanager
    async def working(self, services: Services) -> AsyncIterator[None]:
        """Run jobs in this process while the body runs, if no other process can, or none shall."""
        is_inline = services.settings.tasks_force_inline
        if not (services.settings.is_embedded or is_inline):
            yield
            return
        worker = Worker(services, is_inline=is_inline)
        self.bell.listener = worker.run_now if is_inline else worker.wake
        schedules = {"schedules": keeping_time(services)} if services.settings.is_embedded else {}
        async with running({**worker.tasks, **schedules}):
            try:
                yield
            finally:
                await worker.close(patience_seconds=PATIENCE_SECONDS)


@asynccontextmanager
async def open_beside(settings: Settings) -> AsyncIterator[Beside]:
    """The wake-ups of a node, open while the body runs."""
    bell = Bell()
    if settings.tasks_force_inline:
        async with broker_in_memory(bell.ring, is_inline=True) as brokers:
            yield Beside(InlineWakeUps(brokers), bell)
        return
    opened = broker_in_memory(bell.ring) if settings.is_embedded else brokers_on_redis(settings, bell.ring)
    async with opened as brokers:
        wake_ups = TaskiqWakeUps(brokers)
        async with running({"wake-ups": wake_ups.run}):
            yield Beside(wake_ups, bell)
