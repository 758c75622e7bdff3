"""The whole product in this process, with a network that tests may hurt before its database and before its Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lms_rt.storage import mongo
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.live.node_school import Watcher
from tests.servers.tcp_proxy import BOTH, TcpProxy, Way, tcp_proxy
from tests.working import pretend_workers

PATIENCE_SECONDS = 20
"""Nothing here is judged by how long it takes; what does not come within this time does not come."""
WAYS: dict[str, tuple[Way, ...]] = {"silent": BOTH, "nothing_arrives": (Way.UP,), "nothing_comes": (Way.DOWN,)}
"""How a network goes dead without an error."""


@dataclass
class HurtSchool:
    """A running school and the two networks behind it."""

    house: House
    mongo: TcpProxy
    redis: TcpProxy

    async def is_ready(self, visitor: Visitor, status: int, word: str) -> dict[str, Any]:
        """What `/ready` says, once it says this."""

        async def ready() -> dict[str, Any] | None:
            reply = await visitor.http.get(f"{self.house.address}/ready")
            said: dict[str, Any] = reply.json()
            return said if (reply.status_code, said.get("status")) == (status, word) else None

        return await sooner_or_later(ready)


def channel_of(course: dict[str, Any]) -> str:
    """Where a course is heard."""
    return f"course:{course['id']}"


async def rename(teacher: Visitor, course: dict[str, Any], *titles: str) -> None:
    """Give the course these titles, one after the other."""
    for title in titles:
        await teacher.ok("PATCH", f"/courses/{course['id']}", json={"title": title})


async def heard(watcher: Watcher, course: dict[str, Any], *titles: str) -> None:
    """Exactly these titles were told, each once and in this order, and no offset is missing."""
    events = await watcher.hears(channel_of(course), len(titles))
    assert [event["data"]["changes"]["title"] for event in events] == list(titles)
    offsets = [event["offset"] for event in events]
    assert offsets == list(range(offsets[0], offsets[0] + len(titles)))


@asynccontextmanager
async def hurt_school(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[HurtSchool]:
    """A school on the real servers, each behind a proxy."""
    async with AsyncExitStack() as stack:
        mongo_proxy = await stack.enter_async_context(tcp_proxy(request.getfixturevalue("mongodb_url")))
        redis_proxy = await stack.enter_async_context(tcp_proxy(request.getfixturevalue("redis_url")))
        urls = {
            "mongodb_url": mongo_proxy.url(request.getfixturevalue("mongodb_url")),
            "redis_url": redis_proxy.url(request.getfixturevalue("redis_url")),
        }
        settings = settings_on("real", request, folder, **urls)
        pretend_workers(settings, mongodb_url=request.getfixturevalue("mongodb_url"))
        house = await stack.enter_async_context(open_house(settings))
        yield HurtSchool(house, mongo_proxy, redis_proxy)


def lose_patience_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the driver of the database give up after a second instead of many; less is a collection of the server's garbage."""
    for name in ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS"):
        monkeypatch.setitem(mongo._CLIENT_OPTIONS, name, 1_000)


async def sooner_or_later(ask: Callable[[], Awaitable[dict[str, Any] | None]]) -> dict[str, Any]:
    """What the question gives, once it gives something."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await ask()) is None:  # noqa: ASYNC110 - asked elsewhere, nobody tells
            await asyncio.sleep(0.02)
    return found
