"""A node's part of presence: what it says again to a bus that forgot, counts that nobody's leaving corrects, batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from lms_rt.bus.base import Bus, Member, Membership, Receiver, State
from lms_rt.bus.memory import MemoryPresence, memory_bus
from lms_rt.clock import Clock, FakeClock
from lms_rt.errors import Code, Refused
from lms_rt.realtime.presence import PresenceKeeper

ADA, BOB = Member("con_a", "ada", "Ada"), Member("con_b", "bob", "Bob")


class ForgetfulPresence(MemoryPresence):
    """Presence that can be away, or lose all that it held, and that notes how it is asked."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.is_away = False
        self.leaves: list[int] = []

    def forget_all(self) -> None:
        self._members.clear()
        self._notes.clear()

    async def join(self, channel: str, member: Member) -> int:
        self._require()
        return await super().join(channel, member)

    async def leave(self, memberships: Iterable[Membership]) -> None:
        self._require()
        gone = list(memberships)
        self.leaves.append(len(gone))
        await super().leave(gone)

    async def renew(self, memberships: Iterable[Membership]) -> list[Membership]:
        self._require()
        return await super().renew(memberships)

    async def count_users(self, channels: Iterable[str]) -> dict[str, int]:
        self._require()
        return await super().count_users(channels)

    def _require(self) -> None:
        if self.is_away:
            raise Refused(Code.UNAVAILABLE)


class Counts(Receiver[Any]):
    """The counts that the channel's listeners were told."""

    def __init__(self, keeper: PresenceKeeper) -> None:
        self.told: list[int] = []
        self._keeper, self._has_more = keeper, asyncio.Event()

    def receive(self, message: Any) -> None:
        if isinstance(message, State):
            self._keeper.heard("course:1", message.name, message.data)
            self.told.append(message.data["count"])
            self._has_more.set()

    async def until(self, count: int) -> None:
        while count not in self.told:
            self._has_more.clear()
            await self._has_more.wait()


