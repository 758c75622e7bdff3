"""Jobs that the relay asks for at once: killed between any two steps, met by another relay, and in their right order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from documents.course import Course
from documents.enums import JobState
from documents.job import Job
from lms_rt.bus.memory import SilentWakeUps, memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.outbox import Intent, Write, job
from lms_rt.services import relay as relay_module
from lms_rt.services.jobs import Jobs
from lms_rt.services.relay import Relay
from tests.services.relaying import relay_over

pytestmark = pytest.mark.usefixtures("database")
NAMES = ("crs_1", "crs_2", "crs_3")
STEPS = [(Job, "put_all"), (Course, "pull_last_intents")]


class KilledError(BaseException):
    """The process is gone."""


class Place:
    """A relay, another one of a process beside, and aggregates that were just made."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.relay, self.other = (self._made() for _ in range(2))

    def _made(self) -> Relay:
        return relay_over(memory_bus(self.clock).fan_out, self.clock, [Course])

    async def make(self, name: str, *, jobs: int = 1, due_at: datetime | None = None) -> list[Intent]:
        write = Write(1, self.clock.now())
        outbox = [job(write, "counters.reconcile", {}, due_at=due_at) for _ in range(jobs)]
        row = {"_id": name, "slug": name, "outbox": list(outbox), "outbox_at": write.at}
        await Course.rows().insert_one(row)
        return outbox

    async def hand_over(self, made: dict[str, list[Intent]]) -> None:
        """Let all of them be finished at once; returns when that has ended, or been killed."""
        self.relay._is_finishing = True
        for name, jobs in made.items():
            await self.relay.hand_over_new(Course, name, jobs)
        await self.relay._finish_some(self.relay._some_behind())

    async def is_all_done(self, made: dict[str, list[Intent]]) -> bool:
        """Every job is there once, and no outbox holds anything."""
        wanted = sorted(one["id"] for jobs in made.values() for one in jobs)
        rows = await Job.rows().find({}).to_list(length=None)
        left = await Course.rows().find_one({"outbox_at": {"$exists": True}})
        return sorted(row["_id"] for row in rows) == wanted and left is None


@pytest.fixture
def place() -> Place:
    return Place()


def killed(method: Callable[..., Any], *, is_before: bool) -> Callable[..., Any]:
    async def deadly(*args: Any, **named: Any) -> Any:
        if not is_before:
            await method(*args, **named)
        raise KilledError

    return deadly


@pytest.mark.parametrize("jobs", [1, 2])
async def test_what_was_made_is_done_without_being_read(
    place: Place, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {name: await place.make(name, jobs=jobs) for name in NAMES}
    with monkeypatch.context() as patch:
        patch.setattr(Course, "find_outbox", None)
        await place.hand_over(made)
    assert await place.is_all_done(made)


async def test_a_process_killed_after_the_write_leaves_it_to_the_sweep(place: Place) -> None:
    made = {name: await place.make(name) for name in NAMES}
    assert await place.other.sweep(minimum_age_ms=0) == len(NAMES)
    assert await place.is_all_done(made)


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("document", "step"), STEPS, ids=[step for _, step in STEPS])
async def test_a_process_killed_between_any_two_steps_leaves_what_another_finishes(
    place: Place, document: type[Any], step: str, *, is_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {name: await place.make(name) for name in NAMES}
    with monkeypatch.context() as patch:
        patch.setattr(document, step, killed(getattr(document, step), is_before=is_before))
        with pytest.raises(KilledError):
            await place.hand_over(made)
    await place.other.sweep(minimum_age_ms=0)
    assert await place.is_all_done(made)


async def test_a_fault_of_many_jobs_is_none_of_each(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {name: await place.make(name) for name in NAMES}

    async def broken(rows: dict[str, Any]) -> None:
        job_id = next(iter(rows))
        await Job.put(job_id, rows[job_id])
        raise ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(Job, "put_all", broken)
        await place.hand_over(made)
    assert await place.is_all_done(made)


async def test_two_relays_with_overlapping_sets_ask_once_and_empty_all(place: Place) -> None:
    made = {name: await place.make(name, jobs=2) for name in NAMES}
    half = {name: jobs[:1] for name, jobs in made.items()}
    await asyncio.gather(place.hand_over(half), place.other.sweep(minimum_age_ms=0))
    await place.other.sweep(minimum_age_ms=0)
    assert await place.is_all_done(made)


async def test_a_job_for_later_keeps_its_time_beside_those_that_are_due(place: Place) -> None:
    later = place.clock.now() + timedelta(hours=1)
    made = {name: await place.make(name, due_at=later if name == NAMES[0] else None) for name in NAMES}
    await place.hand_over(made)
    assert await place.is_all_done(made)
    row = await Job.find_row(str(made[NAMES[0]][0]["id"]))
    assert row is not None
    assert row["due_at"] == later


async def test_what_is_handed_over_again_before_it_was_finished_is_finished_whole(place: Place) -> None:
    [first] = await place.make(NAMES[0])
    second = job(Write(2, place.clock.now()), "counters.reconcile", {})
    place.relay._is_finishing = True
    await place.relay.hand_over(Course, NAMES[0])
    await Course.put_intents(NAMES[0], [second], place.clock.now())
    await place.hand_over({NAMES[0]: [second]})
    assert await place.is_all_done({NAMES[0]: [first, second]})


async def test_whoever_makes_one_when_too_many_wait_finishes_it_himself(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "MAX_BEHIND", 0)
    place.relay._is_finishing = True
    made = {NAMES[0]: await place.make(NAMES[0])}
    await place.relay.hand_over_new(Course, NAMES[0], made[NAMES[0]])
    assert await place.is_all_done(made)


async def test_what_was_written_since_stays_and_is_flagged(place: Place) -> None:
    made = {name: await place.make(name) for name in NAMES}
    more = job(Write(2, place.clock.now()), "counters.reconcile", {})
    await Course.put_intents(NAMES[0], [more], place.clock.now())
    await place.hand_over(made)
    row = await Course.rows().find_one({"outbox_at": {"$exists": True}})
    assert row is not None
    assert (row["_id"], [one["id"] for one in row["outbox"]]) == (NAMES[0], [more["id"]])


async def test_jobs_asked_for_at_once_keep_their_head_start_and_what_is_there(place: Place) -> None:
    jobs = Jobs(clock=place.clock, wake_ups=SilentWakeUps())
    mail = {"user_id": "usr_1", "data": {}}
    await jobs.put("job_there", "mail.send", {"template": "course_completion", **mail})
    await Job.rows().update_one({"_id": "job_there"}, {"$set": {"state": JobState.DONE.value}})
    place.clock.advance(60)
    asked = {"job_there": "course_completion", "job_bulk": "course_completion", "job_code": "mfa_code"}
    await jobs.put_due([(name, "mail.send", {"template": template, **mail}) for name, template in asked.items()])
    await jobs.put("job_alone", "mail.send", {"template": "mfa_code", **mail})
    due = [one.job_id for one in await jobs.find_due("emails", limit=10)]
    assert sorted(due[:2]) == ["job_alone", "job_code"]
    assert due[2:] == ["job_bulk"]
    ahead = [await Job.find_row(name) for name in ("job_code", "job_alone")]
    assert ahead[0] is not None
    assert ahead[1] is not None
    assert ahead[0]["due_at"] == ahead[1]["due_at"]
