"""`load.c` once more, for machines without a C compiler: the same words, orders and answers, several times the CPU time.

Its own share of a core is shown beside every figure; near 100 % it measures itself.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

_READ_BYTES = 1 << 18
_PATIENCE_SECONDS = 60.0
_OPEN_SECONDS = 10.0
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_ECHOED = {b"2": b"3", b"{}": b"{}"}
"""Pings inside the text of other protocols, and their pongs."""


class LoadError(Exception):
    """The server did something else than it was asked for."""


class Client:
    """One connection: what was read and is not a whole frame yet."""

    def __init__(self, line: socket.socket) -> None:
        self.line, self.rest = line, b""
        self.is_stalled = False

    def send(self, payload: bytes, opcode: int = _TEXT) -> None:
        """Send one frame."""
        self.line.sendall(framed(payload, opcode))

    def take(self, data: bytes) -> list[bytes]:
        """The texts that are complete now; pings are answered."""
        self.rest += data
        texts = []
        while (frame := _first_frame(self.rest)) is not None:
            opcode, begin, end = frame
            payload, self.rest = self.rest[begin:end], self.rest[end:]
            if opcode == _CLOSE:
                raise LoadError(f"the server closed a client with {payload!r}")
            if opcode == _PING:
                self.send(payload, _PONG)
            elif payload in _ECHOED:
                self.send(_ECHOED[payload])
            else:
                texts.append(payload)
        return texts


def framed(payload: bytes, opcode: int = _TEXT) -> bytes:
    """A frame as clients send it; the mask is zero."""
    size = len(payload)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    return head + bytes(4) + payload


def _first_frame(data: bytes) -> tuple[int, int, int] | None:
    """Opcode, and where the payload begins and ends; None: more must come."""
    if len(data) < 2:
        return None
    size, begin = data[1] & 127, 2
    if size >= 126:
        begin = 4 if size == 126 else 10
        if len(data) < begin:
            return None
        size = int.from_bytes(data[2:begin], "big")
    return (data[0] & 15, begin, begin + size) if len(data) >= begin + size else None


class Load:
    """All connections of one server."""

    def __init__(self, words: Sequence[str]) -> None:
        host, port, trigger, word, self._hello, self._sent_after, self._ready = words
        self._address, self._trigger = (host, int(port)), int(trigger)
        self._event_word = self._word = word.encode()
        self._clients: list[Client] = []
        self._by_fd: dict[int, Client] = {}
        self._epoll = select.epoll()
        self._counted, self._latencies_us = 0, [0.0, 0.0]
        self._to_ask: list[Client] = []
        self._frame = b""

    # --- orders ---

    def obey(self, order: str) -> dict[str, Any]:
        """Do what an order says; what was seen meanwhile."""
        name, *words = order.split(" ")
        began, cpu = time.monotonic(), time.process_time()
        self._counted, self._latencies_us = 0, []
        getattr(self, f"_order_{name}")(*words)
        times = sorted(self._latencies_us) or [0.0]
        cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
        return {
            "count": self._counted,
            "seconds": time.monotonic() - began,
            "cpu_seconds": time.process_time() - cpu,
            "p50_us": cuts[49],
            "p99_us": cuts[98],
            "max_us": times[-1],
        }

    def _order_open(self, file: str, _window: str, rate: str) -> None:
        began = time.monotonic()
        for number, path in enumerate(Path(file).read_text().split()):
            while time.monotonic() - began < number / int(rate):
                self.turn(0.001)
            self._open(path)
            self.turn(0)

    def _order_rounds(self, rounds: str, events: str, size: str) -> None:
        each = int(events) * sum(not client.is_stalled for client in self._clients)
        for number in range(1, int(rounds) + 1):
            self._publish(int(events), size)
            self._wait_for(number * each)

    def _order_pace(self, events: str, rate: str, size: str) -> None:
        began = time.monotonic()
        for number in range(int(events)):
            while (left := began + number / int(rate) - time.monotonic()) > 0:
                self.turn(left)
            self._publish(1, size)
            self.turn(0)
        self._wait_for(int(events) * sum(not client.is_stalled for client in self._clients))

    def _order_ask(self, total: str, window: str, reply: str, *frame: str) -> None:
        self._word, self._frame = reply.encode(), framed(" ".join(frame).encode())
        rounds, rest = divmod(int(total), len(self._clients))
        self._to_ask = [*self._clients[:rest], *self._clients * rounds]
        for _ in range(int(window)):
            self._ask()
        self._wait_for(int(total))
        self._word = self._event_word

    def _order_stall(self, count: str) -> None:
        for client in self._clients[: int(count)]:
            client.is_stalled = True
            client.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self._epoll.unregister(client.line)

    def _order_close(self) -> None:
        for client in self._clients:
            client.line.close()
        self._clients, self._by_fd = [], {}

    # --- steps ---

    def _open(self, path: str) -> None:
        line = socket.create_connection(self._address, timeout=_OPEN_SECONDS)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._address[1]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        client, head = Client(line), b""
        while b"\r\n\r\n" not in head:
            head += self._received(client)
        if not head.startswith(b"HTTP/1.1 101"):
            raise LoadError(f"the server answered the upgrade with {head[:12]!r}")
        self._greet(client, head.partition(b"\r\n\r\n")[2])
        self._clients.append(client)
        self._by_fd[line.fileno()] = client
        self._epoll.register(line, select.EPOLLIN)

    def _greet(self, client: Client, data: bytes) -> None:
        """Say hello when it is time, and read on until the server is ready."""
        is_greeted = not self._hello
        if self._sent_after == "upgrade" and not is_greeted:
            client.send(self._hello.encode())
            is_greeted = True
        while self._ready:
            for text in client.take(data):
                if not is_greeted:
                    client.send(self._hello.encode())
                    is_greeted = True
                if self._ready.encode() in text:
                    return
            data = self._received(client)

    @staticmethod
    def _received(client: Client) -> bytes:
        data = client.line.recv(_READ_BYTES)
        if not data:
            raise LoadError("the server cut a client")
        return data

    def _publish(self, events: int, size: str) -> None:
        os.write(self._trigger, f"publish {events} {time.monotonic_ns()} {size}\n".encode())

    def _ask(self) -> None:
        if self._to_ask:
            self._to_ask.pop().line.sendall(self._frame)

    def turn(self, seconds: float) -> bool:
        """Read what has come; True: an order is among it."""
        is_ordered = False
        for fd, _ in self._epoll.poll(seconds):
            if fd == 0:
                is_ordered = True
                continue
            client = self._by_fd[fd]
            for text in client.take(self._received(client)):
                self._note(text)
        return is_ordered

    def _note(self, text: bytes) -> None:
        if self._word not in text:
            return
        self._counted += 1
        if (at := text.find(b'"t":')) >= 0:
            stamp = int(text[at + 4 : at + 40].lstrip().split(b",")[0].split(b"}")[0])
            self._latencies_us.append((time.monotonic_ns() - stamp) / 1000)
        self._ask()

    def _wait_for(self, wanted: int) -> None:
        since, seen = time.monotonic(), self._counted
        while self._counted < wanted:
            self.turn(0.1)
            if self._counted != seen:
                since, seen = time.monotonic(), self._counted
            elif time.monotonic() - since > _PATIENCE_SECONDS:
                raise LoadError(f"{self._counted} of {wanted} frames came")

    def run(self) -> None:
        """Obey until the input ends."""
        self._epoll.register(0, select.EPOLLIN)
        unread = b""
        while True:
            if not self.turn(-1):
                continue
            some = os.read(0, 65_536)
            if not some:
                return
            *orders, unread = (unread + some).split(b"\n")
            for order in orders:
                sys.stdout.write(json.dumps(self.obey(order.decode())) + "\n")
                sys.stdout.flush()


def main() -> None:
    """Be the load of one server."""
    try:
        Load(sys.argv[1:]).run()
    except (LoadError, OSError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
