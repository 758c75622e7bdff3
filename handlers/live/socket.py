"""The live socket: handshake, credentials, limits of what comes in. What commands do is in the files beside this one.

Refusals before the upgrade are HTTP problems; after it, numbered closes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketHandler, WebSocketProtocol

from handlers.exchange import this_exchange
from handlers.live.commands import Command, LiveSession, run_command
from handlers.live.credentials import SocketCredentials
from handlers.live.protocol import LiveProtocol
from handlers.live.table import COMMANDS
from handlers.live.transport import SocketTransport
from handlers.live.welcome import welcome_frame
from handlers.origins import Origins
from handlers.rest.errors import problem_of
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.frames import (
    MAX_FRAME_BYTES,
    SUBPROTOCOL,
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
    from lms_rt.bootstrap import Services

AUTH_SECONDS = 5
COMMANDS_PER_SECOND = 30
COMMANDS_BURST = 60
BAD_FRAMES = 10
BAD_FRAMES_MS = 60_000

_log = logging.getLogger(__name__)


class LiveSocket(WebSocketHandler):
    """One socket, from its handshake to its end."""

    def initialize(
        self, services: Services, commands: Mapping[str, Command] = COMMANDS, *, hears_own_channel: bool = False
    ) -> None:
        """Take what the route brings. `hears_own_channel`: `user:{id}` is subscribed to from the start."""
        self._services, self._commands, self._hears_own_channel = services, commands, hears_own_channel
        self._actor: Actor | None = None
        self._transport: SocketTransport | None = None
        self._connection: Connection | None = None
        self._session: LiveSession | None = None
        self._auth_timer: asyncio.TimerHandle | None = None
        self._bad_frames: deque[int] = deque(maxlen=BAD_FRAMES)
        self._arrivals: TokenBucket | None = None
        self._control_frames = self._bucket()

    # --- before the upgrade ---

    async def prepare(self) -> None:
        """Origin and credentials; a refusal is an HTTP problem."""
        this_exchange().route = self.request.path.rstrip("/")
        origins: Origins = self.application.settings["origins"]
        try:
            with faults_translated():
                self._actor = await SocketCredentials(self._services, origins).identify(self.request)
        except Refused as refused:
            self._answer_problem(refused)

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002 - Tornado's signature
        """`prepare` has looked."""
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Ours, where it is offered."""
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def get_compression_options(self) -> None:
        """Off: permessage-deflate costs 200 KB a connection."""

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """The strict reader in the place of Tornado's."""
        made = super().get_websocket_protocol()
        return LiveProtocol(self, mask_outgoing=False, params=made.params) if made is not None else None  # type: ignore[attr-defined]

    @property
    def max_message_size(self) -> int:
        """In bytes."""
        return MAX_FRAME_BYTES

    def log_exception(self, *error: Any) -> None:
        """Without the URL, which may hold a ticket or a token."""
        _log.error("fault in a live socket", exc_info=error)

    def _answer_problem(self, refused: Refused) -> None:
        problem = problem_of(refused, this_exchange().request_id)
        media_type, body = problem.encoded(has_envelope=False)
        self.set_status(problem.status)
        for name, value in {**problem.headers, "Content-Type": media_type, "Cache-Control": "no-store"}.items():
            self.set_header(name, value)
        self.finish(body)

    # --- the line is up ---

    async def open(self, *_: str, **__: str) -> None:
        """Welcome who is known; wait for the first frame of who is not."""
        assert isinstance(self.ws_connection, LiveProtocol)  # noqa: S101 - made above
        self.set_nodelay(True)
        self._transport = SocketTransport(self.ws_connection)
        if self._actor is not None:
            await self._enter(self._actor)
        else:
            self._auth_timer = asyncio.get_running_loop().call_later(
                AUTH_SECONDS, self._refuse_entry, Close.NO_AUTH_IN_TIME
            )

    async def _enter(self, actor: Actor) -> bool:
        """Join the node and say welcome; False: there was no room."""
        assert self._transport is not None  # noqa: S101 - set when the line came up
        node = self._services.node
        try:
            connection = await node.admit(actor, self._transport)
        except Overloaded as overloaded:
            self._say(notice_frame(Notice.RECONNECT, after_ms=overloaded.after_ms))
            self._refuse_entry(Close.OVERLOADED)
            return False
        except TooManyConnections:
            self._refuse_entry(Close.TOO_MANY_CONNECTIONS)
            return False
        if self.ws_connection is None:  # the peer went away meanwhile
            connection.lost(self.close_code)
            return False
        self._transport.on_drained = connection.drained
        self._connection, self._session = connection, LiveSession(self._services, connection)
        self._arrivals = self._bucket()
        if connection.is_closed:
            return False
        await self._welcome(self._session)
        return True

    def _bucket(self) -> TokenBucket:
        now_ms = self._services.clock.now_ms()
        return TokenBucket(per_second=COMMANDS_PER_SECOND, burst=COMMANDS_BURST, now_ms=now_ms)

    async def _welcome(self, session: LiveSession) -> None:
        subscriptions = []
        if self._hears_own_channel:
            subscriptions.append(await session.subscribe(user_channel(session.actor.user_id)))
        session.connection.send_text(welcome_frame(session.connection, subscriptions, self._services.clock))
        session.release()

    def _say(self, payload: bytes) -> None:
        """Before there is a connection: straight to the transport."""
        if self._connection is not None:
            self._connection.send_text(payload)
        elif self._transport is not None:
            self._transport.write(text_frame(payload))

    def _refuse_entry(self, close: Close) -> None:
        if self._connection is None and self._transport is not None:
            self._services.node.metrics.count_close(close.code)
            self._transport.close(close.code, close.reason)

    def _close(self, close: Close) -> None:
        """End the line, whether it was taken in already or not."""
        if self._connection is not None:
            self._connection.close(close)
        else:
            self._refuse_entry(close)

    # --- what comes in; Tornado reads no further before what is returned here is done: commands run one by one ---

    def on_text(self, raw: bytes) -> Awaitable[None] | None:
        """A text message: a command."""
        connection, arrivals = self._connection, self._arrivals
        if connection is None or arrivals is None:
            return self._receive_first(raw)
        if connection.is_closed:
            return None
        connection.last_heard_ms = now_ms = self._services.clock.now_ms()
        if not arrivals.take(now_ms):
            connection.close(Close.FLOODING)
            return None
        try:
            frame = read_command(raw)
        except BadFrame as bad:
            self._count_bad_frame(bad)
            return None
        return self._run(frame, now_ms)

    def on_binary(self) -> None:
        """Our protocol has only text."""
        self._count_bad_frame(BadFrame(Refused(Code.BAD_FRAME, "The frame is binary; send JSON as text.", position=0)))

    def on_message(self, message: str | bytes) -> None:
        """Not called: `LiveProtocol` hands over bytes."""

    def on_pong(self, data: bytes) -> None:  # noqa: ARG002 - Tornado's signature
        """The peer is alive. Control frames cost as much as commands, and no client needs as many."""
        now_ms = self._services.clock.now_ms()
        if self._connection is not None:
            self._connection.last_heard_ms = now_ms
        if not self._control_frames.take(now_ms):
            self._close(Close.FLOODING)

    on_ping = on_pong

    def on_close(self) -> None:
        """The line ended, whatever the path."""
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        if self._connection is not None:
            self._connection.lost(self.close_code)

    async def _run(self, frame: CommandFrame, received_ms: int) -> None:
        session = self._session
        assert session is not None  # noqa: S101 - set with the connection
        session.received_ms = received_ms
        session.connection.is_busy = True
        try:
            await run_command(session, self._commands, frame)
        finally:
            session.connection.is_busy = False

    async def _receive_first(self, raw: bytes) -> None:
        """The first frame of a connection without credentials must be `auth`."""
        try:
            frame = read_command(raw)
        except BadFrame as bad:
            self._count_bad_frame(bad)
            return
        try:
            actor = await self._authenticated(frame)
        except Refused as refused:
            self._say(error_frame(frame.id, refused))
            self._refuse_credentials(refused)
            return
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        if await self._enter(actor):
            self._say(reply_frame(frame.id, None))

    def _refuse_credentials(self, refused: Refused) -> None:
        """Only what is wrong for good is a final close: a token runs out, and a database comes back."""
        if refused.code is Code.UNAVAILABLE:
            self._say(notice_frame(Notice.RECONNECT, after_ms=self._services.node.spread_ms()))
            self._refuse_entry(Close.OVERLOADED)
        else:
            is_over = refused.code is Code.TOKEN_EXPIRED
            self._refuse_entry(Close.SESSION_EXPIRED if is_over else Close.NOT_SIGNED_IN)

    async def _authenticated(self, frame: CommandFrame) -> Actor:
        if frame.type != "auth":
            raise Refused(Code.UNAUTHENTICATED, "The first frame must be `auth`.")
        try:
            token = read_model(AuthCommand, frame.fields).token
        except Refused as refused:
            raise Refused(Code.INVALID_COMMAND, fields=refused.fields) from None
        with faults_translated():
            return await self._services.sessions.authenticate(token)

    def _count_bad_frame(self, bad: BadFrame) -> None:
        """Say what is wrong with it; the tenth in a minute is the last. What somebody typed is no fault of the client."""
        now_ms = self._services.clock.now_ms()
        self._services.node.metrics.bad_frames.inc()
        self._say(error_frame(bad.command_id, bad.refused))
        if self._connection is not None and bad.refused.code is not Code.BAD_FRAME:
            return
        self._bad_frames.append(now_ms)
        if len(self._bad_frames) < BAD_FRAMES or now_ms - self._bad_frames[0] >= BAD_FRAMES_MS:
            return
        self._close(Close.TOO_MANY_BAD_FRAMES)


def live_rules(services: Services, commands: Mapping[str, Command] = COMMANDS) -> list[Any]:
    """The routes of the live socket, and of the same with the caller's own channel subscribed to from the start."""
    arguments = {"services": services, "commands": commands}
    return [
        (r"/ws/?", LiveSocket, arguments),
        (r"/ws/notifications/?", LiveSocket, {**arguments, "hears_own_channel": True}),
    ]
