"""What every implementation must do of limits: token buckets, and failures that count together and lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import AsyncMock

import pytest

from lms_rt.bus.limits import MAX_NOTED, Strike
from lms_rt.bus.memory import MemoryRateLimits
from lms_rt.bus.redis.keys import Keys
from lms_rt.bus.redis.line import LineLimits, RedisLine
from lms_rt.bus.redis.small_roles import RedisRateLimits
from lms_rt.clock import FakeClock
from tests.contracts.small_roles import Roles


class TestRateLimits:
    async def test_a_bucket_empties_and_refills(self, roles: Roles) -> None:
        limits = roles.rate_limits
        answers = [await limits.take("usr_1", per_second=0.2, burst=3) for _ in range(4)]
        assert [a.is_allowed for a in answers] == [True, True, True, False]
        assert [a.remaining for a in answers] == [2, 1, 0, 0]
        assert 0 < answers[-1].retry_after_ms <= 5_000
        assert (await limits.take("usr_2", per_second=0.2, burst=3)).is_allowed
        await roles.pass_time(5)
        assert (await limits.take("usr_1", per_second=0.2, burst=3)).is_allowed
        assert not (await limits.take("usr_1", per_second=0.2, burst=3)).is_allowed
        await roles.pass_time(60)
        assert (await limits.take("usr_1", per_second=0.2, burst=3)).remaining == 2

    async def test_what_costs_more_takes_more_and_a_refusal_takes_nothing(self, roles: Roles) -> None:
        limits = roles.rate_limits
        assert (await limits.take("usr_1", per_second=0.1, burst=10, cost=7)).remaining == 3
        refused = await limits.take("usr_1", per_second=0.1, burst=10, cost=4)
        assert (refused.is_allowed, refused.remaining) == (False, 3)
        assert 0 < refused.retry_after_ms <= 10_000
        assert (await limits.take("usr_1", per_second=0.1, burst=10, cost=3)).is_allowed

    async def test_tokens_are_whole_whatever_the_rate(self, roles: Roles) -> None:
        for burst in (3, 7, 60):
            takes = [await roles.rate_limits.take(f"usr_{burst}", per_second=1 / 7, burst=burst) for _ in range(burst)]
            assert [take.remaining for take in takes] == list(reversed(range(burst)))

    async def test_what_costs_nothing_only_looks(self, roles: Roles) -> None:
        limits = roles.rate_limits
        looks = [await limits.take("usr_1", per_second=0.01, burst=2, cost=0) for _ in range(3)]
        assert [(look.is_allowed, look.remaining) for look in looks] == [(True, 2)] * 3
        await limits.take("usr_1", per_second=0.01, burst=2, cost=2)
        assert (await limits.take("usr_1", per_second=0.01, burst=2, cost=0)).remaining == 0
        assert not (await limits.take("usr_1", per_second=0.01, burst=2)).is_allowed

    async def test_what_was_taken_for_nothing_comes_back(self, roles: Roles) -> None:
        limits = roles.rate_limits
        await limits.take("usr_1", per_second=0.01, burst=3, cost=3)
        await limits.give_back("usr_1", per_second=0.01, cost=2)
        assert (await limits.take("usr_1", per_second=0.01, burst=3)).remaining == 1
        await limits.give_back("usr_1", per_second=0.01)
        assert (await limits.take("usr_1", per_second=0.01, burst=3)).remaining == 1

    async def test_a_bucket_never_holds_more_than_it_did_full(self, roles: Roles) -> None:
        limits = roles.rate_limits
        await limits.give_back("usr_1", per_second=0.01, cost=5)
        await limits.take("usr_1", per_second=0.01, burst=3)
        await limits.give_back("usr_1", per_second=0.01, cost=50)
        taken = [(await limits.take("usr_1", per_second=0.01, burst=3)).is_allowed for _ in range(4)]
        assert taken == [True, True, True, False]


def _ms_since(moment: float) -> int:
    """What a server's clock may have gone on since, and a ms for each time that it was cut."""
    return round((time.monotonic() - moment) * 1000) + 2


LOCK: dict[str, Any] = {"limit": 3, "window_seconds": 60, "lock_seconds": 100}


