"""The end of a delivery machine's world: no more faults, everything goes on, and what must then hold."""

from __future__ import annotations

import asyncio

from tests.live.bus_place import CHANNELS, NODES
from tests.live.delivery_reader import Reader
from tests.live.delivery_world import World

_PATIENCE_SECONDS = 30
_MOST_BEATS = 50
_RENEWED_SECONDS = 11


class Verdict:
    """Brings the world to rest, and notes in its oracle what is not as it must be."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def heal(self) -> None:
        """No more faults: everything that was begun goes on to its end."""
        for number, seat in enumerate(self._world.seats):
            seat.faults.read_fast()
            seat.faults.losses = 0
            seat.faults.let_through()
            await self._world.come_back(number)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._empty_outboxes()
        except TimeoutError:
            self._world.oracle.require(False, f"outboxes are not emptied: {self._world.documents.pending}")

    async def _empty_outboxes(self) -> None:
        while self._world.processes or self._world.documents.pending:
            if not self._world.processes:
                await asyncio.sleep(0)  # the bus may be on its way back
                await self._world.sweep(0, steps=0)
            await self._world.go_on(0, 10)

    async def settle(self) -> None:
        """Everybody listens to what they may, has heard all that was written, and hears what is; else it is noted."""
        for reader in self._world.readers:
            if reader.is_up:  # whatever is on its way to be answered is
                await self._answered(reader)
        for number in range(NODES):
            await self._world.compare(number)
        await self._settle_delivery()
        for name in ("a", "b"):
            await self._world.write(name, [CHANNELS], by=0, steps=99)
        await self.heal()
        await self._settle_delivery()
        await self._settle_presence()

    async def _settle_delivery(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while (missing := await self._missing()) and not self._world.oracle.broken:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        except TimeoutError:
            self._world.oracle.require(False, f"not told: {missing}")

    async def _settle_presence(self) -> None:
        """Who listens is there, and nobody else but who was on a node that died; a renewal later at the latest."""
        self._world.clock.advance(_RENEWED_SECONDS)
        for _ in range(_MOST_BEATS):
            if (faults := await self._presence_faults()) == []:
                return
            await asyncio.sleep(0.002)
            self._world.clock.advance(0.2)
        self._world.oracle.require(False, f"presence is wrong: {faults}")

    async def _presence_faults(self) -> list[str]:
        told, true = await self._world.presence()
        ghosts = told if self._world.place.may_lose_leaves else self._world.ghosts
        return [f"{one} is missing" for one in true - told] + [f"{one} stays" for one in told - true - ghosts]

    async def _answered(self, reader: Reader) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await (await reader.send("ping", lambda _: None))

    async def _missing(self) -> list[str]:
        await self._world.return_all(0)
        missing = []
        for number, reader in enumerate(self._world.readers):
            for channel, ear in tuple(reader.ears.items()):
                if (reader.user_id, channel) in self._world.rights.barred:
                    continue
                lacks = ear.missing(self._world.oracle.written[channel])
                if ear.phase != "live" or lacks:
                    missing.append(f"{reader.user_id} ({number}) on {channel} is {ear.phase} and lacks {lacks}")
        return missing
