"""Hearing what is published: connections of their own, and the ears that are kept subscribed over them.

The server pushes messages at its own pace and cuts off who does not keep up; so hearing has its own lines, and a message
costs little: it is parsed in C and handed over as it is, in the turn of the loop that read it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis

from lms_rt.bus.redis.line import RedisLine
from lms_rt.bus.redis.wire import INCOMPLETE, Argument, Endpoint, Lost, ReplyError, TooMany, Wire, connect
from lms_rt.errors import Code, Refused

_log = logging.getLogger(__name__)

_BATCH = 500
"""So many ears are settled at once when a line is back: each of them will ask what it missed."""
_MAX_MOVES = 8


class Ear(ABC):
    """What listens to one pub/sub channel, by the channel's name in Redis."""

    key: bytes

    @abstractmethod
    def heard(self, raw: bytes) -> None:
        """A message came. Called between two messages of the socket: it must only put it somewhere."""

    @abstractmethod
    def interrupted(self) -> None:
        """Messages may have been lost; from here on they are heard again."""


@dataclass(frozen=True, slots=True)
class ListeningLimits:
    """How soon a dead line is noticed, and how long it waits before it tries again."""

    connect_seconds: float = 1.0
    ping_seconds: float = 2.0
    reply_seconds: float = 2.0
    retry_seconds: tuple[float, float] = (0.1, 0.5)
    spread_seconds: float = 0.02
    """Between two batches of ears that are settled."""


