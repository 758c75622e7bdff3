"""A client made of bytes: it may break every rule of RFC 6455 and of ours. And a crowd of such that break none.

Nothing of the server is looked at from here: what a test learns is what came over the socket.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson

from lms_rt.contracts.frames import MAX_FRAME_BYTES, MAX_FRAME_VALUES

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
PATIENCE_SECONDS = 20
_KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="


def frame(
    opcode: int, payload: bytes = b"", *, is_last: bool = True, reserved: int = 0, is_masked: bool = True
) -> bytes:
    """One frame of a client; zeros are as good a mask as any."""
    first, mask = opcode | reserved << 4 | is_last << 7, is_masked << 7
    length = len(payload)
    if length < 126:
        head = bytes((first, mask | length))
    elif length < 65_536:
        head = struct.pack("!BBH", first, mask | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask | 127, length)
    return head + (bytes(4) if is_masked else b"") + payload


def command(type_: str, command_id: int | str = 7, **fields: Any) -> bytes:
    """A command as a client should send it."""
    return frame(TEXT, orjson.dumps({"id": command_id, "type": type_, **fields}))


def heaviest_command() -> bytes:
    """A command that takes longer to read than any other that is taken: names and numbers, as many as there may be."""
    members = b",".join(b'"%06d":0.1e1' % number for number in range(MAX_FRAME_VALUES - 10))
    head = b'{"id":1,"type":"ping","x":{' + members + b'},"y":"'
    return frame(TEXT, head + b"y" * (MAX_FRAME_BYTES - len(head) - 2) + b'"}')


def request(path: str, *headers: str) -> bytes:
    """The head of a handshake, with some headers more."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_KEY}",
        "Sec-WebSocket-Version: 13",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode()


