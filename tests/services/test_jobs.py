"""The life of jobs on a clock to move: who may take one and when, what a lost lease is worth, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from documents.enums import JobState
from documents.job import Job
from lms_rt.bus.base import WakeUps
from lms_rt.clock import FakeClock
from lms_rt.contracts.jobs import FIVE_RETRIES, JobArgs, Retries, TaskKind
from lms_rt.errors import Code, Refused
from lms_rt.services.jobs import (
    FIRST,
    LEASE_SECONDS,
    MAX_CRASHES,
    SUSPECT_SECONDS,
    Failed,
    Hopeless,
    Jobs,
    LeaseLost,
    Taken,
)
from tests.working import task

pytestmark = pytest.mark.usefixtures("database", "kind")


class EmptyArgs(JobArgs):
    """Nothing."""


class Woken(WakeUps):
    """Who was woken; away when a test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.is_away = False

    async def wake(self, queue: str, job_id: str) -> None:
        if self.is_away:
            raise Refused(Code.UNAVAILABLE)
        self.calls.append((queue, job_id))


class Place:
    """Jobs, and workers that take them."""

    def __init__(self) -> None:
        self.clock, self.woken = FakeClock(), Woken()
        self.jobs = Jobs(clock=self.clock, wake_ups=self.woken)

    async def ask(self, job_id: str = "job_1", **more: Any) -> str:
        await self.jobs.put(job_id, "test.empty", {}, **more)
        return job_id

    async def take(self, worker: str = "wrk_1") -> Taken | None:
        """The first that can be had."""
        for due in await self.jobs.find_due("payments", limit=10):
            if (taken := await self.jobs.take(due, worker)) is not None:
                return taken
        return None

    async def must_take(self, worker: str = "wrk_1") -> Taken:
        taken = await self.take(worker)
        assert taken is not None
        return taken


@pytest.fixture
def kind() -> Iterator[None]:
    async def perform(*_: Any) -> None:
        """Nothing."""

    with task(TaskKind("test.empty", "payments", EmptyArgs, retries=Retries((10.0, 20.0), "tenth")), perform):
        yield


@pytest.fixture
def place() -> Place:
    return Place()


async def row(job_id: str = "job_1") -> dict[str, Any]:
    found = await Job.find_row(job_id)
    assert found is not None
    return found


async def test_asked_for_twice_it_is_there_once(place: Place) -> None:
    await asyncio.gather(*(place.ask() for _ in range(10)))
    assert await Job.count_matching({}) == 1
    await place.jobs.done(await place.must_take())
    await place.ask()
    assert (await row())["state"] == "done"
    assert await place.take() is None


async def test_many_are_asked_for_at_once_and_those_that_are_there_stay_as_they_are(place: Place) -> None:
    await place.jobs.put_all("test.empty", {})
    await place.ask("job_2")
    await place.jobs.done(await place.must_take())
    for _ in range(2):
        await place.jobs.put_all("test.empty", {f"job_{number}": {} for number in (1, 2, 3)})
    states = {one["_id"]: one["state"] async for one in Job.rows().find({})}
    assert states == {"job_1": JobState.WAITING, "job_2": JobState.DONE, "job_3": JobState.WAITING}
    assert ("payments", "job_3") in place.woken.calls
    assert {(await place.must_take()).job_id for _ in range(2)} == {"job_1", "job_3"}


async def test_asking_is_not_held_up_by_who_cannot_be_woken(place: Place) -> None:
    place.woken.is_away = True
    await place.ask()
    assert await place.take() is not None


async def test_what_is_due_later_wakes_nobody_and_is_taken_by_nobody_until_then(place: Place) -> None:
    later = place.clock.now().replace(hour=10)
    await place.ask(due_at=later)
    assert place.woken.calls == []
    assert await place.take() is None
    place.clock.advance(3600)
    assert await place.take() is not None


async def test_of_many_who_take_one_has_it(place: Place) -> None:
    await place.ask()
    (due,) = await place.jobs.find_due("payments", limit=10)
    taken = await asyncio.gather(*(place.jobs.take(due, f"wrk_{n}") for n in range(10)))
    assert sum(one is not None for one in taken) == 1