class TestStrikes:
    async def test_so_many_within_the_window_lock(self, roles: Roles) -> None:
        limits, began = roles.rate_limits, time.monotonic()
        strikes = [await limits.strike("guesser", **LOCK) for _ in range(4)]
        assert [(strike.is_allowed, strike.count) for strike in strikes] == [
            (True, 1),
            (True, 2),
            (True, 3),
            (False, 3),
        ]
        assert 100_000 - _ms_since(began) <= strikes[-1].locked_ms <= 100_000
        assert (await limits.strike("owner", **LOCK)).count == 1
        await roles.pass_time(50)
        locked_ms = (await limits.strike("guesser", **LOCK)).locked_ms
        assert 50_000 - _ms_since(began) <= locked_ms <= 50_000
        await roles.pass_time(51)
        assert await limits.strike("guesser", **LOCK) == Strike(True, 1)

    async def test_those_before_the_window_count_no_more(self, roles: Roles) -> None:
        limits = roles.rate_limits
        await limits.strike("guesser", **LOCK)
        await roles.pass_time(40)
        assert (await limits.strike("guesser", **LOCK)).count == 2
        await roles.pass_time(30)
        assert (await limits.strike("guesser", **LOCK)).count == 2
        await roles.pass_time(20)
        assert (await limits.strike("guesser", **LOCK)).count == 3
        assert not (await limits.strike("guesser", **LOCK)).is_allowed

    async def test_a_lock_outlives_a_longer_window(self, roles: Roles) -> None:
        short = LOCK | {"lock_seconds": 10}
        for _ in range(3):
            await roles.rate_limits.strike("guesser", **short)
        await roles.pass_time(5)
        assert not (await roles.rate_limits.strike("guesser", **short)).is_allowed
        await roles.pass_time(6)
        assert await roles.rate_limits.strike("guesser", **short) == Strike(True, 1)

    async def test_of_many_at_once_so_many_pass(self, roles: Roles) -> None:
        strikes = await asyncio.gather(*(roles.rate_limits.strike("guesser", **LOCK) for _ in range(50)))
        assert sum(strike.is_allowed for strike in strikes) == 3

    async def test_what_is_pardoned_is_forgotten(self, roles: Roles) -> None:
        for _ in range(4):
            await roles.rate_limits.strike("guesser", **LOCK)
        await roles.rate_limits.pardon("guesser")
        await roles.rate_limits.pardon("nobody")
        assert await roles.rate_limits.strike("guesser", **LOCK) == Strike(True, 1)

    async def test_one_that_nobody_looked_at_is_taken_back_alone(self, roles: Roles) -> None:
        limits = roles.rate_limits
        for _ in range(3):
            await limits.strike("guesser", **LOCK)
        await limits.take_back("guesser")
        await limits.take_back("nobody")
        assert await limits.strike("guesser", **LOCK) == Strike(True, 3)
        assert not (await limits.strike("guesser", **LOCK)).is_allowed
        for _ in range(4):
            await limits.take_back("guesser")
        assert await limits.strike("guesser", **LOCK) == Strike(True, 1)


class TestNotedLocks:
    async def test_it_is_told_how_long_each_lasts(self, roles: Roles) -> None:
        limits, began = roles.rate_limits, time.monotonic()
        assert await limits.find_locks("mona") == []
        await limits.note_lock("mona", "at school", seconds=60)
        await limits.note_lock("mona", "at home", seconds=100)
        await limits.note_lock("lina", "at school", seconds=30)
        longer, shorter = await limits.find_locks("mona")
        assert 100_000 - _ms_since(began) <= longer <= 100_000
        assert 60_000 - _ms_since(began) <= shorter <= 60_000
        await roles.pass_time(61)
        (left,) = await limits.find_locks("mona")
        assert 39_000 - _ms_since(began) <= left <= 39_000
        assert await limits.find_locks("lina") == []
        await roles.pass_time(40)
        assert await limits.find_locks("mona") == []

    async def test_one_that_is_noted_again_lasts_anew(self, roles: Roles) -> None:
        began = time.monotonic()
        for seconds in (100, 20):
            await roles.rate_limits.note_lock("mona", "at school", seconds=seconds)
        (left,) = await roles.rate_limits.find_locks("mona")
        assert 20_000 - _ms_since(began) <= left <= 20_000

    async def test_what_is_dropped_is_locked_no_more(self, roles: Roles) -> None:
        limits = roles.rate_limits
        for key in ("at school", "at home"):
            await limits.note_lock("mona", key, seconds=60)
        await limits.drop_lock("mona", "at school")
        await limits.drop_lock("mona", "nowhere")
        await limits.drop_lock("nobody", "nowhere")
        assert len(await limits.find_locks("mona")) == 1
        await limits.drop_lock("mona", "at home")
        assert await limits.find_locks("mona") == []

    async def test_so_many_are_noted_and_no_more(self, roles: Roles) -> None:
        began = time.monotonic()
        for number in range(MAX_NOTED + 20):
            await roles.rate_limits.note_lock("mona", f"place {number}", seconds=60 + number)
        left = await roles.rate_limits.find_locks("mona")
        assert len(left) == MAX_NOTED
        assert left == sorted(left, reverse=True)
        assert min(left) >= 80_000 - _ms_since(began), "those that end first are left out"


