"""`docs/redis-keys.md` tells what is in Redis: every key that the bus leaves there, its type, and that it has an age."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from config.settings import Settings
from lms_rt.bus.base import Bus, Member
from tests.contracts.buses import of_record, on_redis
from workers.app import Bell, TaskiqWakeUps, brokers_on_redis

pytestmark = pytest.mark.real

PAGE = Path(__file__).parents[2] / "docs" / "redis-keys.md"

_GONE = -2
"""What `PTTL` says of a key that is not there."""


def told() -> dict[re.Pattern[str], str]:
    """Patterns of keys, and their types."""
    rows = re.findall(r"^\| `lms:lms:(\S+)` \| (\w+(?: \w+)?) \|", PAGE.read_text(), re.MULTILINE)
    assert rows
    return {re.compile(re.sub(r"<\w+>", r"[^{}]+", re.escape(name).replace(r"\<", "<"))): kind for name, kind in rows}


async def do_everything(bus: Bus) -> None:
    for channel in ("course:crs_1", "attempt:att_1:x"):
        await bus.fan_out.publish(channel, of_record("crs_1", 1))
        await bus.fan_out.publish_direct(channel, "answer_saved", {})
        await bus.fan_out.publish_state(channel, "presence", {})
        await bus.history.read(channel, after=0)
        await bus.presence.join(channel, Member("con_1", "usr_1"))
        await bus.presence.note(channel, "usr_1", {"question_id": "qst_1"})
    await bus.history.top("course:crs_2")
    await bus.fan_out.publish_control("session_revoked", {})
    await bus.tickets.issue("hash", {}, ttl_seconds=30)
    await bus.revocations.revoke("fam_1", ttl_seconds=30)
    await bus.rate_limits.take("login:usr_1", per_second=0.01, burst=5)
    await bus.rate_limits.strike("password:x", limit=5, window_seconds=60, lock_seconds=60)
    await bus.rate_limits.note_lock("account:x", "password:x", seconds=60)
    await bus.locks.acquire("sweep", ttl_seconds=30)
    await bus.marks.mark_of("lms:catalogue")


async def wake_workers(redis_url: str, installation: str) -> None:
    settings = Settings(_env_file=None, redis_url=SecretStr(redis_url), mongodb_database=installation)
    async with brokers_on_redis(settings, Bell().ring) as brokers:
        wake_ups = TaskiqWakeUps(brokers)
        sending = asyncio.create_task(wake_ups.run())
        await wake_ups.wake("emails", "job_1")
        async with Redis.from_url(redis_url) as client, asyncio.timeout(10):
            while not await client.exists(f"lms:{installation}:tasks:emails"):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_every_key_is_on_the_page_and_has_its_type_and_an_age(redis_url: str) -> None:
    async with on_redis(redis_url) as some, Redis.from_url(redis_url) as client:
        await do_everything(some.bus)
        await wake_workers(redis_url, some.installation)
        prefix, patterns, met = f"lms:{some.installation}:", told(), set()
        async for raw in client.scan_iter(f"{prefix}*"):
            name = bytes(raw).decode().removeprefix(prefix)
            matching = [pattern for pattern in patterns if pattern.fullmatch(name)]
            assert matching, f"{name} is not on the page"
            met.update(matching)
            kind = str(await client.type(raw), "utf-8").replace("zset", "sorted set")  # type: ignore[arg-type]
            age_ms = await client.pttl(raw)
            if kind == "none" or age_ms == _GONE:
                continue  # its time has run out since it was listed
            assert {patterns[pattern] for pattern in matching} == {kind}, name
            assert age_ms > 0, f"{name} is kept for ever"
        assert met == set(patterns), "the page tells of keys that are not there"
