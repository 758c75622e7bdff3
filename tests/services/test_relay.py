"""The relay against real stores: intents leave outboxes in order, once, and whatever stops it the sweeper finishes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from documents.base import with_intents
from documents.course import Course
from documents.quiz import Quiz
from lms_rt.bus.base import Bus, FanOut, Message, Position, Published, Receiver
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.outbox import Intent, Write, effect, event
from lms_rt.errors import Code, Refused
from lms_rt.services.relay import SWEEP_PAGE, Relay
from lms_rt.storage.mongo import OpenDatabase
from tests.services.relaying import relay_over

pytestmark = pytest.mark.usefixtures("database")
ID = "crs_1"


class School:
    """A relay over two kinds of aggregates, its bus, and the effects that it ran."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bus: Bus = memory_bus(self.clock)
        self.relay = self.made(self.bus.fan_out)
        self.effects: list[tuple[str, str]] = []
        self.is_effect_broken = False
        self.versions: dict[str, int] = {}

    def made(self, fan_out: FanOut) -> Relay:
        relay = relay_over(fan_out, self.clock, (Course, Quiz))
        relay.register_effect("counted", self.count)
        relay.register_effect("told", self.count)
        return relay

    async def count(self, intent_id: str, data: dict[str, Any]) -> None:
        if self.is_effect_broken and data["is_first"]:
            raise Refused(Code.UNAVAILABLE)
        self.effects.append((intent_id, data["name"]))

    async def write(self, *kinds: str, document_id: str = ID, document: Any = Course) -> list[Intent]:
        """One write with an intent of each kind: an event's channels joined by `+`, or `!name` for an effect."""
        version = self.versions[document_id] = self.versions.get(document_id, 0) + 1
        write = Write(version, self.clock.now())
        intents = [self._intent(write, kind, n) for n, kind in enumerate(kinds)]
        update = with_intents({"$set": {"version": version, "slug": document_id}}, intents, write.at)
        await document.rows().update_one({"_id": document_id}, update, upsert=True)
        return intents

    def _intent(self, write: Write, kind: str, n: int) -> Intent:
        if kind.startswith("!"):
            return effect(write, kind[1:], {"name": kind[1:], "is_first": write.version == 1})
        return event(write, "course_updated", n=n, channels=kind.split("+"), data={"write": write.version})

    async def published(self, channel: str) -> list[tuple[Any, ...]]:
        events = (await self.bus.history.read(channel, after=0)).events
        return [(p.event.version, p.event.n) for p in events]

    async def outbox(self, document_id: str = ID) -> list[str] | None:
        """Ids in the outbox; None: empty and not flagged, as it should be in the end."""
        row = await Course.rows().find_one({"_id": document_id})
        assert row is not None
        return None if not row["outbox"] and "outbox_at" not in row else [intent["id"] for intent in row["outbox"]]


class FailingFanOut(FanOut):
    """Away for some channels, or dying at the n-th publish with what the process had in hand."""

    def __init__(self, inner: FanOut, *, away: tuple[str, ...] = (), dies_after: int | None = None) -> None:
        self._inner, self.away, self.dies_after = inner, away, dies_after

    async def publish(self, channel: str, event: LiveEvent) -> Position | None:
        if channel in self.away:
            raise Refused(Code.UNAVAILABLE)
        place = await self._inner.publish(channel, event)
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after <= 0:
                raise KilledError
        return place

    async def publish_direct(self, channel: str, name: str, data: Any) -> Position:
        return await self._inner.publish_direct(channel, name, data)

    async def publish_state(self, channel: str, name: str, data: Any) -> None:
        await self._inner.publish_state(channel, name, data)

    async def poke(self, channel: str, about: Any = ()) -> None:
        await self._inner.poke(channel, about)

    async def listen(self, channel: str, receiver: Any) -> Any:
        return await self._inner.listen(channel, receiver)

    async def publish_control(self, name: str, data: Any) -> None:
        await self._inner.publish_control(name, data)

    async def listen_control(self, receiver: Any) -> Any:
        return await self._inner.listen_control(receiver)


class KilledError(BaseException):
    """The process is gone: nothing that it would have done after is done."""


@pytest.fixture
def school(database: OpenDatabase) -> School:
    return School()


async def test_the_fast_path_publishes_in_order_on_each_channel_and_empties_the_outbox(school: School) -> None:
    await school.write("course:1+course:1:staff", "course:1")
    await school.write("course:1")
    await school.relay.hand_over(Course, ID)
    assert await school.published("course:1") == [(1, 0), (1, 1), (2, 0)]
    assert await school.published("course:1:staff") == [(1, 0)]
    assert await school.outbox() is None


