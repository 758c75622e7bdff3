"""Between node processes: events in order and once, recovery without a hole, healing, and epochs that end with their server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest

from lms_rt.bus.base import HISTORY_EVENTS, Bus
from lms_rt.bus.redis.bus import open_redis_bus
from lms_rt.bus.redis.keys import Keys
from lms_rt.clock import Clock
from tests import factories
from tests.clients import Visitor
from tests.live.node_school import Frame, NodeSchool, Watcher, node_school, watching

pytestmark = pytest.mark.real
COMPARES_SELDOM = {"limits": {"compare_tops_seconds": 3_600}}
COMPARES_OFTEN = {"limits": {"compare_tops_seconds": 1}}
"""The second node asks for tops every second; the first has to notice otherwise."""


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeSchool]:
    async with node_school(request, tmp_path_factory.mktemp("school"), COMPARES_SELDOM, COMPARES_OFTEN) as made:
        yield made


class Lesson:
    """A course, its teacher at both nodes, and its channel."""

    def __init__(self, school: NodeSchool, course: dict[str, Any], teachers: list[Visitor]) -> None:
        self.school, self.course, self.teachers = school, course, teachers
        self.channel = f"course:{course['id']}"
        self.begins_after = 0
        self._stack = AsyncExitStack()

    async def stand(self) -> None:
        """Note where the channel stands: making the course has told of it already."""
        top = await self.school.bus.history.top(self.channel)
        assert top is not None
        self.begins_after = top.offset

    def check(self, events: list[Frame]) -> None:
        """One epoch, each offset once and without a hole, the writes of the course in their order."""
        assert len({event["epoch"] for event in events}) <= 1
        first = self.begins_after + 1
        assert [event["offset"] for event in events] == list(range(first, first + len(events)))
        assert len({event["id"] for event in events}) == len(events)
        writes = [(event["data"]["version"], event["data"]["n"]) for event in events if "version" in event["data"]]
        assert writes == sorted(set(writes))

    async def watcher(self, node: int, since: Frame | None = None) -> Watcher:
        """A socket of the teacher at this node that listens to the course."""
        watcher = await self._stack.enter_async_context(watching(self.teachers[node]))
        await watcher.ok("subscribe", channel=self.channel, since=since)
        return watcher

    async def rename(self, title: str, node: int = 0) -> None:
        """A change of record, through this node."""
        await self.teachers[node].ok("PATCH", f"/courses/{self.course['id']}", json={"title": title})

    async def tell(self, *texts: str, bus: Bus | None = None) -> None:
        """Events that are not of record, as fast as Redis takes them."""
        fan_out = (bus or self.school.bus).fan_out
        for text in texts:
            await fan_out.publish_direct(self.channel, "announcement", {"text": text})

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def lesson(school: NodeSchool) -> AsyncIterator[Lesson]:
    teacher = await school.person("instructor")
    lesson = Lesson(school, await factories.course(teacher), await school.everywhere(teacher))
    await lesson.stand()
    yield lesson
    await lesson.close()


def texts(events: list[Frame]) -> list[str]:
    """What was said."""
    return [event["data"].get("text") or event["data"]["changes"]["title"] for event in events]


async def position(watcher: Watcher, channel: str) -> Frame:
    """Where the channel stands: what a newcomer is told."""
    fresh = await watcher.ok("subscribe", channel=channel)
    return {"epoch": fresh["epoch"], "offset": fresh["offset"]}


class TestOrder:
    async def test_everybody_hears_the_same_in_the_same_order_wherever_it_was_said(self, lesson: Lesson) -> None:
        watchers = [await lesson.watcher(node) for node in (0, 0, 1, 1)]
        await asyncio.gather(
            *(lesson.rename(f"Title {number}", node=number % 2) for number in range(20)),
            *(lesson.tell(*(f"{crowd}-{number}" for number in range(60))) for crowd in "abc"),
        )
        for watcher in watchers:
            await watcher.hears(lesson.channel, 200)
        heard = [watcher.events(lesson.channel) for watcher in watchers]
        lesson.check(heard[0])
        assert all(other == heard[0] for other in heard)
        for crowd in "abc":
            said = [text for text in texts(heard[0]) if text.startswith(f"{crowd}-")]
            assert said == [f"{crowd}-{number}" for number in range(60)]


class TestRecovery:
    async def test_who_comes_and_goes_while_others_publish_misses_nothing(self, lesson: Lesson) -> None:
        """Coming back at one node after the other, each time from where the last line ended."""
        heard: list[Frame] = []
        watcher = await lesson.watcher(0)
        since = await position(watcher, lesson.channel)
        visits, total = 6, 6 * 41
        async with asyncio.TaskGroup() as publishing:
            for visit in range(visits):
                for crowd in "ab":
                    publishing.create_task(lesson.tell(*(f"{crowd}{visit}-{number}" for number in range(20))))
                publishing.create_task(lesson.rename(f"Title {visit}", node=visit % 2))
                is_last = visit == visits - 1
                async with watching(lesson.teachers[visit % 2]) as visitor:
                    reply = await visitor.ok("subscribe", channel=lesson.channel, since=since)
                    assert reply["recovered"] is True
                    assert reply["offset"] == since["offset"] + len(reply["events"])
                    heard += reply["events"]
                    missing = total - len(heard) if is_last else min(1, (visit + 1) * 41 - len(heard))
                    heard += await visitor.hears(lesson.channel, missing)
                since = {"epoch": heard[-1]["epoch"], "offset": heard[-1]["offset"]}
        lesson.check(heard)
        assert heard == await watcher.hears(lesson.channel, total)

    async def test_a_hole_that_cannot_be_filled_is_stated(self, lesson: Lesson) -> None:
        watcher = await lesson.watcher(0)
        await lesson.tell("one", "two")
        old = await position(watcher, lesson.channel)
        await lesson.tell(*map(str, range(HISTORY_EVENTS + 1)))
        top = await position(watcher, lesson.channel)
        sinces = {
            "too old": old,
            "of another epoch": {**top, "epoch": "another"},
            "above the top": {**top, "offset": top["offset"] + 1},
        }
        other = await lesson.watcher(1)
        for why, since in sinces.items():
            reply = await other.ok("subscribe", channel=lesson.channel, since=since)
            assert (reply["recovered"], reply["events"]) == (False, []), why
            assert {name: reply[name] for name in ("epoch", "offset")} == top

    async def test_the_position_of_a_snapshot_leads_on_from_it_at_another_node(self, lesson: Lesson) -> None:
        """`as_of` of what one node showed is a `since` at the other."""
        quiz = await factories.quiz(lesson.teachers[0], lesson.course["id"])
        student = await lesson.school.person()
        await factories.enrolled(student, lesson.course["id"])
        shown = await lesson.teachers[0].ok("GET", f"/quizzes/{quiz['id']}/live")
        assert shown["students"] == []
        await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
        async with watching(lesson.teachers[1]) as watcher:
            channel, since = shown["as_of"].pop("channel"), shown["as_of"]
            reply = await watcher.ok("subscribe", channel=channel, since=since)
        assert reply["recovered"] is True
        assert [event["event"] for event in reply["events"]] == ["attempt_started"]


@asynccontextmanager
async def mumbling(school: NodeSchool) -> AsyncIterator[Bus]:
    """A bus whose events get their place in the history, and whose messages are lost on the way to every node."""

    class Mumbled(Keys):
        def channel(self, channel: str) -> str:
            return f"{super().channel(channel)}:unheard"

    async with open_redis_bus(school.redis.url, school.settings.mongodb_database, Clock()) as bus:
        bus.fan_out._line.keys = Mumbled(school.settings.mongodb_database)  # type: ignore[attr-defined]
        yield bus


@contextmanager
def standing_still(school: NodeSchool) -> Iterator[None]:
    """No node does anything while the body runs."""
    for node in school.nodes:
        node.freeze()
    try:
        yield
    finally:
        for node in school.nodes:
            node.thaw()


class TestLostMessages:
    async def test_the_next_event_shows_that_one_was_lost(self, school: NodeSchool, lesson: Lesson) -> None:
        watcher = await lesson.watcher(0)
        async with mumbling(school) as mumble:
            await lesson.tell("one")
            await lesson.tell("two", "three", bus=mumble)
            await lesson.tell("four")
        await watcher.hears(lesson.channel, 4)
        lesson.check(watcher.events(lesson.channel))
        assert texts(watcher.events(lesson.channel)) == ["one", "two", "three", "four"]

    async def test_a_quiet_channel_is_asked_for_its_top(self, school: NodeSchool, lesson: Lesson) -> None:
        watcher = await lesson.watcher(1)
        async with mumbling(school) as mumble:
            await lesson.tell("one")
            await lesson.tell("two", bus=mumble)
        await watcher.hears(lesson.channel, 2)
        lesson.check(watcher.events(lesson.channel))

    async def test_what_cannot_be_healed_ends_the_line(self, school: NodeSchool, lesson: Lesson) -> None:
        """4010: nothing may be passed over in silence."""
        watchers = [await lesson.watcher(node) for node in (0, 1)]
        async with mumbling(school) as mumble:
            await lesson.tell("one")
            with standing_still(school):  # so that nobody compares before the history is gone
                await lesson.tell("two", bus=mumble)
                school.redis.do("DEL", Keys(school.settings.mongodb_database).history(lesson.channel))
                await lesson.tell("three")
        assert [await watcher.closed() for watcher in watchers] == [4010, 4010]
        assert all("three" not in texts(watcher.events(lesson.channel)) for watcher in watchers)

    async def test_a_node_whose_hearing_is_cut_misses_nothing(self, school: NodeSchool, lesson: Lesson) -> None:
        watchers = [await lesson.watcher(node) for node in (0, 1)]
        await lesson.tell("one")
        with standing_still(school):  # so that they cannot be back before the next is said
            assert school.redis.do("CLIENT", "KILL", "TYPE", "pubsub") >= len(school.nodes)
            await lesson.tell("two", "three")
        for watcher in watchers:
            await watcher.hears(lesson.channel, 3)
            lesson.check(watcher.events(lesson.channel))


class TestEpochs:
    """Last here: they take everything that Redis holds."""

    async def stood(self, lesson: Lesson) -> tuple[list[Watcher], Frame]:
        """Sockets at both nodes that have heard three events, and where they stand."""
        watchers = [await lesson.watcher(node) for node in (0, 1)]
        await lesson.tell("one", "two", "three")
        for watcher in watchers:
            await watcher.hears(lesson.channel, 3)
        last = watchers[0].events(lesson.channel)[-1]
        return watchers, {"epoch": last["epoch"], "offset": last["offset"]}

    async def check_new_epoch(self, lesson: Lesson, old: Frame) -> None:
        """Nobody who stands in the old one is told that nothing is missing, and new events count from 1."""
        for node in (0, 1):
            watcher = await lesson.watcher(node)
            reply = await watcher.ok("subscribe", channel=lesson.channel, since=old)
            assert reply["recovered"] is False
            assert reply["epoch"] != old["epoch"]
            fresh = {"epoch": reply["epoch"], "offset": reply["offset"]}
            await lesson.rename(f"Told at node {node}", node=node)
            (event,) = await watcher.hears(lesson.channel, 1)
            assert (event["epoch"], event["offset"]) == (fresh["epoch"], fresh["offset"] + 1)

    async def test_a_flush_begins_a_new_one(self, school: NodeSchool, lesson: Lesson) -> None:
        watchers, old = await self.stood(lesson)
        school.redis.do("FLUSHALL")
        await lesson.tell("after")
        assert [await watcher.closed() for watcher in watchers] == [4010, 4010]
        await self.check_new_epoch(lesson, old)

    async def test_a_restart_that_lost_everything_begins_a_new_one(self, school: NodeSchool, lesson: Lesson) -> None:
        watchers, old = await self.stood(lesson)
        school.redis.restart()
        assert [await watcher.closed() for watcher in watchers] == [4010, 4010]
        await self.check_new_epoch(lesson, old)

    async def test_a_restart_that_lost_nothing_begins_a_new_one(self, school: NodeSchool, lesson: Lesson) -> None:
        """Nobody can know that nothing was lost."""
        watchers, old = await self.stood(lesson)
        kept = school.redis.dump()
        school.redis.restart(dump=kept)
        assert [await watcher.closed() for watcher in watchers] == [4010, 4010]
        await self.check_new_epoch(lesson, old)

    async def test_an_older_dump_does_not_go_on_where_it_was_taken(self, school: NodeSchool, lesson: Lesson) -> None:
        """A fail-over that lost the last second: the lost offsets must not be given again."""
        await lesson.tell("before")
        kept = school.redis.dump()
        watchers, old = await self.stood(lesson)
        assert old["offset"] == lesson.begins_after + 4
        school.redis.restart(dump=kept)
        assert [await watcher.closed() for watcher in watchers] == [4010, 4010]
        await self.check_new_epoch(lesson, old)
        await self.check_new_epoch(lesson, {**old, "offset": lesson.begins_after})
