"""Two node processes on a Redis Cluster: what holds on one server holds on several, also while a channel moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lms_rt.bus.redis.keys import Keys
from tests import factories
from tests.live.node_school import NodeSchool, node_school, watching
from tests.servers.redis_server import RedisCluster

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[RedisCluster]:
    with RedisCluster() as running:
        yield running


@pytest.fixture(scope="module")
async def school(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cluster: RedisCluster
) -> AsyncIterator[NodeSchool]:
    folder = tmp_path_factory.mktemp("school")
    async with node_school(request, folder, {}, {}, redis_url=cluster.url) as made:
        yield made


async def test_courses_are_heard_in_order_wherever_their_channels_lie(school: NodeSchool) -> None:
    teachers = await school.everywhere(await school.person("instructor"))
    courses = [await factories.course(teachers[0]) for _ in range(6)]
    async with watching(teachers[0]) as one, watching(teachers[1]) as two:
        for course in courses:
            for line in (one, two):
                await line.ok("subscribe", channel=f"course:{course['id']}")
        for number in range(4):
            renaming = (
                teachers[number % 2].ok("PATCH", f"/courses/{course['id']}", json={"title": f"T{number}"})
                for course in courses
            )
            await asyncio.gather(*renaming)
        for course in courses:
            channel = f"course:{course['id']}"
            heard = await one.hears(channel, 4)
            assert [event["data"]["changes"]["title"] for event in heard] == ["T0", "T1", "T2", "T3"]
            assert await two.hears(channel, 4) == heard


async def test_a_channel_that_moves_to_another_server_is_heard_on(school: NodeSchool, cluster: RedisCluster) -> None:
    """Its offsets belong to the server that gave them: who listened takes a snapshot anew."""
    teachers = await school.everywhere(await school.person("instructor"))
    course = await factories.course(teachers[0])
    channel = f"course:{course['id']}"
    key = Keys(school.settings.mongodb_database).top(channel)
    async with watching(teachers[0]) as one, watching(teachers[1]) as two:
        for line in (one, two):
            old = await line.ok("subscribe", channel=channel)
        here = cluster.master_of(key)
        there = next(master for master in cluster.masters if master is not here)
        cluster.move_slot(key, there)
        assert [await line.closed() for line in (one, two)] == [4010, 4010]
    async with watching(teachers[1]) as line:
        fresh = await line.ok("subscribe", channel=channel)
        assert fresh["epoch"] != old["epoch"]
        await teachers[0].ok("PATCH", f"/courses/{course['id']}", json={"title": "Moved"})
        (event,) = await line.hears(channel, 1)
        assert (event["epoch"], event["offset"]) == (fresh["epoch"], fresh["offset"] + 1)


async def test_a_session_ends_on_all_nodes(school: NodeSchool) -> None:
    somebody = await school.person()
    async with watching(somebody) as here, watching(somebody, school.addresses[1]) as there:
        await somebody.ok("POST", "/auth/logout", json={})
        assert [await here.closed(), await there.closed()] == [4501, 4501]
