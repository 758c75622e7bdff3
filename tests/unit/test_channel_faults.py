"""The actor of a channel when something fails or ends: whoever waits is answered, and what waits is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lms_rt.bus.base import Interrupted, Position, Stretch
from lms_rt.errors import Code, Refused
from lms_rt.realtime import channel
from tests.unit.channel_place import Place, settle, until_empty


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    made.history.gate.set()
    await made.hub.close()


async def test_a_fault_while_one_joins_is_told_to_them(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is: a line that waits for an answer reads nothing more."""

    async def broken(*_: object, **__: object) -> Stretch:
        raise RuntimeError("out of order")

    monkeypatch.setattr(place.history, "read", broken)
    async with asyncio.timeout(5):
        with pytest.raises(Refused) as refused:
            await place.subscribing(place.connection("con_1")[0])
    assert refused.value.code is Code.UNAVAILABLE
    await until_empty(place)


@pytest.mark.parametrize("has_begun", [False, True], ids=["in the same turn", "while the history is read"])
async def test_the_end_of_the_node_answers_who_is_joining(place: Place, has_begun: bool) -> None:
    place.history.gate.clear()
    joining = place.subscribing(place.connection("con_1")[0])
    await asyncio.sleep(0)
    if has_begun:
        await settle()
    await place.hub.close()
    async with asyncio.timeout(5):
        with pytest.raises(Refused) as refused:
            await joining
    assert refused.value.code is Code.UNAVAILABLE
    assert place.hub.channels == ()


async def test_who_waits_behind_another_is_answered_though_the_bus_lets_nobody_go(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.subscribed(place.connection("con_1")[0])
    (actor,) = place.hub._actors.values()

    async def refuse() -> None:
        raise Refused(Code.UNAVAILABLE)

    assert actor._listening is not None
    monkeypatch.setattr(actor._listening, "stop", refuse)
    place.history.gate.clear()
    place.hub.compare_tops("course:1")
    await place.publish(2)
    late = place.subscribing(place.connection("con_2")[0])
    later = place.subscribing(place.connection("con_3")[0])
    await settle()
    await place.hub.close()
    async with asyncio.timeout(5):
        told = await asyncio.gather(late, later, return_exceptions=True)
    assert [type(one) for one in told] == [Refused, Refused]


async def test_nobody_joins_a_hub_that_is_closed(place: Place) -> None:
    await place.hub.close()
    async with asyncio.timeout(5):
        with pytest.raises(Refused) as refused:
            await place.subscribing(place.connection("con_1")[0])
    assert (refused.value.code, place.hub.channels) == (Code.UNAVAILABLE, ())


async def test_tops_that_could_not_be_asked_for_are_compared_when_the_bus_is_back(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    (listening,) = await place.publish_unheard()
    place.history.is_away = True
    listening.receive(Interrupted("course:1"))
    await settle()
    place.history.is_away = False
    place.hub.compare_again()
    await settle()
    assert ears.offsets == [1]
    reads = place.history.reads
    place.hub.compare_again()  # all is settled: a bus that was away for others is not asked by all
    await settle()
    assert place.history.reads == reads


async def test_a_gap_is_counted_when_it_was_healed(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    for is_away in (False, True):
        await place.publish_unheard()
        place.history.is_away = is_away
        await place.publish()
        await settle()
        assert place.metrics.heals._value.get() == 1
    assert ears.closes == [4010]


async def test_what_is_held_is_bounded_in_bytes(place: Place) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribing(connection)
    for _ in range(20):
        await place.bus.fan_out.publish_direct("course:1", "announcement", {"text": "x" * 60_000})
        await settle()
    assert ears.closes == [4008]


async def test_of_held_states_only_the_newest_waits(place: Place) -> None:
    connection, ears = place.connection("con_1")
    subscription = await place.subscribing(connection)
    for count in range(1_500):
        await place.bus.fan_out.publish_state("course:1", "presence", {"count": count})
    await settle()
    subscription.release()
    await settle()
    told: Any = b"".join(ears.frames)
    assert (ears.closes, told.count(b'"count"'), b'"count":1499' in told) == ([], 1, True)


async def test_a_bus_that_is_slow_to_tell_its_tops_costs_nobody_the_line(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, ears = place.connection("con_1")
    await place.subscribed(connection)
    monkeypatch.setattr(channel, "BUS_TIMEOUT_SECONDS", 0)
    answer, top = asyncio.Event(), place.history.top

    async def slowly(name: str) -> Position | None:
        await answer.wait()
        return await top(name)

    monkeypatch.setattr(place.history, "top", slowly)
    place.hub.compare_tops("course:1")
    (actor,) = place.hub._actors.values()
    async with asyncio.timeout(5):
        while not actor._is_in_doubt and not ears.closes:  # noqa: ASYNC110 - the actor's own, nobody tells
            await asyncio.sleep(0.001)
    assert ears.closes == []
