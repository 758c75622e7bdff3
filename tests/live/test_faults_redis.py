"""A bad network between a node and Redis: the school goes on, and what was written is told once, in order, to everybody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lms_rt.client.ear import Ear
from tests.clients import Visitor
from tests.live.hurt_school import PATIENCE_SECONDS, WAYS, HurtSchool, channel_of, heard, rename
from tests.live.node_school import Watcher, client_of
from tests.servers.tcp_proxy import Link, Way

pytestmark = pytest.mark.real


async def nothing_follows(watcher: Watcher, teacher: Visitor, course: dict[str, Any], *titles: str) -> None:
    """One more title is told, and only that."""
    await rename(teacher, course, "the last")
    await heard(watcher, course, *titles, "the last")


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
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], *, watcher: Watcher, how: str
    ) -> None:
        """With a reply that never comes, Redis has the event and the relay does not know: it is not told twice."""
        school.redis.hold(*WAYS[how])
        await rename(teacher, course, "one", "two", "three")
        assert len(await watcher.is_told("degraded")) == 1
        await school.is_ready(teacher, 200, "degraded")
        assert (await watcher.ask("subscribe", channel=channel_of(course)))["error"]["code"] == "unavailable"
        school.redis.release()
        assert len(await watcher.is_told("restored")) == 1
        await heard(watcher, course, "one", "two", "three")
        await nothing_follows(watcher, teacher, course, "one", "two", "three")
        await school.is_ready(teacher, 200, "ok")

    async def test_a_line_of_messages_that_went_dead_alone_is_noticed(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], watcher: Watcher
    ) -> None:
        """Commands go through, messages do not come: nobody else would say that something is missing."""
        for link in await links_that_bring(school, teacher, course):
            link.hold()
        await rename(teacher, course, "one", "two")
        await heard(watcher, course, "before", "one", "two")
        school.redis.release()
        await nothing_follows(watcher, teacher, course, "before", "one", "two")


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
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], watcher: Watcher
    ) -> None:
        school.redis.delay(0.02)
        titles = [f"T{number}" for number in range(5)]
        await rename(teacher, course, *titles)
        await heard(watcher, course, *titles)
        school.redis.delay(0)
        assert watcher.notices("degraded") == []

    async def test_a_redis_that_is_known_to_be_silent_costs_a_request_nothing(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], watcher: Watcher
    ) -> None:
        """If each of these writes waited for Redis as long as the first one did, they would take a minute."""
        school.redis.hold()
        await rename(teacher, course, "the first")
        await watcher.is_told("degraded")
        titles = [f"T{number}" for number in range(60)]
        await asyncio.wait_for(rename(teacher, course, *titles), PATIENCE_SECONDS)
        school.redis.release()
        await heard(watcher, course, "the first", *titles)

    async def test_a_redis_that_refuses_is_found_again(
        self, school: HurtSchool, teacher: Visitor, course: dict[str, Any], watcher: Watcher
    ) -> None:
        await school.redis.vanish()
        await watcher.is_told("degraded")
        await rename(teacher, course, "one", "two")
        await school.redis.accept()
        await watcher.is_told("restored")
        await heard(watcher, course, "one", "two")