async def test_what_was_published_tells_its_aggregate_and_keeps_its_id_and_time(school: School) -> None:
    (intent,) = await school.write("course:1")
    school.clock.advance(5)
    await school.relay.hand_over(Course, ID)
    (published,) = (await school.bus.history.read("course:1", after=0)).events
    assert (published.event.event_id, published.event.aggregate) == (intent["id"], ID)
    assert published.event.at_ms == school.clock.now_ms() - 5_000
    assert published.event.shown_data() == {"write": 1, "version": 1, "n": 0}


async def test_effects_run_once_with_the_intents_id(school: School) -> None:
    (intent,) = await school.write("!counted")
    await school.relay.hand_over(Course, ID)
    await school.relay.hand_over(Course, ID)
    assert school.effects == [(intent["id"], "counted")]
    assert await school.outbox() is None


async def test_who_is_killed_at_an_event_does_the_effects_before_it_no_second_time(school: School) -> None:
    counted, told = await school.write("!counted", "course:1")
    with pytest.raises(KilledError):
        await school.made(FailingFanOut(school.bus.fan_out, dies_after=1)).hand_over(Course, ID)
    assert await school.outbox() == [told["id"]]
    await school.relay.sweep(minimum_age_ms=0)
    assert school.effects == [(counted["id"], "counted")]


async def test_after_an_event_that_cannot_be_published_no_later_one_is_and_effects_go_on(school: School) -> None:
    await school.write("course:2", "course:1", "!counted")
    await school.write("course:1")
    await school.made(FailingFanOut(school.bus.fan_out, away=("course:2",))).hand_over(Course, ID)
    assert await school.published("course:1") == []
    assert [name for _, name in school.effects] == ["counted"]
    assert len(await school.outbox() or []) == 3
    await school.relay.hand_over(Course, ID)
    assert await school.published("course:1") == [(1, 1), (2, 0)]
    assert await school.outbox() is None


async def test_an_event_that_reached_one_of_its_channels_is_not_told_there_twice(school: School) -> None:
    await school.write("course:1+course:2")
    await school.made(FailingFanOut(school.bus.fan_out, away=("course:2",))).hand_over(Course, ID)
    assert len(await school.outbox() or []) == 1
    await school.relay.hand_over(Course, ID)
    assert await school.published("course:1") == await school.published("course:2") == [(1, 0)]


async def test_an_effect_that_fails_holds_up_only_those_of_its_name(
    school: School, caplog: pytest.LogCaptureFixture
) -> None:
    school.is_effect_broken = True
    first, *_ = await school.write("!counted", "!counted", "course:1")
    await school.write("!counted", "course:1")
    await school.write("!told")
    await school.relay.hand_over(Course, ID)
    assert [name for _, name in school.effects] == ["told"]
    assert await school.published("course:1") == [(1, 2), (2, 1)]
    assert first["id"] in caplog.text
    school.is_effect_broken = False
    await school.relay.sweep(minimum_age_ms=0)
    assert len(school.effects) == 4
    assert await school.outbox() is None


async def test_an_effect_that_nobody_registered_stays_and_is_logged(
    school: School, caplog: pytest.LogCaptureFixture
) -> None:
    await school.write("!unheard_of", "course:1")
    await school.relay.hand_over(Course, ID)
    assert await school.published("course:1") == [(1, 1)]
    assert len(await school.outbox() or []) == 1
    assert "unheard_of" in caplog.text


@pytest.mark.parametrize("published", [1, 2, 3])
async def test_a_process_killed_after_any_publish_leaves_what_the_sweeper_finishes(
    school: School, published: int
) -> None:
    await school.write("course:1+course:2", "course:1")
    with pytest.raises(KilledError):
        await school.made(FailingFanOut(school.bus.fan_out, dies_after=published)).hand_over(Course, ID)
    assert await school.outbox()
    school.clock.advance(2)
    assert await school.relay.sweep() == 1
    assert await school.published("course:1") == [(1, 0), (1, 1)]
    assert await school.published("course:2") == [(1, 0)]
    assert await school.outbox() is None


async def test_the_sweeper_leaves_alone_what_is_younger_than_two_seconds(school: School) -> None:
    await school.write("course:1")
    school.clock.advance(1.9)
    assert await school.relay.sweep() == 0
    school.clock.advance(0.1)
    assert await school.relay.sweep() == 1
    assert await school.relay.sweep() == 0