async def test_memory_keeps_the_limits_of_so_many_only() -> None:
    """An attacker has more addresses than we have memory; who is met often is remembered."""
    limits = MemoryRateLimits(FakeClock(), many=10)
    for number in range(200):
        await limits.take(f"address{number}", per_second=0.01, burst=5)
        await limits.strike(f"address{number}", **LOCK)
        often = await limits.take("often", per_second=0.01, burst=1_000)
        assert (await limits.strike("often", **LOCK)).count == min(number + 1, 3)
        assert often.remaining == 999 - number
        await limits.note_lock(f"account{number}", "place", seconds=60)
    assert len(limits._buckets._entries) == len(limits._strikes._entries) == len(limits._locked._entries) == 10


class TestAway:
    """Nobody listens at the address."""

    @pytest.fixture
    async def lost(self) -> AsyncIterator[RedisLine]:
        line = RedisLine("redis://127.0.0.1:1/0", Keys("test"), limits=LineLimits(0.2, probe_seconds=(60, 60)))
        await line.open()
        yield line
        await line.close()

    async def test_each_node_limits_for_itself(self, lost: RedisLine) -> None:
        clock = FakeClock()
        limits = RedisRateLimits(lost, MemoryRateLimits(clock))
        assert [(await limits.take("usr_1", per_second=1, burst=2)).is_allowed for _ in range(3)] == [True, True, False]
        clock.advance(1)
        assert (await limits.take("usr_1", per_second=1, burst=2)).is_allowed

    async def test_each_node_locks_for_itself(self, lost: RedisLine) -> None:
        limits = RedisRateLimits(lost, MemoryRateLimits(FakeClock()))
        strikes = [(await limits.strike("guesser", **LOCK)).is_allowed for _ in range(4)]
        assert strikes == [True, True, True, False]
        await limits.pardon("guesser")
        assert (await limits.strike("guesser", **LOCK)).count == 1
        for key in ("here", "there"):
            await limits.note_lock("guesser", key, seconds=60)
        await limits.drop_lock("guesser", "here")
        assert await limits.find_locks("guesser") == [60_000]
        await limits.take("usr_1", per_second=0.01, burst=2, cost=2)
        await limits.give_back("usr_1", per_second=0.01, is_here=True)
        assert (await limits.take("usr_1", per_second=0.01, burst=2)).is_allowed

    async def test_what_was_counted_here_is_taken_back_here_though_redis_is_there_again(
        self, lost: RedisLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or a real failure would be forgotten there instead."""
        spare, redis = MemoryRateLimits(FakeClock()), AsyncMock()
        limits = RedisRateLimits(lost, spare)
        strikes = [await limits.strike("guesser", **LOCK) for _ in range(2)]
        taken = await limits.take("usr_1", per_second=0.01, burst=2)
        with monkeypatch.context() as there_again:
            for name in ("do", "run"):
                there_again.setattr(lost, name, redis)
            await limits.take_back("guesser", is_here=strikes[-1].is_here)
            await limits.give_back("usr_1", per_second=0.01, is_here=taken.is_here)
        redis.assert_not_awaited()
        assert (await spare.take("usr_1", per_second=0.01, burst=2, cost=0)).remaining == 2
        await limits.take_back("guesser")  # that was counted there
        assert (await spare.strike("guesser", **LOCK)).count == 2
