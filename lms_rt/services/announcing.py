"""Words to the nodes that must not be lost with a moment of the bus's absence: said again until they could be told.

A node that dies with untold words takes them along: every node looks at everybody now and then, and finds the facts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

from lms_rt.bus.base import Control, FanOut
from lms_rt.contracts.controls import ACCESS_CHANGED, access_changed
from lms_rt.errors import Refused

MAX_UNTOLD = 1_000
"""More than this are one word in their place: look at everybody."""
AGAIN_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Announcer:
    """Tells the nodes at once, or, in the same order, as soon as the bus takes words again."""

    def __init__(self, fan_out: FanOut) -> None:
        self._fan_out = fan_out
        self._untold: deque[Control] = deque()
        self._has_untold = asyncio.Event()

    async def tell(self, name: str, data: Mapping[str, Any]) -> None:
        """A word to every node. Never refused."""
        word = Control(name, data)
        if self._untold or not await self._is_told(word):
            self._keep(word)

    async def run(self) -> None:
        """Say again what could not be told, until cancelled."""
        while True:
            await self._has_untold.wait()
            await asyncio.sleep(AGAIN_SECONDS)
            while self._untold:
                word = self._untold.popleft()
                if not await self._is_told(word):
                    self._untold.appendleft(word)
                    break
            else:
                self._has_untold.clear()

    async def _is_told(self, word: Control) -> bool:
        try:
            await self._fan_out.publish_control(word.name, word.data)
        except Refused:
            _log.info("the word %s waits for the bus", word.name)
            return False
        except Exception:  # noqa: BLE001 - whatever it is, the word must not be lost
            _log.exception("the word %s could not be told, and waits", word.name)
            return False
        return True

    def _keep(self, word: Control) -> None:
        if len(self._untold) >= MAX_UNTOLD:
            self._untold.clear()
            word = Control(ACCESS_CHANGED, access_changed(None))
        self._untold.append(word)
        self._has_untold.set()