class RawLine:
    """One socket. What the server sends is read only when a method asks for it."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.head = line, ""
        self.is_over = False
        self._unread = b""

    @classmethod
    async def dial(cls, port: int, *, receive_buffer: int | None = None) -> Self:
        """Connect, and say nothing yet."""
        made = cls(socket.socket())
        if receive_buffer is not None:
            made.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await made.connect(port)
        return made

    async def connect(self, port: int) -> None:
        """Knock at the server's door."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", port))

    async def read_head(self) -> str:
        """The head of the server's answer."""
        while b"\r\n\r\n" not in self._unread:
            if not await self._more():
                break
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        self.head = head.decode()
        return self.head

    async def send(self, data: bytes) -> bool:
        """Send as it is; False: the server has ended the line."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.get_running_loop().sock_sendall(self.socket, data)
        except OSError:
            return False
        return True

    async def read_byte(self) -> None:
        """Take one byte off the line."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            self._unread += await asyncio.get_running_loop().sock_recv(self.socket, 1)

    async def frame(self) -> tuple[int, bytes] | None:
        """The next frame of the server; None: the line is over."""
        while (found := self._whole()) is None:
            if not await self._more():
                return None
        return found

    async def message(self) -> dict[str, Any]:
        """The next JSON text but news of presence; pings are answered on the way."""
        while (found := await self.frame()) is not None:
            opcode, payload = found
            if opcode == PING:
                await self.send(frame(PONG, payload))
            elif opcode == CLOSE:
                raise ConnectionError(f"closed with {_number(payload)}")
            elif (value := orjson.loads(payload)).get("event") != "presence":
                return dict(value)
        raise ConnectionError("the line was cut")

    async def ask(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Send a command and read on to its reply."""
        await self.send(command(type_, **fields))
        while "ok" not in (reply := await self.message()):
            pass
        return reply

    async def closed(self) -> int | None:
        """Read on to the server's close frame: its number (0: none in it); None: the line was cut without one."""
        while (found := await self.frame()) is not None:
            if found[0] == CLOSE:
                return _number(found[1])
        return None

    @property
    def is_silent(self) -> bool:
        """Is there nothing to be read now?"""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self._unread
        return False

    async def gone(self) -> None:
        """Read on until the server has let go of the socket."""
        while await self._more():
            self._unread = b""

    async def ended(self) -> int | None:
        """Read on to the close frame, answer it, and see the server let go: the whole of a decent end."""
        number = await self.closed()
        await self.send(frame(CLOSE, struct.pack("!H", number) if number else b""))
        await self.gone()
        return number

    def cut(self) -> None:
        """Be gone without a word."""
        self.is_over = True
        self.socket.close()

    async def _more(self) -> bool:
        if self.is_over:
            return False
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                some = await asyncio.get_running_loop().sock_recv(self.socket, 65_536)
        except ConnectionError:
            some = b""
        self._unread += some
        if not some:
            self.cut()
        return bool(some)

    def _whole(self) -> tuple[int, bytes] | None:
        data = self._unread
        if len(data) < 2:
            return None
        assert data[0] & 0x70 == 0, "the server sets no reserved bits"
        assert data[0] & 0x80, "the server sends whole messages"
        assert data[1] & 0x80 == 0, "the server does not mask"
        length, start = data[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start or len(data) < start + length:
            return None
        self._unread = data[start + length :]
        return data[0] & 0x0F, data[start : start + length]


def _number(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "big")


class Stranger:
    """Opens lines to one server, and cuts what is left of them at the end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._lines: list[RawLine] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    async def dial(self, **options: Any) -> RawLine:
        """A line on which nothing was said yet."""
        self._lines.append(await RawLine.dial(self.port, **options))
        return self._lines[-1]

    def before_dialling(self) -> RawLine:
        """A socket that has not knocked yet."""
        self._lines.append(RawLine(socket.socket()))
        return self._lines[-1]

    async def open(self, path: str = "/ws?token=mallory", *headers: str, **options: Any) -> RawLine:
        """A line that is up; `head` is what the server answered."""
        line = await self.dial(**options)
        await line.send(request(path, *headers))
        await line.read_head()
        return line

    async def welcomed(self, user: str = "mallory", **options: Any) -> RawLine:
        """A line of somebody who is signed in and has been told so."""
        line = await self.open(f"/ws?token={user}", **options)
        assert (await line.message())["type"] == "welcome"
        return line

    def leave(self) -> None:
        """Be gone without a word."""
        for line in self._lines:
            line.cut()


class Crowd:
    """Honest listeners on one channel: each must hear every event once and in order, and be answered, whatever goes on."""

    def __init__(self, publish: Any, lines: Sequence[RawLine], channel: str) -> None:
        self.lines, self.channel, self.offset = lines, channel, 0
        self._publish = publish
        self._numbers = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def of(cls, live: Any, number: int, channel: str = "course:1") -> AsyncIterator[Self]:
        """So many honest people, twenty lines for each, who listen to the channel until the block ends."""
        host = Stranger(live.port)
        lines = [await host.welcomed(f"honest{n // 20}") for n in range(number)]
        crowd = cls(live.fan_out.publish_direct, lines, channel)
        for line in lines:
            reply = await line.ask("subscribe", channel=channel)
            crowd.offset = reply["result"]["offset"]
        try:
            yield crowd
        finally:
            host.leave()

    async def is_undisturbed(self, events: int = 3, *, size: int = 0) -> bool:
        """Are they all told what happens now (of that size), in order, and answered when they ask?"""
        before, asked = self.offset, next(self._numbers)
        for number in range(events):
            await self._publish(self.channel, "announcement", {"number": number, "text": "x" * size})
        self.offset += events
        wanted = list(range(before + 1, self.offset + 1))
        for line in self.lines:
            await line.send(command("ping", asked))
        heard = await asyncio.gather(*(self._heard(line, events, asked) for line in self.lines))
        assert all(offsets == wanted for offsets in heard), (wanted, [h for h in heard if h != wanted][:3])
        return True

    async def _heard(self, line: RawLine, events: int, asked: int) -> list[int]:
        """Offsets as they come, until all events are there and the command was answered."""
        offsets: list[int] = []
        is_answered = False
        while len(offsets) < events or not is_answered:
            told = await line.message()
            if "ok" in told:
                assert told["ok"]
                assert told["id"] == asked
                is_answered = True
            else:
                offsets.append(told["offset"])
        return offsets
