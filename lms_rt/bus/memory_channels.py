"""The channels of the memory bus: fan-out and history over the same records. A new epoch at each start."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from lms_rt.bus.base import (
    FENCE_SECONDS,
    HISTORY_EVENTS,
    HISTORY_SECONDS,
    TOP_SECONDS,
    Control,
    FanOut,
    History,
    HistoryPage,
    Listening,
    Message,
    MessageT,
    Poke,
    Position,
    Published,
    Receiver,
    Reword,
    State,
    Stretch,
    Word,
)
from lms_rt.clock import Clock
from lms_rt.contracts.events import LiveEvent
from lms_rt.ids import new_id, random_token

_SWEEP_EVERY = 5_000
"""So many publishes between two looks at all channels for what is too old."""


class _Channel:
    """One channel: its top, its kept events and the newest (version, n) of every aggregate."""

    __slots__ = ("epoch", "fence", "history", "offset", "touched_ms")

    def __init__(self, now_ms: int) -> None:
        self.epoch = random_token(8)
        self.offset = 0
        self.touched_ms = now_ms
        self.history: deque[tuple[int, Published]] = deque(maxlen=HISTORY_EVENTS)
        self.fence: dict[str, tuple[int, int, int]] = {}

    @property
    def top(self) -> Position:
        return Position(self.epoch, self.offset)

    def has_seen(self, event: LiveEvent, now_ms: int) -> bool:
        """Is it not newer than the newest of its aggregate? If it is newer, it is remembered."""
        if event.aggregate is None:
            return False
        place = (event.version or 0, event.n or 0)
        known = self.fence.get(event.aggregate)
        if known is not None and known[2] > now_ms - FENCE_SECONDS * 1000 and known[:2] >= place:
            self.fence[event.aggregate] = (*known[:2], now_ms)  # a relay that repeats for days does not outlive it
            return True
        self.fence[event.aggregate] = (*place, now_ms)
        return False

    def forget_old(self, now_ms: int) -> None:
        """Drop the history and the fences that are too old."""
        while self.history and self.history[0][0] <= now_ms - HISTORY_SECONDS * 1000:
            self.history.popleft()

    def forget_fences(self, now_ms: int) -> None:
        """Drop the fences that are too old."""
        limit = now_ms - FENCE_SECONDS * 1000
        self.fence = {aggregate: entry for aggregate, entry in self.fence.items() if entry[2] > limit}


class _MemoryListening(Listening):
    """One receiver among those of a channel."""

    def __init__(self, receivers: dict[str, list[Receiver[Any]]], key: str, receiver: Receiver[Any]) -> None:
        self._receivers, self._key, self._receiver = receivers, key, receiver
        self._is_stopped = False
        receivers.setdefault(key, []).append(receiver)

    async def stop(self) -> None:
        """Hand over nothing more."""
        if self._is_stopped:
            return
        self._is_stopped = True
        left = [receiver for receiver in self._receivers[self._key] if receiver is not self._receiver]
        if left:
            self._receivers[self._key] = left
        else:
            del self._receivers[self._key]


class MemoryChannels:
    """All channels of this process and who listens to them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._channels: dict[str, _Channel] = {}
        self._receivers: dict[str, list[Receiver[Any]]] = {}
        self._uses = 0

    def channel(self, name: str) -> _Channel:
        """The channel's record; begun when there is none."""
        now = self.clock.now_ms()
        self._uses += 1
        if self._uses % _SWEEP_EVERY == 0:
            self._sweep(now)
        found = self._channels.get(name)
        if found is None or found.touched_ms <= now - TOP_SECONDS * 1000:
            found = self._channels[name] = _Channel(now)
        found.forget_old(now)
        return found

    def append(self, name: str, event: LiveEvent) -> Position | None:
        """Fence, offset, history and fan-out."""
        channel, now = self.channel(name), self.clock.now_ms()
        if channel.has_seen(event, now):
            return None
        channel.offset += 1
        channel.touched_ms = now
        published = Published.of(name, channel.top, event)
        channel.history.append((now, published))
        self.hand_out(name, published)
        return channel.top

    def forget(self, name: str) -> None:
        """The next look begins it anew."""
        self._channels.pop(name, None)

    def hand_out(self, name: str, message: Message | Control) -> None:
        """Give the message to all who listen now."""
        for receiver in tuple(self._receivers.get(name, ())):
            receiver.receive(message)

    def listen(self, name: str, receiver: Receiver[MessageT]) -> Listening:
        """From now on."""
        return _MemoryListening(self._receivers, name, receiver)

    def _sweep(self, now_ms: int) -> None:
        limit = now_ms - TOP_SECONDS * 1000
        self._channels = {name: channel for name, channel in self._channels.items() if channel.touched_ms > limit}
        for channel in self._channels.values():
            channel.forget_old(now_ms)
            channel.forget_fences(now_ms)


