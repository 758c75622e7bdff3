"""The Python client over real sockets: it comes back, misses nothing, and says when it must start anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS, command_table
from lms_rt.client.ear import Ear
from lms_rt.client.faults import ClosedError, CommandRefusedError, CommandTimeoutError, LineLostError
from lms_rt.client.live import LiveClient
from lms_rt.client.pacing import Backoff, local_ms, measured
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import Draft
from lms_rt.contracts.controls import SESSION_REVOKED, session_revoked
from lms_rt.realtime.node import NodeLimits
from tests.live.live_node import LiveNode, live_node, until


class OpCommand(Draft):
    """`op {op_id}`."""

    op_id: str


class Ledger:
    """Counts each operation once; loses the line before the first answers."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.calls, self.losses, self.silent = 0, 0, False

    async def do(self, session: LiveSession, command: OpCommand) -> dict[str, int]:
        self.calls += 1
        self.done.add(command.op_id)
        if self.calls <= self.losses:
            session.connection.abort()
        if self.silent:
            await asyncio.Event().wait()
        return {"done": len(self.done)}


LEDGER = Ledger()
TABLE = command_table((*COMMANDS.values(), Command("op", OpCommand, LEDGER.do)))


@pytest.fixture
async def live() -> AsyncIterator[LiveNode]:
    LEDGER.__init__()  # type: ignore[misc]
    async with live_node(commands=TABLE) as made:
        yield made


def client(
    live: LiveNode, user: str = "ada", by: str = "ticket", *, may_come: asyncio.Event | None = None, **options: Any
) -> LiveClient:
    """A client of this node; each time that it comes, it waits until it may."""

    async def credential() -> str:
        if may_come is not None:
            await may_come.wait()
        return user

    ticket, token = (credential, None) if by == "ticket" else (None, credential)
    url = f"ws://127.0.0.1:{live.port}/ws"
    return LiveClient(url, ticket=ticket, token=token, backoff=Backoff(0.01, 0.02), **options)


class Reader:
    """An ear that keeps offsets, and whose snapshot is the number of events that there were."""

    def __init__(self, live: LiveNode, channel: str = "course:1") -> None:
        self.live, self.heard, self.snapshots = live, [], []  # type: ignore[var-annotated]
        self.states: list[Any] = []
        self.ear = Ear(
            channel,
            on_event=lambda event: self.heard.append(event["offset"]),
            on_state=lambda state: self.states.append(state["data"]) if state["event"] != "presence" else None,
            on_reset=self.reset,
        )

    async def reset(self) -> None:
        top = await self.live.bus.history.top(self.ear.channel)
        self.snapshots.append(top and top.offset)


async def publish(live: LiveNode, count: int = 1) -> None:
    for _ in range(count):
        await live.fan_out.publish_direct("course:1", "announcement", {})


