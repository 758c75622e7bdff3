"""A collection of its own for each test of the engines, on both; a Redis Cluster, and the smaller roles of each bus."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster as RedisClusterClient

from lms_rt.bus.base import Bus
from lms_rt.bus.redis.keys import Keys
from lms_rt.bus.redis.line import RedisLine
from lms_rt.storage.mongo import open_database
from tests.conftest import settings_on
from tests.contracts import buses
from tests.contracts.buses import SomeBus
from tests.contracts.small_roles import Roles, in_memory, on_redis_line
from tests.servers.redis_server import RedisCluster

Rows = AsyncIOMotorCollection[dict[str, Any]]


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.real)])
async def engine_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AsyncIOMotorDatabase[dict[str, Any]]]:
    """One database for the tests of a module, opened as the product opens it."""
    settings = settings_on(request.param, request, tmp_path_factory.mktemp("engine"))
    async with open_database(settings) as opened:
        yield opened.motor
        if not opened.is_embedded:
            await opened.motor.client.drop_database(settings.mongodb_database)


@pytest.fixture
def rows(engine_database: AsyncIOMotorDatabase[dict[str, Any]]) -> Rows:
    """An empty collection."""
    return engine_database[f"c_{uuid.uuid4().hex}"]


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Three masters; it takes two seconds to form."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[RedisLine]:
    """A line to Redis, with names of its own."""
    line = RedisLine(redis_url, Keys(f"test_{uuid.uuid4().hex}"))
    await line.open()
    yield line
    await line.close()


@pytest.fixture(params=["memory", *(pytest.param(lane, marks=pytest.mark.real) for lane in ("redis", "cluster"))])
async def roles(request: pytest.FixtureRequest) -> AsyncIterator[Roles]:
    """The smaller roles of each implementation."""
    if request.param == "memory":
        yield in_memory()
        return
    is_cluster = request.param == "cluster"
    url = request.getfixturevalue("redis_cluster").url if is_cluster else request.getfixturevalue("redis_url")
    client: Any = (RedisClusterClient if is_cluster else Redis).from_url(url)
    line = RedisLine(url, Keys(f"test_{uuid.uuid4().hex}"))
    await line.open()
    yield on_redis_line(line, client)
    await line.close()
    await client.aclose()


@pytest.fixture(params=["memory", *(pytest.param(lane, marks=pytest.mark.real) for lane in ("redis", "cluster"))])
async def some(request: pytest.FixtureRequest) -> AsyncIterator[SomeBus]:
    """A bus of each kind, and how to make time pass on it."""
    if request.param == "memory":
        yield buses.in_memory()
    elif request.param == "redis":
        async with buses.on_redis(request.getfixturevalue("redis_url")) as some:
            yield some
    else:
        async with buses.on_redis(request.getfixturevalue("redis_cluster").url, is_cluster=True) as some:
            yield some


@pytest.fixture
def bus(some: SomeBus) -> Bus:
    """The same, alone."""
    return some.bus
