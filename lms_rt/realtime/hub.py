"""The channels of this process: makes an actor on first use, forgets it when it is over. Who may listen is not asked here."""

from __future__ import annotations

import asyncio
from itertools import count

from lms_rt.bus.base import Bus, Position
from lms_rt.clock import Clock
from lms_rt.contracts.channels import ChannelKind, find_channel
from lms_rt.errors import Code, Refused
from lms_rt.realtime.channel import LINGER_SECONDS, ChannelActor, StateListener
from lms_rt.realtime.connection import Connection
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.projections import MakeProjection, Projection
from lms_rt.realtime.subscription import Subscription


class Hub:
    """Owns the actors and their tasks."""

    def __init__(self, *, bus: Bus, clock: Clock, metrics: LiveMetrics, linger_seconds: float = LINGER_SECONDS) -> None:
        self._bus, self._clock, self._metrics, self._linger_seconds = bus, clock, metrics, linger_seconds
        self._actors: dict[str, ChannelActor] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._projections: dict[ChannelKind, MakeProjection] = {}
        self._state_listeners: list[StateListener] = []
        self._generations = count(1)
        self._is_closed = False

    def register_projection(self, kind: ChannelKind, make: MakeProjection) -> None:
        """What the actors of this kind of channel show while somebody watches."""
        self._projections[kind] = make

    def hear_states(self, listener: StateListener) -> None:
        """Tell `listener` of every state that the bus brings to a channel that is alive here."""
        self._state_listeners.append(listener)

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels that are alive here."""
        return tuple(self._actors)

    async def subscribe(self, connection: Connection, channel: str, since: Position | None) -> Subscription:
        """Let the connection listen; what arrives is held until `Subscription.release`."""
        if self._is_closed:
            raise Refused(Code.UNAVAILABLE)
        subscription = Subscription(channel, connection, next(self._generations))
        actor = self._actor(channel)
        try:
            await actor.join(subscription, since)
        except asyncio.CancelledError:
            actor.leave(connection.id, subscription.generation)
            raise
        if connection.is_closed:  # it went away meanwhile, and could not take this along
            actor.leave(connection.id, subscription.generation)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End it; nothing more of the channel follows. A newer subscription of the same connection stays.

        It does not wait for the channel, which may be busy asking the bus: whose authority has ended must not hear on.
        """
        subscription.end()
        actor = self._actors.get(subscription.channel)
        if actor is not None:
            actor.leave(subscription.connection.id, subscription.generation)

    def compare_tops(self, channel: str) -> None:
        """Let a channel check whether its last message was lost."""
        actor = self._actors.get(channel)
        if actor is not None:
            actor.compare_tops()

    def compare_again(self) -> None:
        """The bus is back: let those channels check that could not while it was away."""
        for actor in self._actors.values():
            actor.compare_again()

    async def close(self) -> None:
        """End every actor; nobody joins any more."""
        self._is_closed = True
        for actor in self._actors.values():  # here, since a task that has not begun yet ends without a step
            actor.refuse_all()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._actors.clear()

    def _actor(self, channel: str) -> ChannelActor:
        found = self._actors.get(channel)
        if found is not None and not found.is_over:
            return found
        actor = ChannelActor(
            channel,
            bus=self._bus,
            clock=self._clock,
            metrics=self._metrics,
            projection=self._projection(channel),
            linger_seconds=self._linger_seconds,
        )
        actor.hear_states(self._state_listeners)
        self._actors[channel] = actor
        task = asyncio.create_task(self._live(actor), name=f"channel {channel}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return actor

    async def _live(self, actor: ChannelActor) -> None:
        try:
            await actor.run()
        finally:
            if self._actors.get(actor.channel) is actor:
                del self._actors[actor.channel]

    def _projection(self, channel: str) -> Projection | None:
        parsed = find_channel(channel)
        make = self._projections.get(parsed.kind) if parsed is not None else None
        return make(parsed.subject_id) if make is not None and parsed is not None else None
