"""What the relay does behind those who write: they wait for what is told live and done at once, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from documents.base import with_intents
from documents.course import Course
from documents.job import Job
from lms_rt.bus.base import FanOut
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.outbox import Write, audit, effect, event, job
from lms_rt.services import relay as relay_module
from lms_rt.services.relay import Relay
from tests.services.relaying import relay_over
from tests.services.school import ADMIN

pytestmark = pytest.mark.usefixtures("database")
CHANNEL = "course:1"


class Place:
    """A relay with a log of events that opens when a test lets it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bus = memory_bus(self.clock)
        self.door, self.recorded = asyncio.Event(), list[str]()
        self.effects: list[str] = []
        self.version = 0
        self.relay = self.made(self.bus.fan_out)

    def made(self, fan_out: FanOut) -> Relay:
        relay = relay_over(fan_out, self.clock, [Course], record=self.record)
        relay.register_effect("counted", self.count)
        return relay

    async def record(self, intent: dict[str, Any]) -> None:
        await self.door.wait()
        self.recorded.append(intent["id"])

    async def count(self, intent_id: str, _: dict[str, Any]) -> None:
        self.effects.append(intent_id)

    async def write(self, name: str = "crs_1", relay: Relay | None = None) -> list[str]:
        """A write with an event, an effect and a job; the ids."""
        self.version += 1
        write = Write(self.version, self.clock.now())
        intents = [
            event(write, "course_updated", n=0, channels=[CHANNEL], data={}, record="course.updated"),
            effect(write, "counted", {}),
            job(write, "counters.reconcile", {}),
        ]
        update = with_intents({"$set": {"version": self.version, "slug": name}}, intents, write.at)
        await Course.rows().update_one({"_id": name}, update, upsert=True)
        async with asyncio.timeout(20):
            await (relay or self.relay).hand_over(Course, name)
        return [str(intent["id"]) for intent in intents]

    async def told(self) -> list[str]:
        return [one.event.event_id for one in (await self.bus.history.read(CHANNEL, after=0)).events]

    async def emptied(self) -> None:
        """Return once no outbox holds anything."""
        async with asyncio.timeout(20):
            while await Course.rows().find_one({"outbox_at": {"$exists": True}}):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)


@asynccontextmanager
async def finishing(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.finish())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def place() -> Place:
    return Place()


async def test_who_writes_waits_for_what_is_told_and_done_at_once_alone(place: Place) -> None:
    async with finishing(place.relay):
        event_id, effect_id, job_id = await place.write()
        assert await place.told() == [event_id]
        assert place.effects == [effect_id]
        assert (place.recorded, await Job.find_row(job_id)) == ([], None)
        place.door.set()
        await place.emptied()
    assert place.recorded == [event_id]
    assert await Job.find_row(job_id) is not None
    assert (await place.told(), place.effects) == ([event_id], [effect_id])


async def test_what_an_administrator_did_is_in_the_audit_log_when_the_reply_is_there(place: Place) -> None:
    kept: list[str] = []

    async def keep(intent: dict[str, Any]) -> None:
        kept.append(intent["id"])

    place.relay.register_audit(keep)
    record = audit(Write(1, place.clock.now()), ADMIN, "course.change", kind="course", target_id="crs_1")
    async with finishing(place.relay):
        await Course.rows().insert_one({"_id": "crs_1", "outbox": [record], "outbox_at": place.clock.now()})
        await place.relay.hand_over(Course, "crs_1")
        assert kept == [record["id"]]
        assert not await Course.rows().find_one({"outbox_at": {"$exists": True}})


