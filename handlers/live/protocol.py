"""RFC 6455: cuts what arrives into frames, puts the parts of a message together, and makes control frames. No I/O.

As strict as our protocol says: each fault has its number (1002, 1007, 1009). What messages mean is not known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from tornado.util import _websocket_mask

from lms_rt.contracts.frames import MAX_FRAME_BYTES
from lms_rt.realtime.close_codes import Close

MAX_FRAGMENTS = 1_024
"""Of one message: nobody needs more for 64 KiB, and empty ones would cost time without an end."""
MAX_DISCARDED_BYTES = 16 * 1024 * 1024
MAX_DISCARDED_FRAMES = 16_384
"""So many are looked at in search of a close frame: 16 MiB of empty frames would take seconds."""

_LAST, _RESERVED, _MASKED, _CONTROL = 0x80, 0x70, 0x80, 0x08
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_KNOWN = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_WHOLE_TEXT = _LAST | _TEXT
_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""What a client may send: the others are reserved, or only stand for closes without a number."""


def pong_frame(data: bytes) -> bytes:
    """The answer to a ping with this data, which is 125 bytes at most."""
    return bytes((_LAST | _PONG, len(data))) + data


def close_frame(code: int | None, reason: str = "") -> bytes:
    """The last frame of a side; without a number it has no body."""
    body = b"" if code is None else code.to_bytes(2) + reason.encode()
    return bytes((_LAST | _CLOSE, len(body))) + body


class MessageSink(ABC):
    """Who is told what a connection brings."""

    __slots__ = ()

    @abstractmethod
    def on_text(self, raw: bytes) -> None:
        """A text message, in UTF-8."""

    @abstractmethod
    def on_binary(self) -> None:
        """A binary message, which our protocol does not have."""

    @abstractmethod
    def on_ping(self, data: bytes) -> None:
        """A ping, to be answered with its data."""

    @abstractmethod
    def on_pong(self) -> None:
        """A pong."""

    @abstractmethod
    def on_fault(self, close: Close) -> None:
        """The client broke a rule, and the line has to be closed with this; what comes after it is dropped. Called once."""

    @abstractmethod
    def on_fed(self) -> None:
        """What came at once has been handed over, as far as it was whole: send the answers."""


