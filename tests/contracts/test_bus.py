"""What every implementation of the bus must do, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lms_rt.bus.base import Bus, Control, Message, Poke, Position, Published, Receiver, State
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import Clock, FakeClock
from lms_rt.contracts.events import LiveEvent

BUSES: dict[str, Callable[[Clock], Bus]] = {"memory": memory_bus}


class Kept(Receiver[Any]):
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.messages: list[Message | Control] = []

    def receive(self, message: Message | Control) -> None:
        self.messages.append(message)

    @property
    def offsets(self) -> list[int]:
        return [message.position.offset for message in self.messages if isinstance(message, Published)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=sorted(BUSES))
def bus(request: pytest.FixtureRequest, clock: FakeClock) -> Bus:
    return BUSES[request.param](clock)


def of_record(aggregate: str, version: int, n: int = 0) -> LiveEvent:
    return LiveEvent(f"evt_{aggregate}_{version}_{n}", "course_updated", {"x": 1}, 5, aggregate, version, n)


class TestPublishing:
    async def test_offsets_count_up_in_one_epoch_and_reach_every_listener_in_order(self, bus: Bus) -> None:
        one, two = Kept(), Kept()
        await bus.fan_out.listen("course:1", one)
        await bus.fan_out.listen("course:1", two)
        places = [await bus.fan_out.publish("course:1", of_record("crs_1", version)) for version in (1, 2, 3)]
        assert [place.offset for place in places if place] == [1, 2, 3]
        assert len({place.epoch for place in places if place}) == 1
        assert one.offsets == two.offsets == [1, 2, 3]

    async def test_what_is_not_newer_of_its_aggregate_is_dropped(self, bus: Bus) -> None:
        heard = Kept()
        await bus.fan_out.listen("course:1", heard)
        for version, n in ((2, 0), (2, 1), (2, 1), (2, 0), (1, 9)):
            await bus.fan_out.publish("course:1", of_record("crs_1", version, n))
        assert [m.event.event_id for m in heard.messages if isinstance(m, Published)] == [
            "evt_crs_1_2_0",
            "evt_crs_1_2_1",
        ]
        assert await bus.fan_out.publish("course:1", of_record("crs_1", 2, 1)) is None

    async def test_the_fence_is_per_aggregate_and_per_channel(self, bus: Bus) -> None:
        assert await bus.fan_out.publish("course:1", of_record("crs_1", 5)) is not None
        assert await bus.fan_out.publish("course:1", of_record("crs_2", 1)) is not None
        assert await bus.fan_out.publish("course:2", of_record("crs_1", 5)) is not None

    async def test_the_fence_outlives_the_history(self, bus: Bus) -> None:
        await bus.fan_out.publish("course:1", of_record("crs_1", 1))
        for _ in range(1_001):
            await bus.fan_out.publish_direct("course:1", "answer_saved", {})
        assert await bus.fan_out.publish("course:1", of_record("crs_1", 1)) is None

    async def test_direct_events_have_offsets_and_no_fence(self, bus: Bus) -> None:
        heard = Kept()
        await bus.fan_out.listen("attempt:1", heard)
        first = await bus.fan_out.publish_direct("attempt:1", "answer_saved", {"revision": 1})
        second = await bus.fan_out.publish_direct("attempt:1", "answer_saved", {"revision": 1})
        assert second == Position(first.epoch, first.offset + 1)
        assert all(isinstance(m, Published) and not m.event.is_of_record for m in heard.messages)

    async def test_states_and_pokes_reach_listeners_and_leave_no_trace(self, bus: Bus) -> None:
        heard = Kept()
        await bus.fan_out.listen("course:1", heard)
        await bus.fan_out.publish_state("course:1", "presence", {"count": 3})
        await bus.fan_out.poke("course:1")
        state, poke = heard.messages
        assert isinstance(state, State)
        assert (state.name, state.data) == ("presence", {"count": 3})
        assert poke == Poke("course:1")
        assert (await bus.history.read("course:1", after=0)).top.offset == 0

    async def test_who_stopped_hears_no_more_and_the_others_go_on(self, bus: Bus) -> None:
        gone, there = Kept(), Kept()
        listening = await bus.fan_out.listen("course:1", gone)
        await bus.fan_out.listen("course:1", there)
        await listening.stop()
        await listening.stop()
        await bus.fan_out.publish_direct("course:1", "announcement", {})
        assert (gone.offsets, there.offsets) == ([], [1])

    async def test_control_words_reach_every_node_and_no_channel(self, bus: Bus) -> None:
        node, channel = Kept(), Kept()
        await bus.fan_out.listen_control(node)
        await bus.fan_out.listen("course:1", channel)
        await bus.fan_out.publish_control("session_revoked", {"session_id": "fam_1"})
        assert node.messages == [Control("session_revoked", {"session_id": "fam_1"})]
        assert channel.messages == []


class TestHistory:
    async def test_what_was_missed_since_a_position(self, bus: Bus) -> None:
        start = await bus.history.top("course:1")
        for version in (1, 2, 3):
            await bus.fan_out.publish("course:1", of_record("crs_1", version))
        assert start is not None
        assert start.offset == 0
        stretch = await bus.history.read("course:1", after=1)
        assert [p.position.offset for p in stretch.since(Position(start.epoch, 1)) or ()] == [2, 3]
        assert stretch.since(stretch.top) == ()

    async def test_positions_that_cannot_be_recovered(self, bus: Bus) -> None:
        await bus.fan_out.publish_direct("course:1", "announcement", {})
        stretch = await bus.history.read("course:1", after=0)
        assert stretch.since(None) is None
        assert stretch.since(Position("another", 0)) is None
        assert stretch.since(Position(stretch.top.epoch, 2)) is None
        assert stretch.since(Position(stretch.top.epoch, -1)) is None

    async def test_a_thousand_events_are_kept_and_one_more_is_too_old(self, bus: Bus) -> None:
        for _ in range(1_001):
            await bus.fan_out.publish_direct("course:1", "announcement", {})
        stretch = await bus.history.read("course:1", after=0)
        assert stretch.since(Position(stretch.top.epoch, 0)) is None
        assert len(stretch.since(Position(stretch.top.epoch, 1)) or ()) == 1_000

    async def test_history_ends_after_a_day_and_the_top_stays_for_thirty(self, bus: Bus, clock: FakeClock) -> None:
        top = await bus.fan_out.publish_direct("course:1", "announcement", {})
        clock.advance(24 * 3600 + 1)
        stretch = await bus.history.read("course:1", after=0)
        assert stretch.since(Position(top.epoch, 0)) is None
        assert stretch.since(top) == ()
        clock.advance(30 * 24 * 3600)
        after = await bus.history.top("course:1")
        assert after is not None
        assert after.epoch != top.epoch
        assert after.offset == 0

    async def test_pages_forward_backward_and_newest(self, bus: Bus) -> None:
        for _ in range(10):
            await bus.fan_out.publish_direct("course:1", "announcement", {})

        async def offsets(**bounds: int) -> list[int]:
            return [p.position.offset for p in (await bus.history.page("course:1", **bounds)).events]

        assert await offsets(limit=3) == [8, 9, 10]
        assert await offsets(before=8, limit=3) == [5, 6, 7]
        assert await offsets(after=2, limit=3) == [3, 4, 5]
        page = await bus.history.page("course:1")
        assert (page.first_offset, page.last_offset) == (1, 10)
        assert (await bus.history.page("course:2")).last_offset == 0

    async def test_two_buses_are_two_epochs(self, clock: FakeClock) -> None:
        tops = [await memory_bus(clock).history.top("course:1") for _ in range(2)]
        assert tops[0] != tops[1]
