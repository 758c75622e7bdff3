"""Nodes that share a bus, relays, readers on real sockets and who may listen: all that the delivery machine moves.

Every method is one thing that may happen; what must then be so is noted in the oracle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from config.settings import Settings
from handlers.live.table import COMMANDS
from lms_rt.bus.base import Listening, Message, Position, Published, Receiver
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.controls import ACCESS_CHANGED, access_changed
from lms_rt.errors import Code, Refused
from lms_rt.realtime.node import NodeLimits
from lms_rt.services.relay import Relay
from tests.live.bus_place import CHANNELS, HISTORY, NODES, BusPlace, answering
from tests.live.delivery_oracle import Oracle
from tests.live.delivery_reader import Reader
from tests.live.delivery_steps import Documents, Process, SteppingFanOut
from tests.live.faulty_bus import BusFaults
from tests.live.live_node import ORIGIN, LiveNode, MadeUpSubscriptions, until
from tests.services.relaying import relay_over

_USERS = ("ada", "ada", "bob")
_REPLY_SECONDS = 30


async def some_turns(count: int) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


class Auditor(Receiver[Message]):
    """Listens beside the nodes to all that is published."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def receive(self, message: Message) -> None:
        if isinstance(message, Published):
            self._oracle.name(message.channel, message.position, message.event.event_id)


class Rights(MadeUpSubscriptions):
    """Who may not listen to what: a fact of the database that all nodes share."""

    def __init__(self) -> None:
        super().__init__()
        self.barred: set[tuple[str, str]] = set()

    async def require_channel(self, actor: Actor, name: str) -> str:
        if (actor.user_id, name) in self.barred:
            raise Refused(Code.NOT_FOUND)
        return name

    async def may_listen(self, actor: Actor, name: str) -> bool:
        return (actor.user_id, name) not in self.barred


class Seat:
    """A node and its way to the bus."""

    def __init__(self, live: LiveNode, faults: BusFaults, relay: Relay) -> None:
        self.live, self.faults, self.relay = live, faults, relay


