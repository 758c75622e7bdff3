"""What `serve` is handed by run.py: how workers are woken, and, where there is one process alone, the workers themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from config.settings import Settings
from lms_rt.bootstrap import Services
from lms_rt.bus.base import WakeUps
from lms_rt.services.background import running
from workers.app import Bell, TaskiqWakeUps, broker_in_memory, brokers_on_redis
from workers.worker import Worker


@dataclass(frozen=True, slots=True)
class Beside:
    """The work beside a node."""

    wake_ups: WakeUps
    bell: Bell

    @asynccontextmanager
    async def working(self, services: Services) -> AsyncIterator[None]:
        """Run jobs in this process while the body runs, if no other process can."""
        if not services.settings.is_embedded:
            yield
            return
        worker = Worker(services)
        self.bell.listener = worker.wake
        async with AsyncExitStack() as stack:
            stack.push_async_callback(worker.close)
            await stack.enter_async_context(running({"jobs": worker.look, "leases": worker.hold}))
            yield


@asynccontextmanager
async def open_beside(settings: Settings) -> AsyncIterator[Beside]:
    """The wake-ups of a node, open while the body runs."""
    bell = Bell()
    opened = broker_in_memory(bell.ring) if settings.is_embedded else brokers_on_redis(settings, bell.ring)
    async with opened as brokers:
        yield Beside(TaskiqWakeUps(brokers), bell)
