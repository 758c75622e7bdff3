"""One channel as a client hears it: events in order and each once, states, and when to take a snapshot anew.

Which events are news for a snapshot (`version`, `n`) is the caller's to say: it alone knows what the snapshot held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Frame = dict[str, Any]
OnFrame = Callable[[Frame], None]
OnReset = Callable[[], Awaitable[None]]


async def _nothing_to_fetch() -> None:
    """For callers that need no snapshot."""


def _ignore(_: Frame) -> None:
    """For callers that do not listen to this kind."""


class Ear:
    """`on_reset` fetches the snapshot; until it has returned there is no position to come back with."""

    def __init__(
        self,
        channel: str,
        *,
        on_event: OnFrame = _ignore,
        on_state: OnFrame = _ignore,
        on_reset: OnReset = _nothing_to_fetch,
    ) -> None:
        self.channel = channel
        self.resets = 0
        self.subscribing = asyncio.Lock()
        self._on_event, self._on_state, self._on_reset = on_event, on_state, on_reset
        self._epoch, self._offset = "", 0
        self._is_settled = False

    @property
    def since(self) -> dict[str, Any] | None:
        """Where to go on, or None: a snapshot is missing."""
        return {"epoch": self._epoch, "offset": self._offset} if self._is_settled else None

    @property
    def offset(self) -> int:
        """The last offset that was heard."""
        return self._offset

    def begin_at(self, epoch: str, offset: int) -> None:
        """Stand at a position whose snapshot the caller holds."""
        self._epoch, self._offset, self._is_settled = epoch, offset, True

    def take_reply(self, reply: Frame) -> None:
        """Take the reply of `subscribe`, before any frame that followed it: what was missed, or a fresh position."""
        if reply["recovered"]:
            for event in reply["events"]:
                self.hear(event)
        else:
            self._is_settled = False
        self._epoch, self._offset = reply["epoch"], reply["offset"]

    async def settle(self) -> None:
        """Fetch the snapshot, when the last reply left a hole."""
        if not self._is_settled:
            self.resets += 1
            await self._on_reset()
            self._is_settled = True

    def hear(self, event: Frame) -> bool:
        """An event; one that was heard before is dropped. False: something is missing before it."""
        epoch, offset = event["epoch"], event["offset"]
        if epoch == self._epoch and offset <= self._offset:
            return True
        if epoch != self._epoch or offset != self._offset + 1:
            return False
        self._offset = offset
        self._on_event(event)
        return True

    def hear_state(self, state: Frame) -> None:
        """A state: only the latest matters."""
        self._on_state(state)