class FrameReader(MessageSink):
    """One connection's reader: `feed` it, and its own methods, those of a sink, are called for every whole message.

    Between two messages it can be paused. After `discard` it only waits for the client's close frame, and keeps
    nothing of what comes before.
    """

    __slots__ = (
        "_discarded_bytes",
        "_discarded_frames",
        "_fragments",
        "_held",
        "_is_discarding",
        "_is_text",
        "_needed_bytes",
        "_part_count",
        "_skipped_bytes",
        "is_paused",
    )

    def __init__(self) -> None:
        self.is_paused = False
        self._held: bytearray | None = None
        """What came of a frame that is not whole, or behind a pause."""
        self._needed_bytes = 0
        self._fragments: bytearray | None = None
        self._is_text, self._part_count = False, 0
        self._is_discarding = False
        self._discarded_bytes = self._discarded_frames = self._skipped_bytes = 0

    # --- what is read besides ---

    @abstractmethod
    def on_close(self, code: int | None) -> None:
        """The client's last frame, and the number to answer it with: its own, where that may be sent."""

    @abstractmethod
    def on_noise(self) -> None:
        """More came after a fault than one can wait for."""

    # --- reading ---

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        if self._held is not None:
            self._held += data
            if self.is_paused or len(self._held) < self._needed_bytes:
                return
            data, self._held = bytes(self._held), None
        at, end = self._discarded(data) if self._is_discarding else 0, len(data)
        while at < end and not self.is_paused:
            behind = self._read_frame(data, at)
            if not behind:
                break
            at = behind
        if at < end:
            self._held = bytearray(data[at:])
        self.on_fed()

    def resume(self) -> None:
        """Go on behind a pause."""
        self.is_paused, self._needed_bytes = False, 0
        if self._held is not None:
            self.feed(b"")

    def discard(self) -> None:
        """Drop everything up to the client's close frame."""
        self._is_discarding, self._fragments = True, None

    def _read_frame(self, data: bytes, at: int) -> int:
        """Read the frame that begins at `at`; the place behind it, or 0: more has to come first."""
        body = at + 2
        if len(data) < body:
            return self._wait_for(2)
        first, second = data[at], data[at + 1]
        length = second & 0x7F
        if length > 125:
            size = 2 if length == 126 else 8
            if len(data) < body + size:
                return self._wait_for(2 + size)
            length, body = int.from_bytes(data[body : body + size]), body + size
        body += 4 * (second >> 7)  # the mask, where there is one
        if self._is_discarding:
            return self._discard_frame(first, len(data), body + length)
        is_plain = first == _WHOLE_TEXT and second & _MASKED and length <= MAX_FRAME_BYTES and self._fragments is None
        if not is_plain and (fault := self._fault_of(first, second, length)):
            self._fail(fault)
            return self._discard_frame(first, len(data), body + length)
        behind = body + length
        if len(data) < behind:
            return self._wait_for(behind - at)
        payload = _websocket_mask(data[body - 4 : body], data[body:behind])
        if is_plain:
            self._text(payload)
        else:
            self._take(first, payload)
        return behind

    def _wait_for(self, count: int) -> int:
        self._needed_bytes = count
        return 0

    def _fault_of(self, first: int, second: int, length: int) -> Close | None:
        """What RFC 6455 forbids in a head; None when it is in order."""
        opcode, is_last, is_open = first & 0x0F, first & _LAST, self._fragments is not None
        if first & _RESERVED or opcode not in _KNOWN or not second & _MASKED or length >> 63:
            return Close.PROTOCOL_ERROR
        if opcode & _CONTROL:
            return None if is_last and length <= 125 else Close.PROTOCOL_ERROR
        if is_open != (opcode == _CONTINUATION):  # a message is continued when one is open, and begun when none is
            return Close.PROTOCOL_ERROR
        return Close.TOO_BIG if length + len(self._fragments or b"") > MAX_FRAME_BYTES else None

    def _take(self, first: int, payload: bytes) -> None:
        """Do what a frame asks that is more than a whole text."""
        opcode = first & 0x0F
        if opcode == _PONG:
            self.on_pong()
        elif opcode == _PING:
            self.on_ping(payload)
        elif opcode == _CLOSE:
            self._closed(payload)
        elif opcode == _BINARY and first & _LAST:
            self.on_binary()
        else:
            self._part(opcode, payload, is_last=bool(first & _LAST))

    def _part(self, opcode: int, payload: bytes, *, is_last: bool) -> None:
        """A part of a fragmented message."""
        if self._fragments is None:
            self._fragments, self._is_text, self._part_count = bytearray(), opcode == _TEXT, 0
        self._part_count += 1
        if self._part_count > MAX_FRAGMENTS:
            self._fail(Close.FLOODING)
        elif not is_last:
            self._fragments += payload
        else:
            whole, self._fragments = bytes(self._fragments + payload), None
            if self._is_text:
                self._text(whole)
            else:
                self.on_binary()

    def _text(self, payload: bytes) -> None:
        if not payload.isascii() and not _is_utf8(payload):
            self._fail(Close.NOT_UTF8)
        else:
            self.on_text(payload)

    def _closed(self, payload: bytes) -> None:
        """RFC 6455 wants a close frame's body empty, or a number that may be sent and words in UTF-8."""
        code = int.from_bytes(payload[:2])
        if len(payload) == 1 or (payload and code not in _CLOSE_CODES):
            code = Close.PROTOCOL_ERROR.code
        elif not _is_utf8(payload[2:]):
            code = Close.NOT_UTF8.code
        self.on_close(code or None)

    def _fail(self, fault: Close) -> None:
        self.discard()
        self.on_fault(fault)

    # --- discarding ---

    def _discarded(self, data: bytes) -> int:
        """How much of what arrived belongs to a frame that is dropped."""
        self._discarded_bytes += len(data)
        if self._discarded_bytes > MAX_DISCARDED_BYTES:
            self.on_noise()
        dropped = min(self._skipped_bytes, len(data))
        self._skipped_bytes -= dropped
        return dropped

    def _discard_frame(self, first: int, end: int, behind: int) -> int:
        """Drop a frame, unless it is the client's last one; it ends at `behind`, which may be still to come."""
        if first & 0x0F == _CLOSE:
            self.on_close(None)
            return behind
        self._skipped_bytes = max(0, behind - end)
        if self._skipped_bytes > MAX_DISCARDED_BYTES:
            self.on_noise()
        self._discarded_frames += 1
        if self._discarded_frames == MAX_DISCARDED_FRAMES:
            self._skipped_bytes, behind = MAX_DISCARDED_BYTES, end
        return min(behind, end)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
