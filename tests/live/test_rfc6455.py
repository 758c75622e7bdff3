"""The cases of the Autobahn fuzzing client that apply to a server without extensions and with messages of 64 KiB.

By its numbers: 1 frames, 2 pings, 3 reserved bits, 4 opcodes, 5 fragments, 6 UTF-8, 7 closes, 9 sizes, 10 fragmented by
accident. Where it expects an echo, the command `echo` gives one; a binary message is answered as a bad frame, since our
protocol has none. 8 is unused there; 12 and 13 are compression, which we never agree to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import orjson
import pytest

from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS
from lms_rt.contracts.base import Draft
from lms_rt.contracts.frames import MAX_FRAME_BYTES
from tests.live.live_node import LiveNode, live_node
from tests.live.raw_line import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawLine, frame

LAST_WORD = b"nothing else came"


class EchoCommand(Draft):
    """`echo {text}`."""

    text: str


def echo(_: LiveSession, asked: EchoCommand) -> dict[str, str]:
    return {"text": asked.text}


@dataclass
class Case:
    """What is sent, and what comes back: texts that are echoed ("" stands for a bad frame), pongs, then a close, or not."""

    number: str
    sent: bytes
    texts: list[str] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: int | None = None
    """None: the line stays up. 0: answered without a number."""


def message(text: str) -> bytes:
    """The text message that has `text` echoed, in as many bytes as it needs."""
    return orjson.dumps({"id": 1, "type": "echo", "text": text})


def message_of(length: int) -> tuple[bytes, str]:
    """One of exactly so many bytes, and its text."""
    text = "*" * (length - len(message("")))
    return message(text), text


def parts(payload: bytes, size: int, opcode: int = TEXT) -> bytes:
    """A message in fragments of so many bytes."""
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    return b"".join(
        frame(opcode if number == 0 else CONTINUATION, piece, is_last=number == len(pieces) - 1)
        for number, piece in enumerate(pieces)
    )


HELLO = message("Hello-µ@ßöäüàá-UTF-8!!")
HELLO_TEXT = "Hello-µ@ßöäüàá-UTF-8!!"
BEGUN, ENDED = frame(TEXT, HELLO[:20], is_last=False), frame(CONTINUATION, HELLO[20:])


def frames() -> Iterator[Case]:
    """1: lengths at the borders of their three forms."""
    for number, length in enumerate((60, 125, 126, 127, 128, 65_535, 65_536), 1):
        payload, text = message_of(length)
        yield Case(f"1.1.{number}", frame(TEXT, payload), [text])
    yield Case("1.1.0 empty", frame(TEXT), [""])
    for number, length in enumerate((0, 125, 126, 127, 128, 65_535, 65_536), 1):
        yield Case(f"1.2.{number}", frame(BINARY, b"\xfe" * length), [""])


def pings() -> Iterator[Case]:
    """2: answered with what they hold; unasked pongs are not answered."""
    yield Case("2.1", frame(PING), pongs=[b""])
    yield Case("2.2", frame(PING, b"Hello"), pongs=[b"Hello"])
    yield Case("2.3", frame(PING, b"\x00\xff\xfe\xfd"), pongs=[b"\x00\xff\xfe\xfd"])
    yield Case("2.4", frame(PING, b"\xfe" * 125), pongs=[b"\xfe" * 125])
    yield Case("2.5", frame(PING, b"\xfe" * 126), close=1002)
    yield Case("2.7", frame(PONG))
    yield Case("2.8", frame(PONG, b"unasked"))
    yield Case("2.9", frame(PONG, b"unasked") + frame(PING, b"asked"), pongs=[b"asked"])
    yield Case("2.10", b"".join(frame(PING, b"%d" % n) for n in range(10)), pongs=[b"%d" % n for n in range(10)])


def reserved_bits() -> Iterator[Case]:
    """3: none was agreed on; what came before is answered."""
    yield Case("3.1", frame(TEXT, HELLO, reserved=1), close=1002)
    yield Case("3.2", frame(TEXT, HELLO) + frame(TEXT, HELLO, reserved=2) + frame(PING), [HELLO_TEXT], close=1002)
    yield Case("3.3", frame(TEXT, HELLO) + frame(TEXT, HELLO, reserved=3) + frame(PING), [HELLO_TEXT], close=1002)
    yield Case("3.5", frame(BINARY, b"\xff" * 8, reserved=5), close=1002)
    yield Case("3.6", frame(PING, b"Hello", reserved=6), close=1002)
    yield Case("3.7", frame(CLOSE, b"\x03\xe8", reserved=7), close=1002)


def opcodes() -> Iterator[Case]:
    """4: reserved ones, alone and behind a message."""
    for group, reserved in ((1, (3, 4, 5, 6, 7)), (2, (11, 12, 13, 14, 15))):
        for number, opcode in enumerate(reserved, 1):
            yield Case(f"4.{group}.{number}", frame(opcode, b"x" * (number - 1)), close=1002)
            behind = frame(TEXT, HELLO) + frame(opcode, b"x" * (number - 1)) + frame(PING)
            yield Case(f"4.{group}.{number} behind a text", behind, [HELLO_TEXT], close=1002)


def fragments() -> Iterator[Case]:
    """5: control frames stand between them and are never cut; a message is continued until it ends."""
    yield Case("5.1", frame(PING, b"frag", is_last=False) + frame(CONTINUATION, b"ment"), close=1002)
    yield Case("5.2", frame(PONG, b"frag", is_last=False) + frame(CONTINUATION, b"ment"), close=1002)
    yield Case("5.3", BEGUN + ENDED, [HELLO_TEXT])
    yield Case("5.6", BEGUN + frame(PING, b"ping") + ENDED, [HELLO_TEXT], [b"ping"])
    for number, is_last in ((9, True), (10, False), (12, True), (13, False)):
        yield Case(f"5.{number}", frame(CONTINUATION, b"non", is_last=is_last) + frame(TEXT, HELLO), close=1002)
    yield Case("5.15", BEGUN + ENDED + frame(CONTINUATION, b"x", is_last=False), [HELLO_TEXT], close=1002)
    yield Case("5.16", frame(CONTINUATION, b"x", is_last=False) + BEGUN + ENDED, close=1002)
    yield Case("5.18", BEGUN + frame(TEXT, b"fragment2"), close=1002)
    five = parts(HELLO, len(HELLO) // 5 + 1)
    yield Case("5.19", five, [HELLO_TEXT])
    cut = [HELLO[at : at + 12] for at in range(0, len(HELLO), 12)]
    pinged = frame(TEXT, cut[0], is_last=False)
    for piece in cut[1:-1]:
        pinged += frame(CONTINUATION, piece, is_last=False) + frame(PING, b"ping")
    yield Case("5.20", pinged + frame(CONTINUATION, cut[-1]), [HELLO_TEXT], [b"ping"] * (len(cut) - 2))
    yield Case(
        "5 empty parts", frame(TEXT, is_last=False) + frame(CONTINUATION, is_last=False) + ENDED_WHOLE, [HELLO_TEXT]
    )
    yield Case("5 binary", parts(b"\xfe" * 100, 30, BINARY), [""])


ENDED_WHOLE = frame(CONTINUATION, HELLO)

VALID = {
    "6.5": "κόσμε",
    "6.6": "\u0080\u07ff",
    "6.7": "\ud7ff\ue000\uffff",
    "6.9": "\U00010000\U0010ffff",
    "6.22": "\ufffe\uffff\U0001fffe\U0001ffff\U0002fffe\U0010fffe",
    "6.23": "\ufffd",
}
INVALID = {
    "6.3": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    "6.4": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
    "6.8 five bytes": b"\xf8\x88\x80\x80\x80",
    "6.8 six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "6.10": b"\xf7\xbf\xbf\xbf",
    "6.11": b"\xfb\xbf\xbf\xbf\xbf",
    "6.12.1": b"\x80",
    "6.12.8": b"\x80\xbf" * 4,
    "6.13": b"\xc0 \xdf ",
    "6.14": b"\xe0\x80",
    "6.14 cut": b"\xce",
    "6.15": b"\xc0\xe0\x80\xf0\x80\x80",
    "6.16": b"\xfe\xff",
    "6.17": b"\xc0\xaf",
    "6.17 longer": b"\xe0\x80\xaf",
    "6.18": b"\xc1\xbf",
    "6.19": b"\xc0\x80",
    "6.20": b"\xed\xa0\x80",
    "6.21": b"\xed\xad\xbf\xed\xb0\x80",
}


def texts() -> Iterator[Case]:
    """6: what is UTF-8 passes, however it is cut; what is not closes with 1007."""
    for number, text in VALID.items():
        yield Case(number, frame(TEXT, message(text)), [text])
        yield Case(f"{number} a byte a frame", parts(message(text), 1), [text])
    for number, raw in INVALID.items():
        yield Case(number, frame(TEXT, raw), close=1007)
        yield Case(f"{number} a byte a frame", parts(raw + b" ", 1), close=1007)
    yield Case("6.1.1", frame(TEXT), [""])
    yield Case("6.1.2", frame(TEXT, is_last=False) + frame(CONTINUATION, is_last=False) + frame(CONTINUATION), [""])


def closes() -> Iterator[Case]:
    """7: answered in kind, once; nothing is done behind them."""
    good, late = frame(CLOSE, b"\x03\xe8"), frame(TEXT, HELLO) + frame(PING, b"late")
    yield Case("7.1.1", frame(TEXT, HELLO) + good, [HELLO_TEXT], close=1000)
    yield Case("7.1.2", good + good, close=1000)
    yield Case("7.1.3", good + frame(PING), close=1000)
    yield Case("7.1.4", good + late, close=1000)
    yield Case("7.1.5", BEGUN + good + ENDED, close=1000)
    yield Case("7.1.6", frame(TEXT, message("x" * 60_000)) + good + late, ["x" * 60_000], close=1000)
    yield Case("7.3.1", frame(CLOSE), close=0)
    yield Case("7.3.2", frame(CLOSE, b"a"), close=1002)
    yield Case("7.3.4", frame(CLOSE, b"\x03\xe8Hello World!"), close=1000)
    yield Case("7.3.5", frame(CLOSE, b"\x03\xe8" + b"*" * 123), close=1000)
    yield Case("7.3.6", frame(CLOSE, b"\x03\xe8" + b"*" * 124), close=1002)
    yield Case("7.5.1", frame(CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80"), close=1007)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield Case(f"7.7 {code}", frame(CLOSE, code.to_bytes(2, "big")), close=code)
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield Case(f"7.9 {code}", frame(CLOSE, code.to_bytes(2, "big")), close=1002)


def sizes() -> Iterator[Case]:
    """9, as far as 64 KiB go, and one byte beyond; 10: a message whose parts are smaller than they need be."""
    payload, text = message_of(MAX_FRAME_BYTES)
    yield Case("9.1.1", frame(TEXT, payload), [text])
    for number, size in enumerate((64, 256, 1_024, 4_096, 16_384, 65_536), 1):
        yield Case(f"9.3.{number}", parts(payload, size), [text])
    yield Case("9.2.2 too big", frame(BINARY, b"\xfe" * (MAX_FRAME_BYTES + 1)), close=1009)
    yield Case("9.4 too big in parts", parts(b"\xfe" * (MAX_FRAME_BYTES + 1), 1_300, BINARY), close=1009)
    yield Case("10.1.1", parts(payload, 1_300), [text])
    yield Case("9 below the cost of a flood", parts(b" " * 980 + message("x"), 1), ["x"])
    yield Case("9 above it", parts(b" " * 1_100, 1), close=4529)


def masks() -> Iterator[Case]:
    """RFC 6455, 5.1: whatever a client sends is masked."""
    for opcode in (TEXT, BINARY, PING, PONG, CLOSE):
        yield Case(f"5.1 opcode {opcode}", frame(opcode, is_masked=False), close=1002)
    yield Case("5.1 in the middle", BEGUN + frame(CONTINUATION, HELLO[20:], is_masked=False), close=1002)


CASES = [
    *(case for family in (frames, pings, reserved_bits, opcodes, fragments) for case in family()),
    *(case for family in (texts, closes, sizes, masks) for case in family()),
]


@pytest.fixture(scope="module")
async def live() -> AsyncIterator[LiveNode]:
    async with live_node(commands={**COMMANDS, "echo": Command("echo", EchoCommand, echo)}) as made:
        yield made


async def came(line: RawLine) -> tuple[list[str], list[bytes], int | None]:
    """Texts, pongs, and the number of the close; up to the answer to the last word, or to the end."""
    found: tuple[list[str], list[bytes]] = ([], [])
    while (some := await line.frame()) is not None:
        opcode, payload = some
        if opcode == CLOSE:
            return *found, int.from_bytes(payload[:2], "big")
        if opcode == PONG and payload == LAST_WORD:
            return *found, None
        if opcode == PONG:
            found[1].append(payload)
        elif opcode == TEXT:
            reply = orjson.loads(payload)
            found[0].append(reply["result"]["text"] if reply["ok"] else "")
    raise ConnectionError("the line was cut without a word")


@pytest.mark.parametrize("case", CASES, ids=[case.number for case in CASES])
async def test_case(line: RawLine, case: Case) -> None:
    await line.send(case.sent + frame(PING, LAST_WORD))
    assert await came(line) == (case.texts, case.pongs, case.close)
    if case.close is not None:
        await line.send(frame(CLOSE, case.close.to_bytes(2, "big")))
        await line.gone()


CHOPPED = [case for case in CASES if len(case.sent) < 300]


@pytest.mark.parametrize("case", CHOPPED, ids=[case.number for case in CHOPPED])
async def test_case_in_single_bytes(line: RawLine, case: Case) -> None:
    """2.6, 3.4, 5.5, 6.1.3 and their like: the network may cut a frame anywhere."""
    for byte in case.sent + frame(PING, LAST_WORD):
        await line.send(bytes((byte,)))
    assert await came(line) == (case.texts, case.pongs, case.close)
