"""Clients that go too fast, too slowly or nowhere at all: each is borne or ended as the protocol says, the others go on.

Times pass on a clock that is set by hand; what waits in the process is seen in its figures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from handlers.live import dialogue
from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import Draft
from lms_rt.realtime.connection import MAX_QUEUE_BYTES
from tests.live.conftest import HONEST
from tests.live.live_node import LiveNode, live_node, until
from tests.live.raw_line import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Crowd,
    RawLine,
    Stranger,
    command,
    frame,
    heaviest_command,
    request,
)

SLOW_BUFFER = 4_096
HEAVY = heaviest_command()


class AskCommand(Draft):
    """`big {bytes}`: so much comes back."""

    bytes: int = 0


async def big(_: LiveSession, asked: AskCommand) -> dict[str, str]:
    return {"text": "x" * asked.bytes}


TABLE = {**COMMANDS, "big": Command("big", AskCommand, big)}


@pytest.fixture(scope="module")
async def live() -> AsyncIterator[LiveNode]:
    async with live_node(commands=TABLE, clock=FakeClock()) as made:
        yield made


@pytest.fixture
async def line(live: LiveNode, crowd: Crowd, stranger: Stranger) -> RawLine:
    """Somebody who will be a nuisance, beside the crowd."""
    await pass_seconds(live, crowd, 3)  # what the crowd was counted for before is past
    return await stranger.welcomed()


def figure(live: LiveNode, name: str) -> float:
    """One of the node's figures, as operators see it."""
    return live.metrics.registry.get_sample_value(name) or 0.0


class TestFloods:
    @pytest.mark.parametrize("is_decent", [True, False])
    async def test_ten_thousand_commands_are_sixty_and_a_close(
        self, crowd: Crowd, line: RawLine, is_decent: bool
    ) -> None:
        await line.send(command("ping") * 10_000)
        assert [(await line.message())["ok"] for _ in range(60)] == [True] * 60
        assert await line.closed() == 4529
        if is_decent:  # what was sent before it heard of the close is dropped, and the line let go at once
            await line.send(frame(CLOSE, (4529).to_bytes(2, "big")))
            await line.gone()
        assert await crowd.is_undisturbed()

    async def test_commands_are_answered_while_the_flood_goes_on(self, crowd: Crowd, line: RawLine) -> None:
        flooding = asyncio.create_task(line.send(command("ping") * 300_000))
        assert await crowd.is_undisturbed()
        assert await line.closed() == 4529
        flooding.cancel()
        await asyncio.wait([flooding])

    @pytest.mark.parametrize("opcode", [PING, PONG])
    async def test_control_frames_are_counted_too(self, crowd: Crowd, line: RawLine, opcode: int) -> None:
        await line.send(frame(opcode, b"x" * 125) * 10_000)
        assert await line.closed() == 4529
        assert await crowd.is_undisturbed()

    async def test_parts_without_end_are_a_flood(self, crowd: Crowd, line: RawLine) -> None:
        await line.send(frame(TEXT, b" ", is_last=False) + frame(CONTINUATION, is_last=False) * 65_536)
        assert await line.closed() == 4529
        assert await crowd.is_undisturbed()

    async def test_who_has_not_signed_in_cannot_flood_either(self, crowd: Crowd, stranger: Stranger) -> None:
        for flood, wanted in ((frame(PING) * 10_000, 4529), (command("ping") * 10_000, 4501)):
            line = await stranger.open("/ws")
            await line.send(flood)
            assert await line.closed() == wanted
        assert await crowd.is_undisturbed()

    async def test_frames_sent_with_the_handshake_are_heard_and_counted(self, crowd: Crowd, stranger: Stranger) -> None:
        line = await stranger.dial()
        await line.send(request("/ws?token=eager") + command("ping") * 10_000)
        await line.read_head()
        assert (await line.message())["type"] == "welcome"
        assert [(await line.message())["ok"] for _ in range(60)] == [True] * 60
        assert await line.closed() == 4529
        assert await crowd.is_undisturbed()

    async def test_the_heaviest_commands_at_once_hold_nobody_up(self, crowd: Crowd, line: RawLine) -> None:
        await line.send(HEAVY * 20)
        assert await crowd.is_undisturbed()

    async def test_behind_a_heavy_command_its_own_line_rests(
        self, crowd: Crowd, line: RawLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialogue, "HEAVY_BYTES_PER_SECOND", 1)
        await line.send(HEAVY + command("ping"))
        assert (await line.message())["error"]["code"] == "invalid_command"
        assert await crowd.is_undisturbed()
        assert line.is_silent

    async def test_a_heavy_command_is_answered_and_so_is_what_follows(
        self, line: RawLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialogue, "HEAVY_BYTES_PER_SECOND", 10**12)
        await line.send((command("big", 1, bytes=3, text="x" * 60_000) + command("big", 2, bytes=3)) * 2)
        answers = [await line.message() for _ in range(4)]
        assert [(answer["id"], answer["ok"]) for answer in answers] == [(1, False), (2, True)] * 2


