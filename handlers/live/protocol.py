"""RFC 6455 on the reading side, as strict as our protocol says: faults end with their numbers (1002, 1007, 1009).

Tornado does the handshake, pings, pongs and closes; its own reader cuts the line at faults, so that a client would never
hear why. What the frames mean is not known here.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable
from typing import Any, Protocol

from tornado.util import _websocket_mask
from tornado.websocket import WebSocketProtocol13

_TEXT, _BINARY, _CLOSE, _PONG = 0x1, 0x2, 0x8, 0xA
_KNOWN = frozenset({0x0, _TEXT, _BINARY, _CLOSE, 0x9, _PONG})
_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""What a client may send: the others are reserved, or only stand for closes without a number."""
_DRAIN_BYTES = 64 * 1024
_MAX_DRAINED_BYTES = 16 * 1024 * 1024


class FrameReceiver(Protocol):
    """Who takes whole messages."""

    def on_text(self, raw: bytes) -> Awaitable[None] | None:
        """A text message, in UTF-8."""

    def on_binary(self) -> Awaitable[None] | None:
        """A binary message, which our protocol does not have."""


class LiveProtocol(WebSocketProtocol13):
    """One connection's reader."""

    async def _receive_frame(self) -> None:
        first, second = await self._read_bytes(2)
        opcode, length, is_last = first & 0x0F, second & 0x7F, bool(first & 0x80)
        fault = self._fault(first, second)
        if length == 126:
            length = struct.unpack("!H", await self._read_bytes(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", await self._read_bytes(8))[0]
        held = len(self._fragmented_message_buffer or b"")
        mask = await self._read_bytes(4) if second & 0x80 else b""
        if fault or (opcode < 8 and length + held > self.params.max_message_size):
            await self._refuse(1002 if fault else 1009, fault or "message too big", length)
            return
        data = _websocket_mask(mask, await self._read_bytes(length)) if length else b""
        whole = self._assembled(opcode, data, is_last=is_last)
        if whole is not None and (handled := self._handle_message(*whole)) is not None:
            await handled

    def _fault(self, first: int, second: int) -> str:
        """What RFC 6455 forbids in a head; "" when it is in order."""
        opcode, is_last = first & 0x0F, first & 0x80
        is_open = self._fragmented_message_buffer is not None
        if first & 0x70 or opcode not in _KNOWN:
            return "reserved bits or opcode"
        if not second & 0x80:
            return "frames from clients are masked"
        if opcode >= 8 and (not is_last or second & 0x7F > 125):
            return "control frames are short and whole"
        if opcode == 0 and not is_open:
            return "nothing to continue"
        if opcode in (_TEXT, _BINARY) and is_open:
            return "a fragmented message is not over"
        return ""

    def _assembled(self, opcode: int, data: bytes, *, is_last: bool) -> tuple[int, bytes] | None:
        """The whole message that this frame completes, or None."""
        if opcode >= 8:
            return opcode, data
        if opcode == 0 and self._fragmented_message_buffer is not None:
            self._fragmented_message_buffer.extend(data)
        elif not is_last:
            self._fragmented_message_opcode = opcode  # type: ignore[assignment]  # Tornado leaves it untyped
            self._fragmented_message_buffer = bytearray(data)
        if not is_last:
            return None
        if opcode == 0 and self._fragmented_message_buffer is not None:
            opcode, data = self._fragmented_message_opcode or _TEXT, bytes(self._fragmented_message_buffer)
            self._fragmented_message_buffer = None
        return opcode, data

    def _handle_message(self, opcode: int, data: bytes) -> Any:
        handler: Any = self.handler
        if opcode == _CLOSE and not self.client_terminated and (fault := _close_fault(data)):
            self.client_terminated = True  # it has closed, however badly: our answer is the last frame
            self.close(fault, "not a close frame")
            return None
        if opcode not in (_TEXT, _BINARY):
            return super()._handle_message(opcode, data)
        if self.client_terminated or self.server_terminated:
            return None
        if opcode == _BINARY:
            return self._run_callback(handler.on_binary)
        try:
            data.decode()
        except UnicodeDecodeError:
            self.close(1007, "not UTF-8")
            return None
        return self._run_callback(handler.on_text, data)

    async def _refuse(self, code: int, reason: str, length: int) -> None:
        """Say why, and read on to the client's own close: cutting the line now could lose the reason on its way.

        What comes until then is dropped. The close's timer (5 s) ends a client that does not answer it; one that
        announces more than could be dropped in that time is cut off.
        """
        self.close(code, reason)
        if length > _MAX_DRAINED_BYTES:
            self._abort()
            return
        while length > 0 and not self.client_terminated:
            length -= len(await self.stream.read_bytes(min(length, _DRAIN_BYTES), partial=True))


def _close_fault(data: bytes) -> int:
    """What RFC 6455 says of a close frame's body: empty, or a number that may be sent and words in UTF-8. 0: in order."""
    if not data:
        return 0
    if len(data) == 1 or int.from_bytes(data[:2], "big") not in _CLOSE_CODES:
        return 1002
    try:
        data[2:].decode()
    except UnicodeDecodeError:
        return 1007
    return 0
