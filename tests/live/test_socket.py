"""Frames and limits of an open socket: what is answered, what is refused, and with which number the line ends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS, command_table
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import Draft
from lms_rt.contracts.frames import MAX_FRAME_BYTES
from lms_rt.errors import Code, Refused
from tests.live.live_node import LiveNode, ask, closed, live_node, received, subscribed, until


class EchoCommand(Draft):
    """`echo {text, fault?}`."""

    text: str = ""
    fault: str = ""


class Gate:
    """A command that waits until it is let through."""

    def __init__(self) -> None:
        self.opened, self.done = asyncio.Event(), False

    async def wait(self, _: LiveSession, command: EchoCommand) -> dict[str, str]:
        await self.opened.wait()
        self.done = True
        return {"text": command.text}


async def echo(_: LiveSession, command: EchoCommand) -> dict[str, str]:
    if command.fault == "refused":
        raise Refused(Code.CONFLICT, "Another one.", stored={"value": 1})
    if command.fault:
        raise ZeroDivisionError
    return {"text": command.text}


GATE = Gate()
TABLE = command_table((*COMMANDS.values(), Command("echo", EchoCommand, echo), Command("wait", EchoCommand, GATE.wait)))


@pytest.fixture
async def live() -> AsyncIterator[LiveNode]:
    GATE.__init__()  # type: ignore[misc]
    async with live_node(commands=TABLE, clock=FakeClock()) as made:
        yield made


@pytest.fixture
async def socket(live: LiveNode) -> AsyncIterator[Any]:
    async with live.connect("ada") as opened:
        assert (await received(opened))["type"] == "welcome"
        yield opened


class TestReplies:
    async def test_done(self, socket: Any) -> None:
        assert await ask(socket, "echo", text="héllo ع") == {"id": 7, "ok": True, "result": {"text": "héllo ع"}}

    async def test_refused_by_a_rule(self, socket: Any) -> None:
        error = (await ask(socket, "echo", fault="refused"))["error"]
        expected = {"code": "conflict", "message": "Another one.", "fields": [], "data": {"stored": {"value": 1}}}
        assert error == expected

    async def test_a_fault_of_ours_does_not_end_the_line(self, socket: Any, caplog: pytest.LogCaptureFixture) -> None:
        assert (await ask(socket, "echo", fault="ours"))["error"]["code"] == "unavailable"
        assert "ZeroDivisionError" in caplog.text
        assert (await ask(socket, "echo", text="on"))["ok"]

    async def test_an_unknown_command_does_nothing(self, socket: Any) -> None:
        assert (await ask(socket, "chat.shout", text="x"))["error"]["code"] == "unknown_command"

    async def test_unknown_and_wrong_fields_are_named(self, socket: Any) -> None:
        error = (await ask(socket, "echo", text=5, extra=1))["error"]
        assert error["code"] == "invalid_command"
        assert {(f["field"], f["code"]) for f in error["fields"]} == {
            ("text", "string_type"),
            ("extra", "unknown_field"),
        }

    async def test_commands_run_one_by_one_in_order(self, socket: Any) -> None:
        await socket.send('{"id": 1, "type": "wait"}')
        await socket.send('{"id": 2, "type": "echo"}')
        GATE.opened.set()
        assert [(await received(socket))["id"] for _ in range(2)] == [1, 2]

    async def test_ping_and_time(self, live: LiveNode, socket: Any) -> None:
        assert (await ask(socket, "ping"))["result"]["server_time"] == "2026-01-05T09:00:00.000Z"
        result = (await ask(socket, "time.sync", t0=12.5))["result"]
        now_ms = live.clock.now_ms()
        assert result == {"t0": 12.5, "t1": now_ms, "t2": now_ms, "clock_error_ms": 0}


BAD_FRAMES = [
    ("not json", 0),
    ('{"id": 1, "type": "ping"', 24),
    ("[1, 2]", 0),
    ("5", 0),
    ('{"id": true, "type": "ping"}', 0),
    ('{"type": "ping"}', 0),
    ('{"id": 1}', 0),
    ('{"id": 1, "type": 5}', 0),
    ('{"id": 1, "id": 2, "type": "ping"}', 10),
    ("[" * 500, 100),
    ("[" * 10_000, 0),
    ('{"id": 1, "type": "echo", "text": NaN}', 34),
    ('{"id": 1e99999999, "type": "ping"}', 0),
    ('{"id": 9223372036854775808, "type": "ping"}', 0),
    ('{"id": "\\ud800", "type": "ping"}', 0),
]


class TestBadFrames:
    @pytest.mark.parametrize(("frame", "position"), BAD_FRAMES)
    async def test_are_answered_with_the_place(self, socket: Any, frame: str, position: int | None) -> None:
        await socket.send(frame)
        reply = await received(socket)
        assert (reply["ok"], reply["error"]["code"]) == (False, "bad_frame")
        assert reply["error"]["data"].get("position") == position
        assert (await ask(socket, "echo"))["ok"]

    @pytest.mark.parametrize("text", ['"a\\u0000b"', '"\\ud800"', "1" + "0" * 30])
    async def test_what_no_store_keeps_is_an_invalid_command(self, socket: Any, text: str) -> None:
        for n in range(12):  # somebody's text, sent again and again, is no fault of the client: the line stays
            await socket.send(f'{{"type": "echo", "text": {text}, "id": {n}}}')
            reply = await received(socket)
            assert (reply["id"], reply["error"]["code"], reply["error"]["fields"][0]["field"]) == (
                n,
                "invalid_command",
                "text",
            )

    async def test_binary_is_bad(self, socket: Any) -> None:
        await socket.send(b"\x00\x01")
        assert (await received(socket))["error"]["code"] == "bad_frame"

    async def test_the_tenth_in_a_minute_is_the_last(self, live: LiveNode, socket: Any) -> None:
        for _ in range(9):
            await socket.send("{")
            assert (await received(socket))["error"]["code"] == "bad_frame"
        live.clock.advance(20)  # type: ignore[attr-defined]
        await socket.send("{")
        assert await closed(socket) == 4500

    async def test_nine_a_minute_are_borne(self, live: LiveNode, socket: Any) -> None:
        for _ in range(3):
            for _ in range(9):
                await socket.send("{")
                await received(socket)
            live.clock.advance(60)  # type: ignore[attr-defined]
            live.node.connections[0].last_heard_ms = live.clock.now_ms()
        assert (await ask(socket, "echo"))["ok"]


class TestLimits:
    async def test_a_frame_of_64_kib_is_taken_and_one_byte_more_closes(self, socket: Any) -> None:
        head = '{"id": 7, "type": "echo", "text": "'
        await socket.send(head + "x" * (MAX_FRAME_BYTES - len(head) - 2) + '"}')
        assert (await received(socket))["ok"]
        await socket.send("x" * (MAX_FRAME_BYTES + 1))
        assert await closed(socket) == 1009

    async def test_fragments_count_together(self, socket: Any) -> None:
        async def parts() -> AsyncIterator[str]:
            for _ in range(3):
                yield "x" * 30_000

        await socket.send(parts())
        assert await closed(socket) == 1009

    async def test_a_fragmented_command_is_one_command(self, socket: Any) -> None:
        async def parts() -> AsyncIterator[str]:
            for part in ('{"id": 3, ', '"type": "echo", ', '"text": "whole"}'):
                yield part

        await socket.send(parts())
        assert (await received(socket))["result"] == {"text": "whole"}

    async def test_thirty_a_second_and_sixty_at_once(self, live: LiveNode, socket: Any) -> None:
        for _ in range(60):
            await ask(socket, "echo")
        live.clock.advance(1)  # type: ignore[attr-defined]
        for _ in range(30):
            assert (await ask(socket, "echo"))["ok"]
        await socket.send('{"id": 7, "type": "echo"}')
        assert await closed(socket) == 4529

    async def test_a_hundred_subscriptions_and_again_is_one_of_them(self, live: LiveNode, socket: Any) -> None:
        for n in range(100):
            live.clock.advance(1)  # type: ignore[attr-defined]
            await subscribed(socket, f"course:{n}")
        await subscribed(socket, "course:5")
        live.clock.advance(1)  # type: ignore[attr-defined]
        assert (await ask(socket, "subscribe", channel="course:100"))["error"]["code"] == "too_many_subscriptions"
        await ask(socket, "unsubscribe", channel="course:5")
        await subscribed(socket, "course:100")

    async def test_a_silent_peer_is_cut_off_and_one_that_pongs_is_not(self, live: LiveNode, socket: Any) -> None:
        (connection,) = live.node.connections
        for _ in range(4):
            begun_ms = connection.last_heard_ms
            for _ in range(10):  # one of ten beats pings this connection
                await live.beat(1)
            await until(lambda before=begun_ms: connection.last_heard_ms > before)
        for _ in range(26):  # and no turn of the loop to answer in
            live.clock.advance(1)  # type: ignore[attr-defined]
            live.node.beat()
        assert await closed(socket) == 1006
        assert live.node.connections == ()

    async def test_a_node_that_stood_still_holds_nobody_for_silent(self, live: LiveNode, socket: Any) -> None:
        live.clock.advance(60)  # type: ignore[attr-defined]
        live.node.beat()
        assert (await ask(socket, "ping"))["ok"]


class TestRfc6455:
    """Faults of framing end with the numbers that the RFC gives them."""

    async def raw(self, socket: Any, data: bytes) -> int | None:
        socket.transport.write(data)
        return await closed(socket)

    async def test_text_that_is_not_utf8(self, socket: Any) -> None:
        assert await self.raw(socket, Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True)) == 1007

    async def test_a_frame_without_a_mask(self, socket: Any) -> None:
        assert await self.raw(socket, Frame(Opcode.TEXT, b"{}").serialize(mask=False)) == 1002

    async def test_reserved_bits_and_opcodes(self, socket: Any) -> None:
        assert await self.raw(socket, b"\xc1\x80mask") == 1002

    async def test_an_opcode_that_nobody_knows(self, socket: Any) -> None:
        assert await self.raw(socket, b"\x83\x80mask") == 1002

    async def test_a_control_frame_in_parts(self, socket: Any) -> None:
        assert await self.raw(socket, b"\x09\x80mask") == 1002

    async def test_a_continuation_of_nothing(self, socket: Any) -> None:
        assert await self.raw(socket, Frame(Opcode.CONT, b"x").serialize(mask=True)) == 1002

    async def test_a_length_beyond_all_bounds(self, socket: Any) -> None:
        head = struct.pack("!BBQ", 0x81, 0xFF, 2**40) + b"mask"
        assert await self.raw(socket, head + b"x" * 100_000) in (1009, 1006)  # cut off, perhaps before it read why

    async def test_a_ping_is_answered(self, socket: Any) -> None:
        await (await socket.ping(b"there?"))


async def test_shutdown_is_gentle(live: LiveNode, socket: Any) -> None:
    await socket.send('{"id": 1, "type": "wait", "text": "done"}')
    await until(lambda: live.node.connections[0].is_busy)
    ending = asyncio.create_task(live.node.shutdown())
    await until(lambda: live.node.is_draining)
    async with live.connect("bob") as late:
        assert await closed(late) == 1013
    GATE.opened.set()
    assert (await received(socket))["result"] == {"text": "done"}
    notice = await received(socket)
    assert notice["type"] == "reconnect"
    assert 0 <= notice["after_ms"] < 10_000
    assert await closed(socket) == 1012
    await ending
    assert live.hub.channels == ()