async def test_what_was_read_before_somebody_ran_it_is_not_taken_as_it_was(place: Place) -> None:
    await place.ask()
    (stale,) = await place.jobs.find_due("payments", limit=10)
    await place.jobs.failed(await place.must_take(), Failed("no"))
    place.clock.advance(60)
    assert await place.jobs.take(stale, "wrk_2") is None
    assert (await place.must_take()).failures == 1


@pytest.mark.parametrize("end", ["done", "failed", "postpone", "hand_back"])
async def test_who_lost_the_lease_says_nothing_any_more(place: Place, end: str) -> None:
    await place.ask()
    first = await place.must_take("wrk_1")
    place.clock.advance(LEASE_SECONDS + 0.001)
    second = await place.must_take("wrk_2")
    before = await row()
    await {
        "done": lambda: place.jobs.done(first),
        "failed": lambda: place.jobs.failed(first, Hopeless("no")),
        "postpone": lambda: place.jobs.postpone(first, place.clock.now()),
        "hand_back": lambda: place.jobs.hand_back(first),
    }[end]()
    assert await row() == before
    assert await place.jobs.renew([first, second]) == {first.token}
    await place.jobs.done(second)
    assert ((await row())["state"], (await row())["crashes"]) == ("done", 1)


async def test_a_lease_that_is_renewed_is_kept(place: Place) -> None:
    await place.ask()
    taken = await place.must_take()
    for _ in range(5):
        place.clock.advance(LEASE_SECONDS - 1)
        assert await place.jobs.renew([taken]) == set()
        assert await place.take("wrk_2") is None


async def test_failures_wait_as_the_task_says_and_end(place: Place) -> None:
    await place.ask()
    for wait, failures in ((10.0, 1), (20.0, 2)):
        await place.jobs.failed(await place.must_take(), Failed(f"the {failures}."))
        place.clock.advance(wait * 0.9 - 0.01)
        assert await place.take() is None
        place.clock.advance(wait * 0.2 + 0.02)
    await place.jobs.failed(await place.must_take(), Failed("the last."))
    assert ((await row())["state"], (await row())["tries"], (await row())["error"]) == ("dead", 3, "the last.")


async def test_a_job_that_kills_whoever_has_it_is_given_up_and_one_that_stood_beside_it_is_not(place: Place) -> None:
    await place.ask("job_bad")
    for _ in range(MAX_CRASHES + 1):
        assert (await row("job_bad"))["state"] != "dead"
        taken = await place.take()
        while taken is None:
            place.clock.advance(SUSPECT_SECONDS)
            taken = await place.take()
        place.clock.advance(LEASE_SECONDS + 1)
    assert await place.take() is None
    assert (await row("job_bad"))["state"] == "dead"
    assert "6 workers were lost" in (await row("job_bad"))["error"]
    assert (await row("job_bad"))["tries"] == 0, "nothing failed"


async def test_one_lost_worker_costs_no_more_than_the_lease(place: Place) -> None:
    await place.ask()
    await place.must_take()
    place.clock.advance(LEASE_SECONDS)
    assert await place.take() is None
    place.clock.advance(0.001)
    assert await place.take() is not None


async def test_the_wait_that_a_server_asks_for_is_no_less_and_no_more_than_a_day(place: Place) -> None:
    for job_id, asked, least, most in (
        ("job_1", 3600, 3600, 3600),
        ("job_2", 10**9, 86400, 86400),
        ("job_3", 1, 9, 11),
    ):
        await place.ask(job_id)
        await place.jobs.failed(await place.must_take(), Failed("busy", retry_after_seconds=asked))
        waits = ((await row(job_id))["due_at"] - place.clock.now()).total_seconds()
        assert least <= waits <= most


async def test_the_wait_of_most_tasks_is_drawn_anew_for_each() -> None:
    assert len({FIVE_RETRIES.wait_seconds(3) for _ in range(50)}) == 50


async def test_a_dead_letter_that_is_sent_again_begins_anew(place: Place) -> None:
    await place.ask()
    await place.jobs.failed(await place.must_take(), Hopeless("no"))
    assert await Job.revive("job_1", place.clock.now())
    taken = await place.must_take()
    assert taken.failures == 0
    await place.jobs.done(taken)
    assert not await Job.revive("job_1", place.clock.now())


# --- what somebody waits for ---