class SubscriberWire(Wire):
    """A connection that hears messages between the replies of its commands."""

    def __init__(
        self,
        ears: Mapping[bytes, Ear],
        *,
        on_lost: Callable[[Wire], None],
        on_ended: Callable[[bytes], None],
        reply_seconds: float,
    ) -> None:
        super().__init__(on_lost, reply_seconds=reply_seconds)
        self._ears, self._on_ended = ears, on_ended
        self._asked: deque[Sequence[Argument]] = deque()

    def send(self, words: Sequence[Argument]) -> asyncio.Future[Any]:
        """Let a command go, and remember it: the server may say the like without having been asked."""
        reply = super().send(words)
        if not reply.done():
            self._asked.append(words)
        return reply

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over messages at once; everything else is the reply of a command, or the end of a subscription."""
        reader, ears = self._reader, self._ears
        try:
            reader.feed(self._buffer, 0, nbytes)  # type: ignore[arg-type]
            while (reply := reader.gets()) is not INCOMPLETE:
                if type(reply) is list and (reply[0] == b"message" or reply[0] == b"smessage"):
                    ear = ears.get(reply[1])
                    if ear is not None:
                        ear.heard(reply[2])
                elif type(reply) is list and reply[0] == b"sunsubscribe" and not self._is_reply(reply[1]):
                    self._on_ended(reply[1])
                else:
                    self._asked.popleft()
                    self._take_reply(reply)
        except (hiredis.ProtocolError, IndexError):
            self._lose("what came is no reply")

    def _is_reply(self, key: bytes) -> bool:
        return bool(self._asked) and tuple(self._asked[0]) == ("SUNSUBSCRIBE", key)


class Hearing:
    """Keeps every ear subscribed where its messages are, whatever happens to connections and slots."""

    def __init__(self, line: RedisLine, *, limits: ListeningLimits | None = None) -> None:
        self._line, self._limits = line, limits or ListeningLimits()
        self._ears: dict[bytes, Ear] = {}
        self._homes: dict[bytes, SubscriberWire] = {}
        """Where an ear is subscribed; one without a home hears nothing."""
        self._wires: dict[Endpoint, SubscriberWire] = {}
        self._connecting = asyncio.Lock()
        self._is_unsettled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin to look after the ears."""
        loops = {"settling ears": self._settle_for_ever(), "pinging subscriber lines": self._ping_for_ever()}
        self._tasks = [asyncio.create_task(loop, name=name) for name, loop in loops.items()]

    async def close(self) -> None:
        """Hear nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wire in self._wires.values():
            wire.close()

    async def add(self, ear: Ear) -> None:
        """Hear from now on; returns once the server has confirmed it. Raises `Refused(Code.UNAVAILABLE)`."""
        self._ears[ear.key] = ear
        try:
            await self._subscribe(ear)
        except (Lost, ReplyError, TooMany) as error:
            raise Refused(Code.UNAVAILABLE) from error

    async def keep(self, ear: Ear) -> None:
        """Hear from now on, or as soon as that is possible; then the ear is told of an interruption."""
        try:
            await self.add(ear)
        except Refused:
            self._is_unsettled.set()

    def remove(self, ear: Ear) -> None:
        """Hear it no more. Again, or when another has taken its place, does nothing."""
        if self._ears.get(ear.key) is ear:
            del self._ears[ear.key]
            home = self._homes.pop(ear.key, None)
            if home is not None:
                self._unsubscribe(home, ear.key)

    # --- one ear ---

    async def _subscribe(self, ear: Ear) -> None:
        servers = self._line.servers
        command = "SSUBSCRIBE" if servers.is_sharded else "SUBSCRIBE"
        for _ in range(_MAX_MOVES):
            wire = await self._wire_at(servers.home_of(ear.key))
            if self._ears.get(ear.key) is not ear:
                return  # taken away meanwhile
            self._homes[ear.key] = wire  # already now: who takes it away must know where it is
            try:
                await wire.send((command, ear.key))
            except ReplyError as error:
                self._leave_home(ear)
                kind, *rest = str(error).split()
                if kind != "MOVED":
                    raise
                await servers.follow(*rest)
            except (Lost, TooMany):
                self._leave_home(ear)
                raise
            else:
                return
        raise Lost("its slot is on the move")

    def _leave_home(self, ear: Ear) -> None:
        if self._ears.get(ear.key) is ear:
            self._homes.pop(ear.key, None)

    def _unsubscribe(self, wire: SubscriberWire, key: bytes) -> None:
        is_sharded = self._line.is_reachable and self._line.servers.is_sharded
        _forget(wire.send(("SUNSUBSCRIBE" if is_sharded else "UNSUBSCRIBE", key)))

    # --- all of them ---

    async def _settle_for_ever(self) -> None:
        """Find homes for the ears that lost theirs; each is told, and asks what it missed."""
        while True:
            await self._is_unsettled.wait()
            self._is_unsettled.clear()
            await self._line.reached()
            homeless = [ear for key, ear in self._ears.items() if key not in self._homes]
            for begin in range(0, len(homeless), _BATCH):
                await asyncio.gather(*(self._settle(ear) for ear in homeless[begin : begin + _BATCH]))
                await asyncio.sleep(self._limits.spread_seconds)
            if self._is_unsettled.is_set():
                await asyncio.sleep(random.uniform(*self._limits.retry_seconds))  # noqa: S311 - no secret

    async def _settle(self, ear: Ear) -> None:
        if self._ears.get(ear.key) is not ear or ear.key in self._homes:
            return
        try:
            await self._subscribe(ear)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again: else nobody would
            _log.warning("%r is not heard yet: %r", ear.key, error)
            self._is_unsettled.set()
        else:
            ear.interrupted()

    def _lost(self, wire: Wire) -> None:
        """A connection ended: its ears are without a home."""
        _log.warning("a subscriber line is interrupted")
        self._wires = {endpoint: other for endpoint, other in self._wires.items() if other is not wire}
        self._homes = {key: home for key, home in self._homes.items() if home is not wire}
        self._is_unsettled.set()

    def _ended(self, key: bytes) -> None:
        """The server ended a subscription: the slot of the channel went to another."""
        if self._homes.pop(key, None) is not None:
            self._is_unsettled.set()

    # --- connections ---

    async def _wire_at(self, endpoint: Endpoint) -> SubscriberWire:
        async with self._connecting:
            wire = self._wires.get(endpoint)
            if wire is None:
                wire = SubscriberWire(
                    self._ears, on_lost=self._lost, on_ended=self._ended, reply_seconds=self._limits.reply_seconds
                )
                address = self._line.address.at(endpoint)
                await connect(address, lambda: wire, connect_seconds=self._limits.connect_seconds)
                if wire.is_closed:
                    raise Lost("closed")
                self._wires[endpoint] = wire
            return wire

    async def _ping_for_ever(self) -> None:
        """A line that is dead without saying so misses a reply, and is lost."""
        while True:
            await asyncio.sleep(self._limits.ping_seconds)
            for wire in tuple(self._wires.values()):
                _forget(wire.send(("PING",)))


def _forget(reply: asyncio.Future[Any]) -> None:
    """Nobody waits for it; a failure is that of the connection, which is noticed elsewhere."""
    reply.add_done_callback(lambda done: done.cancelled() or done.exception())
