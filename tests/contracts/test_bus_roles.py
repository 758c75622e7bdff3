"""What every implementation must do of the bus's smaller roles: presence, tickets, revocations, locks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from lms_rt.bus.base import Member
from lms_rt.bus.memory import MemoryRateLimits
from lms_rt.bus.redis.keys import Keys
from lms_rt.bus.redis.line import LineLimits, RedisLine
from lms_rt.bus.redis.presence import RedisPresence
from lms_rt.bus.redis.server import RedisReachability, RedisTime
from lms_rt.bus.redis.small_roles import RedisLocks, RedisRateLimits, RedisRevocations, RedisTickets
from lms_rt.clock import Clock, FakeClock
from lms_rt.errors import Code, Refused
from tests.contracts.small_roles import Roles
from tests.servers.redis_server import RedisCluster as RedisServers


class TestPresence:
    async def test_join_note_leave(self, roles: Roles) -> None:
        presence = roles.presence
        assert await presence.join("attempt:1", Member("con_1", "usr_1", "Ada", is_staff=True)) == 1
        assert await presence.join("attempt:1", Member("con_2", "usr_1", "Ada")) == 2
        await presence.note("attempt:1", "usr_1", {"question_id": "qst_1", "state": "shown"})
        await presence.note("attempt:1", "usr_1", {"question_id": "qst_2"})
        there = await presence.members_of(["attempt:1", "attempt:2"])
        note = {"question_id": "qst_2", "state": "shown"}
        assert sorted(there["attempt:1"], key=lambda member: member.connection_id) == [
            Member("con_1", "usr_1", "Ada", True, note),
            Member("con_2", "usr_1", "Ada", False, note),
        ]
        assert there["attempt:2"] == []
        await presence.leave([("attempt:1", "con_1"), ("attempt:2", "con_1")])
        await presence.leave([("attempt:1", "con_1")])
        (left,) = (await presence.members_of(["attempt:1"]))["attempt:1"]
        assert (left.connection_id, left.note) == ("con_2", note)

    async def test_who_joins_again_is_there_once(self, roles: Roles) -> None:
        for _ in range(3):
            assert await roles.presence.join("course:1", Member("con_1", "usr_1")) == 1
        assert await roles.presence.count_users(["course:1"]) == {"course:1": 1}
        await roles.presence.leave([("course:1", "con_1")])
        assert await roles.presence.count_users(["course:1"]) == {"course:1": 0}

    async def test_people_are_counted_and_not_their_devices(self, roles: Roles) -> None:
        for connection_id, user_id in (("con_1", "usr_1"), ("con_2", "usr_1"), ("con_3", "usr_2")):
            await roles.presence.join("course:1", Member(connection_id, user_id))
        assert await roles.presence.count_users(["course:1", "course:2"]) == {"course:1": 2, "course:2": 0}
        await roles.presence.leave([("course:1", "con_1")])
        assert await roles.presence.count_users(["course:1"]) == {"course:1": 2}
        await roles.presence.leave([("course:1", "con_2")])
        assert await roles.presence.count_users(["course:1"]) == {"course:1": 1}
        await roles.pass_time(30)
        assert await roles.presence.count_users(["course:1"]) == {"course:1": 0}

    async def test_notes_end_with_the_last_device_and_need_one(self, roles: Roles) -> None:
        presence = roles.presence
        await presence.note("attempt:1", "usr_1", {"question_id": "qst_1"})
        await presence.join("attempt:1", Member("con_1", "usr_1"))
        assert (await presence.members_of(["attempt:1"]))["attempt:1"][0].note == {}
        await presence.join("attempt:1", Member("con_9", "usr_11"))
        await presence.note("attempt:1", "usr_2", {"question_id": "qst_1"})  # who is not there, though others are
        await presence.join("attempt:1", Member("con_8", "usr_2"))
        for user_id in ("usr_1", "usr_11"):
            await presence.note("attempt:1", user_id, {"question_id": "qst_1"})
        await presence.leave([("attempt:1", "con_1")])
        await presence.join("attempt:1", Member("con_2", "usr_1"))
        notes = {m.user_id: m.note for m in (await presence.members_of(["attempt:1"]))["attempt:1"]}
        assert notes == {"usr_1": {}, "usr_2": {}, "usr_11": {"question_id": "qst_1"}}

    async def test_notes_end_with_a_device_that_died(self, roles: Roles) -> None:
        presence = roles.presence
        await presence.join("attempt:1", Member("con_1", "usr_1"))
        await presence.note("attempt:1", "usr_1", {"question_id": "qst_1"})
        await roles.pass_time(20)
        await presence.join("attempt:1", Member("con_2", "usr_2"))
        await roles.pass_time(10)
        await presence.join("attempt:1", Member("con_3", "usr_1"))
        notes = {m.connection_id: m.note for m in (await presence.members_of(["attempt:1"]))["attempt:1"]}
        assert notes == {"con_2": {}, "con_3": {}}

    async def test_who_is_not_renewed_is_gone_within_thirty_seconds(self, roles: Roles) -> None:
        presence = roles.presence
        await presence.join("course:1", Member("con_1", "usr_1"))
        await presence.join("course:1", Member("con_2", "usr_2"))
        await roles.pass_time(20)
        unknown = await presence.renew([("course:1", "con_2"), ("course:1", "con_unknown"), ("course:2", "con_2")])
        assert set(unknown) == {("course:1", "con_unknown"), ("course:2", "con_2")}
        await roles.pass_time(10)
        there = await presence.members_of(["course:1", "course:2"])
        assert [m.connection_id for m in there["course:1"]] == ["con_2"]
        assert there["course:2"] == []
        assert await presence.renew([("course:1", "con_1")]) == [("course:1", "con_1")]

    async def test_names_are_kept_whatever_their_script(self, roles: Roles) -> None:
        names = ["منى فاروق", 'Q"uote\\', "李 小龍", ""]
        for number, name in enumerate(names):
            await roles.presence.join("course:1", Member(f"con_{number}", f"usr_{number}", name))
        there = (await roles.presence.members_of(["course:1"]))["course:1"]
        assert sorted(m.full_name for m in there) == sorted(names)


class TestTickets:
    async def test_a_ticket_is_good_once_and_for_its_time(self, roles: Roles) -> None:
        await roles.tickets.issue("hash", {"user_id": "usr_1"}, ttl_seconds=30)
        await roles.tickets.issue("late", {"user_id": "usr_1"}, ttl_seconds=30)
        assert await roles.tickets.consume("hash") == {"user_id": "usr_1"}
        assert await roles.tickets.consume("hash") is None
        assert await roles.tickets.consume("unknown") is None
        await roles.pass_time(30)
        assert await roles.tickets.consume("late") is None

    async def test_of_many_callers_one_gets_it(self, roles: Roles) -> None:
        await roles.tickets.issue("hash", {"user_id": "usr_1"}, ttl_seconds=30)
        found = await asyncio.gather(*(roles.tickets.consume("hash") for _ in range(20)))
        assert [each for each in found if each is not None] == [{"user_id": "usr_1"}]


class TestRevocations:
    async def test_they_are_remembered_for_their_time(self, roles: Roles) -> None:
        await roles.revocations.revoke("fam_1", ttl_seconds=900)
        assert await roles.revocations.is_revoked("fam_1")
        assert not await roles.revocations.is_revoked("fam_2")
        await roles.pass_time(900)
        assert not await roles.revocations.is_revoked("fam_1")


class TestLocks:
    async def test_a_lock_is_held_by_one_until_released_or_expired(self, roles: Roles) -> None:
        locks = roles.locks
        token = await locks.acquire("sweep", ttl_seconds=10)
        assert token is not None
        assert await locks.acquire("sweep", ttl_seconds=10) is None
        await locks.release("sweep", "another token")
        assert await locks.acquire("sweep", ttl_seconds=10) is None
        await locks.release("sweep", token)
        assert await locks.acquire("sweep", ttl_seconds=10) is not None
        await roles.pass_time(10)
        assert await locks.acquire("sweep", ttl_seconds=10) is not None


class TestMarks:
    async def test_a_mark_stands_until_it_is_moved_and_none_comes_back(self, roles: Roles) -> None:
        marks, seen = roles.marks, set[str]()
        other = await marks.mark_of("other")
        for _ in range(5):
            found = set(await asyncio.gather(*(marks.mark_of("lms:catalogue") for _ in range(5))))
            assert len(found) == 1
            assert not seen & found
            seen |= found
            await marks.move("lms:catalogue")
        assert await marks.mark_of("other") == other
        await marks.move("nobody's")


@pytest.mark.real
class TestServer:
    """What only a bus over a network has."""

    async def test_presence_goes_by_the_time_of_the_server(self, line: RedisLine) -> None:
        presence = RedisPresence(line, presence_seconds=0.05)
        await presence.join("course:1", Member("con_1", "usr_1"))
        async with asyncio.timeout(20):
            while await presence.count_users(["course:1"]) != {"course:1": 0}:  # noqa: ASYNC110 - it ends by itself
                await asyncio.sleep(0.01)

    async def test_what_is_forgotten_leaves_no_key(self, line: RedisLine, redis_url: str) -> None:
        presence = RedisPresence(line)
        await presence.join("attempt:1", Member("con_1", "usr_1"))
        await presence.note("attempt:1", "usr_1", {"question_id": "qst_1"})
        await RedisRevocations(line).revoke("fam_1", ttl_seconds=60)
        await RedisRateLimits(line, MemoryRateLimits(FakeClock())).take("usr_1", per_second=0.1, burst=2)
        await RedisLocks(line).acquire("sweep", ttl_seconds=10)
        await RedisTickets(line).issue("hash", {}, ttl_seconds=30)
        async with Redis.from_url(redis_url) as client:
            keys = [key async for key in client.scan_iter(f"{line.keys.prefix}*")]
            assert len(keys) == 8
            assert all(0 < left_ms <= 60_000 for left_ms in [await client.pttl(key) for key in keys])
            await presence.leave([("attempt:1", "con_1")])
            assert not [key async for key in client.scan_iter(f"{line.keys.prefix}*presence*")]

    async def test_the_server_is_set_up_as_it_must_be(self, line: RedisLine, redis_url: str) -> None:
        reachability = RedisReachability(line)
        assert reachability.is_reachable
        assert await reachability.ping() > 0
        async with Redis.from_url(redis_url) as client:
            await client.config_set("maxmemory-policy", "noeviction")
            assert await reachability.faults() == []
            await client.config_set("maxmemory-policy", "allkeys-lru")
            try:
                (fault,) = await reachability.faults()
            finally:
                await client.config_set("maxmemory-policy", "noeviction")
        assert "allkeys-lru" in fault

    async def test_its_time_is_told_with_the_round_trip(self, line: RedisLine) -> None:
        at_ms, round_trip_ms = await RedisTime(line).measure()
        assert abs(at_ms - Clock().now_ms()) < 5_000  # one machine, or machines that keep time
        assert round_trip_ms > 0


@pytest.mark.real
class TestCluster:
    """Several servers, of which each has its part."""

    @pytest.fixture
    async def spread(self, redis_cluster: RedisServers) -> AsyncIterator[RedisLine]:
        line = RedisLine(redis_cluster.url, Keys(f"test_{uuid.uuid4().hex}"))
        await line.open()
        yield line
        await line.close()

    async def test_every_master_is_looked_at(self, spread: RedisLine, redis_cluster: RedisServers) -> None:
        reachability = RedisReachability(spread)
        assert await reachability.ping() > 0
        assert await reachability.faults() == []
        for master in redis_cluster.masters:
            master.do("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
            try:
                (fault,) = await reachability.faults()
            finally:
                master.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
            assert "volatile-ttl" in fault

    async def test_all_nodes_ask_the_same_master_for_the_time(
        self, spread: RedisLine, redis_cluster: RedisServers
    ) -> None:
        for master in redis_cluster.masters:
            master.do("CONFIG", "RESETSTAT")
        for master in redis_cluster.masters:
            line = RedisLine(master.url, spread.keys)
            await line.open()
            await RedisTime(line).measure()
            await line.close()
        asked = [master.info().count("cmdstat_time:calls=3") for master in redis_cluster.masters]
        assert sorted(asked) == [0, 0, 1]


class TestAway:
    """Nobody listens at the address."""

    @pytest.fixture
    async def lost(self) -> AsyncIterator[RedisLine]:
        limits = LineLimits(connect_seconds=0.2, probe_seconds=(60, 60))
        line = RedisLine("redis://127.0.0.1:1/0", Keys("test"), limits=limits)
        await line.open()
        yield line
        await line.close()

    async def test_what_asks_is_refused(self, lost: RedisLine) -> None:
        presence, tickets, revocations, locks = (
            RedisPresence(lost), RedisTickets(lost), RedisRevocations(lost), RedisLocks(lost),
        )  # fmt: skip
        for asked in (
            presence.join("course:1", Member("con_1", "usr_1")),
            presence.leave([("course:1", "con_1")]),
            presence.renew([("course:1", "con_1")]),
            presence.members_of(["course:1"]),
            presence.count_users(["course:1"]),
            tickets.issue("hash", {}, ttl_seconds=30),
            tickets.consume("hash"),
            revocations.is_revoked("fam_1"),
            locks.acquire("sweep", ttl_seconds=10),
            RedisReachability(lost).ping(),
            RedisReachability(lost).faults(),
            RedisTime(lost).measure(),
        ):
            with pytest.raises(Refused) as refused:
                await asked
            assert refused.value.code is Code.UNAVAILABLE
        assert not RedisReachability(lost).is_reachable
