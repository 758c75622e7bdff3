"""The log of events against real stores: one order without gaps, each event once, whoever writes and whatever stops them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from documents.base import Row
from documents.course import Course
from documents.enums import Role
from documents.event_record import EventRecord
from documents.job import Job
from lms_rt.bus.memory import SilentWakeUps, memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode
from lms_rt.contracts.event_records import EventPage, EventQuery
from lms_rt.contracts.outbox import Intent, Write, event
from lms_rt.errors import Code, Refused
from lms_rt.services.event_log import FOLLOW, TRUST_MS, EventLog
from lms_rt.services.event_views import MAX_DATA_BYTES, bounded
from lms_rt.services.jobs import Jobs
from tests.services.relaying import relay_over

pytestmark = pytest.mark.usefixtures("database")

ADMIN = Actor("usr_admin", Role.ADMIN, frozenset(), full_name="Ada")


class Place:
    """Some nodes that write into one log, and somebody who reads it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.versions = 0

    def node(self) -> EventLog:
        return EventLog(jobs=Jobs(clock=self.clock, wake_ups=SilentWakeUps()), clock=self.clock)

    def intent(self, of: str = "crs_gone", *, type_: str = "course.published") -> Intent:
        """An event of a course that is nowhere: its data is what the intent says."""
        self.versions += 1
        write = Write(self.versions, self.clock.now())
        return event(write, "told", n=0, channels=[], data={"course_id": of}, record=type_)

    async def kept(self) -> list[Row]:
        return await EventRecord.find_stretch(after=0, until=None, types=(), limit=10_000)

    async def read(self, **query: Any) -> EventPage:
        return await self.node().list(ADMIN, EventQuery(**query))


@pytest.fixture
def place() -> Place:
    return Place()


def ids_of(rows: Sequence[Row]) -> list[str]:
    return [row["event_id"] for row in rows]


