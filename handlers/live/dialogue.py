"""What one client says, and what it is answered: who it is, its commands, and the limits of what comes in.

What commands do is in the files beside this one; frames and sockets are `transport`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlers.live.commands import Command, LiveSession, begin_command
from handlers.live.lines import Line, Lines
from handlers.live.protocol import pong_frame
from handlers.live.transport import MessageListener, SocketTransport
from handlers.live.welcome import welcome_frame
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.frames import (
    BadFrame,
    CommandFrame,
    Notice,
    error_frame,
    notice_frame,
    read_command,
    reply_frame,
    text_frame,
)
from lms_rt.contracts.live import AuthCommand
from lms_rt.errors import Code, Refused
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import Connection
from lms_rt.realtime.limits import TokenBucket
from lms_rt.realtime.node import Overloaded, TooManyConnections
from lms_rt.storage.faults import faults_translated

if TYPE_CHECKING:
    import socket

    from lms_rt.bootstrap import Services
    from lms_rt.realtime.subscription import Subscription

COMMANDS_PER_SECOND = 30
COMMANDS_BURST = 60
HEAVY_BYTES = 8 * 1024
HEAVY_BYTES_PER_SECOND = 128 * 1024
"""The heaviest command costs some 3 ms: behind one that is longer than `HEAVY_BYTES` its line rests for as long as this pace
asks, and nobody loses more by it than that."""
BAD_FRAMES = 10
BAD_FRAMES_MS = 60_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reception:
    """What all lines of one route share. `hears_own_channel`: `user:{id}` is subscribed to from the start."""

    services: Services
    commands: Mapping[str, Command]
    lines: Lines
    hears_own_channel: bool = False


class Dialogue(MessageListener, Line):
    """One line, from its handshake to its end. Commands run one by one: while one runs, nothing more is read."""

    __slots__ = (
        "_arrivals",
        "_auth_timer",
        "_bad_frames",
        "_connection",
        "_control_frames",
        "_reception",
        "_session",
        "_transport",
    )

    def __init__(self, reception: Reception, line: socket.socket) -> None:
        self._reception = reception
        self._transport = SocketTransport(line, self)
        self._connection: Connection | None = None
        self._session: LiveSession | None = None
        self._auth_timer: asyncio.TimerHandle | None = None
        self._bad_frames: deque[int] | None = None
        self._control_frames = self._arrivals = self._bucket()
        reception.lines.add(self)

    def begin(self, actor: Actor | None, *, data: bytes, auth_seconds: float) -> None:
        """Welcome who is known; wait for the first frame of who is not. `data` has come with the handshake."""
        if actor is not None:
            self._occupy(self._welcome(actor))
        else:
            loop = asyncio.get_running_loop()
            self._auth_timer = loop.call_later(auth_seconds, self.close, Close.NO_AUTH_IN_TIME)
            self._reception.lines.await_name(self)
        self._transport.open(data)

    # --- the end ---

    def close(self, close: Close) -> None:
        """End the line, whether it was taken in already or not."""
        if self._connection is not None:
            self._connection.close(close)
        elif not self._transport.is_closing:  # nobody has been let in yet
            self._reception.services.node.metrics.count_close(close.code)
            self._transport.close(close.code, close.reason)

    def abort(self) -> None:
        """Cut it off."""
        self._transport.abort()

    def on_fault(self, close: Close) -> None:
        """RFC 6455 was broken."""
        self.close(close)

    def on_lost(self, code: int | None) -> None:
        """The line ended, whatever the path."""
        self._stop_auth_timer()
        self._reception.lines.discard(self)
        if self._connection is not None:
            self._connection.lost(code)

    def on_drained(self) -> None:
        """The socket takes more."""
        if self._connection is not None:
            self._connection.drained()

    # --- coming in ---

    async def _welcome(self, actor: Actor, reply: bytes | None = None) -> None:
        """Join the node and say welcome, then `reply`; or say why there is no room. Nothing, when the line ends meanwhile."""
        services = self._reception.services
        try:
            connection = await services.node.admit(actor, self._transport)
        except Overloaded as overloaded:
            self._say(notice_frame(Notice.RECONNECT, after_ms=overloaded.after_ms))
            self.close(Close.OVERLOADED)
            return
        except TooManyConnections:
            self.close(Close.TOO_MANY_CONNECTIONS)
            return
        if self._transport.is_closing:
            connection.lost(None)
        if connection.is_closed:
            return
        self._connection, self._session = connection, LiveSession(services, connection)
        self._arrivals = self._bucket()
        subscriptions = await self._own_subscriptions(self._session)
        self._say(welcome_frame(connection, subscriptions, services.clock))
        if reply is not None:
            self._say(reply)
        services.node.outage.greet(connection)
        self._session.release()

    async def _own_subscriptions(self, session: LiveSession) -> list[Subscription]:
        """The caller's own channel, where the route brings it and the bus is there: else `degraded` follows."""
        if not self._reception.hears_own_channel:
            return []
        try:
            return [await session.subscribe(user_channel(session.actor.user_id))]
        except Refused as refused:
            if refused.code is not Code.UNAVAILABLE:
                raise
            return []

    def _bucket(self) -> TokenBucket:
        now_ms = self._reception.services.clock.now_ms()
        return TokenBucket(per_second=COMMANDS_PER_SECOND, burst=COMMANDS_BURST, now_ms=now_ms)

    async def _receive_first(self, frame: CommandFrame) -> None:
        """The first frame of a connection without credentials must be `auth`."""
        try:
            actor = await self._authenticated(frame)
        except Refused as refused:
            self._say(error_frame(frame.id, refused))
            self._refuse_credentials(refused)
            return
        self._stop_auth_timer()
        if not self._transport.is_closing:  # its time may have run out meanwhile
            await self._welcome(actor, reply_frame(frame.id, None))

    async def _authenticated(self, frame: CommandFrame) -> Actor:
        if frame.type != "auth":
            raise Refused(Code.UNAUTHENTICATED, "The first frame must be `auth`.")
        try:
            token = read_model(AuthCommand, frame.fields).token
        except Refused as refused:
            raise Refused(Code.INVALID_COMMAND, fields=refused.fields) from None
        services = self._reception.services
        with faults_translated():
            actor = await services.sessions.authenticate(token)
            if actor.is_impersonated:
                await services.audit.note_use(actor, "socket", "auth")
        return actor

    def _refuse_credentials(self, refused: Refused) -> None:
        """Only what is wrong for good is a final close: a token runs out, and a database comes back."""
        if refused.code is Code.UNAVAILABLE:
            self._say(notice_frame(Notice.RECONNECT, after_ms=self._reception.services.node.spread_ms()))
            self.close(Close.OVERLOADED)
        else:
            is_over = refused.code is Code.TOKEN_EXPIRED
            self.close(Close.SESSION_EXPIRED if is_over else Close.NOT_SIGNED_IN)

    def _stop_auth_timer(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
            self._auth_timer = None
            self._reception.lines.know(self)

    # --- what comes in ---

    def on_text(self, raw: bytes) -> None:
        """A text message: a command."""
        work = self._hear(raw)
        if len(raw) > HEAVY_BYTES and not self._transport.is_closing:
            work = _with_rest(work, len(raw) / HEAVY_BYTES_PER_SECOND)
        if work is not None:
            self._occupy(work)

    def _hear(self, raw: bytes) -> Coroutine[Any, Any, None] | None:
        """Do what a text asks, or give what has to be awaited for that."""
        connection, now_ms = self._connection, self._reception.services.clock.now_ms()
        if connection is not None:
            connection.last_heard_ms = now_ms
            connection.cork()
            if not self._arrivals.take(now_ms):
                self.close(Close.FLOODING)
                return None
        try:
            frame = read_command(raw)
        except BadFrame as bad:
            self._count_bad_frame(bad)
            return None
        if self._session is None:
            return self._receive_first(frame)
        self._session.received_ms = now_ms
        return begin_command(self._session, self._reception.commands, frame)

    def on_fed(self) -> None:
        """What one read brought is answered with one write."""
        if self._connection is not None:
            self._connection.flush()

    def on_binary(self) -> None:
        """Our protocol has only text."""
        self._count_bad_frame(BadFrame(Refused(Code.BAD_FRAME, "The frame is binary; send JSON as text.", position=0)))

    def on_ping(self, data: bytes) -> None:
        """Answer it, in its turn: one who asks and never reads is too slow."""
        self.on_pong()
        self._send(pong_frame(data))

    def on_pong(self) -> None:
        """The peer is alive. Control frames cost as much as commands, and no client needs as many."""
        now_ms = self._reception.services.clock.now_ms()
        if self._connection is not None:
            self._connection.last_heard_ms = now_ms
        if not self._control_frames.take(now_ms):
            self.close(Close.FLOODING)

    def _occupy(self, work: Coroutine[Any, Any, None]) -> None:
        connection, self._transport.is_paused = self._connection, True
        if connection is not None:
            connection.is_busy = True  # already: its first step is the loop's next turn
        self._reception.lines.carry_out(self._go_on_after(work, connection))

    async def _go_on_after(self, work: Coroutine[Any, Any, None], connection: Connection | None) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - a fault of ours: this line ends, and comes back
            _log.exception("fault in a live socket")
            self.abort()
        finally:
            if connection is not None:
                connection.is_busy = False
            self._transport.resume()

    def _count_bad_frame(self, bad: BadFrame) -> None:
        """Say what is wrong with it; the tenth in a minute is the last. What somebody typed is no fault of the client."""
        self._reception.services.node.metrics.bad_frames.inc()
        self._say(error_frame(bad.command_id, bad.refused))
        if self._connection is not None and bad.refused.code is not Code.BAD_FRAME:
            return
        now_ms = self._reception.services.clock.now_ms()
        if self._bad_frames is None:
            self._bad_frames = deque(maxlen=BAD_FRAMES)
        self._bad_frames.append(now_ms)
        if len(self._bad_frames) == BAD_FRAMES and now_ms - self._bad_frames[0] < BAD_FRAMES_MS:
            self.close(Close.TOO_MANY_BAD_FRAMES)

    def _say(self, payload: bytes) -> None:
        self._send(text_frame(payload))

    def _send(self, frame: bytes) -> None:
        if self._connection is not None:
            self._connection.send(frame)
        elif not self._transport.is_closing:
            self._transport.write(frame)


async def _with_rest(work: Coroutine[Any, Any, None] | None, seconds: float) -> None:
    if work is not None:
        await work
    await asyncio.sleep(seconds)
