"""Where the bus of the delivery machine is: in this process, behind faults of each node's own; a real Redis has its own file."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from lms_rt.bus.base import Bus
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import Clock
from lms_rt.errors import Refused
from tests.live.faulty_bus import BusFaults

CHANNELS = ("course:1", "course:2")
NODES = 2
HISTORY = 4
"""So few events are kept that many are not recovered."""


async def answering(bus: Bus) -> None:
    """Return once the bus answers again."""
    async with asyncio.timeout(10):
        while True:
            try:
                await bus.reachability.ping()
            except Refused:
                await asyncio.sleep(0.002)
            else:
                return


class BusPlace(ABC):
    """Where the bus of all nodes is, and what may happen to it, or between it and a node."""

    may_lose_leaves = False
    """Whether who left may be there until nobody has renewed them for a while."""
    admin: Bus
    """A line of the test's own, which nothing but the bus's own death disturbs."""

    @abstractmethod
    async def new_world(self, clock: Clock) -> None:
        """Begin with an empty bus. `clock` is that of the nodes."""

    @abstractmethod
    async def connect(self, seat: int) -> Bus:
        """The bus as the node on this seat sees it."""

    @abstractmethod
    async def crash(self, seat: int) -> None:
        """The node on this seat dies in this moment: nothing of it reaches the bus any more."""

    @abstractmethod
    async def disconnect(self, seat: int) -> None:
        """Clear away what is left of a dead node."""

    @abstractmethod
    def is_away(self, seat: int) -> bool:
        """Has the node on this seat lost the bus?"""

    @abstractmethod
    async def go_away(self, seat: int, how: str) -> None:
        """The node loses the bus: it is `gone`, or the line goes `silent`, or one direction of it (`deaf`, `dumb`)."""

    @abstractmethod
    async def come_back(self, seat: int) -> None:
        """The node reaches the bus again."""

    @abstractmethod
    async def cut(self, seat: int) -> None:
        """The node's connections break; it may connect again at once."""

    @abstractmethod
    async def flush(self) -> None:
        """The bus loses everything."""

    @abstractmethod
    async def age(self) -> None:
        """The histories are too old; epochs, offsets and newest versions stay."""

    @abstractmethod
    async def keep_dump(self) -> None:
        """Dump all that there is, for a later restart."""

    @abstractmethod
    async def restart(self, how: str) -> None:
        """The bus dies and comes back `with all`, with the `older` dump, or `empty`."""


class MemoryPlace(BusPlace):
    """The bus of one process, shared by nodes that think they are many."""

    async def new_world(self, clock: Clock) -> None:
        self.admin = memory_bus(clock)
        self._ways: dict[int, BusFaults] = {}

    async def connect(self, seat: int) -> Bus:
        self._ways[seat] = BusFaults(self.admin)
        return self._ways[seat].bus

    async def crash(self, seat: int) -> None:
        self._ways[seat].go_away()

    async def disconnect(self, seat: int) -> None:
        pass

    def is_away(self, seat: int) -> bool:
        return self._ways[seat].is_away

    async def go_away(self, seat: int, how: str) -> None:  # noqa: ARG002 - all is one here
        self._ways[seat].go_away()

    async def come_back(self, seat: int) -> None:
        self._ways[seat].come_back()

    async def cut(self, seat: int) -> None:
        if not self.is_away(seat):
            self._ways[seat].go_away()
            self._ways[seat].come_back()

    async def flush(self) -> None:
        self._channels.clear()

    async def age(self) -> None:
        for channel in self._channels.values():
            channel.history.clear()

    async def keep_dump(self) -> None:
        pass

    async def restart(self, how: str) -> None:  # noqa: ARG002 - a new process begins empty
        self._channels.clear()
        for seat in self._ways:
            await self.cut(seat)

    @property
    def _channels(self) -> dict[str, Any]:
        fan_out: Any = self.admin.fan_out
        channels: dict[str, Any] = fan_out._channels._channels
        return channels
