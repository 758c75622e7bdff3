"""Hearing what is published: a connection of its own per server, and the ears that are kept subscribed over it.

The server pushes messages at its own pace and cuts off who does not keep up; so hearing has its own line, and a message
that is on its way costs little: it is parsed in C and handed over as it is, in the turn of the loop that read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis

from lms_rt.bus.redis.line import RedisLine
from lms_rt.bus.redis.wire import INCOMPLETE, Address, Lost, ReplyError, Wire, connect
from lms_rt.errors import Code, Refused

_log = logging.getLogger(__name__)

_BATCH = 500
"""So many subscriptions are under way at once when a line is back, and so many ears are told in one turn."""


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
    """Between two batches of ears that are told of an interruption: all of them will ask at once."""


class SubscriberWire(Wire):
    """A connection that hears messages between the replies of its commands."""

    def __init__(self, ears: Mapping[bytes, Ear], *, reply_seconds: float) -> None:
        self.is_lost = asyncio.Event()
        self._ears = ears
        super().__init__(lambda _: self.is_lost.set(), reply_seconds=reply_seconds)

    def data_received(self, data: bytes) -> None:
        """Hand over messages at once; everything else is the reply of a command."""
        reader, ears = self._reader, self._ears
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not INCOMPLETE:
                if type(reply) is list and reply[0] == b"message":
                    ear = ears.get(reply[1])
                    if ear is not None:
                        ear.heard(reply[2])
                else:
                    self._take_reply(reply)
        except (hiredis.ProtocolError, IndexError):
            self._lose("what came is no reply")


class ListeningLine:
    """Keeps ears subscribed on one server, whatever happens to the connection."""

    def __init__(self, address: Address, line: RedisLine, *, limits: ListeningLimits | None = None) -> None:
        self._address, self._line, self._limits = address, line, limits or ListeningLimits()
        self._ears: dict[bytes, Ear] = {}
        self._wire: SubscriberWire | None = None
        self._has_tried = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; returns after the first attempt, however it ended."""
        self._keeper = asyncio.create_task(self._keep(), name=f"hearing {self._address.endpoint}")
        await self._has_tried.wait()

    async def close(self) -> None:
        """Hear nothing more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def add(self, ear: Ear) -> None:
        """Hear from now on; returns once the server has confirmed it. Raises `Refused(Code.UNAVAILABLE)`."""
        wire = self._wire
        if wire is None:
            raise Refused(Code.UNAVAILABLE)
        self._ears[ear.key] = ear
        try:
            await wire.send(("SUBSCRIBE", ear.key))
        except Lost:
            raise Refused(Code.UNAVAILABLE) from None

    async def keep(self, ear: Ear) -> None:
        """Hear from now on, or as soon as there is a connection; then it is told of an interruption."""
        self._ears[ear.key] = ear
        if self._wire is not None:
            await self.add(ear)

    def remove(self, ear: Ear) -> None:
        """Hear it no more. Again, or when another has taken its place, does nothing."""
        if self._ears.get(ear.key) is ear:
            del self._ears[ear.key]
            if self._wire is not None:
                _forget(self._wire.send(("UNSUBSCRIBE", ear.key)))

    # --- the connection ---

    async def _keep(self) -> None:
        is_first = True
        while True:
            try:
                await self._live(is_first=is_first)
            except (Lost, ReplyError) as error:
                _log.info("the hearing of %s is interrupted: %s", self._address.endpoint, error)
            self._has_tried.set()
            is_first = False
            await asyncio.sleep(random.uniform(*self._limits.retry_seconds))  # noqa: S311 - no secret

    async def _live(self, *, is_first: bool) -> None:
        """One connection from its beginning to its end, which is an exception."""
        wire = SubscriberWire(self._ears, reply_seconds=self._limits.reply_seconds)
        await connect(self._address, lambda: wire, connect_seconds=self._limits.connect_seconds)
        try:
            before = tuple(self._ears.values())
            self._wire = wire
            for batch in _batches(before):
                await asyncio.gather(*(wire.send(("SUBSCRIBE", ear.key)) for ear in batch))
            self._has_tried.set()
            if not is_first:
                await self._tell_interrupted(before)
            while not wire.is_lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.ping_seconds):
                        await wire.is_lost.wait()
                await wire.send(("PING",))  # raises `Lost` on a line that is dead without saying so
        finally:
            self._wire = None
            wire.close()

    async def _tell_interrupted(self, ears: Sequence[Ear]) -> None:
        """They will ask what they missed: so not before there is somebody to ask, and not all at once."""
        await self._line.reached()
        for batch in _batches(ears):
            for ear in batch:
                if self._ears.get(ear.key) is ear:
                    ear.interrupted()
            await asyncio.sleep(self._limits.spread_seconds)


def _batches(ears: Sequence[Ear]) -> list[Sequence[Ear]]:
    return [ears[at : at + _BATCH] for at in range(0, len(ears), _BATCH)]


def _forget(reply: asyncio.Future[Any]) -> None:
    """Nobody waits for it; a failure is that of the line, which is noticed elsewhere."""
    reply.add_done_callback(lambda done: done.cancelled() or done.exception())
