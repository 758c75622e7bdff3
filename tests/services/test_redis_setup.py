"""A school on MongoDB and the state of its Redis: absent at the start, set up wrongly, or no address at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.settings import Settings
from lms_rt.bootstrap import Services, StoreError, open_services
from lms_rt.contracts.accounts import RegistrationDraft, SignInDraft
from lms_rt.contracts.health import ReadyView
from lms_rt.errors import Code, Refused
from lms_rt.services.clock_keeper import UNKNOWN_ERROR_MS
from tests.conftest import settings_on
from tests.servers.redis_server import RedisServer
from tests.working import pretend_workers

pytestmark = pytest.mark.real
PASSWORD = "river stone 41"


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings_on("real", request, tmp_path)


@asynccontextmanager
async def opened(settings: Settings, redis_url: str) -> AsyncIterator[Services]:
    """The services on this Redis; the database is gone afterwards."""
    pretend_workers(settings)
    async with open_services(settings.model_copy(update={"redis_url": SecretStr(redis_url)})) as services:
        services.health.open()
        yield services
        await services.database.motor.client.drop_database(settings.mongodb_database)


async def ready(services: Services, status: str) -> ReadyView:
    """What `/ready` says, once it says this."""
    async with asyncio.timeout(10):
        while (view := await services.health.ready()).status != status:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return view


async def test_a_node_starts_without_redis_and_is_whole_when_it_comes(settings: Settings) -> None:
    server = RedisServer()
    async with opened(settings, server.url) as services:
        view = await ready(services, "degraded")
        assert (view.checks.redis.state, view.checks.clock.state) == ("degraded", "degraded")
        assert services.clock.error_ms >= UNKNOWN_ERROR_MS
        draft = RegistrationDraft(email="mona@example.org", password=PASSWORD, full_name="Mona Farouk")
        actor = await services.sessions.authenticate((await services.accounts.register(draft)).access_token)
        ticket = await services.sessions.issue_ticket(actor)
        assert await services.sessions.consume_ticket(ticket.ticket) == actor
        assert await services.bus.history.top("course:1") is None
        with pytest.raises(Refused) as refused:
            await services.bus.fan_out.publish_direct("course:1", "announcement", {})
        assert refused.value.code is Code.UNAVAILABLE
        with server:
            view = await ready(services, "ok")
            assert (view.checks.redis.state, view.checks.clock.state) == ("ok", "ok")
            assert services.clock.error_ms < 250
            assert (await services.bus.fan_out.publish_direct("course:1", "announcement", {})).offset == 1
            assert await services.accounts.login(SignInDraft(email="mona@example.org", password=PASSWORD))


async def test_a_redis_that_evicts_what_it_should_keep_is_named(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer(maxmemory_policy="allkeys-lru") as server:
        async with opened(settings, server.url) as services:
            view = await ready(services, "degraded")
            assert view.checks.redis.state == "degraded"
            assert "maxmemory-policy is allkeys-lru" in caplog.text
            server.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
            await ready(services, "ok")


async def test_an_address_that_is_none_is_one_line(settings: Settings) -> None:
    with pytest.raises(StoreError, match="REDIS_URL cannot be used"):
        async with opened(settings, "http://127.0.0.1:1"):
            pytest.fail("it opened")


async def test_replicas_that_are_asked_for_and_not_there_are_named(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer() as server, RedisServer() as replica:
        async with opened(settings.model_copy(update={"redis_replicas": 1}), server.url) as services:
            await ready(services, "degraded")
            assert "Redis has 0 replicas, and 1 must have an event before it counts" in caplog.text
            replica.follow(server)
            await ready(services, "ok")
