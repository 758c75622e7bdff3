"""The bus at home in a Redis Cluster: where a channel lives, and what happens when its slot moves or its master dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lms_rt.bus.base import Bus, Interrupted, Position, Published
from lms_rt.bus.redis.keys import Keys
from lms_rt.errors import Refused
from tests.contracts.buses import (
    PATIENCE_SECONDS,
    QUICK,
    Kept,
    SomeBus,
    all_arrived,
    all_words_arrived,
    of_record,
    on_redis,
)
from tests.servers.redis_server import RedisCluster, RedisServer

pytestmark = pytest.mark.real


@pytest.fixture
async def some(redis_cluster: RedisCluster) -> AsyncIterator[SomeBus]:
    async with on_redis(redis_cluster.url, is_cluster=True, limits=QUICK) as some:
        yield some


def another(cluster: RedisCluster, master: RedisServer) -> RedisServer:
    return next(one for one in cluster.masters if one is not master)


async def test_a_channel_lives_on_one_master_and_is_heard_there_alone(
    redis_cluster: RedisCluster, some: SomeBus
) -> None:
    names = [Keys(some.installation).channel(f"course:{n}") for n in range(12)]
    heard = [Kept() for _ in names]
    for n, kept in enumerate(heard):
        await some.bus.fan_out.listen(f"course:{n}", kept)
        await some.bus.fan_out.publish_direct(f"course:{n}", "announcement", {})
    for n, (name, kept) in enumerate(zip(names, heard, strict=True)):
        await all_arrived(some.bus, f"course:{n}", kept)
        assert kept.offsets == [1]
        for master in redis_cluster.masters:
            is_home = master is redis_cluster.master_of(name)
            assert master.do("PUBSUB", "SHARDNUMSUB", name)[1] == is_home
    assert len({redis_cluster.master_of(name).port for name in names}) == 3


async def test_a_slot_that_moves_takes_its_listeners_along(redis_cluster: RedisCluster, some: SomeBus) -> None:
    name = Keys(some.installation).channel("course:1")
    heard = Kept()
    await some.bus.fan_out.listen("course:1", heard)
    before = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
    redis_cluster.move_slot(name, another(redis_cluster, redis_cluster.master_of(name)))
    await heard.until(lambda: Interrupted("course:1") in heard.messages)
    after = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
    await all_arrived(some.bus, "course:1", heard)
    assert after.epoch != before.epoch  # another server counts: what it was told and lost nobody knows
    assert [m.position for m in heard.messages if isinstance(m, Published)] == [before, after]


async def test_who_publishes_while_a_slot_is_on_its_way_waits_for_its_arrival(
    redis_cluster: RedisCluster, some: SomeBus
) -> None:
    name = Keys(some.installation).channel("course:1")
    target = another(redis_cluster, redis_cluster.master_of(name))
    redis_cluster.begin_move(name, target)
    direct = asyncio.create_task(some.bus.fan_out.publish_direct("course:1", "announcement", {}))
    of_a_record = asyncio.create_task(some.bus.fan_out.publish("course:1", of_record("crs_1", 1)))
    await some.bus.fan_out.publish_state("course:1", "presence", {})  # one name alone: asked of who has the rest
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "errorstat_TRYAGAIN" not in target.info():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    redis_cluster.finish_move(name, target)
    places = await asyncio.gather(direct, of_a_record)
    assert sorted(place.offset for place in places if place) == [1, 2]


async def test_words_reach_the_nodes_wherever_they_connected(redis_cluster: RedisCluster, some: SomeBus) -> None:
    url = redis_cluster.masters[2].url
    async with on_redis(url, some.installation, is_cluster=True) as other:
        words = Kept(), Kept()
        await some.bus.fan_out.listen_control(words[0])
        await other.bus.fan_out.listen_control(words[1])
        await all_words_arrived(some.bus, *words)
        await all_words_arrived(other.bus, *words)


async def test_a_master_that_dies_takes_its_own_channels_epochs_alone() -> None:
    with RedisCluster() as cluster:
        async with on_redis(cluster.url, is_cluster=True, limits=QUICK) as some:
            names = {f"course:{n}": Keys(some.installation).channel(f"course:{n}") for n in range(12)}
            victim = cluster.masters[1]
            heard = {channel: Kept() for channel in names}
            before = {}
            for channel, kept in heard.items():
                await some.bus.fan_out.listen(channel, kept)
                before[channel] = await some.bus.fan_out.publish_direct(channel, "announcement", {})
            victim.kill()
            with pytest.raises(Refused):
                await publish_until_refused(some.bus, tuple(names))
            victim.start()
            for channel, name in names.items():
                is_lost = cluster.master_of(name) is victim
                place = await published_at_last(some.bus, channel)
                assert (place.epoch != before[channel].epoch) == is_lost
                await all_arrived(some.bus, channel, heard[channel])
                if is_lost:
                    assert Interrupted(channel) in heard[channel].messages


@pytest.mark.soak
async def test_a_replica_takes_over_from_the_master_that_the_url_names() -> None:
    with RedisCluster() as cluster, RedisServer(cluster_enabled="yes", cluster_node_timeout=2000) as replica:
        cluster.add_replica(replica, cluster.masters[0])
        async with on_redis(cluster.url, is_cluster=True, limits=QUICK) as some:
            names = {f"course:{n}": Keys(some.installation).channel(f"course:{n}") for n in range(12)}
            lost = [channel for channel, name in names.items() if cluster.master_of(name) is cluster.masters[0]]
            heard = {channel: Kept() for channel in lost}
            before = {}
            for channel, kept in heard.items():
                await some.bus.fan_out.listen(channel, kept)
                before[channel] = await some.bus.fan_out.publish_direct(channel, "announcement", {})
            cluster.masters[0].kill()
            for channel, kept in heard.items():
                place = await published_at_last(some.bus, channel)
                assert place.epoch != before[channel].epoch
                await all_arrived(some.bus, channel, kept)
                assert Interrupted(channel) in kept.messages


async def publish_until_refused(bus: Bus, channels: tuple[str, ...]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for channel in channels:
                await bus.fan_out.publish_state(channel, "presence", {})


async def published_at_last(bus: Bus, channel: str) -> Position:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await bus.fan_out.publish_direct(channel, "announcement", {})
            except Refused:
                await asyncio.sleep(0.02)
