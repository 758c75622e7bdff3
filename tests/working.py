"""Workers for tests: a house whose jobs are run, tasks of a test's own, waiting until all work is done, turns of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from pymongo import MongoClient

from config.settings import VERSION, Settings
from documents import DOCUMENTS
from documents.base import Aggregate, Row
from documents.enums import JobState
from documents.job import Job
from documents.worker import WorkerRecord
from lms_rt.bootstrap import Services
from lms_rt.bus.base import WakeUps
from lms_rt.clock import from_ms
from lms_rt.contracts import jobs
from lms_rt.contracts.jobs import QUEUES, Queue, TaskKind
from lms_rt.services.background import running
from workers.tasks import TASKS
from workers.tasks.base import Perform
from workers.worker import Worker

if TYPE_CHECKING:
    from tests.house import House

PATIENCE_SECONDS = 20
"""Nothing here is judged by how long it takes; what is not done within this time is not done."""


_STEP = timedelta(milliseconds=50)


class HouseBell(WakeUps):
    """Wakes the workers that a test lets work in its house; nobody, while there are none."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []

    async def wake(self, queue: str, job_id: str) -> None:
        for worker in self.workers:
            await worker.wake(queue, job_id)


@asynccontextmanager
async def working(house: House, *queues: Queue) -> AsyncIterator[Worker]:
    """A worker over the services of the house, for these queues (none: all), while the body runs."""
    async with working_on(house.services, house.bell, *queues) as worker:
        yield worker


@asynccontextmanager
async def working_on(services: Services, bell: HouseBell, *queues: Queue) -> AsyncIterator[Worker]:
    """The same over services that were opened with this bell."""
    worker = Worker(services, queues or QUEUES)
    bell.workers.append(worker)
    async with running(worker.tasks):
        try:
            yield worker
        finally:
            await worker.close(patience_seconds=1)
            bell.workers.remove(worker)


def pretend_workers(settings: Settings, *, mongodb_url: str = "") -> None:
    """Let every queue of this school have a worker for ever, for tests that ask whether a node is well and run no job."""
    url = mongodb_url or settings.mongodb_url.get_secret_value()
    told = {"queues": list(QUEUES), "seen_at": datetime(2100, 1, 1, tzinfo=UTC), "started_at": datetime.now(UTC)}
    about = {"host": "nowhere", "pid": 1, "version": VERSION, "running": 0, "done": 0, "failed": 0}
    with MongoClient[dict[str, Any]](url) as client:
        client[settings.mongodb_database]["workers"].insert_one({"_id": "wrk_pretended", **told, **about})


async def idle(services: Services) -> None:
    """Return once nothing waits in an outbox, and no job is due or running."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while left := await _left(services):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"still not done: {left}") from None


async def _left(services: Services) -> list[str]:
    """What is still to be done, in words.

    A job may fill an outbox that was looked at already, and be done before it is looked for itself: an end is only what was
    seen while none ran, and none was asked for.
    """
    asked_for = await Job.rows().count_documents({})
    left = await _jobs_left(services) or await _outboxes_left(services) or await _jobs_left(services)
    if left or await Job.rows().count_documents({}) == asked_for:
        return left
    return ["a job was asked for meanwhile"]


async def _outboxes_left(services: Services) -> list[str]:
    for document in DOCUMENTS:
        if issubclass(document, Aggregate):
            row = await document.rows().find_one({"outbox_at": {"$lte": services.clock.now()}}, {"outbox": 1})
            if row is not None:
                return [f"outbox of {row['_id']}: {row.get('outbox')}"]
    return []


async def _jobs_left(services: Services) -> list[str]:
    soon = services.clock.now() + _STEP  # the clock of a node follows that of Redis, and may step back a little
    waiting = {"state": JobState.WAITING.value, "due_at": {"$lte": soon}}
    # One question: a job that fails goes from one state to the other and back, between two it could be seen in neither.
    row = await Job.rows().find_one({"$or": [waiting, {"state": JobState.RUNNING.value}]})
    return [] if row is None else [f"job {row['_id']} ({row['task']}) is {row['state']}: {row.get('error')}"]


async def leases_run_out(*pids: int) -> None:
    """As if the time had gone by after which workers that do not renew are missed: these processes, else all there were.

    What one of them had sent just before it died may be carried out after this: that lease lasts its whole time.
    """
    which: Row = {"state": JobState.RUNNING.value}
    if pids:
        which["worker"] = {"$in": await WorkerRecord.rows().distinct("_id", {"pid": {"$in": list(pids)}})}
    await Job.rows().update_many(which, {"$set": {"lease_until": from_ms(0)}})


@contextmanager
def task(kind: TaskKind, perform: Perform) -> Iterator[None]:
    """A task of the test's own, in the catalogue and in the table of who does it."""
    known, performing = jobs._BY_NAME, cast("dict[str, Perform]", TASKS)
    jobs._BY_NAME = MappingProxyType({**known, kind.name: kind})
    performing[kind.name] = perform
    try:
        yield
    finally:
        jobs._BY_NAME = known
        del performing[kind.name]


@dataclass
class Turns:
    """How often somebody else had their turn on this loop."""

    count: int = 0

    async def take(self) -> None:
        """Again and again, until cancelled."""
        while True:
            self.count += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def turns_beside() -> AsyncIterator[Turns]:
    """Count the turns that others have while the body runs."""
    turns = Turns()
    task = asyncio.create_task(turns.take())
    try:
        yield turns
    finally:
        task.cancel()
