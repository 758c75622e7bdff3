"""What a node says and does when the bus goes away and when it is back. What its absence means for others is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lms_rt.bus.base import Reachability, Receiver
from lms_rt.contracts.frames import Notice, notice_frame, text_frame
from lms_rt.realtime.connection import Connection

_DEGRADED = text_frame(notice_frame(Notice.DEGRADED))
_RESTORED = text_frame(notice_frame(Notice.RESTORED))
_BATCH = 500
"""So many are told in one turn of the loop."""


class Outage(Receiver[bool]):
    """Tells everybody once of each change: `degraded`, `restored`. Who comes meanwhile is told after its welcome."""

    def __init__(self, reachability: Reachability, connections: Callable[[], Sequence[Connection]]) -> None:
        self._reachability, self._connections = reachability, connections
        self._has_changed = asyncio.Event()

    def receive(self, message: bool) -> None:  # noqa: ARG002 - what holds when it is told counts
        """The bus went away (False), or is back (True)."""
        self._has_changed.set()

    def greet(self, connection: Connection) -> None:
        """It has been welcomed: from now on it is told."""
        connection.knows_degraded = False
        self._tell(connection)

    async def change(self) -> bool:
        """Wait for the next change, and tell everybody. Is the bus there?"""
        await self._has_changed.wait()
        self._has_changed.clear()
        for number, connection in enumerate(self._connections(), 1):
            self._tell(connection)
            if number % _BATCH == 0:
                await asyncio.sleep(0)
        return self._reachability.is_reachable

    def _tell(self, connection: Connection) -> None:
        """What it does not know yet. Nothing comes before the welcome."""
        is_degraded = not self._reachability.is_reachable
        if connection.knows_degraded is not None and connection.knows_degraded != is_degraded:
            connection.knows_degraded = is_degraded
            connection.send(_DEGRADED if is_degraded else _RESTORED)
