"""A TCP proxy for tests: between two who speak TCP it delays, holds, slows, cuts or refuses what passes.

As on a real network, a connection that lives loses no byte: bytes come late, or the connection ends. What is set on the
proxy holds for every open connection and those to come; what is set on a `Link`, for that one.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit, urlunsplit

from tests.servers.ports import free_port

_CHUNK_BYTES = 16 * 1024
_CHUNKS = 8
"""So much waits here in each direction; then nothing more is read, and the sender feels it."""
_CONNECT_SECONDS = 5.0
_RESET = struct.pack("ii", 1, 0)


class Way(Enum):
    """A direction."""

    UP = "to the server"
    DOWN = "to the client"


BOTH = (Way.UP, Way.DOWN)


Look = Callable[[bytes], None]


def _pass_by(_: bytes) -> None:
    """Nobody looks."""


class Flow:
    """One direction of a connection and what is done to it; on the proxy, what a new connection begins with."""

    def __init__(self, like: Flow | None = None) -> None:
        self.delay_seconds: float = like.delay_seconds if like is not None else 0.0
        self.bytes_per_second: float | None = like.bytes_per_second if like is not None else None
        self.passed_bytes = 0
        self._look: Look = _pass_by
        self._gate, self._held = asyncio.Event(), asyncio.Event()
        if like is None or like._gate.is_set():
            self._gate.set()

    def hold(self) -> None:
        """Let nothing through."""
        self._gate.clear()

    def release(self) -> None:
        """Let through what was held and what follows."""
        self._held.clear()
        self._gate.set()

    async def something_held(self) -> None:
        """Return once bytes stand before the closed gate."""
        await self._held.wait()

    def watch(self, look: Look) -> None:
        """Let somebody see every piece just before it passes."""
        self._look = look

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Carry bytes until the source ends, and the end after them."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(source, chunks))
            tasks.create_task(self._write(chunks, sink))

    async def _read(self, source: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes]]) -> None:
        some = b"-"
        while some:
            some = await source.read(_CHUNK_BYTES)
            await chunks.put((asyncio.get_running_loop().time() + self.delay_seconds, some))

    async def _write(self, chunks: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        while True:
            due, some = await chunks.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            if not some:
                await self._passed()
                sink.write_eof()
                return
            for piece in self._pieces(some):
                await self._passed()
                self._look(piece)
                sink.write(piece)
                await sink.drain()
                self.passed_bytes += len(piece)
                if self.bytes_per_second is not None:
                    await asyncio.sleep(len(piece) / self.bytes_per_second)

    async def _passed(self) -> None:
        if not self._gate.is_set():
            self._held.set()
            await self._gate.wait()

    def _pieces(self, some: bytes) -> Iterable[bytes]:
        """As they are, or one by one when they are slowed to less than a few at a time."""
        if self.bytes_per_second is None:
            return (some,)
        step = max(1, int(self.bytes_per_second / 20))
        return (some[at : at + step] for at in range(0, len(some), step))


class Link:
    """One connection through the proxy."""

    def __init__(self, line: socket.socket, flows: dict[Way, Flow]) -> None:
        self.flows = {way: Flow(flow) for way, flow in flows.items()}
        self._line = line
        self._ends: list[asyncio.StreamWriter] = []
        self._is_cut = False

    def hold(self, *ways: Way) -> None:
        """Let nothing through: both ways is a half-open line, one way a line that is dead in that direction."""
        for way in ways or BOTH:
            self.flows[way].hold()

    def release(self) -> None:
        """Let everything through again, what was held first."""
        for flow in self.flows.values():
            flow.release()

    def cut(self) -> None:
        """End it with a reset on both sides; what was held is lost."""
        self._is_cut = True
        for end in self._ends:
            if not end.transport.is_closing():
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()

    async def something_held(self, way: Way) -> None:
        """Return once bytes wait in that direction."""
        await self.flows[way].something_held()

    def leave(self) -> None:
        """Nothing is carried any more; where it never was, the line is still to be closed."""
        if not self._ends:
            self._line.close()

    async def carry(self, target: tuple[str, int]) -> None:
        """Connect to the target and carry bytes both ways until both have ended, or one of them breaks."""
        try:
            client, to_client = await asyncio.open_connection(sock=self._line, limit=_CHUNK_BYTES)
            self._ends.append(to_client)
            if self._is_cut:
                self.cut()
                return
            async with asyncio.timeout(_CONNECT_SECONDS):
                server, to_server = await asyncio.open_connection(*target)
            self._ends.append(to_server)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.flows[Way.UP].pump(client, to_server))
                tasks.create_task(self.flows[Way.DOWN].pump(server, to_client))
        except* (OSError, TimeoutError):
            self.cut()
        finally:
            for end in self._ends:
                end.close()
                with suppress(OSError):
                    await end.wait_closed()


class TcpProxy:
    """Listens on a port of its own and passes everything on to `target`, until told otherwise."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.port = 0
        self.links: list[Link] = []
        self.accepted = 0
        self._flows = {way: Flow() for way in BOTH}
        self._moments: list[tuple[bytes, Callable[[Link], None]]] = []
        self._listener: socket.socket | None = None
        self._place: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, of: str) -> str:
        """The same URL, by way of this proxy."""
        parts = urlsplit(of)
        credentials, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}"))

    # --- faults ---

    def hold(self, *ways: Way) -> None:
        """Let nothing through, in these directions or both; who comes new is taken and hears nothing."""
        for way in ways or BOTH:
            self._flows[way].hold()
        for link in self.links:
            link.hold(*ways)

    def release(self) -> None:
        """Let everything through again."""
        for flow in self._flows.values():
            flow.release()
        for link in self.links:
            link.release()

    def delay(self, seconds: float, *ways: Way) -> None:
        """Let everything come so much later; order stays."""
        for flow in self._chosen(ways):
            flow.delay_seconds = seconds

    def slow_down(self, bytes_per_second: float | None, *ways: Way) -> None:
        """Let no more through than that; None: as fast as it comes."""
        for flow in self._chosen(ways):
            flow.bytes_per_second = bytes_per_second

    def cut(self) -> None:
        """Reset every open connection."""
        for link in tuple(self.links):
            link.cut()

    def when_asked(self, words: bytes, do: Callable[[Link], None]) -> None:
        """Do something to the connection on which these words go up to the server, just before they do; once."""
        self._moments.append((words, do))

    async def refuse(self) -> None:
        """Take nobody in; what is open stays."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
            self._place = socket.socket()
            self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._place.bind(("127.0.0.1", self.port))  # and do not listen: nobody else may have the port

    async def accept(self) -> None:
        """Take connections, at first or again; always on the same port."""
        if self._listener is None:
            self.port = self.port or free_port()
            self._listener = listener = socket.create_server(("127.0.0.1", self.port))
            listener.setblocking(False)
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        self._leave_place()

    async def vanish(self) -> None:
        """Be gone, as a server that was stopped."""
        await self.refuse()
        self.cut()

    async def close(self) -> None:
        """End everything."""
        await self.vanish()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._leave_place()

    def _leave_place(self) -> None:
        if self._place is not None:
            self._place.close()
            self._place = None

    def _look(self, link: Link, piece: bytes) -> None:
        for moment in [moment for moment in self._moments if moment[0] in piece]:
            self._moments.remove(moment)
            moment[1](link)

    def _chosen(self, ways: tuple[Way, ...]) -> list[Flow]:
        return [flows[way] for flows in (self._flows, *(link.flows for link in self.links)) for way in ways or BOTH]

    def _accept(self, listener: socket.socket) -> None:
        """Take who comes, at once: who was accepted by a task that is then cancelled would never be closed."""
        with suppress(OSError):  # gone already
            line, _ = listener.accept()
            line.setblocking(False)
            self._take(line)

    def _take(self, line: socket.socket) -> None:
        self.accepted += 1
        link = Link(line, self._flows)
        self.links.append(link)
        link.flows[Way.UP].watch(lambda piece: self._look(link, piece))
        task = asyncio.create_task(link.carry(self.target), name=f"proxied connection {self.accepted}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._forget(link))

    def _forget(self, link: Link) -> None:
        self.links.remove(link)
        link.leave()


@asynccontextmanager
async def tcp_proxy(target: str | int) -> AsyncIterator[TcpProxy]:
    """A proxy that is open before a server of this machine: its URL, or its port."""
    parts = urlsplit(target) if isinstance(target, str) else urlsplit(f"//127.0.0.1:{target}")
    proxy = TcpProxy((parts.hostname or "127.0.0.1", parts.port or 0))
    await proxy.accept()
    try:
        yield proxy
    finally:
        await proxy.close()