class World:
    """All of it."""

    def __init__(self, place: BusPlace) -> None:
        self.place, self.clock = place, FakeClock()
        self.oracle, self.documents, self.rights = Oracle(HISTORY), Documents(), Rights()
        self.readers = [Reader(user, self.oracle) for user in _USERS]
        self.seats: list[Seat] = []
        self.processes: list[tuple[int, Process]] = []
        self._untold: list[str] = []
        self._settings = Settings(_env_file=None, cors_origins=(ORIGIN,))
        self.ghosts: set[tuple[str, str]] = set()
        """Who was there when their node died, or when what was dumped was new: they go when nobody renews them."""
        self._auditing: list[Listening] = []

    async def open(self) -> None:
        """Start the nodes; everybody listens."""
        await self.place.new_world(self.clock)
        for channel in CHANNELS:
            self._auditing.append(await self.place.admin.fan_out.listen(channel, Auditor(self.oracle)))
        for number in range(NODES):
            self.seats.append(await self._node(number))
        for number, reader in enumerate(self.readers):
            for channel in CHANNELS[: 1 + number % 2]:
                await self.subscribe(reader, channel, number % NODES, is_patient=True)
                await self.take_snapshot(reader, channel, number % NODES)

    async def _node(self, number: int) -> Seat:
        faults = BusFaults(await self.place.connect(number))
        limits = NodeLimits(connections_per_user=1_000)
        live = LiveNode(self.clock, faults.bus, limits, linger_seconds=0.0, subscriptions=self.rights)
        await live.open(self._settings, COMMANDS)
        fan_out = SteppingFanOut(faults.bus.fan_out)
        documents: Any = (self.documents,)
        return Seat(live, faults, relay_over(fan_out, self.clock, documents))

    async def close(self) -> None:
        """End everything, whatever state it is in."""
        for _, process in self.processes:
            await process.crash()
        for reader in self.readers:
            await reader.cut()
        for number, seat in enumerate(self.seats):
            seat.faults.read_fast()
            await self.place.crash(number)
            await seat.live.kill()
            await self.place.disconnect(number)
        for auditing in self._auditing:
            await auditing.stop()

    # --- writes and relays ---

    async def write(self, name: str, channels: Sequence[Sequence[str]], *, by: int, steps: int) -> None:
        """Write an aggregate with its events; the fast path of the node takes some steps."""
        for intent in self.documents.write(name, self.clock.now(), channels):
            self.oracle.commit(intent, name)
        work = self.seats[by].relay.hand_over(self.documents, name)  # type: ignore[arg-type]
        self.processes.append((by, Process(f"fast path of {name} on node {by}", work)))
        await self.go_on(-1, steps)

    async def sweep(self, by: int, *, steps: int) -> None:
        """A sweeper begins on that node."""
        self.processes.append((by, Process(f"sweeper on node {by}", self.seats[by].relay.sweep(minimum_age_ms=0))))
        await self.go_on(-1, steps)

    async def go_on(self, which: int, steps: int) -> None:
        """Let a relay take some steps, if one is at work."""
        if not self.processes:
            return
        entry = self.processes[which % len(self.processes)]
        for _ in range(steps):
            await entry[1].go_on()
            if entry[1].is_over:
                self.processes.remove(entry)
                return

    async def crash(self, which: int) -> None:
        """A relay dies between two steps, if one is at work."""
        if not self.processes:
            return
        await self.processes.pop(which % len(self.processes))[1].crash()

    async def publish_direct(self, by: int, channel: str, count: int) -> None:
        """Events that are not of record; they may be lost."""
        for _ in range(count):
            with suppress(Refused):
                await self.seats[by].faults.bus.fan_out.publish_direct(channel, "announcement", {})

    # --- readers ---

    async def subscribe(self, reader: Reader, channel: str, number: int, *, is_patient: bool) -> None:
        """Listen, on that node if there is no line yet. Who is patient waits for the reply, where one can come."""
        seat = self.seats[number]
        if not reader.is_up and not await reader.connect(seat.live):
            return
        seat = next(seat for seat in self.seats if seat.live is reader.live)
        before = await self._top(channel)
        place = reader.ear(channel).place
        future = await reader.subscribe(channel)
        if not is_patient or seat.faults.is_slow:
            return
        async with asyncio.timeout(_REPLY_SECONDS):
            reply = await future
        if reply.get("ok") and before is not None and before == await self._top(channel):
            expected = place is not None and self.oracle.is_kept(channel, since=place, top=before)
            told = f"{channel} at {before} since {place}: recovered is {not expected}"
            self.oracle.require(reply["result"]["recovered"] == expected, told)

    async def _top(self, channel: str) -> Position | None:
        return await self.place.admin.history.top(channel)

    async def subscribe_slowly(self, reader: Reader, channel: str, number: int, *, slow: str, meanwhile: str) -> None:
        """Listen; the node's read of the history is slow, and something happens in the middle of it."""
        self.disturb_reads(number, slow)
        await self.subscribe(reader, channel, number, is_patient=False)
        await some_turns(20)
        if meanwhile == "rights":
            await self.bar(reader.user_id, channel)
        elif meanwhile == "death":
            await self.kill(number)
        elif meanwhile == "flush":
            await self.place.flush()
        elif meanwhile == "returns":
            for other in self._listeners(number, channel):
                await other.unsubscribe(channel)
                await other.subscribe(channel)
        else:
            await self.publish_direct(1 - number, channel, 2)
        self.disturb_reads(number, "not")
        await self.publish_direct(1 - number, channel, 1)

    def _listeners(self, number: int, channel: str) -> list[Reader]:
        """Who listens to the channel on that node."""
        here = [reader for reader in self.readers if reader.is_up and reader.live is self.seats[number].live]
        return [reader for reader in here if reader.ear(channel).phase in ("live", "stale")]

    async def lose_and_notice(self, number: int, channel: str, how: str) -> None:
        """An event does not reach a well node: it is told of by the next one, by a look at the top, or by the line's break."""
        faults = self.seats[number].faults
        is_well = not (self.place.is_away(number) or faults.is_slow or faults.is_holding or faults.losses)
        if not (is_well and self._listeners(number, channel)):
            return
        await answering(self.seats[number].live.bus)
        fan_out = self.place.admin.fan_out
        if how == "break":
            await self.place.go_away(number, "gone")
            await fan_out.publish_direct(channel, "announcement", {})
            await self.place.come_back(number)
        else:
            faults.losses = 1
            top = await fan_out.publish_direct(channel, "announcement", {})
            await until(lambda: not faults.losses or self._all_stand_at(top, number, channel))
            faults.losses = 0
        if how == "next":
            await fan_out.publish_direct(channel, "announcement", {})
        elif how == "top":
            await self.compare(number)
        await self._heard_by_all(number, channel)

    def _all_stand_at(self, top: Position | None, number: int, channel: str) -> bool:
        return all(reader.ear(channel).stands == top for reader in self._listeners(number, channel))

    async def _heard_by_all(self, number: int, channel: str) -> None:
        top = await self._top(channel)
        try:
            async with asyncio.timeout(_REPLY_SECONDS):
                while not self._all_stand_at(top, number, channel):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        except TimeoutError:
            self.oracle.require(False, f"nobody noticed that something of {channel} was lost before {top}")

    async def meet_absence(self, name: str, number: int) -> None:
        """A relay finds the bus away for its first event, and there for the next."""
        if self.place.is_away(number):
            return
        await self.write(name, [CHANNELS[:1], CHANNELS], by=number, steps=1)
        await self.place.go_away(number, "gone")
        await self.go_on(-1, 1)
        await self.place.come_back(number)
        await answering(self.seats[number].live.bus)
        await self.go_on(-1, 99)

    async def return_all(self, number: int) -> None:
        """Who has no line, or lost a channel, comes back to this node, with a snapshot where one is needed."""
        for reader in self.readers:
            for channel, ear in tuple(reader.ears.items()):
                if ear.phase == "off":
                    await self.subscribe(reader, channel, number, is_patient=True)
                if ear.phase == "stale":
                    reader.take_snapshot(channel, self.documents.versions)

    async def take_snapshot(self, reader: Reader, channel: str, number: int) -> None:
        """The snapshot that a reply without recovery asked for; or one before any reply, with its `as_of` read first."""
        ear = reader.ear(channel)
        if ear.phase == "stale":
            reader.take_snapshot(channel, self.documents.versions)
        elif ear.phase == "off":
            ear.place = await self.seats[number].faults.bus.history.top(channel)
            ear.take_snapshot(self.documents.versions)

    async def leave(self, reader: Reader, channel: str) -> None:
        """Listen no more."""
        if reader.is_up:
            await reader.unsubscribe(channel)

    # --- who may listen ---

    async def bar(self, user_id: str, channel: str) -> None:
        """The user may not listen any more; the nodes are told, and must have obeyed before this returns."""
        self.rights.barred.add((user_id, channel))
        self._untold.append(user_id)
        await self.obey()

    def unbar(self, user_id: str, channel: str) -> None:
        """The user may listen again."""
        self.rights.barred.discard((user_id, channel))
        self.oracle.unbar(user_id, channel)

    async def obey(self) -> None:
        """Tell the nodes who lost something, and see that all follow, unless one cannot hear of it yet."""
        if any(self.place.is_away(number) for number in range(NODES)):
            return
        words = {seat.live.node: seat.live.node.access_words for seat in self.seats}
        if self._untold:
            async with asyncio.timeout(_REPLY_SECONDS):
                while self._untold:
                    await self._tell(self._untold[-1])
            await until(lambda: all(node.access_words > before for node, before in words.items()))
        await until(lambda: not self._trespassers())
        for user_id, channel in self.rights.barred:
            top = await self._top(channel)
            assert top is not None
            self.oracle.bar(user_id, channel, top)

    async def _tell(self, user_id: str) -> None:
        try:
            await self.seats[0].faults.bus.fan_out.publish_control(ACCESS_CHANGED, access_changed(user_id))
        except Refused:
            await asyncio.sleep(0)  # the bus is on its way back
        else:
            self._untold.remove(user_id)

    def _trespassers(self) -> list[str]:
        connections = (connection for seat in self.seats for connection in seat.live.node.connections)
        return [c.id for c in connections for name in c.subscriptions if (c.actor.user_id, name) in self.rights.barred]

    # --- nodes ---

    async def kill(self, number: int) -> None:
        """A node dies, and all that ran on it; another takes its place."""
        seat = self.seats[number]
        for entry in [entry for entry in self.processes if entry[0] == number]:
            self.processes.remove(entry)
            await entry[1].crash()
        await self.place.crash(number)
        seat.faults.read_fast()
        await seat.live.kill()
        for reader in self.readers:
            if reader.live is seat.live:
                await reader.cut()
        await self.place.disconnect(number)
        self.seats[number] = await self._node(number)
        await self._excuse_ghosts()

    async def restart(self, how: str) -> None:
        """The bus dies, and comes back with what it was given."""
        await self.place.restart(how)
        await self._excuse_ghosts()

    async def _excuse_ghosts(self) -> None:
        told, true = await self.presence()
        self.ghosts |= told - true

    async def disturb_messages(self, number: int, how: str) -> None:
        """Hold what channels carry to a node, let it through, or lose one event of it."""
        faults = self.seats[number].faults
        if how == "held":
            faults.is_holding = True
        elif how != "lost":
            faults.let_through(1 if how == "some come" else None)
        elif not faults.lose_held():
            faults.losses += 1

    def disturb_reads(self, number: int, how: str) -> None:
        """Let reads of the history wait before they begin, or before they arrive, or not."""
        faults = self.seats[number].faults
        faults.read_fast()
        if how != "not":
            (faults.reads if how == "before" else faults.answers).clear()

    async def go_away(self, number: int, how: str) -> None:
        """The node does not reach the bus any more."""
        if not self.place.is_away(number):
            self.seats[number].faults.lose_all_held()
            await self.place.go_away(number, how)

    async def come_back(self, number: int) -> None:
        """The node reaches the bus again."""
        if self.place.is_away(number):
            await self.place.come_back(number)
            await self.obey()

    async def age(self) -> None:
        """The histories are too old to be kept."""
        await self.place.age()
        for channel in CHANNELS:
            if (top := await self._top(channel)) is not None:
                self.oracle.age(channel, top)

    async def compare(self, number: int) -> None:
        """The node compares the tops of its channels, as it does every 40 s."""
        for channel in self.seats[number].live.hub.channels:
            self.seats[number].live.hub.compare_tops(channel)

    async def presence(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """Which connections are on which channel: as the bus has it, and as it is."""
        there = await self.place.admin.presence.members_of(CHANNELS)
        told = {(channel, member.connection_id) for channel, members in there.items() for member in members}
        connections = [connection for seat in self.seats for connection in seat.live.node.connections]
        return told, {(channel, c.id) for c in connections for channel in c.subscriptions}
