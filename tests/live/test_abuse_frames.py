"""Frames that no client should send: each ends with its number, costs nobody else anything, and leaves nothing behind."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

import pytest

from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS
from lms_rt.contracts.base import Draft
from lms_rt.contracts.frames import MAX_FRAME_BYTES
from tests.live.live_node import LiveNode, live_node
from tests.live.raw_line import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Crowd, RawLine, Stranger, command, frame


class EchoCommand(Draft):
    """`echo {text}`."""

    text: str = ""


DONE: list[str] = []


async def echo(_: LiveSession, asked: EchoCommand) -> dict[str, str]:
    DONE.append(asked.text)
    return {"text": asked.text}


TABLE = {**COMMANDS, "echo": Command("echo", EchoCommand, echo)}


@pytest.fixture(scope="module")
async def live() -> AsyncIterator[LiveNode]:
    async with live_node(commands=TABLE) as made:
        yield made


def announced(length: int, first: int = 0x81) -> bytes:
    """The head of a frame that is so long, and nothing of it."""
    return struct.pack("!BBQ", first, 0xFF, length) + bytes(4)


FAULTS = {
    "a text frame of 64 KiB and one byte": (frame(TEXT, b"x" * (MAX_FRAME_BYTES + 1)), 1009),
    "the head of a terabyte": (announced(2**40), 1009),
    "a length with its highest bit set": (announced(2**63), 1002),
    "64 KiB and one byte in two parts": (
        frame(TEXT, b"x" * MAX_FRAME_BYTES, is_last=False) + frame(CONTINUATION, b"x"),
        1009,
    ),
    "64 KiB and one byte of binary": (frame(BINARY, b"x" * (MAX_FRAME_BYTES + 1)), 1009),
    "text that is not UTF-8": (frame(TEXT, b'{"id": 1, "type": "\xff"}'), 1007),
    "half of a surrogate pair": (frame(TEXT, b'"\xed\xa0\x80"'), 1007),
    "a letter written longer than it is": (frame(TEXT, b'"\xc1\x81"'), 1007),
    "a letter that is cut off": (frame(TEXT, b'"\xe2\x82'), 1007),
    "not UTF-8 over two parts": (frame(TEXT, b'"\xe2\x82', is_last=False) + frame(CONTINUATION, b'"'), 1007),
    "a text without a mask": (frame(TEXT, b'{"id": 1, "type": "ping"}', is_masked=False), 1002),
    "an empty frame without a mask": (frame(TEXT, is_masked=False), 1002),
    "a ping without a mask": (frame(PING, is_masked=False), 1002),
    "a close without a mask": (frame(CLOSE, b"\x03\xe8", is_masked=False), 1002),
    "a compressed frame, though none were agreed": (frame(TEXT, b"\xaa\x56\x2a", reserved=4), 1002),
    "a compressed ping": (frame(PING, b"\xaa", reserved=4), 1002),
    "the second reserved bit": (frame(TEXT, b"{}", reserved=2), 1002),
    "the third reserved bit": (frame(TEXT, b"{}", reserved=1), 1002),
    **{f"the unknown opcode {opcode}": (frame(opcode), 1002) for opcode in (3, 7, 11, 15)},
    "the first part of a ping": (frame(PING, b"x", is_last=False), 1002),
    "the first part of a close": (frame(CLOSE, b"\x03\xe8", is_last=False), 1002),
    "a ping of 126 bytes": (frame(PING, b"x" * 126), 1002),
    "a pong of 64 KiB and one byte": (frame(PONG, b"x" * (MAX_FRAME_BYTES + 1)), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "a text amidst a text": (frame(TEXT, b"{", is_last=False) + frame(TEXT, b"}"), 1002),
    "a close with half a number": (frame(CLOSE, b"\x03"), 1002),
    "a close with a number nobody may send": (frame(CLOSE, b"\x03\xee"), 1002),
    "a close whose words are not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_ends_with_its_number(line: RawLine, fault: str) -> None:
    data, number = FAULTS[fault]
    await line.send(data)
    assert await line.ended() == number


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_ends_with_its_number_in_small_pieces_too(line: RawLine, fault: str) -> None:
    """However the network cuts what comes: byte by byte at the start, where the heads are."""
    data, number = FAULTS[fault]
    for at in range(20):
        await line.send(data[at : at + 1])
    await line.send(data[20:])
    assert await line.ended() == number


async def test_the_head_of_a_frame_that_is_too_long_is_enough(line: RawLine) -> None:
    """Nobody waits for what would be dropped."""
    await line.send(announced(MAX_FRAME_BYTES + 1))
    assert await line.closed() == 1009


async def test_nothing_after_a_fault_is_done(line: RawLine) -> None:
    await line.send(
        command("echo", 1, text="before a fault") + frame(3) + command("echo", 2, text="after a fault") * 50
    )
    assert (await line.message())["result"] == {"text": "before a fault"}
    assert await line.ended() == 1002
    assert "after a fault" not in DONE


async def test_nothing_after_a_close_is_done_and_the_close_is_answered_in_kind(line: RawLine) -> None:
    await line.send(
        command("echo", 1, text="hello")
        + frame(CLOSE, b"\x0f\xa0bye")
        + command("echo", 2, text="after a close") * 50
        + frame(3)
    )
    assert (await line.message())["result"] == {"text": "hello"}
    assert await line.closed() == 4000
    await line.gone()
    assert "after a close" not in DONE


async def test_the_crowd_hears_everything_while_every_fault_comes_at_once(stranger: Stranger, crowd: Crowd) -> None:
    lines = [await stranger.welcomed(f"mallory{number}") for number, _ in enumerate(FAULTS)]
    for line, (data, _) in zip(lines, FAULTS.values(), strict=True):
        await line.send(data)
    assert await crowd.is_undisturbed()
    assert [await line.ended() for line in lines] == [number for _, number in FAULTS.values()]
    assert await crowd.is_undisturbed()


async def test_garbage_is_answered_nine_times_and_ended_at_the_tenth(stranger: Stranger, crowd: Crowd) -> None:
    for garbage in (
        frame(TEXT, b"\x01\x02"),
        frame(TEXT),
        frame(BINARY, bytes(range(256))),
        frame(TEXT, b"[" * 8_000),
    ):
        line = await stranger.welcomed()
        await line.send(garbage * 100)
        codes = [(await line.message())["error"]["code"] for _ in range(10)]
        assert codes == ["bad_frame"] * 10
        assert await line.ended() == 4500
    assert await crowd.is_undisturbed()


async def test_a_wrong_mask_makes_garbage_of_a_command_and_nothing_more(line: RawLine) -> None:
    good = command("echo", 1, text="x" * 50)
    await line.send(good[:2] + b"\x01\x02\x03\x04" + good[6:])
    assert (await line.message())["error"]["code"] == "bad_frame"
    assert (await line.ask("echo", text="on"))["ok"]


async def test_one_message_in_64_ki_parts_is_a_flood(crowd: Crowd, line: RawLine) -> None:
    """Empty parts never fill a message, and cost as much as commands."""
    await line.send(frame(TEXT, b"{", is_last=False) + frame(CONTINUATION, is_last=False) * 65_536)
    assert await line.closed() == 4529
    assert await crowd.is_undisturbed()
