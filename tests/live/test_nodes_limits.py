"""Limits on several node processes: they count together over Redis, and each for itself while it is away."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.house import PASSWORD
from tests.live.node_school import PATIENCE_SECONDS, NodeSchool, node_school

pytestmark = pytest.mark.real
_NUMBERS = itertools.count(1)
LIMIT = 20


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeSchool]:
    """Two nodes behind a proxy, of which this process is one."""
    more = {"trusted_proxies": "127.0.0.0/8", "rate_limit_requests_per_minute": LIMIT}
    async with node_school(request, tmp_path_factory.mktemp("school"), {}, {}, **more) as made:
        yield made


@pytest.fixture
def address() -> dict[str, str]:
    """An address that no other test has."""
    return {"X-Forwarded-For": f"203.0.113.{next(_NUMBERS)}"}


@asynccontextmanager
async def redis_away(school: NodeSchool) -> AsyncIterator[None]:
    """While the body runs there is no Redis; afterwards both nodes have it again."""
    school.redis.kill()
    try:
        await ready(school, "degraded")
        yield
    finally:
        school.redis.start()
        await ready(school, "ok")


async def ready(school: NodeSchool, status: str) -> None:
    """Return once both nodes say so."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(PATIENCE_SECONDS):
        for node in school.addresses:
            while (await client.get(f"{node}/ready")).json()["status"] != status:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)


async def passed(school: NodeSchool, headers: dict[str, str]) -> tuple[int, int]:
    """How many requests from there pass until one is refused, the nodes taking turns; and how many were let in meanwhile.

    A bucket refills while they are made, however long a busy machine takes for that.
    """
    began = time.monotonic()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for turn in range(10 * LIMIT):
            reply = await client.get(f"{school.addresses[turn % 2]}/api/v1/categories", headers=headers)
            if reply.status_code == 429:
                return turn, math.ceil((time.monotonic() - began) * LIMIT / 60)
            assert reply.status_code == 200, reply.text
    raise AssertionError("nobody was ever refused")


async def guessed(school: NodeSchool, headers: dict[str, str], email: str) -> list[str]:
    """What eight guesses at once at each node are told."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:

        async def guess(number: int) -> str:
            body = {"email": email, "password": f"guess number {number}"}
            reply = await client.post(f"{school.addresses[number % 2]}/api/v1/auth/login", json=body, headers=headers)
            return str(reply.json()["code"])

        return await asyncio.gather(*(guess(number) for number in range(16)))


async def test_nodes_count_together(school: NodeSchool, address: dict[str, str]) -> None:
    count, more = await passed(school, address)
    assert LIMIT <= count <= LIMIT + more


async def test_five_guesses_are_five_wherever_they_are_made(school: NodeSchool, address: dict[str, str]) -> None:
    person = await school.person()
    answers = await guessed(school, address, person.user["email"])
    assert answers.count("invalid_credentials") == 5
    assert answers.count("account_locked") == 11
    elsewhere = await school.visitor(school.addresses[1])
    await elsewhere.sign_in(person.user["email"], PASSWORD)


async def test_while_redis_is_away_each_node_counts_for_itself(school: NodeSchool, address: dict[str, str]) -> None:
    person = await school.person()
    async with redis_away(school):
        count, more = await passed(school, address)
        assert 2 * LIMIT <= count <= 2 * (LIMIT + more)
        answers = await guessed(school, address, person.user["email"])
        assert answers.count("invalid_credentials") == 10
        assert answers.count("account_locked") == 6
