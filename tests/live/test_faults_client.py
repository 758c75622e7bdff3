"""A bad network between a client and its node: nothing is missed, nothing is done twice, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from handlers.live import welcome
from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS, command_table
from lms_rt.client import live as live_client
from lms_rt.client.ear import Ear
from lms_rt.client.live import LiveClient
from lms_rt.client.pacing import Backoff, local_ms
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import Draft
from tests.live.live_node import LiveNode, live_node, until
from tests.servers.tcp_proxy import TcpProxy, Way, tcp_proxy

CHANNEL = "course:1"


class OpCommand(Draft):
    """`op {op_id}`."""

    op_id: str


class Ledger:
    """Counts what was done, each operation once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: set[str] = set()

    async def do(self, _: LiveSession, command: OpCommand) -> dict[str, int]:
        self.asked.append(command.op_id)
        self.done.add(command.op_id)
        return {"done": len(self.done)}


class Line:
    """A node, a network before it, and the product's client on the far side."""

    def __init__(self, live: LiveNode, proxy: TcpProxy, ledger: Ledger) -> None:
        self.live, self.proxy, self.ledger = live, proxy, ledger

    def client(self, user: str = "ada", *, is_near: bool = False, **options: Any) -> LiveClient:
        """By way of the network, or past it."""

        async def ticket() -> str:
            return user

        port = self.live.port if is_near else self.proxy.port
        return LiveClient(f"ws://127.0.0.1:{port}/ws", ticket=ticket, backoff=Backoff(0.005, 0.01), **options)

    async def publish(self, count: int = 1, size: int = 0) -> None:
        """Events, one after the other, and a turn for everybody in between."""
        for _ in range(count):
            await self.live.fan_out.publish_direct(CHANNEL, "announcement", {"text": "x" * size})
            await asyncio.sleep(0)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    ledger = Ledger()
    commands = command_table((*COMMANDS.values(), Command("op", OpCommand, ledger.do)))
    async with live_node(commands=commands) as live, tcp_proxy(live.port) as proxy:
        yield Line(live, proxy, ledger)


class Hearer:
    """Keeps what the client hands to its user."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.ear = Ear(CHANNEL, on_event=lambda event: self.offsets.append(event["offset"]))

    def has(self, count: int) -> Callable[[], bool]:
        """Has it heard so many?"""
        return lambda: len(self.offsets) >= count


async def test_lines_that_break_again_and_again_miss_nothing(line: Line) -> None:
    hearer = Hearer()
    async with line.client() as ada:
        await ada.subscribe(hearer.ear)
        for number in range(1, 11):
            await line.publish(10)
            line.proxy.cut()
            await line.publish(10)
            await until(hearer.has(20 * number))
        assert ada.connections > 5
    assert hearer.offsets == list(range(1, 201))
    assert hearer.ear.resets == 1


@pytest.mark.parametrize("dead", [(), (Way.UP,), (Way.DOWN,)], ids=["silent", "nothing_arrives", "nothing_comes"])
async def test_a_line_that_went_dead_is_noticed_and_replaced(
    line: Line, dead: tuple[Way, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket stays open and no error ever comes: only the heartbeat tells."""
    monkeypatch.setattr(welcome, "HEARTBEAT_MS", 100)
    hearer = Hearer()
    async with line.client() as ada:
        await ada.subscribe(hearer.ear)
        await line.publish(3)
        await until(hearer.has(3))
        line.proxy.links[0].hold(*dead)
        await line.publish(3)
        await until(hearer.has(6))
        await until(lambda: ada.connections > 1)
        await line.publish(1)
        await until(hearer.has(7))
    assert hearer.offsets == list(range(1, 8))
    assert hearer.ear.resets == 1


