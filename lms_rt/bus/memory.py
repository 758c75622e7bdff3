"""The bus of one process: every role in memory. Each process has its own, so a second node would not hear the first.

Nothing here suspends, so every method is one atomic step. Times are `clock`'s, and what is too old is dropped when it is
met, and in a sweep when many new entries came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from lms_rt.bus.base import (
    PRESENCE_SECONDS,
    Bus,
    Listening,
    Locks,
    Marks,
    Member,
    Membership,
    Presence,
    Reachability,
    Receiver,
    Revocations,
    Tickets,
    WakeUps,
)
from lms_rt.bus.limits import MAX_NOTED, Allowance, RateLimits, Strike
from lms_rt.bus.memory_channels import MemoryChannels, MemoryFanOut, MemoryHistory
from lms_rt.clock import Clock
from lms_rt.ids import random_token

_SWEEP_EVERY = 1_000
"""So many writes between two looks at everything that may be too old."""
MAX_LIMITED = 50_000
"""So many keys have their limits kept; beyond it the one is forgotten that has not been met for longest."""

ValueT = TypeVar("ValueT")


class _Expiring(Generic[ValueT]):
    """A dictionary whose entries end at a time of their own, and, where it holds only so `many`, the oldest before."""

    def __init__(self, clock: Clock, *, many: int | None = None) -> None:
        self._clock, self._many = clock, many
        self._entries: dict[str, tuple[int, ValueT]] = {}
        self._writes = 0

    def put(self, key: str, value: ValueT, ttl_seconds: float) -> None:
        now = self._clock.now_ms()
        self._writes += 1
        if self._writes % _SWEEP_EVERY == 0:
            self._entries = {k: entry for k, entry in self._entries.items() if entry[0] > now}
        if self._many is not None:
            self._entries.pop(key, None)  # what is put again is the newest
            if len(self._entries) >= self._many:
                del self._entries[next(iter(self._entries))]
        self._entries[key] = (now + round(ttl_seconds * 1000), value)

    def find(self, key: str) -> ValueT | None:
        entry = self._entries.get(key)
        return entry[1] if entry is not None and entry[0] > self._clock.now_ms() else None

    def left_seconds(self, key: str) -> float:
        entry = self._entries.get(key)
        return 0.0 if entry is None else max(0.0, (entry[0] - self._clock.now_ms()) / 1000)

    def take(self, key: str) -> ValueT | None:
        found = self.find(key)
        self._entries.pop(key, None)
        return found


class MemoryPresence(Presence):
    """Who is where, by channel and connection."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._members: dict[str, dict[str, tuple[int, Member]]] = {}
        self._notes: dict[str, dict[str, dict[str, Any]]] = {}

    async def join(self, channel: str, member: Member) -> int:
        """Be there; again renews."""
        self._present(channel)
        members = self._members.setdefault(channel, {})
        members[member.connection_id] = (self._end(), member)
        return len(members)

    async def leave(self, memberships: Iterable[Membership]) -> None:
        """Be gone; again does nothing."""
        for channel, connection_id in memberships:
            self._remove(channel, [connection_id])

    async def renew(self, memberships: Iterable[Membership]) -> list[Membership]:
        """Keep these alive."""
        now, end = self._clock.now_ms(), self._end()
        unknown = []
        for channel, connection_id in memberships:
            members = self._members.get(channel, {})
            old_end, member = members.get(connection_id, (0, None))
            if member is None or old_end <= now:
                unknown.append((channel, connection_id))
            else:
                members[connection_id] = (end, member)
        return unknown

    async def note(self, channel: str, user_id: str, data: Mapping[str, Any]) -> None:
        """Attach facts to a user who is there."""
        if any(member.user_id == user_id for member in self._present(channel)):
            self._notes.setdefault(channel, {}).setdefault(user_id, {}).update(data)

    async def members_of(self, channels: Iterable[str]) -> dict[str, list[Member]]:
        """Who is on each of the channels, with their notes."""
        return {channel: self._with_notes(channel) for channel in channels}

    async def count_users(self, channels: Iterable[str]) -> dict[str, int]:
        """How many people are on each of the channels."""
        return {channel: len({member.user_id for member in self._present(channel)}) for channel in channels}

    def _end(self) -> int:
        return self._clock.now_ms() + PRESENCE_SECONDS * 1000

    def _present(self, channel: str) -> list[Member]:
        entries = self._members.get(channel)
        if not entries:
            return []
        now = self._clock.now_ms()
        dead = [connection_id for connection_id, (end, _) in entries.items() if end <= now]
        self._remove(channel, dead)
        return [member for _, member in entries.values()]

    def _with_notes(self, channel: str) -> list[Member]:
        present = self._present(channel)
        notes = self._notes.get(channel)
        if not notes:
            return present
        return [replace(member, note=dict(notes.get(member.user_id, {}))) for member in present]

    def _remove(self, channel: str, connection_ids: list[str]) -> None:
        entries, notes = self._members.get(channel, {}), self._notes.get(channel, {})
        for connection_id in connection_ids:
            gone = entries.pop(connection_id, None)
            if gone and not any(member.user_id == gone[1].user_id for _, member in entries.values()):
                notes.pop(gone[1].user_id, None)
        if not entries:
            self._members.pop(channel, None)
            self._notes.pop(channel, None)


