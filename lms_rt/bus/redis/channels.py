"""Fan-out and history over Redis: every publish is one script; what comes back is handed on without being read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from lms_rt.bus.base import (
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
from lms_rt.bus.redis.line import RedisLine, Script
from lms_rt.bus.redis.listening import Ear, Hearing
from lms_rt.bus.redis.messages import (
    UnreadableMessage,
    event_message,
    message_at,
    poke_message,
    read_event,
    read_message,
    state_message,
)
from lms_rt.bus.redis.replicas import Replicas
from lms_rt.bus.redis.wire import Argument
from lms_rt.bus.redis.words import Words
from lms_rt.clock import Clock
from lms_rt.contracts.events import LiveEvent
from lms_rt.errors import Refused
from lms_rt.ids import new_id, random_token

PUBLISH = Script("publish", after=("epoch",))
TOP = Script("top", after=("epoch",))
HISTORY = Script("history", after=("epoch",))
FORGET = Script("forget")
REWORD = Script("reword")

_log = logging.getLogger(__name__)


def fresh_epoch() -> str:
    """A name for the epoch that a script may have to begin; never used twice."""
    return random_token(8)


class _ChannelEar(Ear):
    """A channel's messages, to all who listen to it in this process."""

    def __init__(self, channel: str, key: bytes) -> None:
        self.channel, self.key = channel, key
        self.receivers: tuple[Receiver[Message], ...] = ()

    def heard(self, raw: bytes) -> None:
        """Hand it over."""
        try:
            message = read_message(self.channel, raw)
        except UnreadableMessage as error:
            _log.warning("a message cannot be read: %s", error)
            self.interrupted()
            return
        for receiver in self.receivers:
            receiver.receive(message)

    def interrupted(self) -> None:
        """Whoever listens has to compare."""
        for receiver in self.receivers:
            receiver.receive(Interrupted(self.channel))


class _ChannelListening(Listening):
    """One receiver among those of a channel."""

    def __init__(self, fan_out: RedisFanOut, ear: _ChannelEar, receiver: Receiver[Message]) -> None:
        self._fan_out, self._ear, self._receiver = fan_out, ear, receiver

    async def stop(self) -> None:
        """Hand over nothing more."""
        self._fan_out.stop(self._ear, self._receiver)


