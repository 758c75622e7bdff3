"""Many who ask for one thing each, at the same time, as one question to the database. What is asked is not known here.

While a question is on its way, those who come meanwhile gather for the next one: the busier the place, the fewer
questions. Nobody waits for others to come, and nothing is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

MAX_GATHERED = 200


class _Group(Generic[KeyT, ValueT]):
    """Those who are asked for together."""

    def __init__(self) -> None:
        self.keys: dict[KeyT, None] = {}
        self.found: Mapping[KeyT, ValueT] | None = None
        self.has_failed = False


class Gathering(Generic[KeyT, ValueT]):
    """Asks `ask` for many keys at once, one question after the other."""

    def __init__(self, ask: Callable[[list[KeyT]], Awaitable[Mapping[KeyT, ValueT]]]) -> None:
        self._ask = ask
        self._turn = asyncio.Lock()
        self._open = _Group[KeyT, ValueT]()

    async def find(self, key: KeyT) -> ValueT | None:
        """What there is for this key; asked after this call began.

        When a question fails, each of its askers asks alone: one that cannot be answered takes nobody along.
        """
        if len(self._open.keys) >= MAX_GATHERED:
            self._open = _Group()
        group = self._open
        group.keys[key] = None
        async with self._turn:
            if group.found is None and not group.has_failed:
                await self._ask_for(group)
            if group.found is None:
                return (await self._ask([key])).get(key)
        return group.found.get(key)

    async def _ask_for(self, group: _Group[KeyT, ValueT]) -> None:
        await asyncio.sleep(0)  # who is ready now comes along
        if self._open is group:
            self._open = _Group()
        try:
            group.found = await self._ask(list(group.keys))
        except Exception:
            group.has_failed = True
            if len(group.keys) == 1:
                raise
