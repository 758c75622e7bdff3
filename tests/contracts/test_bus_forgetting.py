"""Forgetting what a channel told, on every bus: nobody is handed it again, and whoever goes on reads the whole anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lms_rt.bus.base import Bus
from lms_rt.contracts.events import LiveEvent
from tests.contracts.buses import Kept, all_arrived, client_of, of_record, on_redis


async def test_what_was_forgotten_is_read_by_nobody_and_a_known_place_leads_nowhere(bus: Bus) -> None:
    for version in (1, 2, 3):
        place = await bus.fan_out.publish("user:1", of_record("usr_1", version))
    await bus.history.forget("user:1")
    stretch = await bus.history.read("user:1", after=0)
    assert stretch.events == ()
    assert stretch.since(place) is None
    assert (await bus.history.page("user:1")).events == ()


async def test_what_comes_after_counts_from_one_in_an_epoch_of_its_own_and_is_heard(bus: Bus) -> None:
    heard = Kept()
    await bus.fan_out.listen("user:1", heard)
    before = await bus.fan_out.publish("user:1", of_record("usr_1", 1))
    await bus.history.forget("user:1")
    after = await bus.fan_out.publish("user:1", of_record("usr_1", 2))
    await all_arrived(bus, "user:1", heard)
    assert before is not None
    assert after is not None
    assert after.offset == 1
    assert after.epoch != before.epoch
    assert heard.offsets == [1, 1]


async def test_other_channels_stay_as_they_were_and_again_is_as_good(bus: Bus) -> None:
    place = await bus.fan_out.publish("user:2", of_record("usr_2", 1))
    for _ in range(2):
        await bus.history.forget("user:1")
    assert await bus.history.top("user:2") == place
    assert len((await bus.history.read("user:2", after=0)).events) == 1


async def test_other_words_take_the_place_of_those_that_were_kept(bus: Bus) -> None:
    for version in (1, 2):
        await bus.fan_out.publish("user:1", of_record("usr_1", version))
        await bus.fan_out.publish("user:1", of_record("usr_2", version))
    before = (await bus.history.read("user:1", after=0)).events

    def change(event: LiveEvent) -> dict[str, Any] | None:
        return {"said": "nothing"} if event.aggregate == "usr_2" and event.version == 1 else None

    for _ in range(2):  # again is as good
        await bus.history.reword("user:1", before[1].event.event_id, change)
    await bus.history.reword("user:1", "no such word", lambda _: {})
    await bus.history.reword("user:9", before[1].event.event_id, change)
    after = (await bus.history.read("user:1", after=0)).events
    assert [one.position for one in after] == [one.position for one in before]
    assert [one.frame for one in (after[0], *after[2:])] == [one.frame for one in (before[0], *before[2:])]
    assert after[1].event == replace(before[1].event, data={"said": "nothing"}), "in its place, under its own name"


@pytest.mark.real
@pytest.mark.parametrize("is_cluster", [False, True], ids=["redis", "cluster"])
async def test_nothing_that_was_said_is_left_in_redis(request: pytest.FixtureRequest, is_cluster: bool) -> None:
    url = request.getfixturevalue("redis_cluster").url if is_cluster else request.getfixturevalue("redis_url")
    async with on_redis(url, is_cluster=is_cluster) as some, client_of(url, is_cluster=is_cluster) as client:
        await some.bus.fan_out.publish("user:1", of_record("usr_1", 1))
        await some.bus.history.forget("user:1")
        left = {key.decode() async for key in client.scan_iter(f"lms:{some.installation}:*user:1*")}
    assert {name.rpartition("}")[2] for name in left} == {":fence:usr_1"}  # (version, n) of an id
