"""A collection of its own for each test of the engines, on both; and a Redis Cluster for the bus."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase

from lms_rt.storage.mongo import open_database
from tests.conftest import settings_on
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
