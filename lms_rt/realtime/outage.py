"""What a node says and does when the bus goes away and when it is back. What its absence means for others is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lms_rt.bus.base import Receiver
from lms_rt.contracts.frames import Notice, notice_frame, text_frame
from lms_rt.realtime.connection import Connection

_DEGRADED = text_frame(notice_frame(Notice.DEGRADED))
_RESTORED = text_frame(notice_frame(Notice.RESTORED))
_BATCH = 500
"""So many are told in one turn of the loop."""


class Outage(Receiver[bool]):
    """Tells everybody once of each change: `degraded`, `restored`. Who comes meanwhile is told after its welcome."""

    def __init__(self, connections: Callable[[], Sequence[Connection]]) -> None:
        self._is_away = False
        """As we were told: a line that is back at once was never away."""
        self._connections = connections
        self._has_changed = asyncio.Event()

    def receive(self, message: bool) -> None:
        """The bus went away (False), or is back (True)."""
        self._is_away = not message
        self._has_changed.set()

    def greet(self, connection: Connection) -> None:
        """It has been welcomed: from now on it is told."""
        connection.knows_degraded = False
        self._tell(connection)

    async def changed(self) -> bool:
        """Wait for the next change. Is the bus there?"""
        await self._has_changed.wait()
        self._has_changed.clear()
        return not self._is_away

    async def tell(self) -> None:
        """Tell everybody how things stand now."""
        for number, connection in enumerate(self._connections(), 1):
            self._tell(connection)
            if number % _BATCH == 0:
                await asyncio.sleep(0)

    def _tell(self, connection: Connection) -> None:
        """What it does not know yet. Nothing comes before the welcome."""
        if connection.knows_degraded is not None and connection.knows_degraded != self._is_away:
            connection.knows_degraded = self._is_away
            connection.send(_DEGRADED if self._is_away else _RESTORED)
