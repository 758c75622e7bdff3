"""Random lives of nodes, relays, readers and a bus: no event is lost, doubled or out of order, nobody hears what they may not.

The reference is the model of delivery; the moves here are its moves, over real nodes, sockets and a real Redis. What each
step promises is noted by `delivery_oracle`, what holds at the end by `delivery_verdict`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from lms_rt.bus import memory_channels
from tests.live.bus_place import CHANNELS, HISTORY, NODES, BusPlace, MemoryPlace
from tests.live.delivery_verdict import Verdict
from tests.live.delivery_world import World, some_turns
from tests.live.redis_place import RedisPlace, keep_short_histories
from tests.servers.redis_server import RedisServer

NODE, CHANNEL, READER = st.integers(0, NODES - 1), st.sampled_from(CHANNELS), st.integers(0, 2)
USER, ANY = st.sampled_from(("ada", "bob")), st.integers(0, 7)
EVENTS = st.lists(st.sampled_from((CHANNELS[:1], CHANNELS[1:], CHANNELS)), min_size=1, max_size=2)


STEPS = st.sampled_from((0, 1, 2, 3, 4, 5, 6, 99))


RARELY = st.sampled_from((False, False, False, True))
WRITES = st.lists(st.tuples(st.sampled_from("ab"), EVENTS, NODE, STEPS), min_size=1, max_size=3)


class DeliveryMachine(RuleBasedStateMachine):
    """See the module. Subclassed with the place of the bus and a loop."""

    place: BusPlace
    loop: asyncio.AbstractEventLoop

    @initialize()
    def open(self) -> None:
        self.world = World(self.place)
        self.do(self.world.open())

    def do(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(work)

    # --- writes and relays ---

    @rule(writes=WRITES)
    def a_course_is_changed(self, writes: list[tuple[str, list[tuple[str, ...]], int, int]]) -> None:
        for name, channels, by, steps in writes:
            self.do(self.world.write(name, channels, by=by, steps=steps))

    @rule(by=NODE, steps=STEPS)
    def a_sweeper_begins(self, by: int, steps: int) -> None:
        self.do(self.world.sweep(by, steps=steps))

    @rule(which=ANY, steps=STEPS)
    def a_relay_goes_on(self, which: int, steps: int) -> None:
        self.do(self.world.go_on(which, steps))

    @rule(which=ANY)
    def a_relay_crashes(self, which: int) -> None:
        self.do(self.world.crash(which))

    @rule(name=st.sampled_from("ab"), node=NODE)
    def a_relay_finds_the_bus_away_and_then_there(self, name: str, node: int) -> None:
        self.do(self.world.meet_absence(name, node))

    @rule(by=NODE, channel=CHANNEL, count=st.integers(1, HISTORY + 1))
    def somebody_publishes_directly(self, by: int, channel: str, count: int) -> None:
        self.do(self.world.publish_direct(by, channel, count))

    # --- readers ---

    @rule(reader=READER, channel=CHANNEL, node=NODE, is_patient=st.booleans())
    def a_reader_subscribes(self, reader: int, channel: str, node: int, *, is_patient: bool) -> None:
        self.do(self.world.subscribe(self.world.readers[reader], channel, node, is_patient=is_patient))

    @rule(reader=READER, channel=CHANNEL, node=NODE)
    def a_reader_has_a_snapshot(self, reader: int, channel: str, node: int) -> None:
        self.do(self.world.take_snapshot(self.world.readers[reader], channel, node))

    @rule(reader=READER, channel=CHANNEL)
    def a_reader_leaves(self, reader: int, channel: str) -> None:
        self.do(self.world.leave(self.world.readers[reader], channel))

    @rule(
        reader=READER,
        channel=CHANNEL,
        node=NODE,
        slow=st.sampled_from(("before", "after")),
        meanwhile=st.sampled_from(("events", "events", "events", "returns", "returns", "rights", "flush", "death")),
    )
    def a_reader_subscribes_while_something_happens(
        self, reader: int, channel: str, node: int, *, slow: str, meanwhile: str
    ) -> None:
        found = self.world.readers[reader]
        self.do(self.world.subscribe_slowly(found, channel, node, slow=slow, meanwhile=meanwhile))

    @rule(node=NODE)
    def all_who_are_away_come_back(self, node: int) -> None:
        self.do(self.world.return_all(node))

    @rule(reader=READER, node=st.none() | NODE)
    def a_line_is_cut(self, reader: int, node: int | None) -> None:
        self.do(self.world.readers[reader].cut())
        if node is not None:
            self.do(self.world.return_all(node))

    @rule(user=USER, channel=CHANNEL, may_listen=st.booleans())
    def the_rights_of_somebody_change(self, user: str, channel: str, *, may_listen: bool) -> None:
        if may_listen:
            self.world.unbar(user, channel)
        else:
            self.do(self.world.bar(user, channel))

    # --- nodes and the bus ---

    @rule(node=NODE, indeed=RARELY)
    def a_node_dies(self, node: int, *, indeed: bool) -> None:
        if indeed:
            self.do(self.world.kill(node))
        else:
            self.do(self.world.return_all(node))

    @rule(node=NODE, how=st.sampled_from(("held", "held", "lost", "some come", "all come", "all come")))
    def messages_are_late_or_lost(self, node: int, how: str) -> None:
        self.do(self.world.disturb_messages(node, how))

    @rule(node=NODE, channel=CHANNEL, how=st.sampled_from(("next", "top", "break")))
    def a_loss_is_noticed(self, node: int, channel: str, how: str) -> None:
        self.do(self.world.lose_and_notice(node, channel, how))

    @rule(node=NODE, how=st.sampled_from(("before", "after", "not", "not")))
    def reads_of_the_history_are_slow(self, node: int, how: str) -> None:
        self.world.disturb_reads(node, how)

    @rule(node=NODE, how=st.sampled_from(("gone", "silent", "deaf", "dumb")), indeed=RARELY)
    def a_node_loses_the_bus(self, node: int, how: str, *, indeed: bool) -> None:
        self.do(self.world.go_away(node, how) if indeed else self.world.come_back(node))

    @rule(node=NODE)
    def a_node_has_the_bus_again(self, node: int) -> None:
        self.do(self.world.come_back(node))

    @rule(node=NODE)
    def the_lines_to_the_bus_are_cut(self, node: int) -> None:
        self.do(self.world.place.cut(node))

    @rule(node=NODE)
    def a_node_compares_the_tops(self, node: int) -> None:
        self.do(self.world.compare(node))

    @rule(how=st.sampled_from(("flushed", "aged", "aged", "dumped", "dumped", "dumped")))
    def something_happens_to_the_data_of_the_bus(self, how: str) -> None:
        self.do({"flushed": self.place.flush, "aged": self.world.age, "dumped": self.place.keep_dump}[how]())

    @rule(how=st.sampled_from(("with all", "older", "older", "empty")), node=NODE, indeed=RARELY)
    def the_bus_dies_and_comes_back(self, how: str, node: int, *, indeed: bool) -> None:
        if indeed:
            self.do(self.world.restart(how))
        self.do(self.world.return_all(node))

    @rule(turns=st.integers(1, 30))
    def everything_goes_on_a_little(self, turns: int) -> None:
        self.do(some_turns(turns))

    # --- what holds ---

    @invariant()
    def no_promise_is_broken(self) -> None:
        if hasattr(self, "world"):
            assert self.world.oracle.broken == []

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            verdict = Verdict(self.world)
            self.do(verdict.heal())
            self.do(verdict.settle())
            assert self.world.oracle.broken == []
        finally:
            self.do(self.world.close())


def live_through(place: BusPlace, loop: asyncio.AbstractEventLoop, *, examples: int, steps: int) -> None:
    machine = type("Machine", (DeliveryMachine,), {"place": place, "loop": loop})
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    chosen = profile(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=slow)
    run_machine(machine, settings=chosen)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[asyncio.AbstractEventLoop]:
    caplog.set_level(logging.CRITICAL, logger="lms_rt")  # thousands of faults, each of them meant
    monkeypatch.setattr(memory_channels, "HISTORY_EVENTS", HISTORY)
    keep_short_histories(monkeypatch, HISTORY)
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(some_turns(20))  # what was closed last has yet to go
    left = asyncio.all_tasks(made)
    made.close()
    assert not left
    gc.collect()


EXAMPLES = [pytest.param(80, id="some"), pytest.param(3_000, id="many", marks=pytest.mark.soak)]


@pytest.mark.timeout(3_600)  # many lives, or one that is broken and made shorter and shorter
@pytest.mark.parametrize("examples", EXAMPLES)
def test_on_the_bus_of_one_process(loop: asyncio.AbstractEventLoop, examples: int) -> None:
    live_through(MemoryPlace(), loop, examples=examples, steps=40)


@pytest.mark.real
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("examples", EXAMPLES)
def test_on_redis(loop: asyncio.AbstractEventLoop, examples: int) -> None:
    with RedisServer() as server:
        place = RedisPlace(server)
        try:
            live_through(place, loop, examples=examples, steps=30)
        finally:
            loop.run_until_complete(place.close())