async def test_the_bus_is_asked_once_for_each_event(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    publish = place.bus.fan_out.publish

    async def counted(channel: str, told: LiveEvent) -> Any:
        asked.append(told.event_id)
        return await publish(channel, told)

    monkeypatch.setattr(place.bus.fan_out, "publish", counted)
    place.door.set()
    async with finishing(place.relay):
        written = [(await place.write(f"crs_{n}"))[0] for n in range(3)]
        await place.emptied()
    assert asked == written


async def test_events_of_one_aggregate_are_recorded_in_their_order_however_they_come(place: Place) -> None:
    async with finishing(place.relay):
        written = [(await place.write())[0] for _ in range(5)]
        place.door.set()
        await place.emptied()
    assert list(dict.fromkeys(place.recorded)) == written == await place.told()


async def test_when_too_many_wait_the_writer_does_it_himself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MAX_BEHIND", 2)
    async with finishing(place.relay):
        names = ["crs_being_finished", "crs_waiting", "crs_waiting_too"]
        for name in names:
            await place.write(name)
            await asyncio.sleep(0)
        writing = asyncio.create_task(place.write("crs_late"))
        await asyncio.wait({writing}, timeout=0.05)
        assert not writing.done()
        place.door.set()
        await writing
        await place.emptied()
    assert len(place.recorded) == len(names) + 1


async def test_what_a_process_had_told_and_not_finished_another_finishes(place: Place) -> None:
    async with finishing(place.relay):
        event_id, effect_id, job_id = await place.write()
    place.door.set()
    assert place.recorded == []
    place.clock.advance(2)
    assert await place.made(place.bus.fan_out).sweep() == 1
    assert (await place.told(), place.recorded, place.effects) == ([event_id], [event_id], [effect_id])
    assert await Job.find_row(job_id) is not None


async def test_a_fault_in_the_log_keeps_nobody_else_waiting(place: Place) -> None:
    place.door.set()
    broken, record = set[str](), place.record

    async def fail_for_one(intent: dict[str, Any]) -> None:
        if intent["id"] in broken:
            raise ConnectionError("away")
        await record(intent)

    relay = relay_over(place.bus.fan_out, place.clock, [Course], record=fail_for_one)
    relay.register_effect("counted", place.count)
    async with finishing(relay):
        place.version += 1
        write = Write(place.version, place.clock.now())
        intent = event(write, "course_updated", n=0, channels=[CHANNEL], data={}, record="course.updated")
        broken.add(intent["id"])
        update = with_intents({"$set": {"slug": "crs_broken"}}, [intent], write.at)
        await Course.rows().update_one({"_id": "crs_broken"}, update, upsert=True)
        await relay.hand_over(Course, "crs_broken")
        well, *_ = await place.write("crs_well", relay)
        async with asyncio.timeout(20):
            while well not in place.recorded:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        broken.clear()
        place.clock.advance(2)
        await relay.sweep()
        await place.emptied()
    assert place.recorded == [well, intent["id"]]


async def test_who_reached_a_crowd_waits_for_nobody_of_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MAX_BEHIND", 2)
    monkeypatch.setattr(relay_module, "FINISHED_AT_ONCE", 3)
    crowd = [f"crs_{number}" for number in range(9)]
    write = Write(1, place.clock.now())
    intent = event(write, "course_updated", n=0, channels=[CHANNEL], data={}, record="course.updated")
    for name in crowd:
        update = with_intents({"$set": {"slug": name}}, [intent | {"id": f"evt_{name}"}], write.at)
        await Course.rows().update_one({"_id": name}, update, upsert=True)
    async with finishing(place.relay):
        async with asyncio.timeout(20):
            await place.relay.hand_over_many(Course, crowd)
        assert place.recorded == []
        single, *_ = await place.write("crs_single")
        assert single in await place.told(), "and one who writes meanwhile goes first"
        place.door.set()
        await place.emptied()
    assert sorted(place.recorded) == sorted([single, *(f"evt_{name}" for name in crowd)])


async def test_a_crowd_beyond_all_bounds_is_told_by_who_reached_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "MAX_CROWD", 2)
    place.door.set()
    write = Write(1, place.clock.now())
    crowd = [f"crs_{number}" for number in range(5)]
    for name in crowd:
        intent = event(write, "course_updated", n=0, channels=[CHANNEL], data={}, record="course.updated")
        update = with_intents({"$set": {"slug": name}}, [intent | {"id": f"evt_{name}"}], write.at)
        await Course.rows().update_one({"_id": name}, update, upsert=True)
    async with finishing(place.relay):
        await place.relay.hand_over_many(Course, crowd)
        await place.emptied()
    assert sorted(place.recorded) == sorted(f"evt_{name}" for name in crowd)
