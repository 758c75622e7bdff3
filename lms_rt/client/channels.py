"""The channels that a client follows: subscribed to again on every line, from where each ear stands.

What is news and what must be fetched anew, the ear knows; lines come and go in `live.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from lms_rt.client.ear import Ear
from lms_rt.client.faults import PASSING, ClosedError, CommandRefusedError, CommandTimeoutError, LineLostError
from lms_rt.client.line import Frame, Line
from lms_rt.client.pacing import Backoff

_SUBSCRIBE_SECONDS = 10.0
_BACKOFF_SECONDS = (0.5, 5.0)
_ORPHANS, _ORPHAN_CHANNELS = 200, 100
"""So many frames of a channel are kept that the server subscribed to before the caller could say who listens."""

_log = logging.getLogger(__name__)


class Channels:
    """Ears by channel. `require_line` waits for the next line; `spawn` owns what goes on by itself."""

    def __init__(
        self,
        *,
        require_line: Callable[[], Awaitable[Line]],
        notify: Callable[[Frame], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._require_line, self._notify, self._spawn = require_line, notify, spawn
        self._ears: dict[str, Ear] = {}
        self._orphans: dict[str, deque[Frame]] = {}

    async def subscribe(self, ear: Ear) -> None:
        """Follow a channel; returns when it stands, raises when the server does not let us."""
        self._ears[ear.channel] = ear
        self._orphans.pop(ear.channel, None)
        await self._follow(ear)

    def adopt(self, ear: Ear, subscription: Frame) -> None:
        """Follow a channel that a command has subscribed to, from there on."""
        ear.begin_at(subscription["epoch"], subscription["offset"])
        self._ears[ear.channel] = ear
        for frame in self._orphans.pop(ear.channel, ()):
            self._hear(ear, frame)

    def forget(self, channel: str) -> None:
        """Follow it no more."""
        self._ears.pop(channel, None)

    def lose(self, channel: str, refused: CommandRefusedError) -> None:
        """The server has ended it."""
        ear = self._ears.pop(channel, None)
        if ear is not None:
            ear.refuse(refused)

    def forget_positions(self) -> None:
        """Nothing that was known can be gone on from."""
        for ear in self._ears.values():
            ear.forget_position()

    def follow_all(self) -> None:
        """There is a new line."""
        self._orphans.clear()
        for ear in tuple(self._ears.values()):
            self._follow_by_itself(ear)

    def take(self, frame: Frame) -> None:
        """An event or a state."""
        channel = frame["channel"]
        if channel in self._ears:
            self._hear(self._ears[channel], frame)
        elif channel in self._orphans or len(self._orphans) < _ORPHAN_CHANNELS:
            self._orphans.setdefault(channel, deque(maxlen=_ORPHANS)).append(frame)

    def _hear(self, ear: Ear, frame: Frame) -> None:
        if frame["type"] == "state":
            ear.hear_state(frame)
        elif not ear.hear(frame):
            self._follow_by_itself(ear)

    def _follow_by_itself(self, ear: Ear) -> None:
        """After a reconnect or a gap, when nobody waits for it. What is at it already goes on by itself."""
        if not ear.following.locked():
            self._spawn(self._follow_quietly(ear))

    async def _follow_quietly(self, ear: Ear) -> None:
        try:
            await self._follow(ear)
        except CommandRefusedError as refused:
            self._notify({"type": "unsubscribed", "channel": ear.channel, "code": refused.code})
        except ClosedError:
            return

    async def _follow(self, ear: Ear) -> None:
        """Subscribe from where the ear stands and fetch the snapshot if it takes one, over as many lines as it takes."""
        backoff = Backoff(*_BACKOFF_SECONDS)
        async with ear.following:
            while self._ears.get(ear.channel) is ear:
                line = await self._require_line()
                is_settled = await self._is_subscribed(ear, line) and await self._is_settled(ear)
                if line.is_over:
                    continue
                if is_settled:
                    return
                await asyncio.sleep(backoff.next_seconds())

    async def _is_subscribed(self, ear: Ear, line: Line) -> bool:
        """Did the server let us? False: not on this line, or not at this moment."""
        fields = {"channel": ear.channel, "since": ear.since}
        try:
            await line.command("subscribe", fields, timeout_seconds=_SUBSCRIBE_SECONDS, on_reply=ear.take_reply)
        except (LineLostError, CommandTimeoutError):
            return False
        except CommandRefusedError as refused:
            if refused.code in PASSING:
                return False
            if self._ears.get(ear.channel) is ear:
                del self._ears[ear.channel]
            ear.refuse(refused)
            raise
        return True

    async def _is_settled(self, ear: Ear) -> bool:
        try:
            return await ear.settle()
        except Exception:  # noqa: BLE001 - the caller's snapshot failed: without it there is no position, it is tried again
            _log.warning("the snapshot of %s could not be fetched", ear.channel, exc_info=True)
            return False
