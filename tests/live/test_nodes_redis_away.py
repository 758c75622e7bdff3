"""Redis hangs, dies, and comes back, under two node processes: the school goes on, and what was written meanwhile is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD
from tests.live.node_school import PATIENCE_SECONDS, Frame, NodeSchool, Watcher, node_school, watching

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeSchool]:
    async with node_school(request, tmp_path_factory.mktemp("school"), {}, {}) as made:
        yield made


@pytest.fixture
async def teachers(school: NodeSchool) -> list[Visitor]:
    """A new teacher, at every node."""
    return await school.everywhere(await school.person("instructor"))


@asynccontextmanager
async def redis_hangs(school: NodeSchool, *lines: Watcher) -> AsyncIterator[None]:
    """While the body runs Redis answers nobody; it begins when both nodes have noticed, and ends when it is well again."""
    school.redis.freeze()
    try:
        await told(lines, "degraded")
        for address in school.addresses:
            await is_ready(school, address, "degraded")
        yield
    finally:
        school.redis.thaw()
    await told(lines, "restored")
    for address in school.addresses:
        await is_ready(school, address, "ok")


async def told(lines: tuple[Watcher, ...], notice: str) -> None:
    """Return once everybody was told, once."""
    for line in lines:
        assert len(await line.is_told(notice)) == 1


async def is_ready(school: NodeSchool, address: str, status: str) -> Frame:
    """What `/ready` says, once it says this."""
    visitor = await school.visitor(address)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            reply = await visitor.http.get(f"{address}/ready")
            assert reply.status_code == 200
            ready: Frame = reply.json()
            if ready["status"] == status:
                return ready
            await asyncio.sleep(0.05)


def versions(events: list[Frame]) -> list[tuple[int, int]]:
    return [(event["data"]["version"], event["data"]["n"]) for event in events]


class TestWhileItHangs:
    async def test_the_school_goes_on_and_says_how_it_is(self, school: NodeSchool, teachers: list[Visitor]) -> None:
        course = await factories.course(teachers[0])
        quiz = await factories.quiz(teachers[0], course["id"])
        channel = f"course:{course['id']}"
        async with watching(teachers[0]) as one, watching(teachers[1]) as two:
            await one.ok("subscribe", channel=channel)
            async with redis_hangs(school, one, two):
                ready = await is_ready(school, school.addresses[0], "degraded")
                assert ready["checks"]["redis"]["state"] == "degraded"
                for line in (one, two):
                    reply = await line.ask("subscribe", channel=channel)
                    assert reply["error"]["code"] == "unavailable"
                    await line.ok("ping")
                for teacher in teachers:
                    await teacher.ok("PATCH", f"/courses/{course['id']}", json={"title": "Written meanwhile"})
                    assert (await teacher.ok("GET", f"/courses/{course['id']}"))["title"] == "Written meanwhile"
                    assert (await teacher.ok("GET", f"/quizzes/{quiz['id']}/live"))["as_of"] is None
                newcomer = await school.visitor(school.addresses[1])
                credentials = {"email": teachers[0].user["email"], "password": PASSWORD}
                newcomer.take(await newcomer.ok("POST", "/auth/login", json=credentials))
            assert await two.ok("subscribe", channel=channel)

    async def test_a_ticket_of_one_node_opens_a_socket_at_another_and_once(self, school: NodeSchool) -> None:
        somebody = await school.person()
        async with watching(somebody) as line:
            async with redis_hangs(school, line):
                ticket = await somebody.ticket()
                async with watching(somebody, school.addresses[1], ticket=ticket) as other:
                    await other.ok("ping")
                with pytest.raises(InvalidStatus):
                    async with watching(somebody, school.addresses[0], ticket=ticket):
                        pass

    async def test_a_session_that_ends_ends_everywhere(self, school: NodeSchool) -> None:
        """Within seconds instead of at once: the nodes find it in the database."""
        somebody, spared = await school.person(), await school.person()
        elsewhere = await school.at(somebody, school.addresses[1])
        async with watching(elsewhere) as line, watching(spared, school.addresses[1]) as other:
            await elsewhere.ok("GET", "/auth/me")
            async with redis_hangs(school, other):
                await somebody.ok("POST", "/auth/logout", json={})
                assert await line.closed() == 4501
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while (await elsewhere.call("GET", "/auth/me")).status_code != 401:
                        pass
                await other.ok("ping")


class TestWhatWasWritten:
    async def test_it_is_told_once_and_in_order_though_both_nodes_tell_it(
        self, school: NodeSchool, teachers: list[Visitor]
    ) -> None:
        """Each course is changed through both nodes by turns; the same sockets hear all of it."""
        courses = [await factories.course(teachers[0]) for _ in range(4)]
        async with watching(teachers[0]) as one, watching(teachers[1]) as two:
            stood: dict[str, Frame] = {}
            for course in courses:
                channel = f"course:{course['id']}"
                stood[channel] = await one.ok("subscribe", channel=channel)
                await two.ok("subscribe", channel=channel)
            async with redis_hangs(school, one, two):
                for number in range(8):
                    await asyncio.gather(*(rename(teachers[number % 2], course, f"T{number}") for course in courses))
            for channel, position in stood.items():
                for line in (one, two):
                    events = await line.hears(channel, 8)
                    assert [event["offset"] - position["offset"] for event in events] == list(range(1, 9))
                    assert versions(events) == sorted(set(versions(events)))
                    assert [event["data"]["changes"]["title"] for event in events] == [f"T{n}" for n in range(8)]

    async def test_what_a_node_wrote_before_it_was_killed_is_told_by_the_other(
        self, school: NodeSchool, teachers: list[Visitor]
    ) -> None:
        course = await factories.course(teachers[0])
        channel = f"course:{course['id']}"
        async with watching(teachers[0]) as line:
            await line.ok("subscribe", channel=channel)
            async with redis_hangs(school, line):
                for number in range(3):
                    await rename(teachers[1], course, f"T{number}")
                await asyncio.to_thread(school.nodes[1].kill)
                await asyncio.to_thread(school.nodes[1].start)
            assert [event["data"]["changes"]["title"] for event in await line.hears(channel, 3)] == ["T0", "T1", "T2"]


async def rename(teacher: Visitor, course: dict[str, Any], title: str) -> None:
    """A change of record."""
    await teacher.ok("PATCH", f"/courses/{course['id']}", json={"title": title})


async def history_of(line: Watcher, channel: str, count: int) -> list[Frame]:
    """What the channel's history holds, once it holds so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(events := (await line.ok("history", channel=channel, limit=100))["events"]) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # some 30 commands a second are allowed
    return list(events)


