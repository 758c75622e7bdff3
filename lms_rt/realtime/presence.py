"""Keeps this node's part of presence: joins at once, leaves after a moment (a reload is not a leave), renews, and counts.

The facts are in the bus, over all nodes. Who may see names is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lms_rt.bus.base import Bus, Member
from lms_rt.clock import Clock
from lms_rt.contracts.channels import ChannelKind, find_channel
from lms_rt.errors import Refused

LEAVE_AFTER_MS = 500
_WORK_EVERY_SECONDS = 0.2
_RENEW_EVERY_SECONDS = 10
_COUNTED = frozenset({ChannelKind.COURSE})
"""Kinds of channels whose listeners are told the count as a state."""

PresenceListener = Callable[[str], None]
"""Told the channel whose presence changed here."""

_log = logging.getLogger(__name__)


class PresenceKeeper:
    """Joins, leaves and renewals of the connections of this node."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus, self._clock = bus, clock
        self._joined: set[tuple[str, str]] = set()
        self._leaving: dict[tuple[str, str], int] = {}
        self._changed: dict[str, bool] = {}
        self._told: dict[str, int] = {}
        self._has_work = asyncio.Event()
        self._listeners: list[PresenceListener] = []

    def listen(self, listener: PresenceListener) -> None:
        """Tell `listener` about every channel whose presence changes here."""
        self._listeners.append(listener)

    async def join(self, channel: str, member: Member) -> None:
        """A connection is on the channel. The bus being away is no reason to refuse it."""
        key = (channel, member.connection_id)
        self._leaving.pop(key, None)
        self._joined.add(key)
        try:
            await self._bus.presence.join(channel, member)
        except Refused:
            _log.warning("presence on %s could not be told", channel)
        self._note_change(channel, is_join=True)

    def leave(self, channel: str, connection_id: str) -> None:
        """A connection left; it counts as gone in a moment."""
        key = (channel, connection_id)
        if key in self._joined:
            self._joined.discard(key)
            self._leaving[key] = self._clock.now_ms() + LEAVE_AFTER_MS
            self._has_work.set()

    def leaving_from(self, channel: str) -> int:
        """How many connections have left the channel and only count for a moment more."""
        return sum(1 for key in self._leaving if key[0] == channel)

    async def run(self) -> None:
        """Carry out leaves that are due, tell counts, and renew, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._work_loop())
            tasks.create_task(self._renew_loop())

    async def work(self) -> None:
        """What is due now."""
        now_ms = self._clock.now_ms()
        for key in [key for key, due_ms in self._leaving.items() if due_ms <= now_ms]:
            del self._leaving[key]
            await self._bus.presence.leave(*key)
            self._note_change(key[0], is_join=False)
        changed, self._changed = self._changed, {}
        counts = await self._bus.presence.members_of(changed)
        for channel, members in counts.items():
            count = len({member.user_id for member in members})
            if changed[channel] or self._told.get(channel) != count:
                await self._bus.fan_out.publish_state(channel, "presence", {"count": count})
            if count:
                self._told[channel] = count
            else:
                self._told.pop(channel, None)

    async def leave_all(self) -> None:
        """The node goes: so do all its connections, at once."""
        gone = {*self._joined, *self._leaving}
        self._joined.clear()
        self._leaving.clear()
        for channel, connection_id in gone:
            await self._bus.presence.leave(channel, connection_id)

    def _note_change(self, channel: str, *, is_join: bool) -> None:
        parsed = find_channel(channel)
        if parsed is not None and parsed.kind in _COUNTED:
            self._changed[channel] = self._changed.get(channel, False) or is_join
            self._has_work.set()
        for listener in self._listeners:
            listener(channel)

    async def _work_loop(self) -> None:
        while True:
            await self._has_work.wait()
            await self._clock.sleep(_WORK_EVERY_SECONDS)
            self._has_work.clear()
            try:
                await self.work()
            except Refused:  # the bus is away: its own expiry takes care of who left
                _log.warning("presence could not be told")
            if self._leaving or self._changed:
                self._has_work.set()

    async def _renew_loop(self) -> None:
        while True:
            await self._clock.sleep(_RENEW_EVERY_SECONDS)
            try:
                await self._bus.presence.renew(tuple(self._joined))
            except Refused:
                _log.warning("presence could not be renewed")
