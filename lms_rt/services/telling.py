"""Words that may be lost: told live when the bus is there, and only logged when it is not. What must arrive has an outbox."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lms_rt.bus.base import Bus
from lms_rt.errors import Refused

_log = logging.getLogger(__name__)


class Telling:
    """Best effort over the bus: a write never fails because nobody could be told of it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def event(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        """An event that is not of record."""
        try:
            await self._bus.fan_out.publish_direct(channel, name, data)
        except Refused as refused:
            _log.info("%s was not told on %s: %s", name, channel, refused)

    async def state(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        """A state for who listens now."""
        try:
            await self._bus.fan_out.publish_state(channel, name, data)
        except Refused as refused:
            _log.info("%s was not told on %s: %s", name, channel, refused)

    async def poke(self, channel: str, about: Sequence[str] = ()) -> None:
        """A hint to look again, at what `about` names in particular."""
        try:
            await self._bus.fan_out.poke(channel, about)
        except Refused as refused:
            _log.info("%s was not poked: %s", channel, refused)

    async def note(self, channel: str, user_id: str, data: Mapping[str, Any]) -> None:
        """A small fact about somebody on a channel."""
        try:
            await self._bus.presence.note(channel, user_id, data)
        except Refused as refused:
            _log.info("nothing was noted on %s: %s", channel, refused)

    async def is_there(self, channel: str, connection_id: str) -> bool:
        """Is this connection on the channel? While nobody can say, it is."""
        try:
            members = await self._bus.presence.members_of([channel])
        except Refused as refused:
            _log.info("nobody knows who is on %s: %s", channel, refused)
            return True
        return any(member.connection_id == connection_id for member in members[channel])
