"""Keeps this node's part of presence: joins at once, leaves after a moment (a reload is not a leave), renews, and counts.

The facts are in the bus, over all nodes. Who may see names is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from lms_rt.bus.base import PRESENCE_SECONDS, Bus, Member, Membership
from lms_rt.clock import Clock
from lms_rt.contracts.channels import ChannelKind, find_channel
from lms_rt.errors import Refused

LEAVE_AFTER_MS = 500
_WORK_EVERY_SECONDS = 0.2
_RENEWALS_IN_A_LIFE = 5
"""A member is renewed, and the channels counted again, so often before it would be forgotten."""
_BATCH = 200
"""So many memberships are told of at once; the loop turns between two batches."""
_COUNTED = frozenset({ChannelKind.COURSE, ChannelKind.COURSE_CHAT})
"""Kinds of channels whose listeners are told the count as a state."""

_STATE = "presence"
"""The name of that state."""

PresenceListener = Callable[[str], None]
"""Told the channel whose presence changed here."""

_log = logging.getLogger(__name__)


class PresenceKeeper:
    """Joins, leaves and renewals of the connections of this node."""

    def __init__(self, bus: Bus, clock: Clock, *, presence_seconds: float = PRESENCE_SECONDS) -> None:
        self._bus, self._clock = bus, clock
        self._renew_every_seconds = presence_seconds / _RENEWALS_IN_A_LIFE
        self._there: dict[str, tuple[Member, list[str]]] = {}
        self._leaving: dict[str, dict[str, int]] = {}
        self._changed: dict[str, bool] = {}
        self._told: dict[str, int] = {}
        self._counted: dict[str, int] = {}
        self._has_work = asyncio.Event()
        self._listeners: list[PresenceListener] = []

    def listen(self, listener: PresenceListener) -> None:
        """Tell `listener` about every channel whose presence changes here."""
        self._listeners.append(listener)

    async def join(self, channel: str, member: Member) -> int | None:
        """A connection is on the channel; how many are there now. The bus being away (None) is no reason to refuse it."""
        self._stay(channel, member.connection_id)
        _, channels = self._there.setdefault(member.connection_id, (member, []))
        if channel not in channels:
            channels.append(channel)
            self._count(channel, 1)
        try:
            there = await self._bus.presence.join(channel, member)
        except Refused:
            there = None
        except BaseException:  # nobody will ever leave for it
            self.leave(channel, member.connection_id)
            raise
        self._note_change(channel, is_join=True)
        return there

    def heard(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        """What the listeners here were just told, by whichever node: the next count is compared with that."""
        if name == _STATE and channel in self._counted:
            self._told[channel] = data["count"]

    def leave(self, channel: str, connection_id: str) -> None:
        """A connection left; it counts as gone in a moment."""
        if not self._is_here(channel, connection_id):
            return
        _, channels = self._there[connection_id]
        channels.remove(channel)
        if not channels:
            del self._there[connection_id]
        self._count(channel, -1)
        self._leaving.setdefault(channel, {})[connection_id] = self._clock.now_ms() + LEAVE_AFTER_MS
        self._has_work.set()

    def leaving_from(self, channel: str) -> int:
        """How many connections have left the channel and only count for a moment more."""
        return len(self._leaving.get(channel, ()))

    async def run(self) -> None:
        """Carry out leaves that are due, tell counts, and renew, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._work_loop())
            tasks.create_task(self._renew_loop())

    async def work(self) -> None:
        """What is due now."""
        due = self._take_due()
        for batch in _batches(due):
            await self._bus.presence.leave(batch)
            await self._join_all_again(membership for membership in batch if self._is_here(*membership))
        for channel, _ in due:
            self._note_change(channel, is_join=False)
        changed, self._changed = self._changed, {}
        try:
            await self._tell_counts(changed)
        except Exception:
            self._changed = changed | self._changed
            raise

    async def renew(self) -> None:
        """Say that everybody is still here, to a bus that may have forgotten them; and count again.

        Those of a node that died are gone without anybody's leaving: only a count finds that.
        """
        for batch in _batches(self._memberships()):
            unknown = await self._bus.presence.renew(batch)
            await self._join_all_again(unknown)
        for channel in self._counted:
            self._changed.setdefault(channel, False)
        self._has_work.set()

    async def renew_if_possible(self) -> None:
        """Renew everybody, if the bus is there."""
        try:
            await self.renew()
        except Refused:
            _log.info("presence could not be renewed")
        except Exception:  # noqa: BLE001 - the next renewal must come all the same
            _log.exception("presence could not be renewed")

    async def leave_all(self) -> None:
        """The node goes: so do all its connections, at once, and who stays is told. A bus that is away forgets by itself."""
        gone = [*self._memberships(), *((channel, one) for channel, some in self._leaving.items() for one in some)]
        self._there.clear()
        self._leaving.clear()
        self._counted.clear()
        try:
            for batch in _batches(gone):
                await self._bus.presence.leave(batch)
            for channel in {channel for channel, _ in gone}:
                self._note_change(channel, is_join=False)
            changed, self._changed = self._changed, {}
            await self._tell_counts(changed)
        except Refused:
            _log.warning("nobody could be told that the connections of this node are gone")

    # --- steps ---

    def _is_here(self, channel: str, connection_id: str) -> bool:
        found = self._there.get(connection_id)
        return found is not None and channel in found[1]

    def _memberships(self) -> list[Membership]:
        return [(channel, one) for one, (_, channels) in self._there.items() for channel in channels]

    def _stay(self, channel: str, connection_id: str) -> None:
        """It does not leave after all."""
        leaving = self._leaving.get(channel, {})
        if leaving.pop(connection_id, None) is not None and not leaving:
            del self._leaving[channel]

    def _take_due(self) -> list[Membership]:
        """Who left long enough ago; they are not leaving any more."""
        now_ms = self._clock.now_ms()
        due = [(c, one) for c, leaving in self._leaving.items() for one, due_ms in leaving.items() if due_ms <= now_ms]
        for membership in due:
            self._stay(*membership)
        return due

    def _count(self, channel: str, change: int) -> None:
        """How many connections of this node are on a channel whose count is told."""
        if not _is_counted(channel):
            return
        here = self._counted.get(channel, 0) + change
        if here > 0:
            self._counted[channel] = here
        else:
            self._counted.pop(channel, None)

    async def _join_all_again(self, memberships: Iterable[Membership]) -> None:
        await asyncio.gather(*(self._join_again(membership) for membership in memberships))

    async def _join_again(self, membership: Membership) -> None:
        channel, connection_id = membership
        if not self._is_here(channel, connection_id):
            return
        await self._bus.presence.join(channel, self._there[connection_id][0])
        if not self._is_here(channel, connection_id):  # it left meanwhile
            await self._bus.presence.leave([membership])
        for listener in self._listeners:
            listener(channel)

    async def _tell_counts(self, changed: dict[str, bool]) -> None:
        counts = await self._bus.presence.count_users(changed)
        for channel, count in counts.items():
            if changed[channel] or self._told.get(channel, 0) != count:
                await self._bus.fan_out.publish_state(channel, _STATE, {"count": count})
            if not count or channel not in self._counted:
                self._told.pop(channel, None)

    def _note_change(self, channel: str, *, is_join: bool) -> None:
        if _is_counted(channel):
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
            except Refused:  # the bus is away: its own expiry takes care of who left, the next renewal of the counts
                _log.info("presence could not be told")
                continue
            except Exception:  # noqa: BLE001 - the next work must be done all the same
                _log.exception("presence could not be told")
                continue
            if self._leaving or self._changed:
                self._has_work.set()

    async def _renew_loop(self) -> None:
        while True:
            await self._clock.sleep(self._renew_every_seconds)
            await self.renew_if_possible()


def _is_counted(channel: str) -> bool:
    parsed = find_channel(channel)
    return parsed is not None and parsed.kind in _COUNTED


def _batches(memberships: Iterable[Membership]) -> Iterator[list[Membership]]:
    each = iter(memberships)
    while batch := list(islice(each, _BATCH)):
        yield batch
