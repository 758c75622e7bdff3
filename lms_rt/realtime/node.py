"""One process as a node: its connections, their heartbeat and authority, and its gentle end. No sockets, no database.

What it must ask others (may this actor still listen there?) comes in as functions from `bootstrap`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from lms_rt.bus.base import PRESENCE_SECONDS, Bus, Listening, Member, Position
from lms_rt.clock import Clock, from_ms, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.frames import HEARTBEAT_MS, PING_FRAME, Notice, notice_frame
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.realtime.authority import AccessWatch, Authority
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import Connection, Flusher, Transport
from lms_rt.realtime.hub import Hub
from lms_rt.realtime.limits import TokenBucket
from lms_rt.realtime.loop_lag import watch_loop_lag
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.outage import Outage
from lms_rt.realtime.presence import PresenceKeeper
from lms_rt.realtime.subscription import Subscription

_BEAT_SECONDS = 1.0
_LATE_BEAT_MS = 5_000
"""A beat that comes later than this after the last shows that the process, or its clock, stood still or jumped."""
_SLOTS = HEARTBEAT_MS // 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeLimits:
    """The bounds of one node and of one user or connection on it."""

    connections: int = 20_000
    admissions_per_second: int = 1_000
    admissions_burst: int = 2_000
    connections_per_user: int = 20
    subscriptions: int = 100
    silent_ms: int = 25_000
    told_before_expiry_ms: int = 60_000
    compare_tops_seconds: int = 40
    presence_seconds: float = PRESENCE_SECONDS
    reconnect_spread_ms: int = 10_000


class LineListener(Protocol):
    """Told which channels the connections of this node come to and leave, at once. Who acts for another is nobody there."""

    def came(self, channel: str, line_id: str, user_id: str) -> None:
        """A connection listens to the channel; again changes nothing."""

    def went(self, channel: str, line_id: str, *, silent_ms: int = 0) -> None:
        """It does not any more; it was given up because nothing was heard of it for `silent_ms`."""


class Overloaded(Exception):
    """No room now; `after_ms` says when to come back."""

    def __init__(self, after_ms: int) -> None:
        super().__init__(f"come back after {after_ms} ms")
        self.after_ms = after_ms


class TooManyConnections(Exception):
    """The user has as many connections as one may."""


class Node:
    """Holds every connection of this process and lets them listen to channels."""

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        hub: Hub,
        metrics: LiveMetrics,
        authority: Authority,
        limits: NodeLimits | None = None,
    ) -> None:
        self.hub, self.metrics, self.limits = hub, metrics, limits or NodeLimits()
        self.presence = PresenceKeeper(bus, clock, presence_seconds=self.limits.presence_seconds)
        hub.hear_states(self.presence.heard)
        self.is_draining = False
        self._bus, self._clock = bus, clock
        self.access = AccessWatch(authority, self, bus.reachability, is_alone=bus.time is None)
        self.outage = Outage(lambda: self.connections)
        self._flusher = Flusher()
        self._connections: dict[str, Connection] = {}
        self._by_user: dict[str, set[Connection]] = {}
        self._counted: Counter[str] = Counter()
        self._slots: list[set[Connection]] = [set() for _ in range(_SLOTS)]
        self._beats = 0
        self._beaten_ms = clock.now_ms()
        self._listening: list[Listening] = []
        self._line_listeners: list[LineListener] = []
        self._admissions = TokenBucket(
            per_second=self.limits.admissions_per_second, burst=self.limits.admissions_burst, now_ms=clock.now_ms()
        )

    def hear_lines(self, listener: LineListener) -> None:
        """Tell `listener` of every connection that comes to a channel or leaves it."""
        self._line_listeners.append(listener)

    # --- connections ---

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Everybody who is connected here."""
        return tuple(self._connections.values())

    async def admit(self, actor: Actor, transport: Transport) -> Connection:
        """Take in a signed-in connection; raises `Overloaded` or `TooManyConnections`.

        It comes back closed when its session ended on the way: the word of that found nobody to close.
        """
        if self.is_draining or len(self._connections) >= self.limits.connections:
            raise Overloaded(self.spread_ms())
        if not self._admissions.take(self._clock.now_ms()):
            raise Overloaded(self.spread_ms())
        connection = Connection(
            new_id("con"),
            actor,
            transport=transport,
            flusher=self._flusher,
            metrics=self.metrics,
            detach=self._detach,
        )
        connection.last_heard_ms = self._clock.now_ms()
        await self._count_in(connection)
        if connection.is_closed:
            return connection
        self._connections[connection.id] = connection
        self._by_user.setdefault(actor.user_id, set()).add(connection)
        self._counted[_count_of(connection)] += 1
        random.choice(self._slots).add(connection)  # noqa: S311 - spreads pings, no secret
        self.metrics.connections.inc()
        await self.access.bring_up_to_date(connection)
        return connection

    async def _count_in(self, connection: Connection) -> None:
        """Join a presence that counts the user's connections over all nodes."""
        channel = _count_of(connection)
        there = await self.presence.join(channel, _member(connection))
        # While the bus is away what this node knows must do.
        here = self._counted[channel] + 1 if there is None else there - self.presence.leaving_from(channel)
        if here > self.limits.connections_per_user:
            self.presence.leave(channel, connection.id)
            raise TooManyConnections
        if self._has_ended():  # since then: everybody was told to go, and this one was not there
            self.presence.leave(channel, connection.id)
            raise Overloaded(self.spread_ms())

    def _has_ended(self) -> bool:
        return self.is_draining

    def _detach(self, connection: Connection) -> None:
        """Called by the connection when it ends, once, whatever the path."""
        for subscription in connection.subscriptions.values():
            self.hub.unsubscribe(subscription)
            self._left(subscription.channel, connection)
        connection.subscriptions.clear()
        counted = _count_of(connection)
        self.presence.leave(counted, connection.id)
        self.metrics.count_close(connection.close_code)
        if self._connections.pop(connection.id, None) is None:
            return
        self._counted[counted] -= 1
        if not self._counted[counted]:
            del self._counted[counted]
        self.metrics.connections.dec()
        for slot in self._slots:
            slot.discard(connection)
        others = self._by_user.get(connection.actor.user_id, set())
        others.discard(connection)
        if not others:
            self._by_user.pop(connection.actor.user_id, None)

    # --- subscriptions ---

    async def subscribe(self, connection: Connection, channel: str, since: Position | None = None) -> Subscription:
        """Let a connection listen to a channel that a service has allowed; again replaces the old subscription."""
        if not self.has_room_for(connection, channel):
            raise Refused(Code.TOO_MANY_SUBSCRIPTIONS)
        subscription = await self.hub.subscribe(connection, channel, since)
        if connection.is_closed:
            return subscription
        connection.subscriptions[channel] = subscription
        if connection.actor.is_impersonated:  # who listens in somebody's place is not that person being there
            return subscription
        for listener in self._line_listeners:
            listener.came(channel, connection.id, connection.actor.user_id)
        await self.presence.join(channel, _member(connection))
        if connection.id not in self._connections:  # it left while presence was told
            self._left(channel, connection)
        return subscription

    def has_room_for(self, connection: Connection, channel: str | None) -> bool:
        """Can the connection listen to the channel (None: to one more)?"""
        return channel in connection.subscriptions or len(connection.subscriptions) < self.limits.subscriptions

    async def unsubscribe(self, connection: Connection, channel: str) -> None:
        """End a subscription; none is fine."""
        subscription = connection.subscriptions.pop(channel, None)
        if subscription is not None:
            self.hub.unsubscribe(subscription)
            connection.drop_states(channel)
            self._left(channel, connection)

    def _left(self, channel: str, connection: Connection) -> None:
        """A connection is not on the channel any more."""
        self.presence.leave(channel, connection.id)
        unheard_ms = self._clock.now_ms() - connection.last_heard_ms
        for listener in self._line_listeners:
            listener.went(channel, connection.id, silent_ms=unheard_ms if unheard_ms > self.limits.silent_ms else 0)

    # --- authority ---

    @property
    def access_words(self) -> int:
        """How many words have come after which somebody may have lost access."""
        return self.access.words

    def connections_of(self, user_id: str) -> tuple[Connection, ...]:
        """Those of one person."""
        return tuple(self._by_user.get(user_id, ()))

    # --- life ---

    async def open(self) -> None:
        """Begin to hear words to the nodes, and of the bus itself; before the first connection is taken."""
        words = await self._bus.fan_out.listen_control(self.access)
        self._listening = [words, self._bus.reachability.watch(self.outage)]

    async def run(self) -> None:
        """Beat, follow words, keep presence and compare tops, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat_loop())
            tasks.create_task(watch_loop_lag(self.metrics.loop_lag_seconds.observe))
            tasks.create_task(self.access.run())
            tasks.create_task(self._outage_loop())
            tasks.create_task(self._compare_loop())
            tasks.create_task(self.presence.run())

    def beat(self) -> None:
        """One second of the heart: ping a tenth of the connections, end the silent and the expired."""
        now_ms = self._clock.now_ms()
        unheard_ms = max(0, now_ms - self._beaten_ms - _LATE_BEAT_MS)
        self._beaten_ms = now_ms
        self._beats += 1
        for connection in tuple(self._slots[self._beats % _SLOTS]):
            connection.send(PING_FRAME)
        queued = 0
        for connection in self.connections:
            queued += connection.queued_bytes
            # Nobody is silent while this process does not listen.
            connection.last_heard_ms = min(now_ms, connection.last_heard_ms + unheard_ms)
            if now_ms - connection.last_heard_ms > self.limits.silent_ms:
                connection.abort()
            else:
                self._watch_expiry(connection, now_ms)
        self.metrics.send_queue_bytes.set(queued)
        self.metrics.clock_error_seconds.set(self._clock.error_ms / 1000)

    def renew(self, connection: Connection, actor: Actor) -> None:
        """The same session has a newer token: the connection lives as long as that. Who it is, later looks may know."""
        connection.actor = replace(connection.actor, expires_at_ms=actor.expires_at_ms)
        connection.is_told_of_expiry = False

    async def shutdown(self, *, patience_seconds: float = 10) -> None:
        """Take nobody in; tell everybody when to come back and close, but not before their running command has finished."""
        self.is_draining = True
        deadline_ms = self._clock.now_ms() + round(patience_seconds * 1000)
        self._send_away(connection for connection in self.connections if not connection.is_busy)
        while self._connections and self._clock.now_ms() < deadline_ms:
            await asyncio.sleep(0.02)
            self._send_away(connection for connection in self.connections if not connection.is_busy)
        self._send_away(self.connections)
        await self.presence.leave_all()
        await self.hub.close()
        for listening in self._listening:
            await listening.stop()

    def _send_away(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            connection.send_text(notice_frame(Notice.RECONNECT, after_ms=self.spread_ms()))
            connection.close(Close.RESTARTING)

    def spread_ms(self) -> int:
        """When one of a herd should come back."""
        return random.randrange(self.limits.reconnect_spread_ms)  # noqa: S311 - spreads a herd, no secret

    def _watch_expiry(self, connection: Connection, now_ms: int) -> None:
        left_ms = connection.actor.expires_at_ms - now_ms
        if left_ms <= 0:
            connection.close(Close.SESSION_EXPIRED)
        elif left_ms <= self.limits.told_before_expiry_ms and connection.is_to_be_told_of_expiry:
            connection.is_told_of_expiry = True
            expires_at = rfc3339(from_ms(connection.actor.expires_at_ms))
            connection.send_text(notice_frame(Notice.SESSION_EXPIRING, session_expires_at=expires_at))

    async def _beat_loop(self) -> None:
        while True:
            await self._clock.sleep(_BEAT_SECONDS)
            self.beat()

    async def _outage_loop(self) -> None:
        while True:
            is_there = await self.outage.changed()
            self.access.look_at_everybody()  # what was decided meanwhile, no word has told
            if is_there:
                self.hub.compare_again()
                await self.presence.renew_if_possible()  # before anybody is told, and looks who is here
            await self.outage.tell()

    async def _compare_loop(self) -> None:
        """Every channel once in its time, a part of them at each step."""
        steps = self.limits.compare_tops_seconds
        while True:
            for step in range(steps):
                await self._clock.sleep(1)
                for channel in self.hub.channels:
                    if hash(channel) % steps == step:  # its own, whoever comes and goes meanwhile
                        self.hub.compare_tops(channel)


def _member(connection: Connection) -> Member:
    actor = connection.actor
    return Member(connection.id, actor.user_id, actor.full_name, actor.is_staff)


def _count_of(connection: Connection) -> str:
    """Where presence counts the connections of a user: no channel that anybody can listen to. Who acts counts for themself."""
    return f"connections:{connection.actor.impersonator_id or connection.actor.user_id}"