_CONTROL = ""
"""No channel has this name."""


class MemoryFanOut(FanOut):
    """Fan-out inside one process."""

    def __init__(self, channels: MemoryChannels) -> None:
        self._channels = channels

    async def publish(self, channel: str, event: LiveEvent) -> Position | None:
        """One atomic step: nothing in it suspends."""
        return self._channels.append(channel, event)

    async def publish_direct(self, channel: str, name: str, data: Mapping[str, Any]) -> Position:
        """An event that is not of record."""
        event = LiveEvent(event_id=new_id("evt"), name=name, data=data, at_ms=self._channels.clock.now_ms())
        position = self._channels.append(channel, event)
        assert position is not None, "only events of record are fenced"  # noqa: S101
        return position

    async def publish_state(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        """A state for who listens now."""
        self._channels.hand_out(channel, State(channel, name, data, self._channels.clock.now_ms()))

    async def poke(self, channel: str, about: Sequence[str] = ()) -> None:
        """Tell the channel's projections to look."""
        self._channels.hand_out(channel, Poke(channel, tuple(about)))

    async def listen(self, channel: str, receiver: Receiver[Message]) -> Listening:
        """Confirmed at once."""
        return self._channels.listen(channel, receiver)

    async def publish_control(self, name: str, data: Mapping[str, Any]) -> None:
        """A word to every node: this one."""
        self._channels.hand_out(_CONTROL, Control(name, data))

    async def listen_control(self, receiver: Receiver[Word]) -> Listening:
        """Confirmed at once."""
        return self._channels.listen(_CONTROL, receiver)


class MemoryHistory(History):
    """The kept events of each channel."""

    def __init__(self, channels: MemoryChannels) -> None:
        self._channels = channels

    async def read(self, channel: str, *, after: int | None = None) -> Stretch:
        """The top, and the kept events above `after`."""
        record = self._channels.channel(channel)
        if after is None:
            return Stretch(record.top, ())
        missing = min(max(record.offset - max(after, 0), 0), len(record.history))
        newest = islice(record.history, len(record.history) - missing, None)
        return Stretch(record.top, tuple(published for _, published in newest))

    async def page(
        self, channel: str, *, before: int | None = None, after: int | None = None, limit: int = 100
    ) -> HistoryPage:
        """Some events in order."""
        record = self._channels.channel(channel)
        kept = [published for _, published in record.history]
        wanted = [
            published
            for published in kept
            if (before is None or published.position.offset < before)
            and (after is None or published.position.offset > after)
        ]
        events = wanted[:limit] if after is not None else wanted[-limit:]
        first, last = (kept[0].position.offset, kept[-1].position.offset) if kept else (0, 0)
        return HistoryPage(record.epoch, tuple(events), first, last)

    async def top(self, channel: str) -> Position | None:
        """The channel's newest place."""
        return self._channels.channel(channel).top

    async def forget(self, channel: str) -> None:
        """Let go of its record."""
        self._channels.forget(channel)

    async def reword(self, channel: str, word: str, change: Reword) -> None:
        """One step: nothing in it suspends."""
        history = self._channels.channel(channel).history
        for place, (kept_ms, published) in enumerate(history):
            data = change(published.event) if word.encode() in published.frame else None
            if data is not None:
                event = replace(published.event, data=data)
                history[place] = kept_ms, Published.of(channel, published.position, event)