class Place:
    """A node's keeper on a bus that may forget."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.presence = ForgetfulPresence(self.clock)
        self.bus: Bus = replace(memory_bus(self.clock), presence=self.presence)
        self.keeper = PresenceKeeper(self.bus, self.clock)
        self.counts = Counts(self.keeper)
        self.changed: list[str] = []
        self.keeper.listen(self.changed.append)

    async def there(self, channel: str = "course:1") -> set[str]:
        return {member.connection_id for member in (await self.presence.members_of([channel]))[channel]}


@pytest.fixture
async def place() -> Place:
    made = Place()
    await made.bus.fan_out.listen("course:1", made.counts)
    return made


async def test_who_is_forgotten_joins_again(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.keeper.join("attempt:1", ADA)
    place.presence.forget_all()
    place.changed.clear()
    await place.keeper.renew()
    assert (await place.there(), await place.there("attempt:1")) == ({"con_a"}, {"con_a"})
    assert set(place.changed) == {"course:1", "attempt:1"}
    (member,) = (await place.presence.members_of(["course:1"]))["course:1"]
    assert member.full_name == "Ada"


async def test_who_came_while_the_bus_was_away_is_there_when_it_is_back(place: Place) -> None:
    place.presence.is_away = True
    assert await place.keeper.join("course:1", ADA) is None
    with pytest.raises(Refused):
        await place.keeper.work()
    place.presence.is_away = False
    await place.keeper.renew_if_possible()
    assert await place.there() == {"con_a"}
    await place.keeper.work()
    assert place.counts.told == [1]


async def test_who_came_while_the_bus_was_away_is_told_the_count_though_it_is_the_old_one(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.keeper.work()
    place.presence.is_away = True
    place.keeper.leave("course:1", "con_a")
    await place.keeper.join("course:1", BOB)
    with pytest.raises(Refused):
        await place.keeper.work()
    place.presence.is_away = False
    place.clock.advance(30)
    await place.keeper.renew_if_possible()
    await place.keeper.work()
    assert place.counts.told == [1, 1]


async def test_who_left_while_the_bus_was_away_does_not_come_back(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.keeper.join("course:1", BOB)
    place.presence.is_away = True
    place.keeper.leave("course:1", "con_a")
    await place.keeper.renew_if_possible()
    place.clock.advance(60)
    place.presence.is_away = False
    await place.keeper.renew()
    assert await place.there() == {"con_b"}


async def test_people_of_a_node_that_died_are_no_longer_counted(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.bus.presence.join("course:1", BOB)  # of another node
    await place.keeper.work()
    for _ in range(5):
        place.clock.advance(6)
        await place.keeper.renew()
        await place.keeper.work()
    assert place.counts.told == [2, 1]


async def test_a_node_that_dies_right_after_it_told_a_count_is_no_reason_to_leave_it_standing(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.keeper.work()
    await place.bus.fan_out.publish_state("course:1", "presence", {"count": 2})  # by a node that is no more
    await place.keeper.renew()
    await place.keeper.work()
    assert place.counts.told == [1, 2, 1]


async def test_what_another_node_has_told_is_not_told_again(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.keeper.work()
    await place.bus.presence.join("course:1", BOB)
    await place.bus.fan_out.publish_state("course:1", "presence", {"count": 2})
    await place.keeper.renew()
    await place.keeper.work()
    assert place.counts.told == [1, 2]


async def test_a_count_that_stays_is_told_once(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    for _ in range(3):
        await place.keeper.work()
        await place.keeper.renew()
    assert place.counts.told == [1]


async def test_a_thousand_who_leave_at_once_are_a_few_questions(place: Place) -> None:
    for number in range(1_000):
        await place.keeper.join("course:1", Member(f"con_{number}", f"usr_{number}"))
    for number in range(1_000):
        place.keeper.leave("course:1", f"con_{number}")
    assert place.keeper.leaving_from("course:1") == 1_000
    place.clock.advance(0.5)
    await place.keeper.work()
    assert place.presence.leaves == [200] * 5
    assert place.counts.told == [0]


async def test_one_who_comes_back_in_time_has_not_left(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    place.keeper.leave("course:1", "con_a")
    assert place.keeper.leaving_from("course:1") == 1
    await place.keeper.join("course:1", ADA)
    assert place.keeper.leaving_from("course:1") == 0
    place.clock.advance(1)
    await place.keeper.work()
    assert await place.there() == {"con_a"}


async def test_a_node_that_goes_takes_everybody_along(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.keeper.join("attempt:1", ADA)
    await place.keeper.join("course:1", BOB)
    place.keeper.leave("course:1", "con_b")
    await place.keeper.leave_all()
    assert (await place.there(), await place.there("attempt:1")) == (set(), set())
    assert place.presence.leaves == [3]


async def test_who_stays_is_told_at_once_that_a_node_went(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    await place.keeper.join("attempt:1", ADA)
    await place.bus.presence.join("course:1", Member("con_elsewhere", "eve"))
    await place.keeper.work()
    place.changed.clear()
    await place.keeper.leave_all()
    assert place.counts.told == [2, 1]
    assert set(place.changed) == {"course:1", "attempt:1"}


async def test_a_node_goes_without_the_bus_too(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    await place.keeper.join("course:1", ADA)
    place.presence.is_away = True
    await place.keeper.leave_all()
    assert "nobody could be told" in caplog.text


async def test_one_who_comes_back_while_their_leave_is_told_is_there(place: Place) -> None:
    await place.keeper.join("course:1", ADA)
    place.keeper.leave("course:1", "con_a")
    place.clock.advance(1)
    tell = place.presence.leave

    async def comes_back_first(memberships: Iterable[Membership]) -> None:
        place.presence.leave = tell  # type: ignore[method-assign]
        await place.keeper.join("course:1", ADA)
        await tell(memberships)

    place.presence.leave = comes_back_first  # type: ignore[method-assign]
    await place.keeper.work()
    assert await place.there() == {"con_a"}


async def test_a_fault_of_the_bus_does_not_end_the_keeping(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.keeper._clock = Clock()
    count, is_counted = place.presence.count_users, asyncio.Event()

    async def fails_once(channels: Iterable[str]) -> dict[str, int]:
        place.presence.count_users = count  # type: ignore[method-assign]
        is_counted.set()
        raise OSError("a reply that nobody expected")

    place.presence.count_users = fails_once  # type: ignore[method-assign]
    running = asyncio.create_task(place.keeper.run())
    try:
        async with asyncio.timeout(5):
            await place.keeper.join("course:1", ADA)
            await is_counted.wait()
            await place.keeper.join("course:1", BOB)
            await place.counts.until(2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert "could not be told" in caplog.text


async def test_who_is_not_let_in_is_nowhere(place: Place) -> None:
    async def fails(*_: object) -> int:
        raise OSError("a reply that nobody expected")

    place.presence.join = fails  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError, match="nobody expected"):
        await place.keeper.join("connections:ada", ADA)
    del place.presence.join
    await place.keeper.renew()
    assert await place.there("connections:ada") == set()