class TestLine:
    @pytest.mark.parametrize("by", ["ticket", "token"])
    async def test_signs_in_and_asks(self, live: LiveNode, by: str) -> None:
        async with client(live, by=by) as ada:
            assert ada.welcome["user"]["id"] == "ada"
            assert "server_time" in await ada.command("ping")

    @pytest.mark.parametrize("by", ["ticket", "token"])
    async def test_bad_credentials_end_it(self, live: LiveNode, by: str) -> None:
        with pytest.raises(ClosedError) as ended:
            async with client(live, "bad", by=by):
                pass
        assert ended.value.code in (401, 4501)

    async def test_a_refusal_carries_its_code(self, live: LiveNode) -> None:
        async with client(live) as ada:
            with pytest.raises(CommandRefusedError) as refused:
                await ada.command("history", channel="course:1")
            assert refused.value.code == "not_subscribed"

    async def test_a_lost_line_is_replaced_and_the_command_is_in_doubt(self, live: LiveNode) -> None:
        LEDGER.losses = 1
        async with client(live) as ada:
            with pytest.raises(LineLostError):
                await ada.command("op", op_id="op_1")
            await ada.command("ping")
            assert ada.connections == 2

    async def test_insisting_resends_until_it_is_answered(self, live: LiveNode) -> None:
        LEDGER.losses = 3
        async with client(live) as ada:
            assert await ada.insist("op", op_id="op_1") == {"done": 1}
            assert (LEDGER.calls, ada.connections) == (4, 4)

    async def test_no_reply_in_time(self, live: LiveNode) -> None:
        LEDGER.silent = True
        async with client(live) as ada:
            with pytest.raises(CommandTimeoutError):
                await ada.command("op", op_id="op_1", timeout_seconds=0.02)
            ada.drop()

    async def test_a_final_close_ends_it(self, live: LiveNode) -> None:
        async with client(live) as ada:
            await live.fan_out.publish_control(SESSION_REVOKED, session_revoked("ada"))
            await until(lambda: not ada.is_up)
            with pytest.raises(ClosedError) as ended:
                await ada.command("ping")
            assert ended.value.code == 4501

    async def test_too_many_connections_end_it_before_it_was_up(self) -> None:
        async with live_node(limits=NodeLimits(connections_per_user=1)) as live, client(live):
            with pytest.raises(ClosedError) as ended:
                async with client(live):
                    pass
            assert ended.value.code == 4509

    async def test_a_full_node_is_tried_again_when_it_says(self) -> None:
        limits = NodeLimits(connections=1, reconnect_spread_ms=10)
        async with live_node(limits=limits) as live:
            notices: list[Any] = []
            first = client(live)
            async with first:
                second = client(live, "bob", on_notice=notices.append)
                coming = asyncio.create_task(second.__aenter__())
                await until(lambda: len(notices) >= 2)
                await first.close()
                await coming
            assert notices[0]["type"] == "reconnect"
            await second.close()


class TestChannels:
    async def test_nothing_is_missed_or_doubled_over_lost_lines(self, live: LiveNode) -> None:
        reader = Reader(live)
        async with client(live) as ada:
            await ada.subscribe(reader.ear)
            assert reader.snapshots == [0]
            for lost in range(5):
                await publish(live, 10)
                ada.drop()
                await publish(live, 10)
                await until(lambda want=20 * (lost + 1): len(reader.heard) == want)
        assert reader.heard == list(range(1, 101))
        assert reader.snapshots == [0]

    async def test_what_cannot_be_recovered_is_handed_to_the_caller(self) -> None:
        clock, may_come = FakeClock(), asyncio.Event()
        may_come.set()
        async with live_node(bus_clock=clock) as live:
            reader = Reader(live)
            async with client(live, may_come=may_come) as ada:
                await ada.subscribe(reader.ear)
                await publish(live, 2)
                await until(lambda: reader.heard == [1, 2])
                may_come.clear()
                ada.drop()
                await until(lambda: not live.node.connections)
                await publish(live, 3)
                clock.advance(24 * 3600 + 1)  # the history has aged away
                may_come.set()
                await until(lambda: reader.snapshots == [0, 5])
                await publish(live)
                await until(lambda: reader.heard == [1, 2, 6])
                assert reader.ear.since is not None
                assert reader.ear.since["offset"] == 6

    async def test_a_position_without_its_snapshot_is_none(self, live: LiveNode) -> None:
        reader = Reader(live)
        stuck = asyncio.Event()
        reader.ear._on_reset = stuck.wait
        async with client(live) as ada:
            subscribing = asyncio.create_task(ada.subscribe(reader.ear))
            await until(lambda: reader.ear.resets == 1)
            await publish(live)
            await ada.command("ping")
            assert (reader.ear.since, reader.heard) == (None, [])
            stuck.set()
            await subscribing
            assert reader.ear.since is not None
            assert reader.heard == [1]

    async def test_a_gap_on_the_way_is_asked_for(self, live: LiveNode) -> None:
        reader = Reader(live)
        async with client(live) as ada:
            await ada.subscribe(reader.ear)
            await publish(live)
            await until(lambda: reader.heard == [1])
            reader.ear._offset = 0  # as if the first had never come
            await publish(live)
            await until(lambda: reader.heard == [1, 1, 2])

    async def test_a_subscription_that_a_command_made_is_taken_over(self, live: LiveNode) -> None:
        reader = Reader(live)
        async with client(live) as ada:
            reply = await ada.command("subscribe", channel="course:1")
            await publish(live, 3)  # these come before the caller says who listens
            await ada.command("ping")
            ada.adopt(reader.ear, reply)
            await publish(live)
            await until(lambda: reader.heard == [1, 2, 3, 4])
            assert reader.snapshots == []

    async def test_states_and_unsubscribing(self, live: LiveNode) -> None:
        reader = Reader(live)
        async with client(live) as ada:
            await ada.subscribe(reader.ear)
            await live.fan_out.publish_state("course:1", "quiz_timer", {"n": 1})
            await until(lambda: reader.states == [{"n": 1}])
            await ada.unsubscribe("course:1")
            await publish(live)
            await ada.command("ping")
            assert reader.heard == []

    async def test_a_channel_that_is_closed_meanwhile_is_told(self, live: LiveNode) -> None:
        notices: list[Any] = []
        async with client(live, on_notice=notices.append) as ada:
            await ada.subscribe(Reader(live).ear)
            live.subscriptions.closed.add("course:1")
            ada.drop()
            await until(lambda: bool(notices))
            assert notices == [{"type": "unsubscribed", "channel": "course:1", "code": "not_found"}]


