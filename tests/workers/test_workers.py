"""Workers as users of background work see them: what is asked for is run, again after a fault, and ends where it can be seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from documents.enums import JobState
from documents.job import Job
from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import (
    FIVE_RETRIES,
    MAX_WAIT_SECONDS,
    OVER_DAYS,
    QUEUES,
    TASK_KINDS,
    JobArgs,
    Retries,
    TaskKind,
)
from lms_rt.ids import new_id
from lms_rt.services.jobs import Failed, Hopeless, NotYet, Taken
from lms_rt.undoing import whole
from tests.house import House
from tests.working import idle, task, working
from workers.lane import CONCURRENCY
from workers.tasks import TASKS

AT_ONCE = Retries((0.0,) * 5)


class NoteArgs(JobArgs):
    """What a test's task is given."""

    words: str = ""


class Notes:
    """A task that notes what it was given, and does what a test wants it to do."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.jobs: list[str] = []
        self.then: Callable[[Services, Taken], Awaitable[None]] | None = None

    async def __call__(self, services: Services, taken: Taken) -> None:
        assert isinstance(taken.args, NoteArgs)
        self.runs.append(taken.args.words)
        self.jobs.append(taken.job_id)
        if self.then is not None:
            await self.then(services, taken)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture(autouse=True)
def kind(notes: Notes) -> Any:
    made = TaskKind("test.note", "progress", NoteArgs, time_limit_seconds=5, retries=AT_ONCE)
    with task(made, notes):
        yield made


@pytest.fixture
async def services(house: House) -> Services:
    """The services of the house, without jobs of other tests."""
    await Job.rows().delete_many({})
    return house.services


async def ask(services: Services, words: str = "", **more: Any) -> str:
    job_id = new_id("job")
    await services.jobs.put(job_id, "test.note", {"words": words}, **more)
    return job_id


async def stored(job_id: str) -> dict[str, Any]:
    row = await Job.find_row(job_id)
    assert row is not None
    return row


def test_every_task_that_can_be_asked_for_has_somebody_who_does_it() -> None:
    assert set(TASKS) - {"test.note"} == {kind.name for kind in TASK_KINDS}
    assert {kind.queue for kind in TASK_KINDS} <= set(QUEUES) == set(CONCURRENCY)


async def test_what_is_asked_for_is_run_once(house: House, services: Services, notes: Notes) -> None:
    async with working(house):
        job_id = await ask(services, "hello")
        await idle(services)
        await services.jobs.put(job_id, "test.note", {"words": "again"})
        await idle(services)
    assert notes.runs == ["hello"]
    row = await stored(job_id)
    assert (row["state"], row["tries"], row["crashes"], "lease_by" in row) == ("done", 0, 0, False)


async def test_what_was_asked_for_while_nobody_worked_is_run_later(
    house: House, services: Services, notes: Notes
) -> None:
    asked = {await ask(services, str(n)) for n in range(250)}
    async with working(house):
        await idle(services)
    assert set(notes.jobs) == asked
    assert len(notes.runs) == 250


async def test_one_wake_up_is_enough_for_as_many_at_once_as_a_queue_may_have(
    house: House, services: Services, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.worker.LOOK_SECONDS", 3600)
    together = asyncio.Barrier(4)

    async def meet(_: Services, __: Taken) -> None:
        await together.wait()

    notes.then = meet
    for _ in range(8):
        await ask(services)
    async with working(house):
        await idle(services)
    assert len(notes.runs) == 8


async def test_a_fault_is_tried_five_times_more_and_then_a_person_is_needed(
    house: House, services: Services, notes: Notes
) -> None:
    async def fail(_: Services, __: Taken) -> None:
        raise Failed("the mail server says no")

    notes.then = fail
    async with working(house):
        job_id = await ask(services)
        await idle(services)
    assert len(notes.runs) == 6
    row = await stored(job_id)
    assert (row["state"], row["tries"], row["error"]) == ("dead", 6, "the mail server says no")
    assert row["finished_at"] <= services.clock.now()


async def test_what_fails_once_succeeds_the_next_time(house: House, services: Services, notes: Notes) -> None:
    async def fail_first(_: Services, taken: Taken) -> None:
        if taken.failures == 0:
            raise ZeroDivisionError

    notes.then = fail_first
    async with working(house):
        job_id = await ask(services)
        await idle(services)
    assert ((await stored(job_id))["state"], len(notes.runs)) == ("done", 2)


async def test_what_is_hopeless_is_not_tried_again(house: House, services: Services, notes: Notes) -> None:
    async def give_up(_: Services, __: Taken) -> None:
        raise Hopeless("no such mailbox")

    notes.then = give_up
    async with working(house):
        job_id = await ask(services)
        await idle(services)
    row = await stored(job_id)
    assert (row["state"], row["error"], len(notes.runs)) == ("dead", "no such mailbox", 1)


async def test_a_server_that_asks_for_patience_is_given_it(house: House, services: Services, notes: Notes) -> None:
    async def ask_for_an_hour(_: Services, __: Taken) -> None:
        raise Failed("come back", retry_after_seconds=3600)

    notes.then = ask_for_an_hour
    async with working(house):
        job_id = await ask(services)
        await idle(services)
    row = await stored(job_id)
    assert row["state"] == "waiting"
    assert timedelta(minutes=59) < row["due_at"] - services.clock.now() <= timedelta(hours=1)


async def test_a_job_that_is_not_yet_due_waits_and_nothing_is_counted(
    house: House, services: Services, notes: Notes
) -> None:
    moment = services.clock.now() + timedelta(days=1)

    async def later(_: Services, __: Taken) -> None:
        raise NotYet(moment)

    notes.then = later
    async with working(house):
        job_id, tomorrow = await ask(services), await ask(services, due_at=moment)
        await idle(services)
    assert len(notes.runs) == 1
    for one in (job_id, tomorrow):
        row = await stored(one)
        assert (row["state"], row["due_at"], row["tries"]) == ("waiting", moment, 0)


async def test_what_takes_too_long_is_ended_and_tried_again(house: House, services: Services, notes: Notes) -> None:
    async def hang_first(_: Services, taken: Taken) -> None:
        if taken.failures == 0:
            await asyncio.Event().wait()

    notes.then = hang_first
    with task(TaskKind("test.short", "webhooks", NoteArgs, time_limit_seconds=0.05, retries=Retries((3600.0,))), notes):
        job_id = new_id("job")
        async with working(house):
            await services.jobs.put(job_id, "test.short", {})
            await idle(services)
        assert (await stored(job_id))["error"] == "it took longer than 0.05 s"


async def test_a_time_out_of_the_tasks_own_is_no_time_limit(house: House, services: Services, notes: Notes) -> None:
    async def time_out(_: Services, taken: Taken) -> None:
        if taken.failures == 0:
            raise TimeoutError("the other server")

    notes.then = time_out
    async with working(house):
        job_id = await ask(services)
        await idle(services)
    assert (await stored(job_id))["error"] == "TimeoutError: the other server"


async def test_a_worker_that_ends_waits_for_the_write_that_a_job_is_in(
    house: House, services: Services, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, is_told_again, told = asyncio.Event(), asyncio.Event(), list[str]()

    async def write() -> None:
        begun.set()
        await is_told_again.wait()
        told.append("written")

    async def hold(_: Services, __: Taken) -> None:
        await whole(write())

    notes.then = hold
    monkeypatch.setattr("workers.lane.HAND_BACK_SECONDS", 0.0)
    async with working(house, "progress") as worker:
        await ask(services)
        await begun.wait()
        lane = worker._lanes["progress"]
        closing = asyncio.create_task(lane.close(patience_seconds=0))
        while lane._runners:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        for _ in range(10):  # turns in which it could end
            await asyncio.sleep(0)
        assert not closing.done()
        is_told_again.set()
        await closing
        assert told == ["written"]


async def test_waits_grow_are_drawn_and_end() -> None:
    waits = [[FIVE_RETRIES.wait_seconds(failures) for _ in range(200)] for failures in range(1, 6)]
    for failures, drawn in enumerate(waits, 1):
        most = min(10 * 2 ** (failures - 1), MAX_WAIT_SECONDS)
        assert all(wait is not None and 0 <= wait <= most for wait in drawn)
        assert len(set(drawn)) > 100
    assert FIVE_RETRIES.wait_seconds(6) is None
    assert sum(OVER_DAYS.waits_seconds) > 3 * 24 * 3600


async def test_what_a_newer_version_asked_for_waits_for_a_newer_worker(
    house: House, services: Services, notes: Notes
) -> None:
    job_id = await ask(services, "later")
    await Job.rows().update_one({"_id": job_id}, {"$set": {"task": "test.unheard_of"}})
    other = await ask(services, "strange")
    await Job.rows().update_one({"_id": other}, {"$set": {"args": {"colour": "red"}}})
    async with working(house):
        await idle(services)
        row = await stored(job_id)
        assert (row["state"], row["tries"], row["due_at"] > services.clock.now()) == ("waiting", 0, True)
        assert "no such task" in row["error"]
        assert "red" not in (await stored(other))["error"]
        await Job.rows().update_one({"_id": job_id}, {"$set": {"task": "test.note", "due_at": services.clock.now()}})
        await idle(services)
    assert notes.runs == ["later"]


async def test_what_no_worker_can_read_for_a_day_is_shown_to_a_person(
    house: House, services: Services, notes: Notes
) -> None:
    job_id = await ask(services)
    past = services.clock.now() - timedelta(days=1, seconds=1)
    await Job.rows().update_one({"_id": job_id}, {"$set": {"task": "test.unheard_of", "unread_since": past}})
    async with working(house):
        await idle(services)
    assert (await stored(job_id))["state"] == "dead"


async def test_no_line_of_the_log_tells_what_a_job_is_about(
    house: House, services: Services, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Services, taken: Taken) -> None:
        assert isinstance(taken.args, NoteArgs)
        if taken.failures:
            raise Failed(f"refused {taken.args.words}")
        raise ValueError(taken.args.words)

    notes.then = fail
    caplog.set_level(logging.DEBUG)
    async with working(house):
        job_id = await ask(services, "reset-me-8472")
        await idle(services)
    assert job_id in caplog.text
    assert "ValueError" in caplog.text
    assert "in fail" in caplog.text, "where it happened is told"
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("pymongo")]
    assert "reset-me-8472" not in "\n".join(ours)


async def test_two_workers_share_the_work_and_double_nothing(house: House, services: Services, notes: Notes) -> None:
    async def give_way(_: Services, __: Taken) -> None:
        await asyncio.sleep(0)

    notes.then = give_way
    async with working(house), working(house):
        asked = [await ask(services, str(n)) for n in range(120)]
        await idle(services)
    assert sorted(notes.jobs) == sorted(asked)


async def test_a_lost_job_does_not_wait_behind_what_was_looked_up_long_ago(
    house: House, services: Services, notes: Notes
) -> None:
    may_end, at_once = asyncio.Event(), CONCURRENCY["progress"]
    are_busy = asyncio.Event()

    async def wait(services: Services, taken: Taken) -> None:
        if len(notes.runs) == at_once:
            are_busy.set()
        await may_end.wait()

    notes.then = wait
    for _ in range(at_once):
        await ask(services, "first")
    for _ in range(at_once):
        await ask(services, "later")
    async with working(house) as worker:
        await are_busy.wait()
        # long ago: a lane that is behind takes what has waited as long as it is late
        lost, lease_end = await ask(services, "lost"), services.clock.now() - timedelta(minutes=1)
        running = {"state": JobState.RUNNING.value, "lease_until": lease_end, "lease_by": "nobody"}
        await Job.rows().update_one({"_id": lost}, {"$set": running})
        worker._lanes["progress"]._found_at = 0.0
        may_end.set()
        await idle(services)
    assert "lost" in notes.runs[at_once : 2 * at_once]
    assert len(notes.runs) == 2 * at_once + 1


async def test_a_worker_of_some_queues_leaves_the_others_alone(house: House, services: Services, notes: Notes) -> None:
    with task(TaskKind("test.hook", "webhooks", NoteArgs), notes):
        hook, note = new_id("job"), await ask(services, "note")
        await services.jobs.put(hook, "test.hook", {"words": "hook"})
        async with working(house, "webhooks"):
            while (await stored(hook))["state"] != JobState.DONE:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert notes.runs == ["hook"]
        assert (await stored(note))["state"] == "waiting"
