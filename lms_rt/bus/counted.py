"""A fan-out that counts what this process publishes, whichever bus is behind it. Changes nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from lms_rt.bus.base import Bus, FanOut, Listening, Message, Position, Receiver, Word
from lms_rt.contracts.events import LiveEvent
from lms_rt.errors import Refused

ResultT = TypeVar("ResultT")

_KINDS = ("event", "direct", "state", "poke", "word")
_RESULTS = ("done", "repeated", "refused")


class CountedFanOut(FanOut):
    """Hands everything to `inner`, and counts it by kind and by how it went."""

    def __init__(self, inner: FanOut, registry: CollectorRegistry) -> None:
        self._inner = inner
        publishes = Counter(
            "bus_publishes_total", "What this process handed to the bus.", ["kind", "result"], registry=registry
        )
        self._counts = {(kind, result): publishes.labels(kind, result) for kind in _KINDS for result in _RESULTS}

    async def publish(self, channel: str, event: LiveEvent) -> Position | None:
        """An event; `repeated` is one that the channel has had before, as a relay's second look brings it."""
        return await self._counted("event", self._inner.publish(channel, event))

    async def publish_direct(self, channel: str, name: str, data: Mapping[str, Any]) -> Position:
        """An event that is not of record."""
        return await self._counted("direct", self._inner.publish_direct(channel, name, data))

    async def publish_state(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        """A state."""
        await self._counted("state", self._inner.publish_state(channel, name, data))

    async def poke(self, channel: str, about: Sequence[str] = ()) -> None:
        """A poke."""
        await self._counted("poke", self._inner.poke(channel, about))

    async def listen(self, channel: str, receiver: Receiver[Message]) -> Listening:
        """As it is."""
        return await self._inner.listen(channel, receiver)

    async def publish_control(self, name: str, data: Mapping[str, Any]) -> None:
        """A word to every node."""
        await self._counted("word", self._inner.publish_control(name, data))

    async def listen_control(self, receiver: Receiver[Word]) -> Listening:
        """As it is."""
        return await self._inner.listen_control(receiver)

    async def _counted(self, kind: str, step: Awaitable[ResultT]) -> ResultT:
        try:
            result = await step
        except Refused:
            self._counts[kind, "refused"].inc()
            raise
        self._counts[kind, "repeated" if kind == "event" and result is None else "done"].inc()
        return result


def counted(bus: Bus, registry: CollectorRegistry) -> Bus:
    """The same bus, with what is published through it counted in `registry`, and whether it answers."""
    reachable = Gauge("bus_reachable", "1 while the bus answers, 0 while it is away.", registry=registry)
    reachable.set_function(lambda: float(bus.reachability.is_reachable))
    return replace(bus, fan_out=CountedFanOut(bus.fan_out, registry))