class MemoryTickets(Tickets):
    """Tickets in a dictionary."""

    def __init__(self, clock: Clock) -> None:
        self._kept: _Expiring[dict[str, Any]] = _Expiring(clock)

    async def issue(self, ticket_hash: str, data: Mapping[str, Any], *, ttl_seconds: float) -> None:
        """Keep a ticket for so long."""
        self._kept.put(ticket_hash, dict(data), ttl_seconds)

    async def consume(self, ticket_hash: str) -> dict[str, Any] | None:
        """What was kept, once."""
        return self._kept.take(ticket_hash)


class MemoryRevocations(Revocations):
    """Copies of what ended."""

    def __init__(self, clock: Clock) -> None:
        self._ended: _Expiring[bool] = _Expiring(clock)

    async def revoke(self, key: str, *, ttl_seconds: float) -> None:
        """Remember that `key` ended."""
        self._ended.put(key, value=True, ttl_seconds=ttl_seconds)

    async def is_revoked(self, key: str) -> bool:
        """Is it remembered?"""
        return self._ended.find(key) is not None


class MemoryRateLimits(RateLimits):
    """Token buckets: (tokens, when they were counted), and the moments of failures. What is full again is forgotten."""

    def __init__(self, clock: Clock, *, many: int = MAX_LIMITED) -> None:
        self._clock = clock
        self._buckets: _Expiring[tuple[float, int]] = _Expiring(clock, many=many)
        self._strikes: _Expiring[tuple[int, ...]] = _Expiring(clock, many=many)
        self._locked: _Expiring[dict[str, int]] = _Expiring(clock, many=many)

    async def take(self, key: str, *, per_second: float, burst: int, cost: int = 1) -> Allowance:
        """Take `cost` tokens."""
        now = self._clock.now_ms()
        tokens, counted = self._buckets.find(key) or (float(burst), now)
        tokens = min(float(burst), tokens + (now - counted) / 1000 * per_second)
        is_allowed = tokens >= cost
        tokens -= cost if is_allowed else 0
        self._buckets.put(key, (tokens, now), burst / per_second + 1)
        wait_ms = 0 if is_allowed else -int(-(cost - tokens) / per_second * 1000 // 1)
        return Allowance(is_allowed, int(tokens), wait_ms)

    async def give_back(
        self,
        key: str,
        *,
        per_second: float,  # noqa: ARG002 - the role's
        cost: int = 1,
        is_here: bool = False,  # noqa: ARG002 - the role's
    ) -> None:
        """Put tokens back; a bucket that nobody knows is full."""
        if (found := self._buckets.find(key)) is not None:
            self._buckets.put(key, (found[0] + cost, found[1]), self._buckets.left_seconds(key))

    async def strike(self, key: str, *, limit: int, window_seconds: float, lock_seconds: float) -> Strike:
        """Count a failure before it happens."""
        now, moments = self._clock.now_ms(), self._strikes.find(key) or ()
        if len(moments) >= limit:
            left_ms = moments[-1] + round(lock_seconds * 1000) - now
            if left_ms > 0:
                self._strikes.put(key, moments, left_ms / 1000)  # who goes on guessing is not forgotten for others
                return Strike(False, len(moments), left_ms)
            moments = ()
        moments = (*(at for at in moments if at > now - window_seconds * 1000), now)
        self._strikes.put(key, moments, max(window_seconds, lock_seconds))
        return Strike(True, len(moments))

    async def pardon(self, key: str) -> None:
        """Forget the failures."""
        self._strikes.take(key)

    async def take_back(self, key: str, *, is_here: bool = False) -> None:  # noqa: ARG002 - the role's
        """Count one failure less."""
        if len(moments := self._strikes.find(key) or ()) > 1:
            self._strikes.put(key, moments[:-1], self._strikes.left_seconds(key))
        else:
            self._strikes.take(key)

    async def note_lock(self, group: str, key: str, *, seconds: float) -> None:
        """Note that `key` is locked for so long."""
        self._keep_locks(group, self._locks(group) | {key: self._clock.now_ms() + round(seconds * 1000)})

    async def drop_lock(self, group: str, key: str) -> None:
        """It is locked no more."""
        self._keep_locks(group, {one: until for one, until in self._locks(group).items() if one != key})

    async def find_locks(self, group: str) -> list[int]:
        """How long each is locked yet."""
        now = self._clock.now_ms()
        return sorted((until - now for until in self._locks(group).values()), reverse=True)

    def _locks(self, group: str) -> dict[str, int]:
        now = self._clock.now_ms()
        return {key: until for key, until in (self._locked.find(group) or {}).items() if until > now}

    def _keep_locks(self, group: str, locks: dict[str, int]) -> None:
        if not locks:
            self._locked.take(group)
            return
        longest = sorted(locks.items(), key=lambda lock: lock[1], reverse=True)[:MAX_NOTED]
        self._locked.put(group, dict(longest), (longest[0][1] - self._clock.now_ms()) / 1000)


class MemoryLocks(Locks):
    """Leases by name."""

    def __init__(self, clock: Clock) -> None:
        self._held: _Expiring[str] = _Expiring(clock)

    async def acquire(self, name: str, *, ttl_seconds: float) -> str | None:
        """A token, or None: somebody has it."""
        if self._held.find(name) is not None:
            return None
        token = random_token(8)
        self._held.put(name, token, ttl_seconds)
        return token

    async def release(self, name: str, token: str) -> None:
        """Give it back, if it is still held with this token."""
        if self._held.find(name) == token:
            self._held.take(name)


class MemoryMarks(Marks):
    """Marks by name."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    async def mark_of(self, name: str) -> str:
        """The mark that stands now."""
        return self._marks.setdefault(name, random_token(8))

    async def move(self, name: str) -> None:
        """The next that is asked for is another one."""
        self._marks.pop(name, None)


class SilentWakeUps(WakeUps):
    """Wakes nobody: the sweeper finds the job."""

    async def wake(self, queue: str, job_id: str) -> None:
        """Do nothing."""


class _NothingToWatch(Listening):
    """What never changes needs no watching."""

    async def stop(self) -> None:
        """Do nothing."""


class AlwaysReachable(Reachability):
    """What is in this process answers."""

    @property
    def is_reachable(self) -> bool:
        """Always."""
        return True

    def watch(self, receiver: Receiver[bool]) -> Listening:  # noqa: ARG002 - there is nothing to hand over
        """Nothing changes."""
        return _NothingToWatch()

    async def ping(self) -> float:
        """At once."""
        return 0.0

    async def faults(self) -> list[str]:
        """None."""
        return []


def memory_bus(clock: Clock, *, wake_ups: WakeUps | None = None) -> Bus:
    """The bus of one process."""
    channels = MemoryChannels(clock)
    return Bus(
        fan_out=MemoryFanOut(channels),
        history=MemoryHistory(channels),
        presence=MemoryPresence(clock),
        tickets=MemoryTickets(clock),
        revocations=MemoryRevocations(clock),
        rate_limits=MemoryRateLimits(clock),
        locks=MemoryLocks(clock),
        marks=MemoryMarks(),
        wake_ups=wake_ups or SilentWakeUps(),
        reachability=AlwaysReachable(),
        time=None,
    )
