"""Is this node ready? Asks each thing that it leans on, with a timeout. Not for metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from config.settings import VERSION
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.contracts.health import ChecksView, CheckView, ReadyView
from lms_rt.ids import new_id
from lms_rt.services.task_figures import TaskFigures
from lms_rt.storage.mongo import OpenDatabase

PROBE_SECONDS = 2.0
MAX_CLOCK_ERROR_MS = 250

Probe = Callable[[], Awaitable[object]]
"""Returns when the thing answers, raises when it does not."""

_UNUSED = CheckView(state="unused")
_log = logging.getLogger(__name__)


class Health:
    """Closed until the process serves, and again while it shuts down."""

    def __init__(
        self,
        *,
        clock: Clock,
        node: str,
        version: str,
        database: Probe,
        redis: Probe | None = None,
        tasks: Probe | None = None,
    ) -> None:
        self._clock, self._node, self._version = clock, node, version
        self._database, self._redis, self._tasks = database, redis, tasks
        self.storage: Probe | None = None
        """Where files lie, if there are any."""
        self._is_open = False

    @property
    def node_id(self) -> str:
        """By what name this node is known."""
        return self._node

    def open(self) -> None:
        """The process serves from now on."""
        self._is_open = True

    def close(self) -> None:
        """The process shuts down: send it nothing new."""
        self._is_open = False

    async def ready(self) -> ReadyView:
        """The state of everything; `down` without the database, while starting and while shutting down."""
        probes = {"database": self._database, "redis": self._redis, "tasks": self._tasks, "storage": self.storage}
        found = dict(zip(probes, await asyncio.gather(*(_probe(*probe) for probe in probes.items())), strict=True))
        for name in ("redis", "tasks", "storage"):  # without these the node goes on, and says so
            if found[name].state == "down":
                found[name] = found[name].model_copy(update={"state": "degraded"})
        checks = ChecksView(**found, clock=self._clock_check())
        return ReadyView(status=self._status(checks), checks=checks, node=self._node, version=self._version)

    def _status(self, checks: ChecksView) -> str:
        if not self._is_open or checks.database.state == "down":
            return "down"
        is_degraded = "degraded" in (checks.redis.state, checks.tasks.state, checks.storage.state, checks.clock.state)
        return "degraded" if is_degraded else "ok"

    def _clock_check(self) -> CheckView:
        is_right = self._clock.error_ms <= MAX_CLOCK_ERROR_MS
        return CheckView(state="ok" if is_right else "degraded", latency_ms=0.0)


def health_of(*, clock: Clock, database: OpenDatabase, bus: Bus, task_figures: TaskFigures) -> Health:
    """The health of a node that leans on these. The embedded store's one process runs its jobs itself."""

    async def reach_redis() -> None:
        await bus.reachability.ping()
        if faults := await bus.reachability.faults():
            raise OSError("; ".join(faults))

    async def find_workers() -> None:
        if not database.is_embedded and (queues := await task_figures.find_queues_without_worker()):
            raise OSError(f"no worker was seen lately for {', '.join(queues)}")

    return Health(
        clock=clock,
        node=new_id("nod"),
        version=VERSION,
        database=database.ping,
        redis=None if database.is_embedded else reach_redis,
        tasks=find_workers,
    )


async def _probe(name: str, probe: Probe | None) -> CheckView:
    if probe is None:
        return _UNUSED
    started = time.perf_counter()
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe()
    except Exception as error:  # noqa: BLE001 - whatever it is, the thing does not answer; it is logged and shown
        _log.warning("%s does not answer: %s", name, error)
        return CheckView(state="down", latency_ms=_since(started))
    return CheckView(state="ok", latency_ms=_since(started))


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
