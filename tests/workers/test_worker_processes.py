"""Workers as processes of their own on MongoDB and Redis: how they end, what is left by one that is killed, and a Redis that forgets."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from config.settings import Settings
from documents.job import Job
from documents.worker import WorkerRecord
from lms_rt.bootstrap import Services, open_services
from lms_rt.ids import new_id
from tests.conftest import settings_on
from tests.servers.ports import free_port
from tests.servers.redis_server import RedisServer
from tests.servers.workers import LmsWorker
from tests.workers.worker_main import STEP_KINDS, StepNotes
from tests.working import idle, leases_run_out, task
from workers import run
from workers.beside import open_beside

pytestmark = pytest.mark.real

PATIENCE_SECONDS = 20


@dataclass
class Place:
    """A node in this process, and workers beside it."""

    settings: Settings
    services: Services
    redis: RedisServer
    folder: Path
    stack: ExitStack
    notes: StepNotes
    workers: list[LmsWorker] = field(default_factory=list)

    async def worker(self, *queues: str, **given: Any) -> LmsWorker:
        """One more worker; it is ready."""
        log = self.folder / f"worker{len(self.workers)}.log"
        worker = LmsWorker(self.settings, *queues, log=log, given={"notes": str(self.notes.path), **given})
        self.workers.append(worker)
        self.stack.callback(worker.kill)
        await asyncio.to_thread(worker.start)
        return worker

    async def ask(self, name: str = "test.step", **args: Any) -> str:
        job_id = new_id("job")
        await self.services.jobs.put(job_id, name, args)
        return job_id

    async def begun(self, *job_ids: str) -> None:
        """Return once these have begun."""
        await until(lambda: _now(set(job_ids) <= set(self.notes.lines("begun"))))

    async def reported(self) -> int:
        """How many workers there are by their own reports."""
        return await WorkerRecord.rows().count_documents({})


async def _now(fact: bool) -> bool:
    return fact


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


@asynccontextmanager
async def open_place(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Place]:
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        settings = settings_on("real", request, folder, redis_url=redis.url)
        for kind in STEP_KINDS:
            stack.enter_context(task(kind, StepNotes(folder / "never").perform))
        async with open_beside(settings) as beside, open_services(settings, wake_ups=beside.wake_ups) as services:
            yield Place(settings, services, redis, folder, stack, StepNotes(folder / "notes"))
            await services.database.motor.client.drop_database(settings.mongodb_database)


@pytest.fixture
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with open_place(request, tmp_path) as opened:
        yield opened


async def ended(worker: LmsWorker) -> int:
    """Its exit status after a SIGTERM."""
    return await asyncio.to_thread(worker.stop)


async def test_an_idle_worker_shows_its_figures_ends_when_it_is_told_to_and_is_listed_no_more(place: Place) -> None:
    port = free_port()
    worker = LmsWorker(place.settings, metrics=f"127.0.0.1:{port}", log=place.folder / "log")
    worker.is_forked = False  # as an operator starts it
    place.stack.callback(worker.kill)
    await asyncio.to_thread(worker.start)
    await until(lambda: _is(place.reported(), 1))
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:

        async def has_counted() -> bool:
            figures = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
            assert "tasks_total" in figures
            assert "bus_reachable 1.0" in figures
            return 'queue_length{queue="emails"} 0.0' in figures

        await until(has_counted)
    assert await ended(worker) == 0
    assert await place.reported() == 0


async def _is(asked: Awaitable[int], wanted: int) -> bool:
    return await asked == wanted


async def test_a_busy_worker_ends_what_it_can_and_hands_back_the_rest(place: Place) -> None:
    door = place.folder / "door"
    worker = await place.worker(patience_seconds=2.0)
    soon, never = await place.ask(seconds=0.3), await place.ask(until=str(door))
    await place.begun(soon, never)
    assert await ended(worker) == 0
    rows = {row["_id"]: row async for row in Job.rows().find({})}
    assert (rows[soon]["state"], rows[never]["state"]) == ("done", "waiting")
    assert (rows[never]["tries"], rows[never]["crashes"]) == (0, 0)
    door.touch()
    await place.worker()
    await idle(place.services)
    assert place.notes.lines("begun").count(soon) == 1
    assert place.notes.lines("ended").count(never) == 1


async def test_what_a_killed_worker_held_is_run_by_another_when_its_leases_are_over(place: Place) -> None:
    first, _ = await asyncio.gather(place.worker(), place.worker())
    await until(lambda: _is(place.reported(), 2))
    held = [await place.ask(until=str(place.folder / "door")) for _ in range(8)]
    await place.begun(*held)
    pid = first.pid
    first.kill()
    await leases_run_out(pid)
    (place.folder / "door").touch()
    await idle(place.services)
    assert set(place.notes.lines("ended")) == set(held)
    assert all(place.notes.lines("ended").count(job_id) == 1 for job_id in held)
    crashes = [row["crashes"] async for row in Job.rows().find({})]
    assert 0 < sum(crashes) < 8, "one was killed, the other was not"


async def test_a_worker_that_hung_is_taken_for_dead_and_stops_what_is_not_its_own_any_more(place: Place) -> None:
    worker = await place.worker()
    job_id = await place.ask(until=str(place.folder / "door"))
    await place.begun(job_id)
    worker.freeze()
    await leases_run_out()
    other = await place.worker()
    await until(lambda: _now(place.notes.lines("begun").count(job_id) == 2))
    worker.thaw()
    await until(lambda: _logged(worker, "no longer this worker's"))
    (place.folder / "door").touch()
    await idle(place.services)
    assert place.notes.lines("ended") == [job_id]
    assert await ended(worker) == await ended(other) == 0


async def _logged(worker: LmsWorker, words: str) -> bool:
    return words in worker.log.read_text()


async def test_whatever_becomes_of_redis_jobs_are_run_and_workers_are_woken_again(place: Place) -> None:
    worker = await place.worker("progress")
    asked = [await place.ask()]
    await until(lambda: _is_heard(place))
    place.redis.do("FLUSHALL")
    asked += [await place.ask()]
    await until(lambda: _is_heard(place))
    place.redis.kill()
    asked += [await place.ask()]
    await idle(place.services)
    await asyncio.to_thread(place.redis.start)
    asked += [await place.ask()]
    await until(lambda: _is_heard(place))
    await idle(place.services)
    assert sorted(asked) == sorted(place.notes.lines("ended"))
    assert await ended(worker) == 0


async def test_a_redis_that_forgets_again_and_again_costs_no_job(place: Place) -> None:
    worker = await place.worker()
    asked = []
    for n in range(200):
        asked.append(await place.ask("test.mail" if n % 2 else "test.step"))
        if n % 10 == 0:
            place.redis.do("FLUSHALL")
    await idle(place.services)
    assert sorted(place.notes.lines("ended")) == sorted(asked)
    assert await ended(worker) == 0


async def _is_heard(place: Place) -> bool:
    """Was a wake-up sent, and read?"""
    stream = f"lms:{place.settings.mongodb_database}:tasks:progress"
    return bool(place.redis.do("EXISTS", stream)) and place.redis.do("XLEN", stream) == 0


async def test_wake_ups_are_few_and_hold_no_more_than_a_queue_and_an_id(place: Place) -> None:
    stream = f"lms:{place.settings.mongodb_database}:tasks:emails"
    await place.services.jobs.put_all("test.mail", {new_id("job"): {"seconds": n} for n in range(50)})
    await until(lambda: _now(bool(place.redis.do("XLEN", stream))))
    with Redis.from_url(place.redis.url) as client:
        messages = [json.loads(entry[b"data"]) for _, entry in client.xrange(stream)]
    assert 0 < len(messages) < 50, "many at once are one"
    for message in messages:
        assert message["task_name"] == "jobs.run"
        assert message["args"][0] == "emails"
        assert message["args"][1].startswith("job_")
        assert (len(message["args"]), message["kwargs"]) == (2, {})
    assert 0 < place.redis.do("TTL", stream) <= 24 * 3600


async def test_a_node_says_whether_every_queue_has_a_worker(place: Place) -> None:
    place.services.health.open()
    await place.worker("emails", "progress", "payments")
    await until(lambda: _is(place.reported(), 1))
    ready = await place.services.health.ready()
    assert (ready.status, ready.checks.tasks.state) == ("degraded", "degraded")
    await place.worker("webhooks", "certificates")
    await until(lambda: _is(place.reported(), 2))
    ready = await place.services.health.ready()
    assert (ready.status, ready.checks.tasks.state) == ("ok", "ok")


async def test_a_worker_takes_only_from_the_queues_that_it_was_given(place: Place) -> None:
    await place.worker("progress")
    mail, step = await place.ask("test.mail"), await place.ask("test.step")
    await until(lambda: _now(place.notes.lines("ended") == [step]))
    other = await place.worker("emails", "webhooks")
    await idle(place.services)
    assert place.notes.lines("ended") == [step, mail]
    assert await asyncio.to_thread(other.interrupted) == 0


@pytest.mark.parametrize(("words", "told"), [("emails,letters", "letters"), (" , ", "without a name")])
def test_a_queue_that_is_not_there_is_named(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(argparse.Namespace(queues=words, metrics=None)) == 2
    assert f"there is no queue {told}" in capsys.readouterr().err
