"""One node's bus, with faults on the way: messages held back or lost, slow reads of the history, or nothing at all.

Over any bus. What the bus itself does when its server dies is not played here: that is the server's part.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lms_rt.bus.base import (
    Bus,
    FanOut,
    History,
    HistoryPage,
    Interrupted,
    Listening,
    Message,
    Position,
    Published,
    Receiver,
    Reword,
    Stretch,
    Word,
)
from lms_rt.contracts.events import LiveEvent
from lms_rt.errors import Code, Refused


class BusFaults:
    """What is wrong now between a node and its bus."""

    def __init__(self, bus: Bus) -> None:
        self.is_away = False
        """The bus cannot be reached; what it sends meanwhile is lost, and told as an interruption afterwards."""
        self.is_holding = False
        """What channels carry comes when it is let through."""
        self.losses = 0
        """So many of the next events are lost, and nobody is told."""
        self.reads, self.answers = asyncio.Event(), asyncio.Event()
        """Cleared: whoever reads the history waits before that, or before what was read arrives."""
        self.read_fast()
        self.reading = 0
        """How many reads of the history have begun."""
        self._held: deque[tuple[_Inbox, Any]] = deque()
        self._inboxes: list[_Inbox] = []
        self.bus = replace(bus, fan_out=_FanOut(self, bus.fan_out), history=_History(self, bus.history))

    def require(self) -> None:
        """Raise when the bus is away."""
        if self.is_away:
            raise Refused(Code.UNAVAILABLE)

    @property
    def is_slow(self) -> bool:
        """Does who reads the history wait?"""
        return not (self.reads.is_set() and self.answers.is_set())

    def read_fast(self) -> None:
        """Nobody waits any more."""
        self.reads.set()
        self.answers.set()

    def go_away(self) -> None:
        """What was on its way is lost."""
        self.is_away = True
        self.lose_all_held()

    def come_back(self) -> None:
        """Every listener is told that words may be missing."""
        if self.is_away:
            self.is_away = False
            for inbox in tuple(self._inboxes):
                self.pass_on(inbox, Interrupted(inbox.channel))

    def let_through(self, count: int | None = None) -> None:
        """Hand over so many of the held messages; None: all of them, and hold no more."""
        if count is None:
            self.is_holding = False
            count = len(self._held)
        for _ in range(min(count, len(self._held))):
            inbox, message = self._held.popleft()
            inbox.hand_over(message)

    def lose_all_held(self) -> None:
        """The line broke: what was on it is gone, and the bus tells of that when there is another."""
        self._held.clear()

    def lose_held(self) -> bool:
        """Lose the oldest held event; False: there is none."""
        for place, (_, message) in enumerate(self._held):
            if isinstance(message, Published):
                del self._held[place]
                return True
        return False

    def pass_on(self, inbox: _Inbox, message: Any) -> None:
        """Hand a message over, hold it, or lose it."""
        if self.is_away:
            return
        if self.losses and isinstance(message, Published):
            self.losses -= 1
        elif self.is_holding and inbox.channel:  # words to the nodes have a second: they are not held
            self._held.append((inbox, message))
        else:
            inbox.hand_over(message)

    def adopt(self, inbox: _Inbox) -> None:
        """An inbox that is told of interruptions."""
        self._inboxes.append(inbox)

    def forget(self, inbox: _Inbox) -> None:
        """It listens no more."""
        self._inboxes.remove(inbox)
        self._held = deque(held for held in self._held if held[0] is not inbox)


class _Inbox(Receiver[Any], Listening):
    """Between the bus and one listener."""

    def __init__(self, faults: BusFaults, channel: str, receiver: Receiver[Any]) -> None:
        self.channel = channel
        self._faults, self._receiver = faults, receiver
        self._listening: Listening | None = None

    async def open(self, listening: Listening) -> Listening:
        self._listening = listening
        self._faults.adopt(self)
        return self

    def receive(self, message: Any) -> None:
        self._faults.pass_on(self, message)

    def hand_over(self, message: Any) -> None:
        self._receiver.receive(message)

    async def stop(self) -> None:
        if self._listening is not None:
            listening, self._listening = self._listening, None
            self._faults.forget(self)
            await listening.stop()


class _FanOut(FanOut):
    def __init__(self, faults: BusFaults, fan_out: FanOut) -> None:
        self._faults, self._fan_out = faults, fan_out

    async def publish(self, channel: str, event: LiveEvent) -> Position | None:
        self._faults.require()
        return await self._fan_out.publish(channel, event)

    async def publish_direct(self, channel: str, name: str, data: Mapping[str, Any]) -> Position:
        self._faults.require()
        return await self._fan_out.publish_direct(channel, name, data)

    async def publish_state(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        self._faults.require()
        await self._fan_out.publish_state(channel, name, data)

    async def poke(self, channel: str, about: Sequence[str] = ()) -> None:
        self._faults.require()
        await self._fan_out.poke(channel, about)

    async def listen(self, channel: str, receiver: Receiver[Message]) -> Listening:
        self._faults.require()
        inbox = _Inbox(self._faults, channel, receiver)
        return await inbox.open(await self._fan_out.listen(channel, inbox))

    async def publish_control(self, name: str, data: Mapping[str, Any]) -> None:
        self._faults.require()
        await self._fan_out.publish_control(name, data)

    async def listen_control(self, receiver: Receiver[Word]) -> Listening:
        inbox = _Inbox(self._faults, "", receiver)
        return await inbox.open(await self._fan_out.listen_control(inbox))


class _History(History):
    def __init__(self, faults: BusFaults, history: History) -> None:
        self._faults, self._history = faults, history

    async def read(self, channel: str, *, after: int | None = None) -> Stretch:
        self._faults.reading += 1
        await self._faults.reads.wait()
        self._faults.require()
        stretch = await self._history.read(channel, after=after)
        await self._faults.answers.wait()
        self._faults.require()
        return stretch

    async def page(
        self, channel: str, *, before: int | None = None, after: int | None = None, limit: int = 100
    ) -> HistoryPage:
        self._faults.require()
        return await self._history.page(channel, before=before, after=after, limit=limit)

    async def top(self, channel: str) -> Position | None:
        if self._faults.is_away:
            return None
        return await self._history.top(channel)

    async def forget(self, channel: str) -> None:
        self._faults.require()
        await self._history.forget(channel)

    async def reword(self, channel: str, word: str, change: Reword) -> None:
        self._faults.require()
        await self._history.reword(channel, word, change)