class TestSubscriptions:
    async def test_ten_thousand_at_once_are_a_flood(self, live: LiveNode, crowd: Crowd, line: RawLine) -> None:
        await line.send(b"".join(command("subscribe", n, channel=f"course:many{n}") for n in range(10_000)))
        assert await line.closed() == 4529
        await until(lambda: figure(live, "ws_subscriptions") == HONEST)
        assert await crowd.is_undisturbed()

    async def test_at_the_pace_of_the_house_a_hundred_are_had_and_no_more(
        self, live: LiveNode, crowd: Crowd, line: RawLine
    ) -> None:
        answers = []
        for n in range(400):
            await pass_seconds(live, crowd, 0.05)
            answers.append(await line.ask("subscribe", channel=f"course:many{n}"))
        assert [answer["ok"] for answer in answers] == [True] * 100 + [False] * 300
        assert {answer["error"]["code"] for answer in answers[100:]} == {"too_many_subscriptions"}
        assert figure(live, "ws_subscriptions") == HONEST + 100
        line.cut()
        await until(lambda: figure(live, "ws_subscriptions") == HONEST)
        assert await crowd.is_undisturbed()

    async def test_coming_and_going_leaves_nothing_behind(self, live: LiveNode, crowd: Crowd, line: RawLine) -> None:
        for n in range(300):
            await pass_seconds(live, crowd, 0.1)
            await line.ask("subscribe", channel=f"course:churn{n}")
            await line.ask("unsubscribe", channel=f"course:churn{n}")
        await until(lambda: live.hub.channels == ("course:1",))
        assert await crowd.is_undisturbed()


class TestSlowReaders:
    async def deaf(self, stranger: Stranger, crowd: Crowd, user: str) -> RawLine:
        """Somebody who listens to the crowd's channel over a narrow line."""
        line = await stranger.welcomed(user, receive_buffer=SLOW_BUFFER)
        await line.ask("subscribe", channel=crowd.channel)
        return line

    async def test_one_that_never_reads_is_ended_as_too_slow(
        self, live: LiveNode, crowd: Crowd, stranger: Stranger
    ) -> None:
        line, before = await self.deaf(stranger, crowd, "deaf"), figure(live, "ws_slow_closes_total")
        while figure(live, "ws_slow_closes_total") == before:
            await pass_seconds(live, crowd, 0.1)
            assert await crowd.is_undisturbed(size=50_000)
            live.node.beat()
            assert figure(live, "ws_send_queue_bytes") <= MAX_QUEUE_BYTES + 100_000
        assert await line.closed() == 4008
        assert await crowd.is_undisturbed()

    async def test_one_that_reads_a_byte_at_a_time_is_ended_too(
        self, live: LiveNode, crowd: Crowd, stranger: Stranger
    ) -> None:
        line, before = await self.deaf(stranger, crowd, "slow"), figure(live, "ws_slow_closes_total")
        while figure(live, "ws_slow_closes_total") == before:
            await pass_seconds(live, crowd, 0.1)
            assert await crowd.is_undisturbed(size=50_000)
            await line.read_byte()
        assert await line.closed() == 4008

    async def test_one_that_asks_for_much_and_reads_nothing_is_ended(
        self, live: LiveNode, crowd: Crowd, stranger: Stranger
    ) -> None:
        line = await stranger.welcomed("greedy", receive_buffer=SLOW_BUFFER)
        before = figure(live, "ws_slow_closes_total")
        await line.send(command("big", bytes=200_000) * 60)
        await until(lambda: figure(live, "ws_slow_closes_total") > before)
        assert await line.closed() == 4008
        assert await crowd.is_undisturbed()

    async def test_one_that_never_reads_its_pings_is_dead(
        self, live: LiveNode, crowd: Crowd, stranger: Stranger
    ) -> None:
        line = await stranger.welcomed("mute", receive_buffer=SLOW_BUFFER)
        await pass_seconds(live, crowd, 26)
        assert await line.closed() is None
        assert figure(live, "ws_connections") == HONEST


class TestHalfFrames:
    """Who begins a frame and does not end it is as silent as who says nothing."""

    @pytest.mark.parametrize("part", [1, 2, 5, 6, 20])
    async def test_half_a_frame_for_ever(self, live: LiveNode, crowd: Crowd, line: RawLine, part: int) -> None:
        await line.send(command("ping")[:part])
        await pass_seconds(live, crowd, 26)
        assert await line.closed() is None
        assert figure(live, "ws_connections") == HONEST

    async def test_a_byte_a_second(self, live: LiveNode, crowd: Crowd, line: RawLine) -> None:
        data = iter(frame(TEXT, b'{"id": 1, "type": "ping", "text": "' + b"x" * 60_000))
        for _ in range(27):
            await line.send(bytes((next(data),)))
            await pass_seconds(live, crowd, 1)
        assert await line.closed() is None

    async def test_a_byte_a_second_with_a_pulse_is_only_slow(self, live: LiveNode, crowd: Crowd, line: RawLine) -> None:
        text = orjson.dumps({"id": 1, "type": "big", "bytes": 3})
        for at, byte in enumerate(text):
            is_last = at == len(text) - 1
            await line.send(frame(CONTINUATION if at else TEXT, bytes((byte,)), is_last=is_last) + frame(PONG))
            await pass_seconds(live, crowd, 1)
        assert (await line.message())["result"] == {"text": "xxx"}

    async def test_before_signing_in_it_is_over_sooner(
        self, crowd: Crowd, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("handlers.live.socket.AUTH_SECONDS", 0.02)
        for data in (b"", command("auth")[:9], frame(TEXT, b"{", is_last=False)):
            line = await stranger.open("/ws")
            await line.send(data)
            assert await line.closed() == 4001
        assert await crowd.is_undisturbed()


async def pass_seconds(live: LiveNode, crowd: Crowd, seconds: float) -> None:
    """Let time pass, second by second; the crowd goes on meanwhile, and answers its pings."""
    while seconds > 0:
        before_ms = live.clock.now_ms()
        await live.beat(min(seconds, 1))
        seconds -= 1
        if live.clock.now_ms() // 5_000 > before_ms // 5_000:
            assert await crowd.is_undisturbed(events=1)