class TestEar:
    def heard(self) -> tuple[Ear, list[int]]:
        offsets: list[int] = []
        return Ear("course:1", on_event=lambda event: offsets.append(event["offset"])), offsets

    def event(self, offset: int) -> dict[str, Any]:
        return {"epoch": "e1", "offset": offset, "data": {}}

    async def test_a_hole_that_was_filled_is_none(self) -> None:
        ear, offsets = self.heard()
        ear.take_reply({"epoch": "e1", "offset": 0, "recovered": False, "events": []})
        assert ear.hear(self.event(2))  # it waits for the snapshot, and is asked for afterwards
        assert not await ear.settle()
        ear.take_reply({"epoch": "e1", "offset": 2, "recovered": True, "events": [self.event(1), self.event(2)]})
        ear.take_reply({"epoch": "e1", "offset": 9, "recovered": False, "events": []})
        assert await ear.settle()
        assert (offsets, ear.resets) == ([1, 2], 2)

    def test_as_many_aggregates_as_it_remembers(self) -> None:
        ear, offsets = self.heard()
        ear.begin_at("e1", 0)
        for place in range(1, 1_003):
            ear.hear({**self.event(place), "data": {"attempt_id": str(place), "version": 1, "n": 0}})
        assert (len(offsets), len(ear._newest)) == (1_002, 1_000)


class TestTime:
    async def test_the_servers_clock_within_its_error(self, live: LiveNode) -> None:
        async with client(live) as ada:
            offset = await ada.measure_clock()
        assert 0 <= offset.error_ms < 5_000
        before_ms, told_ms, after_ms = live.clock.now_ms(), offset.server_ms(), live.clock.now_ms()
        assert before_ms - offset.error_ms - 2 <= told_ms <= after_ms + offset.error_ms + 2

    def test_half_the_round_trip_and_the_servers_own_error(self) -> None:
        offset = measured(100.0, 140.0, {"t0": 100.0, "t1": 5_000, "t2": 5_010, "clock_error_ms": 3})
        assert (offset.offset_ms, offset.error_ms) == (4_885.0, 18.0)
        assert local_ms() <= local_ms()

    def test_waits_grow_to_their_bound_and_begin_again(self) -> None:
        backoff = Backoff(1, 4)
        waits = [max(Backoff(1, 4, failures).next_seconds() for _ in range(200)) for failures in range(4)]
        assert all(wait <= bound for wait, bound in zip(waits, (1, 2, 4, 4), strict=True))
        assert waits[2] > 2
        backoff.next_seconds()
        backoff.reset()
        assert backoff == Backoff(1, 4)
