"""Projections: states that a channel's actor makes while somebody watches, such as timers and the dashboard.

What they show is read by functions that `bootstrap` hands in; nothing here knows the database.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lms_rt.clock import Clock
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.frames import state_frame, text_frame
from lms_rt.realtime.connection import MakeFrame

Listener = str
"""A listener of a channel, by its connection's id."""

_log = logging.getLogger(__name__)


class Audience(ABC):
    """What an actor lends to its projections: the channel, and ways to speak to who listens."""

    channel: str

    @abstractmethod
    def tell(self, name: str, data: Mapping[str, Any], listener: Listener | None = None) -> None:
        """Send a state to all, or to one."""

    @abstractmethod
    def offer(self, listener: Listener, name: str, make: MakeFrame) -> None:
        """Let one listener's frame be made when its last one of this name has left its queue."""


class Projection(ABC):
    """Made with a channel's first listener here, ended after the last."""

    @abstractmethod
    async def run(self, audience: Audience) -> None:
        """Do the work until cancelled."""

    @abstractmethod
    def poked(self, about: Sequence[str] = ()) -> None:
        """What is shown may have changed; `about` names what, where that is known."""

    @abstractmethod
    def heard(self, event: LiveEvent) -> None:
        """An event passed on the channel."""

    @abstractmethod
    def joined(self, listener: Listener) -> None:
        """Somebody listens, or listens anew."""

    @abstractmethod
    def left(self, listener: Listener) -> None:
        """Somebody is gone."""


MakeProjection = Callable[[str], Projection]
"""Given the subject's id of the channel (quiz, attempt), makes its projection."""


class Source(ABC):
    """What a differing projection shows: a picture with versions, of which differences can be told."""

    @abstractmethod
    def hint(self, about: Sequence[str]) -> None:
        """What the next look should not miss, besides what it finds by itself. Hints may be lost."""

    @abstractmethod
    async def refresh(self) -> int:
        """Look at what is new; the version that the picture has now."""

    @abstractmethod
    def changes_since(self, version: int) -> Mapping[str, Any] | None:
        """The data of the frame for one who was last sent `version`; None: nothing differs."""

    @abstractmethod
    def standing(self) -> Mapping[str, Any] | None:
        """The data of a frame without changes, for one who may hold an older snapshot; None: there is nothing yet."""


async def wait_until(clock: Clock, epoch_ms: int | None, event: asyncio.Event) -> bool:
    """Wait for the event, at most until that time (None: for ever). Was it the event?"""
    if epoch_ms is None:
        return await event.wait()
    waiting = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep_until_ms(epoch_ms))}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return event.is_set()


class DifferingProjection(Projection):
    """Sends each listener what changed since the version it was last sent, encoded once for all who share that version.

    The source is asked when poked, but not before `pace_ms` after the last time, and every `idle_ms` anyway. A new
    listener begins at the version that is known when it comes: the snapshot that it fetches after that is not older.
    The first of all begins at the first look, and is told where that stands: its snapshot may have been read before it.
    """

    def __init__(self, name: str, source: Source, clock: Clock, *, pace_ms: int = 250, idle_ms: int = 5_000) -> None:
        self._name, self._source, self._clock = name, source, clock
        self._pace_ms, self._idle_ms = pace_ms, idle_ms
        self._poked = asyncio.Event()
        self._version: int | None = None
        self._sent: dict[Listener, int | None] = {}
        self._made: dict[int, bytes | None] = {}

    async def run(self, audience: Audience) -> None:
        """Look, offer, wait."""
        while True:
            self._poked.clear()
            begun_ms = self._clock.now_ms()
            try:
                version = await self._source.refresh()
            except Exception:  # noqa: BLE001 - the source is away for a moment: the picture stays, the next look tells
                _log.exception("the picture of %s could not be refreshed", audience.channel)
            else:
                self._offer_all(audience, version)
            await self._clock.sleep_until_ms(begun_ms + self._pace_ms)
            await wait_until(self._clock, begun_ms + self._idle_ms, self._poked)

    def poked(self, about: Sequence[str] = ()) -> None:
        """Look soon."""
        self._source.hint(about)
        self._poked.set()

    def heard(self, event: LiveEvent) -> None:  # noqa: ARG002 - any event will do
        """Events of the channel change the picture too."""
        self._poked.set()

    def joined(self, listener: Listener) -> None:
        """Begins where the picture is now; the first of all at the first look."""
        self._sent[listener] = self._version
        self._poked.set()

    def left(self, listener: Listener) -> None:
        """Needs nothing more."""
        self._sent.pop(listener, None)

    def _offer_all(self, audience: Audience, version: int) -> None:
        self._version = version
        self._made.clear()
        for listener, sent in self._sent.items():
            if sent is None:
                self._sent[listener] = version
                audience.offer(listener, self._name, partial(self._encoded, audience.channel, self._source.standing))
            else:
                audience.offer(listener, self._name, partial(self._make, audience.channel, listener))

    def _make(self, channel: str, listener: Listener) -> bytes | None:
        """The frame from the version that the listener was last sent to the present one."""
        follows = self._sent.get(listener)
        if follows is None:
            return None
        if follows not in self._made:
            self._made[follows] = self._encoded(channel, partial(self._source.changes_since, follows))
        frame = self._made[follows]
        if frame is not None:
            self._sent[listener] = self._version
        return frame

    def _encoded(self, channel: str, read: Callable[[], Mapping[str, Any] | None]) -> bytes | None:
        try:
            data = read()
            return data and text_frame(state_frame(channel, self._name, data, self._clock.now_ms()))  # type: ignore[return-value]
        except Exception:  # noqa: BLE001 - called from a connection's flush, which serves others too
            _log.exception("a %s frame could not be made", self._name)
            return None