class RedisFanOut(FanOut):
    """From one process to all, over pub/sub."""

    def __init__(self, line: RedisLine, hearing: Hearing, words: Words, clock: Clock, *, replicas: Replicas) -> None:
        self._line, self._hearing, self._words, self._clock = line, hearing, words, clock
        self._replicas = replicas
        self._ears: dict[str, _ChannelEar] = {}

    async def publish(self, channel: str, event: LiveEvent) -> Position | None:
        """One script; an event of record is then waited for, until enough replicas have it."""
        names, args = self._of(channel, event)
        if event.aggregate is None:
            place = await self._line.run(PUBLISH, names, args)
        else:
            names.append(self._line.keys.fence(channel, event.aggregate))
            args += (event.version or 0, event.n or 0)
            wire = self._replicas.wire_of(names[0])
            place = await self._replicas.line.run(PUBLISH, names, args)
            await self._replicas.confirm(names[0], wire)
        return None if place is None else Position(place[0].decode(), place[1])

    async def publish_direct(self, channel: str, name: str, data: Mapping[str, Any]) -> Position:
        """The same script, without a fence."""
        event = LiveEvent(event_id=new_id("evt"), name=name, data=data, at_ms=self._clock.now_ms())
        position = await self.publish(channel, event)
        assert position is not None, "only events of record are fenced"  # noqa: S101
        return position

    async def publish_state(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        """A state for who listens now."""
        await self._send(channel, state_message(name, data, self._clock.now_ms()))

    async def poke(self, channel: str, about: Sequence[str] = ()) -> None:
        """Tell the channel's projections to look."""
        await self._send(channel, poke_message(about))

    async def listen(self, channel: str, receiver: Receiver[Message]) -> Listening:
        """Returns once the server has confirmed it."""
        ear = self._ears.get(channel)
        if ear is None:
            ear = self._ears[channel] = _ChannelEar(channel, self._line.keys.channel(channel).encode())
        ear.receivers += (receiver,)
        with ExitStack() as begun:
            begun.callback(self.stop, ear, receiver)
            await self._hearing.add(ear)
            begun.pop_all()
        return _ChannelListening(self, ear, receiver)

    async def publish_control(self, name: str, data: Mapping[str, Any]) -> None:
        """A word to every node, numbered."""
        await self._words.tell(name, data)

    async def listen_control(self, receiver: Receiver[Word]) -> Listening:
        """The words are always heard: only the receiver is new."""
        return await self._words.listen(receiver)

    def stop(self, ear: _ChannelEar, receiver: Receiver[Message]) -> None:
        """Take a receiver away; the last one ends the subscription."""
        ear.receivers = tuple(other for other in ear.receivers if other is not receiver)
        if not ear.receivers and self._ears.get(ear.channel) is ear:
            del self._ears[ear.channel]
            self._hearing.remove(ear)

    def _of(self, channel: str, event: LiveEvent) -> tuple[list[str], list[Argument]]:
        keys, command = self._line.keys, self._line.servers.publish_command
        names = [keys.top(channel), keys.history(channel), keys.channel(channel)]
        return names, [fresh_epoch(), self._clock.now_ms(), command, event_message(event)]

    async def _send(self, channel: str, message: bytes) -> None:
        key = self._line.keys.channel(channel)
        await self._line.do(self._line.servers.publish_command, key, message, key=key)


class RedisHistory(History):
    """What the scripts kept."""

    def __init__(self, line: RedisLine, clock: Clock) -> None:
        self._line, self._clock = line, clock

    async def read(self, channel: str, *, after: int | None = None) -> Stretch:
        """The top, and the kept events above `after`, in one step."""
        if after is None:
            return Stretch(await self._top(channel), ())
        top, _, events = await self._run(channel, "after", max(after, 0))
        return Stretch(top, events)

    async def page(
        self, channel: str, *, before: int | None = None, after: int | None = None, limit: int = 100
    ) -> HistoryPage:
        """Some events in order."""
        if after is not None:
            top, kept, events = await self._run(channel, "first", max(after, 0), limit)
            events = tuple(one for one in events if before is None or one.position.offset < before)
        else:
            top, kept, events = await self._run(channel, "last", "" if before is None else before, limit)
        first, last = (top.offset - kept + 1, top.offset) if kept else (0, 0)
        return HistoryPage(top.epoch, events, first, last)

    async def top(self, channel: str) -> Position | None:
        """The channel's newest place; None while Redis is away. A line that is back at once was never away: ask again."""
        with suppress(Refused):
            return await self._top(channel)
        with suppress(Refused):
            return await self._top(channel) if await self._line.is_there() else None
        return None

    async def forget(self, channel: str) -> None:
        """Drop its events and its epoch; the fences of that epoch, which name ids alone, go with their day."""
        keys = self._line.keys
        await self._line.run(FORGET, (keys.top(channel), keys.history(channel)))

    async def reword(self, channel: str, word: str, change: Reword) -> None:
        """Find, change, and put each in the place of what it was made from."""
        history = self._line.keys.history(channel)
        pairs: list[Argument] = []
        for raw in await self._line.run(REWORD, (history,), ("find", word)):
            event = read_event(channel, raw).event
            data = change(event)
            if data is not None:
                pairs += (raw, message_at(raw, replace(event, data=data)))
        if pairs:
            await self._line.run(REWORD, (history,), ("put", *pairs))

    async def _top(self, channel: str) -> Position:
        keys = self._line.keys
        epoch, offset = await self._line.run(TOP, (keys.top(channel), keys.history(channel)), (fresh_epoch(),))
        return Position(epoch.decode(), offset)

    async def _run(self, channel: str, *wanted: str | int) -> tuple[Position, int, tuple[Published, ...]]:
        keys = self._line.keys
        names, args = (keys.top(channel), keys.history(channel)), (fresh_epoch(), self._clock.now_ms(), *wanted)
        epoch, offset, kept, events = await self._line.run(HISTORY, names, args)
        return Position(epoch.decode(), offset), kept, tuple(read_event(channel, raw) for raw in events)