async def test_the_sweeper_goes_through_all_pages_and_kinds_oldest_first(school: School) -> None:
    names = [f"crs_{n:04d}" for n in range(2 * SWEEP_PAGE + 5)]
    for n, name in enumerate(names):
        if n % 50 == 0:
            school.clock.advance(1)
        await school.write("course:all", document_id=name)
    await school.write("course:all", document_id="quz_1", document=Quiz)
    assert await school.relay.sweep(minimum_age_ms=0) == len(names) + 1
    events = (await school.bus.history.read("course:all", after=0)).events
    assert [p.event.aggregate for p in events] == [*names, "quz_1"]


async def test_a_flag_beside_an_empty_outbox_is_taken_away(school: School) -> None:
    await school.write("course:1")
    await Course.rows().update_one({"_id": ID}, {"$set": {"outbox": []}})
    await school.relay.sweep(minimum_age_ms=0)
    assert await school.outbox() is None


async def test_the_last_pull_does_not_unflag_what_was_written_meanwhile(school: School) -> None:
    (first,) = await school.write("course:1")
    (second,) = await school.write("course:1")
    await Course.pull_intents(ID, first["id"])
    assert await school.outbox() == [second["id"]]
    row = await Course.rows().find_one({"_id": ID})
    assert row is not None
    assert row["outbox_at"] == school.clock.now()
    await Course.pull_intents(ID, first["id"])
    assert await school.outbox() == [second["id"]]
    await Course.pull_intents(ID, second["id"])
    assert await school.outbox() is None


async def test_a_document_that_is_gone_is_no_fault(school: School, caplog: pytest.LogCaptureFixture) -> None:
    await school.relay.hand_over(Course, "crs_never")
    assert caplog.text == ""


async def test_pages_of_pending_go_on_by_time_and_id(school: School) -> None:
    for name in ("b", "a", "c"):
        await school.write("course:1", document_id=name)
    until = school.clock.now() + timedelta(seconds=1)
    first = await Course.find_pending(until=until, after=None, limit=2)
    assert [row["_id"] for row in first] == ["a", "b"]
    rest = await Course.find_pending(until=until, after=(first[-1]["outbox_at"], "b"), limit=2)
    assert [row["_id"] for row in rest] == ["c"]


async def test_when_the_bus_is_back_all_that_waited_leaves_at_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    school = School()
    fan_out = FailingFanOut(school.bus.fan_out, away=("course:1",))
    relay = school.made(fan_out)
    heard = Heard()
    await school.bus.fan_out.listen("course:1", heard)
    sweeps = Count(relay.sweep)
    monkeypatch.setattr(relay, "sweep", sweeps)
    running = asyncio.create_task(relay.run(interval_seconds=2))
    try:
        await sweeps.wait_for(1)
        relay.receive(False)
        for _ in range(3):
            await school.write("course:1", "course:1")
            await relay.hand_over(Course, ID)
        assert heard.versions == []
        fan_out.away = ()
        relay.receive(True)
        async with asyncio.timeout(20):
            await heard.wait_for(6)
        assert heard.versions == [(version, n) for version in (1, 2, 3) for n in (0, 1)]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_while_the_bus_is_away_sweeps_are_rare_and_effects_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    school = School()
    relay = school.made(FailingFanOut(school.bus.fan_out, away=("course:1",)))
    sweeps = Count(relay.sweep)
    monkeypatch.setattr(relay, "sweep", sweeps)
    relay.receive(False)
    running = asyncio.create_task(relay.run(interval_seconds=2))
    try:
        await sweeps.wait_for(1)
        await turns()  # it rests by now
        school.clock.advance(19)
        await turns()
        assert sweeps.count == 1
        school.clock.advance(1)
        await sweeps.wait_for(2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class Heard(Receiver[Message]):
    """Who listens, and waits for the n-th event."""

    def __init__(self) -> None:
        self.versions: list[tuple[Any, ...]] = []
        self._has_more = asyncio.Event()

    def receive(self, message: Message) -> None:
        if isinstance(message, Published):
            self.versions.append((message.event.version, message.event.n))
            self._has_more.set()

    async def wait_for(self, count: int) -> None:
        while len(self.versions) < count:
            self._has_more.clear()
            await self._has_more.wait()


async def turns() -> None:
    """Let the loop turn as often as waking takes."""
    for _ in range(20):
        await asyncio.sleep(0)


class Count:
    """Counts the calls that are done."""

    def __init__(self, call: Callable[..., Awaitable[int]]) -> None:
        self.count = 0
        self._call = call
        self._has_more = asyncio.Event()

    async def __call__(self, **arguments: Any) -> int:
        done = await self._call(**arguments)
        self.count += 1
        self._has_more.set()
        return done

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.count < count:
                self._has_more.clear()
                await self._has_more.wait()
