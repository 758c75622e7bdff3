"""A bad network between a node and Redis: the school goes on, and what was written is told once, in order, to everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lms_rt.client.ear import Ear
from tests import factories
from tests.clients import Visitor
from tests.live.hurt_school import PATIENCE_SECONDS, WAYS, HurtSchool, hurt_school
from tests.live.node_school import Watcher, client_of, watching
from tests.servers.tcp_proxy import Link, Way

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HurtSchool]:
    async with hurt_school(request, tmp_path_factory.mktemp("school")) as made:
        yield made


@pytest.fixture
async def teacher(school: HurtSchool) -> Visitor:
    return await school.house.teacher()


@pytest.fixture
async def course(teacher: Visitor) -> dict[str, Any]:
    return await factories.course(teacher)


@pytest.fixture
async def line(teacher: Visitor, course: dict[str, Any]) -> AsyncIterator[Watcher]:
    """The teacher's socket, with an ear on the course."""
    async with watching(teacher) as made:
        await made.ok("subscribe", channel=channel_of(course))
        yield made


def channel_of(course: dict[str, Any]) -> str:
    return f"course:{course['id']}"


async def rename(teacher: Visitor, course: dict[str, Any], *titles: str) -> None:
    for title in titles:
        await teacher.ok("PATCH", f"/courses/{course['id']}", json={"title": title})


async def heard(line: Watcher, course: dict[str, Any], *titles: str) -> None:
    """Exactly these titles were told, each once and in this order, and no offset is missing."""
    events = await line.hears(channel_of(course), len(titles))
    assert [event["data"]["changes"]["title"] for event in events] == list(titles)
    offsets = [event["offset"] for event in events]
    assert offsets == list(range(offsets[0], offsets[0] + len(titles)))


async def nothing_follows(line: Watcher, teacher: Visitor, course: dict[str, Any], *titles: str) -> None:
    """One more title is told, and only that."""
    await rename(teacher, course, "the last")
    await heard(line, course, *titles, "the last")


async def links_that_bring(school: HurtSchool, teacher: Visitor, course: dict[str, Any]) -> list[Link]:
    """The connections to Redis on which the words of an event come: those that bring more than was asked for."""
    before = [(link, link.flows[Way.UP].passed_bytes, link.flows[Way.DOWN].passed_bytes) for link in school.redis.links]
    await rename(teacher, course, "before")
    return [
        link
        for link, asked, brought in before
        if link.flows[Way.DOWN].passed_bytes - brought > link.flows[Way.UP].passed_bytes - asked
    ]


class Picture:
    """What a client knows of a course: from its snapshot, and from every event that is news for it."""

    def __init__(self, teacher: Visitor, course: dict[str, Any]) -> None:
        self.titles, self.versions = [""], [0]
        self.ear = Ear(channel_of(course), on_event=self._hear, on_reset=self._fetch)
        self._teacher, self._id = teacher, course["id"]

    async def _fetch(self) -> None:
        row = await self._teacher.ok("GET", f"/courses/{self._id}")
        self._take(row["version"], row["title"])

    def _hear(self, event: dict[str, Any]) -> None:
        self._take(event["data"]["version"], event["data"]["changes"]["title"])

    def _take(self, version: int, title: str) -> None:
        if version > self.versions[-1]:
            self.versions.append(version)
            self.titles.append(title)


class TestDeadLines:
    @pytest.mark.parametrize(
        "how", ["silent", pytest.param("nothing_arrives", marks=pytest.mark.soak), "nothing_comes"]
    )
    async def test_what_is_written_meanwhile_is_told_when_it_is_back(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], *, line: Watcher, how: str
    ) -> None:
        """With a reply that never comes, Redis has the event and the relay does not know: it is not told twice."""
        school.redis.hold(*WAYS[how])
        await rename(teacher, course, "one", "two", "three")
        assert len(await line.is_told("degraded")) == 1
        await school.is_ready(teacher, 200, "degraded")
        assert (await line.ask("subscribe", channel=channel_of(course)))["error"]["code"] == "unavailable"
        school.redis.release()
        assert len(await line.is_told("restored")) == 1
        await heard(line, course, "one", "two", "three")
        await nothing_follows(line, teacher, course, "one", "two", "three")
        await school.is_ready(teacher, 200, "ok")

    async def test_a_line_of_messages_that_went_dead_alone_is_noticed(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], line: Watcher
    ) -> None:
        """Commands go through, messages do not come: nobody else would say that something is missing."""
        for link in await links_that_bring(school, teacher, course):
            link.hold()
        await rename(teacher, course, "one", "two")
        await heard(line, course, "before", "one", "two")
        school.redis.release()
        await nothing_follows(line, teacher, course, "before", "one", "two")


class TestBadLines:
    async def test_lines_that_break_again_and_again_lose_nothing(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any]
    ) -> None:
        """A node that cannot fill a gap at once lets its listeners go; they come back, with a snapshot if they must."""
        picture = Picture(teacher, course)
        async with client_of(teacher) as client:
            await client.subscribe(picture.ear)
            for number in range(30):
                await rename(teacher, course, f"T{number}")
                school.redis.cut()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while picture.titles[-1] != "T29":  # noqa: ASYNC110 - heard in a callback
                    await asyncio.sleep(0.01)
            await client.command("ping")
        assert picture.versions == sorted(set(picture.versions))
        assert picture.titles[-1] == "T29"

    async def test_a_late_redis_is_only_late(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], line: Watcher
    ) -> None:
        school.redis.delay(0.02)
        titles = [f"T{number}" for number in range(5)]
        await rename(teacher, course, *titles)
        await heard(line, course, *titles)
        school.redis.delay(0)
        assert line.notices("degraded") == []

    async def test_a_redis_that_is_known_to_be_silent_costs_a_request_nothing(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], line: Watcher
    ) -> None:
        """If each of these writes waited for Redis as long as the first one did, they would take a minute."""
        school.redis.hold()
        await rename(teacher, course, "the first")
        await line.is_told("degraded")
        titles = [f"T{number}" for number in range(60)]
        await asyncio.wait_for(rename(teacher, course, *titles), PATIENCE_SECONDS)
        school.redis.release()
        await heard(line, course, "the first", *titles)

    async def test_a_redis_that_refuses_is_found_again(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], line: Watcher
    ) -> None:
        await school.redis.vanish()
        await line.is_told("degraded")
        await rename(teacher, course, "one", "two")
        await school.redis.accept()
        await line.is_told("restored")
        await heard(line, course, "one", "two")
