"""The actor of one live channel in this process: one mailbox, one task; owns subscribers and projections.

It delivers every event once and in offset order to every subscriber, heals gaps from the history, and closes those
(4010) to whom it cannot prove that nothing is missing. Who may listen is decided before anybody comes here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lms_rt.bus.base import Bus, Interrupted, Listening, Message, Poke, Position, Published, Receiver, State, Stretch
from lms_rt.clock import Clock
from lms_rt.contracts.frames import state_frame, text_frame
from lms_rt.errors import Code, Refused
from lms_rt.realtime.batch import Batch
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import MakeFrame
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.projections import Audience, Listener, Projection
from lms_rt.realtime.subscription import Subscription

BUS_TIMEOUT_SECONDS = 5
LINGER_SECONDS = 5.0
MAX_RECOVERY_BYTES = 512 * 1024
"""What was missed must fit into a reply beside what waits already; more is not recovered, the snapshot is smaller."""
MAX_MAIL = 10_000
"""What may wait while the actor itself waits for the bus."""

StateListener = Callable[[str, str, Mapping[str, Any]], None]
"""Told the channel, the name and the data of a state that everybody who listens here was sent."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Join:
    subscription: Subscription
    since: Position | None
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _Leave:
    connection_id: str
    generation: int


class _CompareTops:
    """A quiet channel may have lost its last message: ask."""


class _Linger:
    """Nobody has listened for a while, unless somebody came."""

    def __init__(self, quiet_since: int) -> None:
        self.quiet_since = quiet_since


_Mail = Message | _Join | _Leave | _CompareTops | _Linger