def assert_without_gaps(rows: Sequence[Row]) -> None:
    assert [row["_id"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(set(ids_of(rows))) == len(rows)


class Appends:
    """What `EventRecord.append` is asked to insert; may be broken for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.is_away = False
        self.has_begun = asyncio.Event()
        self._append = EventRecord.append
        monkeypatch.setattr(EventRecord, "append", self)

    async def __call__(self, events: Sequence[Row], *, after: int) -> bool:
        if self.is_away:
            raise ConnectionError("the database is away")
        self.sizes.append(len(events))
        self.has_begun.set()
        await asyncio.sleep(0)
        return await self._append(events, after=after)


# --- one order ---


async def test_two_nodes_that_write_at_once_leave_no_gap_and_nothing_twice(place: Place) -> None:
    nodes = [place.node(), place.node(), place.node()]
    intents = [[place.intent(f"crs_{n}") for _ in range(8)] for n in range(15)]

    async def tell(of_one: list[Intent], node: EventLog) -> None:
        for intent in of_one:  # as the relay does: of one aggregate one after the other
            await node.record(intent)

    await asyncio.gather(*(tell(of_one, nodes[n % 3]) for n, of_one in enumerate(intents)))
    rows = await place.kept()
    assert_without_gaps(rows)
    assert len(rows) == 15 * 8
    for of_one in intents:
        places = [ids_of(rows).index(intent["id"]) for intent in of_one]
        assert places == sorted(places)


async def test_the_same_events_told_by_every_node_at_once_are_kept_once(place: Place) -> None:
    intents = [place.intent() for _ in range(30)]
    nodes = [place.node(), place.node()]
    await asyncio.gather(*(node.record(intent) for node in nodes for intent in intents))
    rows = await place.kept()
    assert_without_gaps(rows)
    assert set(ids_of(rows)) == {intent["id"] for intent in intents}


async def test_what_waits_is_written_together(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    appends, node = Appends(monkeypatch), place.node()
    await asyncio.gather(*(node.record(place.intent()) for _ in range(250)))
    assert_without_gaps(await place.kept())
    assert sum(appends.sizes) == 250
    assert len(appends.sizes) <= 5
    assert max(appends.sizes) <= 100


async def test_a_node_that_slept_while_the_log_went_on_and_was_tidied_writes_at_its_end(place: Place) -> None:
    sleeper, other = place.node(), place.node()
    await sleeper.record(place.intent())
    for _ in range(5):
        await other.record(place.intent())
    place.clock.advance(40 * 86_400)
    await other.record(place.intent())
    assert await EventRecord.forget_before(place.clock.now() - timedelta(days=30), limit=100) == 6
    await sleeper.record(place.intent())
    assert [row["_id"] for row in await place.kept()] == [7, 8]


async def test_a_node_that_was_alone_goes_on_after_a_rest(place: Place) -> None:
    node = place.node()
    await node.record(place.intent())
    place.clock.advance(TRUST_MS / 1000 + 1)
    await node.record(place.intent())
    assert_without_gaps(await place.kept())


# --- once, whatever stops it ---


async def test_told_again_after_a_crash_before_the_pull_it_is_no_second_event(place: Place) -> None:
    intent = place.intent()
    await place.node().record(intent)
    (first,) = await place.kept()
    await Job.rows().update_one({"_id": intent["id"]}, {"$set": {"state": "done"}})
    await place.node().record(intent)
    assert await place.kept() == [first]
    job = await Job.find_row(intent["id"])
    assert job is not None
    assert job["state"] == "done"


async def test_after_a_crash_between_the_event_and_its_job_the_job_is_made(place: Place) -> None:
    intent = place.intent()
    await place.node().record(intent)
    await Job.rows().delete_one({"_id": intent["id"]})
    await place.node().record(intent)
    job = await Job.find_row(intent["id"])
    assert job is not None
    assert (job["task"], job["args"]) == (FOLLOW, {"event_id": intent["id"]})
    assert len(await place.kept()) == 1


async def test_what_could_not_be_kept_is_refused_to_each_who_waited_and_can_be_told_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    appends, node = Appends(monkeypatch), place.node()
    appends.is_away = True
    intents = [place.intent() for _ in range(10)]
    outcomes = await asyncio.gather(*(node.record(intent) for intent in intents), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 10
    assert await place.kept() == []
    appends.is_away = False
    await node.record(other := place.intent())
    assert ids_of(await place.kept()) == [other["id"]]
    await asyncio.gather(*(node.record(intent) for intent in intents))
    assert_without_gaps(await place.kept())
    assert len(await place.kept()) == 11


async def test_one_who_gives_up_takes_nobody_along(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    appends, node = Appends(monkeypatch), place.node()
    intents = [place.intent() for _ in range(6)]
    telling = [asyncio.create_task(node.record(intent)) for intent in intents]
    await appends.has_begun.wait()
    telling[0].cancel()
    telling[3].cancel()
    await asyncio.gather(*telling, return_exceptions=True)
    rows = await place.kept()
    assert_without_gaps(rows)
    assert {intents[n]["id"] for n in (1, 2, 4, 5)} <= set(ids_of(rows))


async def test_an_event_that_this_node_has_kept_is_not_asked_for_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, intent = place.node(), place.intent()
    await node.record(intent)
    appends = Appends(monkeypatch)
    await node.record(intent)
    assert appends.sizes == []


async def test_what_could_not_be_kept_is_not_overtaken_by_a_later_event_of_its_aggregate(place: Place) -> None:
    kept: list[str] = []
    faults = [ConnectionError("the log is away for a moment")]

    async def record(intent: Row) -> None:
        if faults:
            raise faults.pop()
        kept.append(intent["id"])

    intents = [place.intent("crs_1") for _ in range(3)]
    outbox = {"_id": "crs_1", "slug": "one", "outbox": intents, "outbox_at": place.clock.now()}
    await Course.rows().insert_one(outbox)
    relay = relay_over(memory_bus(place.clock).fan_out, place.clock, [Course], record=record)
    await relay.hand_over(Course, "crs_1")
    assert kept == []
    await relay.hand_over(Course, "crs_1")
    assert kept == [intent["id"] for intent in intents]


# --- tidying ---


async def test_tidying_never_takes_the_highest_and_leaves_no_gap(place: Place) -> None:
    node = place.node()
    for _ in range(7):
        await node.record(place.intent())
        place.clock.advance(1)
    late = place.clock.now() + timedelta(days=1)
    assert await EventRecord.forget_before(late, limit=3) == 3
    assert await EventRecord.forget_before(late, limit=100) == 3
    assert await EventRecord.forget_before(late, limit=100) == 0
    assert [row["_id"] for row in await place.kept()] == [7]
    await node.record(place.intent())
    assert [row["_id"] for row in await place.kept()] == [7, 8]


async def test_an_old_event_behind_a_young_one_waits_for_it(place: Place) -> None:
    node, old = place.node(), place.intent()
    place.clock.advance(3_600)
    await node.record(place.intent())
    await node.record(old)
    await node.record(place.intent())
    assert await EventRecord.forget_before(place.clock.now() - timedelta(minutes=1), limit=100) == 0
    assert len(await place.kept()) == 3


# --- reading ---


async def test_a_reader_goes_on_from_the_cursor_until_the_end_and_later_from_there(place: Place) -> None:
    node = place.node()
    intents = [place.intent() for _ in range(5)]
    for intent in intents:
        await node.record(intent)
    first = await place.read(limit=3)
    assert [item.id for item in first.items] == [intent["id"] for intent in intents[:3]]
    assert first.next == first.cursor == first.items[-1].cursor
    second = await place.read(after=first.next, limit=3)
    assert ([item.id for item in second.items], second.next) == ([intents[3]["id"], intents[4]["id"]], None)
    assert await place.read(after=second.cursor) == EventPage(items=[], next=None, limit=20, cursor=second.cursor)
    await node.record(late := place.intent())
    assert [item.id for item in (await place.read(after=second.cursor)).items] == [late["id"]]


async def test_a_reader_of_some_types_need_not_pass_the_others_again(place: Place) -> None:
    node = place.node()
    for type_ in ("course.published", "course.updated", "course.unpublished", "course.updated"):
        await node.record(place.intent(type_=type_))
    found = await place.read(type=["course.published", "course.unpublished"])
    assert [(item.type, item.cursor) for item in found.items] == [
        ("course.published", "1"),
        ("course.unpublished", "3"),
    ]
    assert found.cursor == "4"


async def test_before_anything_happened_there_is_nothing_and_a_place_to_begin(place: Place) -> None:
    assert await place.read() == EventPage(items=[], next=None, limit=20, cursor="0")
    await place.node().record(place.intent())
    assert len((await place.read(after="0")).items) == 1


async def test_a_cursor_from_before_the_oldest_is_told_where_to_go_on(place: Place) -> None:
    node = place.node()
    for _ in range(6):
        await node.record(place.intent())
    await EventRecord.forget_before(place.clock.now() + timedelta(days=1), limit=3)
    with pytest.raises(Refused) as refused:
        await place.read(after="2")
    assert (refused.value.code, refused.value.data) == (Code.CONFLICT, {"oldest": "3"})
    assert [item.cursor for item in (await place.read(after="3")).items] == ["4", "5", "6"]
    assert [item.cursor for item in (await place.read()).items] == ["4", "5", "6"]


@pytest.mark.parametrize("cursor", ["-1", "1.5", "x", "", "٣", "2", "9" * 19])
async def test_a_cursor_that_was_never_given_out_is_refused(place: Place, cursor: str) -> None:
    await place.node().record(place.intent())
    with pytest.raises(Refused) as refused:
        await place.read(after=cursor)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [("after", "invalid_cursor")]


# --- data ---


def test_data_that_is_too_large_says_what_is_missing() -> None:
    data = {"id": "crs_1", "title": "Algebra", "description": "ش" * 6_000, "metadata": {"a": "b" * 15_000}}
    assert bounded(data) == {"id": "crs_1", "title": "Algebra", "description": "ش" * 6_000, "left_out": ["metadata"]}
    assert len(encode(bounded({"id": "crs_1", **{f"m{n}": "x" * 900 for n in range(40)}}))) <= MAX_DATA_BYTES


async def test_a_view_that_cannot_be_made_holds_nothing_up(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    await Course.rows().insert_one({"_id": "crs_odd", "slug": "odd"})
    await place.node().record(place.intent("crs_odd"))
    (row,) = await place.kept()
    assert row["data"] == {"course_id": "crs_odd"}
    assert "without a view" in caplog.text


async def test_while_the_database_is_away_no_event_is_kept_without_its_view(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: str) -> Row | None:
        raise AutoReconnect("no answer")

    monkeypatch.setattr(Course, "find_row", away)
    with pytest.raises(AutoReconnect):
        await place.node().record(place.intent())
    assert await place.kept() == []


def test_data_of_the_usual_size_is_as_it_is() -> None:
    data = {"id": "crs_1", "description": "x" * 19_000}
    assert bounded(data) is data