async def test_the_node_lets_go_of_a_client_that_went_dead(line: Line) -> None:
    clock = FakeClock()
    async with live_node(clock=clock) as live, tcp_proxy(live.port) as proxy:
        far = Line(live, proxy, line.ledger)
        async with far.client() as ada, far.client("bob", is_near=True) as bob:
            await ada.subscribe(Ear(CHANNEL))
            proxy.hold()
            for _ in range(26):
                await live.beat(1)
                await bob.command("ping")
            await until(lambda: [c.actor.user_id for c in live.node.connections] == ["bob"])
            await until(lambda: CHANNEL not in live.hub.channels)
            proxy.release()


async def test_a_command_whose_reply_was_lost_is_sent_again_and_done_once(line: Line) -> None:
    async with line.client() as ada:
        line.proxy.links[0].hold(Way.DOWN)
        asking = asyncio.create_task(ada.insist("op", op_id="op_1"))
        await until(lambda: line.ledger.asked)
        await line.proxy.links[0].something_held(Way.DOWN)
        line.proxy.cut()
        assert await asking == {"done": 1}
    assert line.ledger.asked == ["op_1", "op_1"]
    assert line.ledger.done == {"op_1"}


async def test_a_command_that_never_arrived_is_sent_again(line: Line) -> None:
    async with line.client() as ada:
        line.proxy.links[0].hold(Way.UP)
        asking = asyncio.create_task(ada.insist("op", op_id="op_1"))
        await line.proxy.links[0].something_held(Way.UP)
        line.proxy.cut()
        assert await asking == {"done": 1}
    assert line.ledger.asked == ["op_1"]


@pytest.mark.parametrize("late", [(Way.UP,), (Way.DOWN,), ()], ids=["there", "back", "both"])
async def test_the_stated_error_of_the_clock_holds_on_a_lopsided_network(line: Line, late: tuple[Way, ...]) -> None:
    """Both ends are in one process here, so the true offset is known; the server's times are cut to milliseconds."""
    async with line.client() as ada:
        line.proxy.delay(0.03, *late)
        offset = await ada.measure_clock(rounds=2)
        before_ms = local_ms()
        now_ms = line.live.clock.now_ms()
        most, least = now_ms - before_ms, now_ms - local_ms()  # apart by as long as we stand still
        assert least - offset.error_ms - 1 <= offset.offset_ms <= most + offset.error_ms + 1
        assert offset.error_ms >= 15


async def test_a_line_too_slow_for_its_channel_is_closed_and_nobody_else_waits(line: Line) -> None:
    slow, quick = Hearer(), Hearer()
    notices: list[Any] = []
    async with line.client("slow", on_notice=notices.append) as far, line.client("quick", is_near=True) as near:
        await far.subscribe(slow.ear)
        await near.subscribe(quick.ear)
        line.proxy.slow_down(1, Way.DOWN)
        closes, published = line.live.metrics.slow_closes, 0
        while not closes._value.get() and published < 5_000:
            await line.publish(100, size=8_000)
            published += 100
            await until(quick.has(published))
        assert closes._value.get() == 1
        line.proxy.slow_down(None)
        line.proxy.cut()
        await line.publish(1)
        await until(lambda: slow.ear.offset == quick.ear.offset == published + 1)
    assert quick.offsets == list(range(1, published + 2))
    assert slow.offsets == sorted(set(slow.offsets))


async def test_a_node_that_takes_connections_and_says_nothing_is_given_up(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_client, "_OPEN_SECONDS", 0.1)
    line.proxy.hold()
    ada = line.client()
    ada.start()
    await until(lambda: line.proxy.accepted >= 3)
    monkeypatch.undo()  # the next may take as long as it does
    line.proxy.release()
    await ada.connected()
    assert "server_time" in await ada.command("ping")
    await ada.close()


async def test_a_node_that_refuses_is_tried_until_it_is_there(line: Line) -> None:
    hearer = Hearer()
    async with line.client() as ada:
        await ada.subscribe(hearer.ear)
        await line.proxy.vanish()
        await until(lambda: not ada.is_up)
        await line.publish(5)
        await line.proxy.accept()
        await until(hearer.has(5))
    assert hearer.offsets == [1, 2, 3, 4, 5]