async def test_mails_that_somebody_waits_for_pass_what_goes_out_in_bulk(place: Place) -> None:
    def args(template: str) -> dict[str, Any]:
        return {"template": template, "user_id": "usr_1", "data": {}}

    async def found(limit: int) -> list[str]:
        return [due.job_id for due in await place.jobs.find_due("emails", limit=limit)]

    await place.jobs.put_all("mail.send", {f"weekly_{n}": args("weekly_progress") for n in range(20)})
    place.clock.advance(60)
    await place.jobs.put_all("mail.send", {f"invited_{n}": args("invitation") for n in range(3)})
    place.clock.advance(60)
    await place.jobs.put("code", "mail.send", args("mfa_code"), due_at=place.clock.now())
    for limit in (10, 100):  # many wait, which workers take in any order; few
        first = await found(limit)
        assert (first[0], sorted(first[1:4])) == ("code", ["invited_0", "invited_1", "invited_2"])
        assert len(first) == min(limit, 24)
    assert place.clock.now() - (await Job.find_oldest_due("emails") or place.clock.now()) >= timedelta(seconds=120)
    (code,) = await place.jobs.find_due("emails", limit=1)
    taken = await place.jobs.take(code, "wrk_1")
    assert taken is not None
    assert "code" not in await found(100)
    await place.jobs.hand_back(taken)
    assert (await found(10))[0] == "code"


async def test_of_many_those_that_wait_longest_are_tried_first_and_the_others_in_any_order(place: Place) -> None:
    asked = []
    for number in range(FIRST + 60):
        asked.append(await place.ask(f"job_{number:03}"))
        place.clock.advance(1)
    found = [due.job_id for due in await place.jobs.find_due("payments", limit=FIRST + 50)]
    assert set(found[:FIRST]) == set(asked[:FIRST])
    assert set(found) == set(asked[: FIRST + 50])
    assert found[FIRST:] != asked[FIRST : FIRST + 50]


async def test_how_long_the_longest_due_waits_is_no_longer_than_it_was_asked_for(place: Place) -> None:
    await place.jobs.put("code", "mail.send", {"template": "mfa_code", "user_id": "usr_1", "data": {}})
    place.clock.advance(5)
    assert await Job.find_oldest_due("emails") == place.clock.now() - timedelta(seconds=5)


# --- before what cannot be undone ---


async def test_a_lease_that_is_fresh_costs_no_question(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.ask()
    taken = await place.must_take()
    with monkeypatch.context() as away:
        away.setattr(Job, "renew", None)
        await place.jobs.hold(taken)
        place.clock.advance(LEASE_SECONDS / 2)
        with pytest.raises(TypeError):
            await place.jobs.hold(taken)
    await place.jobs.hold(taken)
    place.clock.advance(LEASE_SECONDS - 1)
    assert await place.take("wrk_2") is None  # it was prolonged
    assert await place.jobs.renew([taken]) == set()
    place.clock.advance(LEASE_SECONDS / 2 - 0.1)
    with monkeypatch.context() as away:
        away.setattr(Job, "renew", None)
        await place.jobs.hold(taken)


async def test_a_job_that_another_worker_has_cannot_be_held(place: Place) -> None:
    await place.ask()
    taken = await place.must_take()
    place.clock.advance(LEASE_SECONDS + 1)
    other = await place.must_take("wrk_2")
    with pytest.raises(LeaseLost):
        await place.jobs.hold(taken)
    await place.jobs.hold(other)


async def test_a_job_that_is_handed_back_keeps_its_place_before_what_it_asked_for(place: Place) -> None:
    await place.ask("run")
    place.clock.advance(1)
    taken = await place.must_take()
    for number in range(3):
        place.clock.advance(1)
        await place.ask(f"made_{number}")
    place.clock.advance(60)
    await place.jobs.hand_back(taken)
    assert (await place.must_take()).job_id == "run"


async def test_a_job_that_an_older_version_put_elsewhere_is_handed_back_and_counted_there(place: Place) -> None:
    job_id = await place.ask()
    await Job.rows().update_one({"_id": job_id}, {"$set": {"queue": "progress"}})
    (due,) = await place.jobs.find_due("progress", limit=10)
    taken = await place.jobs.take(due, "wrk_1")
    assert taken is not None
    await place.jobs.hand_back(taken)
    assert place.woken.calls[-1] == ("progress", job_id)