class ChannelActor(Receiver[Message], Audience):
    """One channel of this process. `is_over` is set with the last step of its life; a newcomer needs a new actor."""

    def __init__(
        self,
        channel: str,
        *,
        bus: Bus,
        clock: Clock,
        metrics: LiveMetrics,
        projection: Projection | None,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self.channel = channel
        self.is_over = False
        self._bus, self._clock, self._metrics = bus, clock, metrics
        self._projection, self._linger_seconds = projection, linger_seconds
        self._state_listeners: Sequence[StateListener] = ()
        self._mailbox: deque[_Mail] = deque()
        self._has_mail = asyncio.Event()
        self._subscriptions: dict[str, Subscription] = {}
        self._position: Position | None = None
        self._listening: Listening | None = None
        self._projecting: asyncio.Task[None] | None = None
        self._departures = 0
        self._is_in_doubt = False
        self._batch = Batch()

    # --- from outside: everything goes through the mailbox ---

    def receive(self, message: Message) -> None:
        """A message of the bus. Who is kept waiting too long forgets what has come, and compares instead."""
        if len(self._mailbox) >= MAX_MAIL:
            self._mailbox = deque(mail for mail in self._mailbox if not isinstance(mail, Message))
            message = Interrupted(self.channel)
        self._post(message)

    def hear_states(self, listeners: Sequence[StateListener]) -> None:
        """Tell these, and whoever is added to them, of every state that comes."""
        self._state_listeners = listeners

    async def join(self, subscription: Subscription, since: Position | None) -> None:
        """Let it listen; returns when its position, and what it missed since `since`, are settled."""
        done = asyncio.get_running_loop().create_future()
        self._post(_Join(subscription, since, done))
        await done

    def leave(self, connection_id: str, generation: int) -> None:
        """Forget a subscription, unless a newer one has taken its place."""
        self._post(_Leave(connection_id, generation))

    def compare_tops(self) -> None:
        """Check whether the last message was lost."""
        self._post(_CompareTops())

    def compare_again(self) -> None:
        """The bus is back: check now, if the last time nobody could say."""
        if self._is_in_doubt:
            self.compare_tops()

    def refuse_all(self) -> None:
        """Nobody can join any more; who waits for that is told."""
        self.is_over = True
        for mail in self._mailbox:
            if isinstance(mail, _Join):
                _fail(mail.done, Refused(Code.UNAVAILABLE))

    def _post(self, mail: _Mail) -> None:
        self._mailbox.append(mail)
        self._has_mail.set()

    # --- the one task ---

    async def run(self) -> None:
        """Handle mail until nobody has listened for a while, or until cancelled."""
        try:
            while not self.is_over:
                await self._has_mail.wait()
                self._has_mail.clear()
                while self._mailbox and not self.is_over:
                    await self._handle(self._mailbox.popleft())
        finally:
            self.refuse_all()
            await self._end()

    async def _handle(self, mail: _Mail) -> None:
        try:
            if type(mail) is not Published:  # whatever it is, it came after those
                self._flush()
            await _HANDLERS[type(mail)](self, mail)
            if not self._mailbox:
                self._flush()
        except Exception:  # noqa: BLE001 - one message must not end the channel; its listeners start anew
            _log.exception("channel %s could not handle a message", self.channel)
            self._close_all()

    async def _on_published(self, published: Published) -> None:
        if self._position is None:
            return
        epoch, offset = published.position
        if epoch == self._position.epoch and offset <= self._position.offset:
            return
        if epoch == self._position.epoch and offset == self._position.offset + 1:
            self._deliver(published)
        else:
            self._flush()
            await self._heal()

    async def _on_state(self, state: State) -> None:
        frame = text_frame(state_frame(self.channel, state.name, state.data, state.at_ms))
        for subscription in tuple(self._subscriptions.values()):
            subscription.send_state(state.name, frame)
        for listener in self._state_listeners:
            listener(self.channel, state.name, state.data)

    async def _on_poke(self, poke: Poke) -> None:
        if self._projection is not None:
            self._projection.poked(poke.about)

    async def _on_compare(self, _: _CompareTops | Interrupted) -> None:
        if self._position is None or not self._subscriptions:
            return
        top = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
                top = await self._bus.history.top(self.channel)
        self._is_in_doubt = top is None
        if top is not None and top != self._position:
            await self._heal()

    async def _on_leave(self, mail: _Leave) -> None:
        found = self._subscriptions.get(mail.connection_id)
        if found is not None and found.generation == mail.generation:
            self._forget(found)
            if not self._subscriptions:
                self._departures += 1
                asyncio.get_running_loop().call_later(self._linger_seconds, self._post, _Linger(self._departures))

    async def _on_linger(self, mail: _Linger) -> None:
        is_awaited = any(isinstance(other, _Join) for other in self._mailbox)
        self.is_over = not self._subscriptions and mail.quiet_since == self._departures and not is_awaited

    async def _on_join(self, mail: _Join) -> None:
        """Let all join who wait: one read of the history serves them."""
        joins = [mail, *(other for other in self._mailbox if isinstance(other, _Join))]
        self._mailbox = deque(other for other in self._mailbox if not isinstance(other, _Join))
        try:
            stretch = await self._heard_and_read(joins)
        except BaseException as error:  # whatever it is, even the end of this task: they wait for an answer
            refused = error if isinstance(error, Refused) else Refused(Code.UNAVAILABLE)
            for join in joins:
                _fail(join.done, refused)
            self._linger_if_empty()
            if isinstance(error, Refused | TimeoutError):
                return
            raise
        self._settle(stretch.top)
        for join in joins:
            self._admit(join, stretch)
        self._start_projection()

    # --- steps ---

    async def _heard_and_read(self, joins: Sequence[_Join]) -> Stretch:
        """Listen, if nobody has yet; only then read what the earliest of these may have missed."""
        offsets = [join.since.offset for join in joins if join.since is not None]
        async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
            if self._listening is None:
                self._listening = await self._bus.fan_out.listen(self.channel, self)
            return await self._bus.history.read(self.channel, after=min(offsets, default=None))

    def _settle(self, top: Position) -> None:
        """Those of another epoch start anew; a first position is the top."""
        if self._position is not None and self._position.epoch != top.epoch:
            self._close_all()
            self._position = None
        if self._position is None:
            self._position = top

    def _admit(self, join: _Join, stretch: Stretch) -> None:
        if join.done.done():  # nobody waits any more
            self._linger_if_empty()
            return
        subscription = join.subscription
        missed = _fitting(stretch.since(join.since))
        subscription.admit(stretch.top, missed)
        if join.since is not None:
            (self._metrics.recoveries_ok if missed is not None else self._metrics.recoveries_failed).inc()
        old = self._subscriptions.get(subscription.connection.id)
        if old is None:
            self._metrics.subscriptions.inc()
        elif self._projection is not None:
            self._projection.left(old.connection.id)
        self._subscriptions[subscription.connection.id] = subscription
        if self._projection is not None:
            self._projection.joined(subscription.connection.id)
        join.done.set_result(None)

    def _deliver(self, published: Published) -> None:
        """One encoding and one frame, however many listen; it leaves with those that came with it."""
        _, offset = self._position = published.position
        self._batch.add(offset, text_frame(published.frame))
        if self._batch.is_full:
            self._flush()
        self._metrics.events.inc()
        self._metrics.deliveries.inc(len(self._subscriptions))
        self._metrics.latency_seconds.observe(max(0, self._clock.now_ms() - published.at_ms) / 1000)
        if self._projection is not None:
            self._projection.heard(published.event)

    def _flush(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, Batch()
            batch.send_to(tuple(self._subscriptions.values()))

    async def _heal(self) -> None:
        """A gap, or another epoch: the bus decides, not the message. Deliver what is missing, or let all start anew."""
        position = self._position
        if position is None:
            return
        try:
            async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
                stretch = await self._bus.history.read(self.channel, after=position.offset)
        except (Refused, TimeoutError):
            missed, top = None, None
        else:
            missed, top = stretch.since(position), stretch.top
        if missed is None:
            self._close_all()
            self._position = top
            return
        self._metrics.heals.inc()
        for published in missed:
            self._deliver(published)
        self._flush()

    def _close_all(self) -> None:
        for subscription in tuple(self._subscriptions.values()):
            self._forget(subscription)
            subscription.connection.close(Close.INSUFFICIENT_STATE)
        self._linger_if_empty()

    def _forget(self, subscription: Subscription) -> None:
        del self._subscriptions[subscription.connection.id]
        self._metrics.subscriptions.dec()
        if self._projection is not None:
            self._projection.left(subscription.connection.id)

    def _linger_if_empty(self) -> None:
        if not self._subscriptions:
            self._departures += 1
            asyncio.get_running_loop().call_later(self._linger_seconds, self._post, _Linger(self._departures))

    def _start_projection(self) -> None:
        if self._projection is not None and self._projecting is None and self._subscriptions:
            self._projecting = asyncio.create_task(self._project(self._projection), name=f"projection {self.channel}")

    async def _project(self, projection: Projection) -> None:
        try:
            await projection.run(self)
        except Exception:  # noqa: BLE001 - the channel's events go on without it
            _log.exception("the projection of %s ended", self.channel)

    async def _end(self) -> None:
        if self._projecting is not None:
            self._projecting.cancel()
            await asyncio.gather(self._projecting, return_exceptions=True)
        if self._listening is not None:
            with contextlib.suppress(Refused, TimeoutError):  # a bus that is away hands over nothing either
                async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
                    await self._listening.stop()

    # --- what projections are lent ---

    def tell(self, name: str, data: Mapping[str, Any], listener: Listener | None = None) -> None:
        """Send a state to all, or to one."""
        frame = text_frame(state_frame(self.channel, name, data, self._clock.now_ms()))
        for subscription in self._addressed(listener):
            subscription.send_state(name, frame)

    def offer(self, listener: Listener, name: str, make: MakeFrame) -> None:
        """Let one listener's frame be made when its last one of this name has left its queue."""
        for subscription in self._addressed(listener):
            subscription.send_state(name, make)

    def _addressed(self, listener: Listener | None) -> Sequence[Subscription]:
        self._flush()  # states follow the events that made them
        if listener is None:
            return tuple(self._subscriptions.values())
        found = self._subscriptions.get(listener)
        return () if found is None else (found,)


_HANDLERS: dict[type, Callable[[ChannelActor, Any], Any]] = {
    Published: ChannelActor._on_published,  # noqa: SLF001 - its own methods
    State: ChannelActor._on_state,  # noqa: SLF001
    Poke: ChannelActor._on_poke,  # noqa: SLF001
    _CompareTops: ChannelActor._on_compare,  # noqa: SLF001
    Interrupted: ChannelActor._on_compare,  # noqa: SLF001
    _Leave: ChannelActor._on_leave,  # noqa: SLF001
    _Linger: ChannelActor._on_linger,  # noqa: SLF001
    _Join: ChannelActor._on_join,  # noqa: SLF001
}


def _fail(done: asyncio.Future[None], refused: Refused) -> None:
    if not done.done():
        done.set_exception(refused)


def _fitting(missed: tuple[Published, ...] | None) -> tuple[Published, ...] | None:
    """What was missed, unless it is too much for one reply."""
    if not missed:
        return missed
    size = sum(len(published.frame) for published in missed)
    return missed if size <= MAX_RECOVERY_BYTES else None
