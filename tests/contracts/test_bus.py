"""What every implementation of the bus must do, whichever it is."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from lms_rt.bus.base import Bus, Control, Poke, Position, Published, State, Stretch
from tests.contracts.buses import Kept, SomeBus, all_arrived, all_words_arrived, in_memory, of_record, on_redis


class TestPublishing:
    async def test_offsets_count_up_in_one_epoch_and_reach_every_listener_in_order(self, bus: Bus) -> None:
        one, two = Kept(), Kept()
        await bus.fan_out.listen("course:1", one)
        await bus.fan_out.listen("course:1", two)
        places = [await bus.fan_out.publish("course:1", of_record("crs_1", version)) for version in (1, 2, 3)]
        assert [place.offset for place in places if place] == [1, 2, 3]
        assert len({place.epoch for place in places if place}) == 1
        await all_arrived(bus, "course:1", one, two)
        assert one.offsets == two.offsets == [1, 2, 3]

    async def test_an_event_arrives_as_it_was_published(self, bus: Bus) -> None:
        heard, event = Kept(), of_record("crs_1", 7, 2, at_ms=1_767_225_600_123)
        await bus.fan_out.listen("course:1", heard)
        place = await bus.fan_out.publish("course:1", event)
        await all_arrived(bus, "course:1", heard)
        (kept,) = (await bus.history.read("course:1", after=0)).events
        for published in (*heard.messages, kept):
            assert isinstance(published, Published)
            assert (published.channel, published.position, published.at_ms) == ("course:1", place, event.at_ms)
            assert published.event == event
            assert place is not None
            assert orjson.loads(published.frame) == {
                "type": "event",
                "channel": "course:1",
                "epoch": place.epoch,
                "offset": 1,
                "event": "course_updated",
                "id": "evt_crs_1_7_2",
                "at": "2026-01-01T00:00:00.123Z",
                "data": {"x": 1, "version": 7, "n": 2},
            }

    async def test_what_is_not_newer_of_its_aggregate_is_dropped(self, bus: Bus) -> None:
        heard = Kept()
        await bus.fan_out.listen("course:1", heard)
        for version, n in ((2, 0), (2, 1), (2, 1), (2, 0), (1, 9), (10, 0), (9, 5)):
            await bus.fan_out.publish("course:1", of_record("crs_1", version, n))
        await all_arrived(bus, "course:1", heard)
        assert [m.event.event_id for m in heard.messages if isinstance(m, Published)] == [
            "evt_crs_1_2_0",
            "evt_crs_1_2_1",
            "evt_crs_1_10_0",
        ]
        assert heard.offsets == [1, 2, 3]
        assert await bus.fan_out.publish("course:1", of_record("crs_1", 10, 0)) is None

    async def test_the_fence_is_per_aggregate_and_per_channel(self, bus: Bus) -> None:
        assert await bus.fan_out.publish("course:1", of_record("crs_1", 5)) is not None
        assert await bus.fan_out.publish("course:1", of_record("crs_2", 1)) is not None
        assert await bus.fan_out.publish("course:2", of_record("crs_1", 5)) is not None

    async def test_the_fence_outlives_the_history(self, bus: Bus) -> None:
        await bus.fan_out.publish("course:1", of_record("crs_1", 1))
        await many(bus, "course:1", 1_001)
        assert await bus.fan_out.publish("course:1", of_record("crs_1", 1)) is None

    async def test_the_fence_stands_a_day_and_a_repeat_keeps_it_up(self, some: SomeBus) -> None:
        publish = some.bus.fan_out.publish
        await publish("course:1", of_record("crs_1", 1))
        for _ in range(3):
            await some.pass_time(20 * 3600)
            assert await publish("course:1", of_record("crs_1", 1)) is None
        await some.pass_time(24 * 3600 + 1)
        assert await publish("course:1", of_record("crs_1", 1)) is not None

    async def test_direct_events_have_offsets_and_no_fence(self, bus: Bus) -> None:
        heard = Kept()
        await bus.fan_out.listen("attempt:1", heard)
        first = await bus.fan_out.publish_direct("attempt:1", "answer_saved", {"revision": 1})
        second = await bus.fan_out.publish_direct("attempt:1", "answer_saved", {"revision": 1})
        assert second == Position(first.epoch, first.offset + 1)
        await all_arrived(bus, "attempt:1", heard)
        events = [m.event for m in heard.messages if isinstance(m, Published)]
        assert [(e.name, e.data, e.is_of_record) for e in events] == [("answer_saved", {"revision": 1}, False)] * 2
        assert len({event.event_id for event in events}) == 2

    async def test_states_and_pokes_reach_listeners_and_leave_no_trace(self, bus: Bus) -> None:
        heard = Kept()
        await bus.fan_out.listen("course:1", heard)
        await bus.fan_out.publish_state("course:1", "presence", {"count": 3})
        await bus.fan_out.poke("course:1")
        await bus.fan_out.poke("course:1", ("att_1", "att 2"))
        await all_arrived(bus, "course:1", heard)
        state, *pokes = heard.messages
        assert isinstance(state, State)
        assert (state.channel, state.name, state.data) == ("course:1", "presence", {"count": 3})
        assert pokes == [Poke("course:1"), Poke("course:1", ("att_1", "att 2"))]
        assert (await bus.history.read("course:1", after=0)).top.offset == 0

    async def test_who_stopped_hears_no_more_and_the_others_go_on(self, bus: Bus) -> None:
        gone, there = Kept(), Kept()
        listening = await bus.fan_out.listen("course:1", gone)
        await bus.fan_out.listen("course:1", there)
        await listening.stop()
        await listening.stop()
        await bus.fan_out.publish_direct("course:1", "announcement", {})
        await all_arrived(bus, "course:1", there)
        assert (gone.offsets, there.offsets) == ([], [1])

    async def test_who_comes_back_hears_again(self, bus: Bus) -> None:
        for expected in ([1], [2], [3]):
            heard = Kept()
            listening = await bus.fan_out.listen("course:1", heard)
            await bus.fan_out.publish_direct("course:1", "announcement", {})
            await all_arrived(bus, "course:1", heard)
            assert heard.offsets == expected
            await listening.stop()

    async def test_control_words_reach_every_node_in_order_and_no_channel(self, bus: Bus) -> None:
        nodes, channel = (Kept(), Kept()), Kept()
        for node in nodes:
            await bus.fan_out.listen_control(node)
        await bus.fan_out.listen("course:1", channel)
        words = [Control("session_revoked", {"session_id": f"fam_{n}"}) for n in range(3)]
        for word in words:
            await bus.fan_out.publish_control(word.name, word.data)
        await all_words_arrived(bus, *nodes)
        await all_arrived(bus, "course:1", channel)
        assert nodes[0].messages == nodes[1].messages == words
        assert channel.messages == []

    async def test_who_stopped_hears_no_more_words(self, bus: Bus) -> None:
        gone, there = Kept(), Kept()
        listening = await bus.fan_out.listen_control(gone)
        await bus.fan_out.listen_control(there)
        await listening.stop()
        await listening.stop()
        await all_words_arrived(bus, there)
        await bus.fan_out.publish_control("session_revoked", {})
        await all_words_arrived(bus, there)
        assert (gone.messages, there.messages) == ([], [Control("session_revoked", {})])


class TestHistory:
    async def test_what_was_missed_since_a_position(self, bus: Bus) -> None:
        start = await bus.history.top("course:1")
        for version in (1, 2, 3):
            await bus.fan_out.publish("course:1", of_record("crs_1", version))
        assert start is not None
        assert start.offset == 0
        stretch = await bus.history.read("course:1", after=1)
        assert [p.position for p in stretch.since(Position(start.epoch, 1)) or ()] == [
            Position(start.epoch, 2),
            Position(start.epoch, 3),
        ]
        assert stretch.since(stretch.top) == ()
        assert (await bus.history.read("course:1")) == Stretch(Position(start.epoch, 3), ())
        assert await bus.history.top("course:1") == Position(start.epoch, 3)

    async def test_positions_that_cannot_be_recovered(self, bus: Bus) -> None:
        await bus.fan_out.publish_direct("course:1", "announcement", {})
        for after in (-5, 0, 7):
            stretch = await bus.history.read("course:1", after=after)
            assert stretch.since(None) is None
            assert stretch.since(Position("another", 0)) is None
            assert stretch.since(Position(stretch.top.epoch, 2)) is None
            assert stretch.since(Position(stretch.top.epoch, -1)) is None
            assert len(stretch.events) == (after <= 0)

    async def test_a_thousand_events_are_kept_and_one_more_is_too_old(self, bus: Bus) -> None:
        await many(bus, "course:1", 1_001)
        stretch = await bus.history.read("course:1", after=0)
        assert stretch.since(Position(stretch.top.epoch, 0)) is None
        assert len(stretch.since(Position(stretch.top.epoch, 1)) or ()) == 1_000

    async def test_history_ends_after_a_day_and_the_top_stays_for_thirty(self, some: SomeBus) -> None:
        top = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
        await some.pass_time(24 * 3600 + 1)
        stretch = await some.bus.history.read("course:1", after=0)
        assert stretch.since(Position(top.epoch, 0)) is None
        assert stretch.since(top) == ()
        await some.pass_time(30 * 24 * 3600)
        after = await some.bus.history.top("course:1")
        assert after is not None
        assert after.epoch != top.epoch
        assert after.offset == 0

    async def test_each_event_is_kept_for_a_day(self, some: SomeBus) -> None:
        for _ in range(3):
            top = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
            await some.pass_time(10 * 3600)
        stretch = await some.bus.history.read("course:1", after=0)
        assert [p.position.offset for p in stretch.events] == [2, 3]
        assert (await some.bus.history.page("course:1")).first_offset == 2
        assert stretch.since(Position(top.epoch, 0)) is None
        assert len(stretch.since(Position(top.epoch, 1)) or ()) == 2

    async def test_the_thirty_days_begin_with_the_last_event(self, some: SomeBus) -> None:
        first = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
        await some.pass_time(20 * 24 * 3600)
        second = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
        await some.pass_time(20 * 24 * 3600)
        assert await some.bus.history.top("course:1") == second == Position(first.epoch, 2)

    async def test_pages_forward_backward_and_newest(self, bus: Bus) -> None:
        await many(bus, "course:1", 10)

        async def offsets(**bounds: int) -> list[int]:
            return [p.position.offset for p in (await bus.history.page("course:1", **bounds)).events]

        assert await offsets(limit=3) == [8, 9, 10]
        assert await offsets(before=8, limit=3) == [5, 6, 7]
        assert await offsets(after=2, limit=3) == [3, 4, 5]
        assert await offsets(after=2, before=4) == [3]
        assert await offsets(before=3) == [1, 2]
        assert await offsets(after=9) == [10]
        assert await offsets() == await offsets(after=0) == await offsets(before=99) == list(range(1, 11))
        assert (
            await offsets(before=1)
            == await offsets(before=0)
            == await offsets(after=10)
            == await offsets(after=99)
            == []
        )
        page = await bus.history.page("course:1")
        assert (page.first_offset, page.last_offset) == (1, 10)
        assert (await bus.history.page("course:2")).last_offset == 0

    async def test_two_buses_in_memory_are_two_epochs(self) -> None:
        tops = [await in_memory().bus.history.top("course:1") for _ in range(2)]
        assert tops[0] != tops[1]

    @pytest.mark.real
    async def test_installations_share_a_server_and_nothing_else(self, redis_url: str) -> None:
        async with on_redis(redis_url) as one, on_redis(redis_url) as two:
            heard = Kept()
            await two.bus.fan_out.listen("course:1", heard)
            place = await one.bus.fan_out.publish("course:1", of_record("crs_1", 1))
            assert await two.bus.fan_out.publish("course:1", of_record("crs_1", 1)) != place
            await all_arrived(two.bus, "course:1", heard)
            assert heard.offsets == [1]


async def many(bus: Bus, channel: str, count: int) -> None:
    """So many events, whatever they say."""
    for begin in range(0, count, 100):
        batch = range(begin, min(begin + 100, count))
        await asyncio.gather(*(bus.fan_out.publish_direct(channel, "announcement", {}) for _ in batch))
