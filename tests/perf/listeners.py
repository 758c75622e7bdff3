"""Cheap listeners on the live socket: raw sockets and epoll, so that a measurement is of the server and not of its clients."""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import struct
import time
from collections.abc import Sequence

_READ_BYTES = 1 << 18
_OPEN_SECONDS = 10.0
_PING = b"\x89\x00"
_PONG = b"\x8a\x80" + bytes(4)


def open_listener(port: int, ticket: str, channel: str) -> socket.socket:
    """A socket that has been welcomed and listens to the channel."""
    line = socket.create_connection(("127.0.0.1", port), timeout=_OPEN_SECONDS)
    key = base64.b64encode(os.urandom(16)).decode()
    line.sendall(
        f"GET /ws?ticket={ticket} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: lms.v1.json\r\n\r\n".encode()
    )
    _read_until(line, b'"welcome"')
    line.sendall(_masked(json.dumps({"id": 1, "type": "subscribe", "channel": channel}).encode()))
    _read_until(line, b'"ok":true')
    line.setblocking(False)
    return line


def _masked(payload: bytes) -> bytes:
    """A text frame below 126 bytes, masked with zeros."""
    return struct.pack("!BB", 0x81, 0x80 | len(payload)) + bytes(4) + payload


def _read_until(line: socket.socket, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        some = line.recv(65_536)
        if not some:
            raise ConnectionError(f"the server closed the line: {seen[-300:]!r}")
        seen += some


class Listeners:
    """Counts how often a word came, over all lines."""

    def __init__(self, lines: Sequence[socket.socket], word: bytes) -> None:
        self.count, self._word = 0, word
        self._lines, self.number = {line.fileno(): line for line in lines}, len(lines)
        self._selector = selectors.DefaultSelector()
        for line in lines:
            self._selector.register(line, selectors.EVENT_READ)

    def read_until(self, count: int, *, seconds: float) -> None:
        """Read until the word has come so often."""
        deadline = time.monotonic() + seconds
        while self.count < count:
            ready = self._selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"{self.count} of {count} events came")
            for key, _ in ready:
                self._read(self._lines[key.fd])

    def _read(self, line: socket.socket) -> None:
        some = line.recv(_READ_BYTES)
        if not some:
            raise ConnectionError("the server closed a line")
        self.count += some.count(self._word)
        if _PING in some:  # a peer that never answers is taken for dead
            line.send(_PONG)

    def close(self) -> None:
        """End all lines."""
        self._selector.close()
        for line in self._lines.values():
            line.close()
