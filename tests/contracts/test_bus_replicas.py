"""`REDIS_REPLICAS` on a real master and replica: what nobody else has does not count as published."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from lms_rt.bus.base import Position
from lms_rt.bus.redis import replicas
from lms_rt.bus.redis.keys import Keys
from lms_rt.errors import Code, Refused
from tests.contracts.buses import PATIENCE_SECONDS, Kept, all_arrived, of_record, on_redis
from tests.servers.redis_server import RedisServer

pytestmark = pytest.mark.real


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def replica(server: RedisServer) -> Iterator[RedisServer]:
    with RedisServer() as replica:
        replica.follow(server)
        yield replica


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica is waited for longer than any machine stands still."""
    monkeypatch.setattr(replicas, "WAIT_MS", PATIENCE_SECONDS * 1000)


@pytest.mark.usefixtures("patient")
async def test_what_a_replica_has_is_published(server: RedisServer, replica: RedisServer) -> None:
    async with on_redis(server.url, replicas=1) as some:
        publish = some.bus.fan_out.publish
        places = await asyncio.gather(*(publish("course:1", of_record("crs_1", n)) for n in range(1, 101)))
        assert [place.offset for place in places if place] == list(range(1, 101))
        top = Keys(some.installation).top("course:1")
        assert replica.do("GET", top) == server.do("GET", top)
        assert int(server.fact("cmdstat_wait").split(",")[0].removeprefix("calls=")) < 50  # one question for many


@pytest.mark.usefixtures("patient")
async def test_nobody_else_waits_for_a_replica(server: RedisServer, replica: RedisServer) -> None:
    async with on_redis(server.url, replicas=1) as some:
        replica.freeze()
        publishing = asyncio.create_task(some.bus.fan_out.publish("course:1", of_record("crs_1", 1)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "blocked_clients:1" not in server.info():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        assert await some.bus.history.top("course:1") is not None
        assert not publishing.done()
        replica.thaw()
        assert await publishing is not None


async def test_what_no_replica_has_is_unavailable_and_a_repeat_is_told_once(
    server: RedisServer, replica: RedisServer
) -> None:
    async with on_redis(server.url, replicas=1) as some:
        heard = Kept()
        await some.bus.fan_out.listen("course:1", heard)
        replica.freeze()
        refusals = await asyncio.gather(
            *(some.bus.fan_out.publish("course:1", of_record("crs_1", n)) for n in range(1, 11)), return_exceptions=True
        )
        assert [refused.code for refused in refusals if isinstance(refused, Refused)] == [Code.UNAVAILABLE] * 10
        direct = await some.bus.fan_out.publish_direct("course:1", "announcement", {})  # best effort: waits for nobody
        assert direct.offset == 11
        replica.thaw()
        assert await published(some.bus.fan_out.publish, 10) is None  # it was told already, and now it is safe
        await all_arrived(some.bus, "course:1", heard)
        assert heard.offsets == list(range(1, 12))
        assert some.bus.reachability.is_reachable


async def published(publish: Callable[..., Awaitable[Position | None]], version: int) -> Position | None:
    """Published at last: the replica needs a moment."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await publish("course:1", of_record("crs_1", version))
            except Refused:
                continue
