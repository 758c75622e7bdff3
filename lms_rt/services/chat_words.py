"""The words of messages on the live line: events take them from the row when they are told, and kept events give them up.

What the bus keeps of a chat for a day says at no time what its rows say no longer: neither what was taken away nor what was
said before it was said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documents.base import Row
from documents.message import Message
from lms_rt.bus.base import Bus, Reword
from lms_rt.contracts.channels import course_chat_channel
from lms_rt.contracts.events import LiveEvent
from lms_rt.services.chat_views import FILL_WORDS, REWORDED_EFFECT, words_of
from lms_rt.services.relay import Filled, Relay


class ChatWords:
    """Fills events of messages, and rewords kept ones."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def register(self, relay: Relay) -> None:
        """Be asked for them."""
        relay.register_fill(FILL_WORDS, self.fill)
        relay.register_effect(REWORDED_EFFECT, self.reword)

    async def fill(self, message_id: str) -> Filled | None:
        """What a message says now; of one that retention has removed nothing is told."""
        row = await Message.find_row(message_id)
        return None if row is None else Filled([course_chat_channel(row["course_id"])], words_of(row))

    async def reword(self, _: str, facts: dict[str, Any]) -> None:
        """Let what is kept say what the row says. Whoever changes the row meanwhile is followed: the last word stays."""
        row, seen = await Message.find_row(facts["message_id"]), 0
        while row is not None and row["version"] != seen:
            seen = row["version"]
            await self._bus.history.reword(course_chat_channel(row["course_id"]), row["_id"], _saying(row))
            row = await Message.find_row(row["_id"])


def _saying(row: Row) -> Reword:
    """Lets the events of a message that hold words say what it says."""
    words = words_of(row)

    def change(event: LiveEvent) -> Mapping[str, Any] | None:
        is_it = event.data.get("message_id") == row["_id"] and "text" in event.data
        return {**event.data, **words} if is_it else None

    return change
