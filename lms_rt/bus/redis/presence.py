"""Presence in Redis: one script per question, each about one channel, so that a Cluster may spread the channels.

Ages are the server's own time: a node whose clock is wrong forgets nobody too early and keeps nobody too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from lms_rt.bus.base import PRESENCE_SECONDS, Member, Membership, Presence
from lms_rt.bus.redis.line import RedisLine, Script
from lms_rt.bus.redis.wire import Argument

_JOIN, _LEAVE, _RENEW, _NOTE, _MEMBERS, _COUNT = (
    Script(f"presence_{name}", after=("presence",)) for name in ("join", "leave", "renew", "note", "members", "count")
)


class RedisPresence(Presence):
    """Who is where, over all nodes."""

    def __init__(self, line: RedisLine, *, presence_seconds: float = PRESENCE_SECONDS) -> None:
        self._line, self._life_ms = line, round(presence_seconds * 1000)

    async def join(self, channel: str, member: Member) -> int:
        """Be there; again renews."""
        row = orjson.dumps((member.user_id, member.full_name, member.is_staff))
        there: int = await self._run(_JOIN, channel, member.connection_id, member.user_id, row, self._life_ms)
        return there

    async def leave(self, memberships: Iterable[Membership]) -> None:
        """Be gone; again does nothing."""
        by_channel = _by_channel(memberships)
        await asyncio.gather(*(self._run(_LEAVE, channel, *ids) for channel, ids in by_channel.items()))

    async def renew(self, memberships: Iterable[Membership]) -> list[Membership]:
        """Keep these alive."""
        by_channel = _by_channel(memberships)
        unknown: list[list[bytes]] = await asyncio.gather(
            *(self._run(_RENEW, channel, self._life_ms, *ids) for channel, ids in by_channel.items())
        )
        return [(channel, one.decode()) for channel, ids in zip(by_channel, unknown, strict=True) for one in ids]

    async def note(self, channel: str, user_id: str, data: Mapping[str, Any]) -> None:
        """Attach facts to a user who is there."""
        words = [word for name, value in data.items() for word in (name, orjson.dumps(value))]
        await self._run(_NOTE, channel, user_id, *words)

    async def members_of(self, channels: Iterable[str]) -> dict[str, list[Member]]:
        """Who is on each of the channels, with their notes."""
        asked = list(dict.fromkeys(channels))
        replies = await asyncio.gather(*(self._run(_MEMBERS, channel) for channel in asked))
        return {channel: _members(*reply) for channel, reply in zip(asked, replies, strict=True)}

    async def count_users(self, channels: Iterable[str]) -> dict[str, int]:
        """How many people are on each of the channels."""
        asked = list(dict.fromkeys(channels))
        replies = await asyncio.gather(*(self._run(_COUNT, channel) for channel in asked))
        return dict(zip(asked, replies, strict=True))

    async def _run(self, script: Script, channel: str, *args: Argument) -> Any:
        return await self._line.run(script, self._line.keys.presence(channel), args)


def _by_channel(memberships: Iterable[Membership]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for channel, connection_id in memberships:
        grouped.setdefault(channel, []).append(connection_id)
    return grouped


def _members(rows: Sequence[bytes], noted: Sequence[bytes]) -> list[Member]:
    notes: dict[str, dict[str, Any]] = {}
    for words, value in zip(noted[::2], noted[1::2], strict=True):
        user_id, _, name = words.decode().partition(" ")
        notes.setdefault(user_id, {})[name] = orjson.loads(value)
    return [_member(one.decode(), row, notes) for one, row in zip(rows[::2], rows[1::2], strict=True)]


def _member(connection_id: str, row: bytes, notes: Mapping[str, Mapping[str, Any]]) -> Member:
    user_id, full_name, is_staff = orjson.loads(row)
    return Member(connection_id, user_id, full_name, is_staff, note=notes.get(user_id, {}))
