"""Jobs in the one process: `run.py serve` on the embedded store works by itself, and TASKS_FORCE_INLINE lets requests wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from documents.base import with_intents
from documents.course import Course
from documents.job import Job
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.jobs import JobArgs, Retries, TaskKind
from lms_rt.contracts.outbox import Write, job
from lms_rt.ids import new_id
from lms_rt.services.jobs import Failed, Taken
from lms_rt.services.relay import Relay
from tests.conftest import settings_on
from tests.working import idle, task
from workers.beside import open_beside


class ChainArgs(JobArgs):
    """`length` more of the same are asked for."""

    length: int = 0


class Chain:
    """A task that asks for others, and notes who ran."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.failures = 0
        self.then: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, services: Services, taken: Taken) -> None:
        assert isinstance(taken.args, ChainArgs)
        if self.then is not None:
            await self.then()
        if self.failures:
            self.failures -= 1
            raise Failed("not yet")
        self.ran.append(taken.args.length)
        if taken.args.length:
            await services.jobs.put(f"{taken.job_id}.", "test.chain", {"length": taken.args.length - 1})


@pytest.fixture
def chain() -> Any:
    made = Chain()
    with task(TaskKind("test.chain", "progress", ChainArgs, retries=Retries((0.0,) * 5)), made):
        yield made


@asynccontextmanager
async def serving_process(settings: Settings) -> AsyncIterator[Services]:
    """What `serve` opens beside its sockets."""
    async with open_beside(settings) as beside, open_services(settings, wake_ups=beside.wake_ups) as services:
        async with beside.working(services):
            yield services
        if not settings.is_embedded:
            await services.database.motor.client.drop_database(settings.mongodb_database)


async def write(services: Services, length: int) -> str:
    """A change with a job that follows from it, as a request makes it."""
    name, at = new_id("crs"), Write(1, services.clock.now())
    wanted = job(at, "test.chain", {"length": length})
    update = with_intents({"$set": {"version": 1, "slug": name}}, [wanted], at.at)
    await Course.rows().update_one({"_id": name}, update, upsert=True)
    await services.relay.hand_over(Course, name)
    return str(wanted["id"])


@pytest.fixture
def embedded(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings_on("embedded", request, tmp_path)


async def test_the_one_process_works_off_what_follows_from_requests(embedded: Settings, chain: Chain) -> None:
    async with serving_process(embedded) as services:
        job_id = await write(services, 3)
        await idle(services)
        assert chain.ran == [3, 2, 1, 0]
        assert (await Job.find_row(job_id) or {})["state"] == "done"


async def test_nobody_waits_for_a_job_that_hangs(embedded: Settings, chain: Chain) -> None:
    door = asyncio.Event()

    async def wait() -> None:
        await door.wait()

    chain.then = wait
    async with serving_process(embedded) as services:
        async with asyncio.timeout(20):
            await write(services, 0)
        door.set()
        await idle(services)
    assert chain.ran == [0]


async def test_what_was_not_done_when_it_ended_is_done_after_the_next_start(
    embedded: Settings, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.beside.PATIENCE_SECONDS", 0.05)
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    chain.then = hang
    async with serving_process(embedded) as services:
        job_id = await write(services, 0)
        await begun.wait()
    chain.then = None
    async with serving_process(embedded) as services:
        await idle(services)
        row = await Job.find_row(job_id)
    assert chain.ran == [0]
    assert row is not None
    assert (row["state"], row["tries"], row["crashes"]) == ("done", 0, 0)


async def test_inline_a_request_waits_until_all_that_follows_is_done(
    settings: Settings, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Relay, **__: float) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Relay, "run", never)  # the first sweep may find the write, too, and nobody waits for that
    async with serving_process(settings.model_copy(update={"tasks_force_inline": True})) as services:
        job_id = await write(services, 3)
        assert chain.ran == [3, 2, 1, 0]
        assert (await Job.find_row(job_id) or {})["state"] == "done"


async def test_inline_a_fault_is_not_the_requests_and_is_tried_again_behind_it(
    settings: Settings, chain: Chain
) -> None:
    chain.failures = 2
    async with serving_process(settings.model_copy(update={"tasks_force_inline": True})) as services:
        await write(services, 0)
        await idle(services)
    assert chain.ran == [0]
