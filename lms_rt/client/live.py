"""The Python client of the live protocol: comes back with full jitter, recovers its channels, resends what was not answered.

It speaks the protocol of `docs/realtime-protocol.md` and knows none of the server's rules. `live.js` is the same for browsers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from lms_rt.client.channels import Channels
from lms_rt.client.ear import Ear
from lms_rt.client.faults import (
    PASSING,
    ClosedError,
    CommandRefusedError,
    CommandTimeoutError,
    LineLostError,
    LiveError,
    is_final,
)
from lms_rt.client.line import Frame, Line
from lms_rt.client.pacing import SYNC_EVERY_SECONDS, SYNC_ROUNDS, Backoff, ClockOffset, ServerClock, local_ms, measured
from lms_rt.contracts.frames import SUBPROTOCOL

Credential = Callable[[], Awaitable[str]]
"""Gives a fresh ticket, or a valid access token, at each connection."""

COMMAND_SECONDS = 10.0
_OPEN_SECONDS = 10.0
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_NOT_SIGNED_IN, _SESSION_EXPIRED, _INSUFFICIENT_STATE = 4501, 4005, 4010
_UNAUTHENTICATED = 401
_FINAL_STATUSES = frozenset({_UNAUTHENTICATED, 403, 404})
_CREDENTIAL_TRIES = 3
_RUN_OUT = "token_expired"

_log = logging.getLogger(__name__)


class LiveClient:
    """A live connection that lasts: `async with LiveClient(url, ticket=…) as live`.

    Give one of `ticket` (goes into the URL, holds once) and `token` (goes into the first frame). `refresh` makes the session
    last longer, where the credentials do not see to that themselves. `on_notice` hears the notices of the server.
    """

    def __init__(
        self,
        url: str,
        *,
        ticket: Credential | None = None,
        token: Credential | None = None,
        refresh: Callable[[], Awaitable[object]] | None = None,
        on_notice: Callable[[Frame], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._url, self._ticket, self._token = url, ticket, token
        self._refresh, self._on_notice = refresh, on_notice
        self._backoff = backoff or Backoff()
        self._refusals = 0
        self._channels = Channels(require_line=self._require_line, notify=self._notify, spawn=self._spawn)
        self._line: Line | None = None
        self._is_up, self._is_hurried = asyncio.Event(), asyncio.Event()
        self._ended: ClosedError | None = None
        self._is_over = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keeps_clock, self._is_stale, self._renewed_for = False, False, ""
        self.clock = ServerClock()
        self.welcome: Frame = {}
        self.connections = 0
        self.is_degraded = False

    async def __aenter__(self) -> Self:
        """Connect; raises `ClosedError` when the server refuses for good."""
        self.start()
        await self.connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def start(self) -> None:
        """Connect, and stay connected until `close` or a final close."""
        self._spawn(self._keep_up())

    async def connected(self) -> None:
        """Return once the line is up and the channels are on their way; raises when it never will be."""
        await self._is_up.wait()
        if self._ended is not None:
            raise self._ended

    async def ended(self) -> ClosedError:
        """Return when it will not come back any more, with the reason."""
        await self._is_over.wait()
        assert self._ended is not None  # noqa: S101 - set together
        return self._ended

    @property
    def is_up(self) -> bool:
        """Is there a line right now?"""
        return self._is_up.is_set() and self._ended is None

    # --- commands ---

    async def command(
        self, command_type: str, *, timeout_seconds: float = COMMAND_SECONDS, is_patient: bool = True, **fields: Any
    ) -> Any:
        """Send once. Raises `CommandRefusedError`, `LineLostError` (done or not is unknown), `CommandTimeoutError`.

        `is_patient=False`: only on the line that there is, lost at once when there is none.
        """
        if not (is_patient or self.is_up):
            raise LineLostError(command_type)
        begun_ms = local_ms()
        try:
            async with asyncio.timeout(timeout_seconds):
                line = await self._require_line()
        except TimeoutError:
            raise CommandTimeoutError(f"{command_type}: no line within {timeout_seconds} s") from None
        left_seconds = timeout_seconds - (local_ms() - begun_ms) / 1000
        return await line.command(command_type, fields, timeout_seconds=left_seconds)

    async def insist(self, command_type: str, *, timeout_seconds: float = COMMAND_SECONDS, **fields: Any) -> Any:
        """Send until it is answered, over as many lines as it takes: for commands with an `op_id`, or idempotent ones."""
        while True:
            try:
                return await self.command(command_type, timeout_seconds=timeout_seconds, **fields)
            except (LineLostError, CommandTimeoutError):
                await asyncio.sleep(0)  # the line is being replaced; `connected` waits for the next

    # --- channels ---

    async def subscribe(self, ear: Ear) -> None:
        """Listen to a channel, now and after every reconnect. Returns when it stands; raises `CommandRefusedError`."""
        await self._channels.subscribe(ear)

    def adopt(self, ear: Ear, subscription: Frame) -> None:
        """Listen to a channel that a command has subscribed to; its reply's snapshot belongs to `subscription`."""
        self._channels.adopt(ear, subscription)

    def forget(self, channel: str) -> None:
        """Stop listening without a word: a command will subscribe to it again."""
        self._channels.forget(channel)

    async def unsubscribe(self, channel: str) -> None:
        """Listen no more."""
        self.forget(channel)
        await self.insist("unsubscribe", channel=channel)

    # --- time ---

    async def measure_clock(self, *, rounds: int = SYNC_ROUNDS) -> ClockOffset:
        """The server's clock by several exchanges; the one with the smallest error counts."""
        found = []
        for _ in range(rounds):
            sent_ms = local_ms()
            reply = await self.insist("time.sync", t0=sent_ms)
            found.append(measured(sent_ms, local_ms(), reply))
        self.clock.take(found)
        return min(found, key=lambda offset: offset.error_ms)

    async def keep_clock(self) -> None:
        """Measure `clock` now or as soon as there is a line, after every reconnect, and every few minutes."""
        if not self._keeps_clock:
            self._keeps_clock = True
            self._spawn(self._measure_often())
        if self.is_up:
            await self.measure_clock()

    async def _measure_often(self) -> None:
        while self._ended is None:
            await asyncio.sleep(SYNC_EVERY_SECONDS)
            await self._measure_by_itself()

    async def _measure_by_itself(self) -> None:
        try:
            await self.measure_clock()
        except LiveError:
            return  # the last measure stands; its error grows

    # --- the end of it ---

    def hurry(self) -> None:
        """Try again now instead of waiting."""
        self._is_hurried.set()

    def drop(self) -> None:
        """Lose the line without a word, as a dead network does; the client comes back by itself."""
        if self._line is not None:
            self._line.drop()

    async def close(self) -> None:
        """End for good."""
        self._end(ClosedError(None, "closed by the caller"))
        if self._line is not None:
            await self._line.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _require_line(self) -> Line:
        await self.connected()
        while self._line is None or self._line.is_over:  # it went a moment ago: the next is on its way
            self._is_up.clear()
            await self.connected()
        return self._line

    # --- keeping it up ---

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, closed: ClosedError) -> None:
        self._ended = self._ended or closed
        self._is_over.set()
        self._is_up.set()

    async def _keep_up(self) -> None:
        while self._ended is None:
            line = await self._tried()
            if line is not None:
                self._heed_close(line)
            if self._ended is None:
                await self._pause(self._pause_seconds(line))

    async def _pause(self, seconds: float) -> None:
        self._is_hurried.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_hurried.wait()

    async def _tried(self) -> Line | None:
        """One line, from its opening to its end; None when it did not come up. What is final has ended the client."""
        try:
            return await self._live_once()
        except InvalidStatus as refused:
            self._take_refusal(refused.response.status_code)
        except CommandRefusedError as refused:
            self._is_stale = refused.code == _RUN_OUT
            may_ask_again = self._is_stale and self._may_ask_again()
            if refused.code not in PASSING and not may_ask_again:
                self._end(ClosedError(_NOT_SIGNED_IN, refused.code))
        except (OSError, TimeoutError, WebSocketException, LiveError):
            pass  # the server is away, or the line was lost on its way up: as any lost line
        except Exception as error:  # noqa: BLE001 - the caller's credential failed: whoever waits hears of it
            self._end(ClosedError(None, f"{type(error).__name__}: {error}"))
        return None

    def _take_refusal(self, status: int) -> None:
        """A refused handshake is the end, but a one-time ticket may have been lost with the server that issued it."""
        is_stale = status == _UNAUTHENTICATED and self._ticket is not None and self._may_ask_again()
        if status in _FINAL_STATUSES and not is_stale:
            self._end(ClosedError(status, "the handshake was refused"))

    def _may_ask_again(self) -> bool:
        """Is another credential worth a try? Not after some in a row were refused."""
        self._refusals += 1
        return self._refusals < _CREDENTIAL_TRIES

    def _heed_close(self, line: Line) -> None:
        """What its close code asks for. A line that stood, or was cut by no word of the server, ends a row of failures."""
        if is_final(line.close_code):
            self._end(ClosedError(line.close_code, line.close_reason))
        if line.close_code == _INSUFFICIENT_STATE:
            self._channels.forget_positions()
        self._is_stale = line.close_code == _SESSION_EXPIRED
        is_cut = line.close_code in (None, 1006)
        if line.was_up and (is_cut or line.has_lasted):
            self._backoff.reset()

    def _pause_seconds(self, line: Line | None) -> float:
        hint_ms = line.reconnect_after_ms if line is not None else None
        if line is not None and line.close_code == _SESSION_EXPIRED and line.has_lasted:
            hint_ms = 0
        return hint_ms / 1000 if hint_ms is not None else self._backoff.next_seconds()

    async def _live_once(self) -> Line:
        """One line, from its opening to its end."""
        if self._is_stale and self._refresh is not None:
            await self._refresh()
        query = f"?ticket={await self._ticket()}" if self._ticket is not None else ""
        async with connect(
            self._url + query,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            open_timeout=_OPEN_SECONDS,
            close_timeout=2,
            ping_interval=None,  # `Line.watch` asks
            max_size=_MAX_MESSAGE_BYTES,
            proxy=None,
        ) as socket:
            line = Line(socket, on_welcome=self._welcomed, on_frame=self._take)
            work = [asyncio.create_task(line.run())]
            try:
                await self._come_up(line)
                work.append(asyncio.create_task(line.watch(self._confirm_time)))
                await work[0]
            except LineLostError:
                await work[0]  # it ended before it was up; its close code says why
            finally:
                self._line = None
                if self._ended is None:
                    self._is_up.clear()
                for task in work:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)
        return line

    async def _come_up(self, line: Line) -> None:
        """Sign in where the ticket did not."""
        if self._token is not None:
            await line.command("auth", {"token": await self._token()}, timeout_seconds=_OPEN_SECONDS)
        async with asyncio.timeout(_OPEN_SECONDS):
            await line.welcome

    def _welcomed(self, line: Line, welcome: Frame) -> None:
        """Recover the channels and let commands through, before anything that follows the welcome is heard."""
        self._line, self.welcome = line, welcome
        self.connections += 1
        self._refusals = 0
        self.is_degraded = False
        self._is_up.set()
        self._channels.follow_all()
        if self._keeps_clock:
            self._spawn(self._measure_by_itself())

    def _confirm_time(self, server_time: str) -> None:
        self.clock.confirm(datetime.fromisoformat(server_time).timestamp() * 1000)

    async def _renew_session(self, line: Line, expires_at: str) -> None:
        """The same session, longer, on the same line; once for each end of it that the server tells of."""
        self._renewed_for = expires_at
        try:
            if self._refresh is not None:
                await self._refresh()
            if self._ticket is not None:
                fields = {"ticket": await self._ticket()}
            elif self._token is not None:
                fields = {"token": await self._token()}
            else:
                return
            await line.command("auth.refresh", fields, timeout_seconds=_OPEN_SECONDS)
        except Exception:  # noqa: BLE001 - the line will be closed with 4005, and comes back if the session can
            _log.warning("the session could not be prolonged in place", exc_info=True)

    # --- what comes in ---

    def _take(self, frame: Frame) -> None:
        if frame["type"] in ("event", "state"):
            self._channels.take(frame)
        else:
            self._heed_notice(frame)

    def _heed_notice(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind in ("degraded", "restored"):
            self.is_degraded = kind == "degraded"
        elif kind == "unsubscribed":
            self._channels.lose(frame["channel"], CommandRefusedError(frame))
        elif kind == "session_expiring" and self._line is not None and self._renewed_for != frame["session_expires_at"]:
            self._spawn(self._renew_session(self._line, frame["session_expires_at"]))
        self._notify(frame)

    def _notify(self, frame: Frame) -> None:
        if self._on_notice is not None:
            self._on_notice(frame)