class TestWhenItDies:
    """Last here: Redis is killed and comes back empty, once with a node that started without it."""

    async def test_what_was_written_meanwhile_is_in_the_new_epoch(
        self, school: NodeSchool, teachers: list[Visitor]
    ) -> None:
        course = await factories.course(teachers[0])
        channel = f"course:{course['id']}"
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(watching(teacher)) for teacher in teachers]
            for line in lines:
                reply = await line.ok("subscribe", channel=channel)
            old = {"epoch": reply["epoch"], "offset": reply["offset"]}
            school.redis.kill()
            await told(tuple(lines), "degraded")
            for number in range(4):
                await rename(teachers[number % 2], course, f"T{number}")
            await asyncio.to_thread(school.nodes[1].stop)
            await asyncio.to_thread(school.nodes[1].start)
            await is_ready(school, school.addresses[1], "degraded")
            school.redis.start()
            for address in school.addresses:
                await is_ready(school, address, "ok")
            assert await lines[0].closed() == 4010
        for teacher in teachers:
            async with watching(teacher) as line:
                fresh = await line.ok("subscribe", channel=channel, since=old)
                assert fresh["epoch"] != old["epoch"]
                told_events = await history_of(line, channel, 4)
                assert [event["data"]["changes"]["title"] for event in told_events] == ["T0", "T1", "T2", "T3"]
                assert [event["offset"] for event in told_events] == [1, 2, 3, 4]
