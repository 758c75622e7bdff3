"""The Python client of the live protocol: comes back with full jitter, recovers its channels, resends what was not answered.

It speaks the protocol of `docs/realtime-protocol.md` and knows none of the server's rules.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from lms_rt.client.ear import Ear
from lms_rt.client.faults import ClosedError, CommandRefusedError, CommandTimeoutError, LineLostError, LiveError
from lms_rt.client.line import Frame, Line
from lms_rt.client.pacing import Backoff, ClockOffset, local_ms, measured
from lms_rt.contracts.frames import SUBPROTOCOL

Credential = Callable[[], Awaitable[str]]
"""Gives a fresh ticket, or a valid access token, at each connection."""

COMMAND_SECONDS = 10.0
_OPEN_SECONDS = 10.0
_FINAL_CODES = range(4500, 5000)
_NOT_SIGNED_IN = 4501
_UNAUTHENTICATED = 401
_FINAL_STATUSES = frozenset({_UNAUTHENTICATED, 403, 404})
_CREDENTIAL_TRIES = 3
_RUN_OUT = "token_expired"
_PASSING = frozenset({"unavailable", "busy"})
_ORPHANS = 200
"""So many frames of a channel are kept that the server subscribed to before the caller could say who listens."""


class LiveClient:
    """A live connection that lasts: `async with LiveClient(url, ticket=…) as live`.

    Give one of `ticket` (goes into the URL, holds once) and `token` (goes into the first frame).
    """

    def __init__(
        self,
        url: str,
        *,
        ticket: Credential | None = None,
        token: Credential | None = None,
        on_notice: Callable[[Frame], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._url, self._ticket, self._token, self._on_notice = url, ticket, token, on_notice
        self._backoff = backoff or Backoff()
        self._refusals = 0
        self._ears: dict[str, Ear] = {}
        self._orphans: dict[str, deque[Frame]] = {}
        self._line: Line | None = None
        self._is_up = asyncio.Event()
        self._ended: ClosedError | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.welcome: Frame = {}
        self.connections = 0

    async def __aenter__(self) -> Self:
        """Connect; raises `ClosedError` when the server refuses for good."""
        self._spawn(self._keep_up())
        await self.connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def connected(self) -> None:
        """Return once the line is up and the channels are recovered; raises when it never will be."""
        await self._is_up.wait()
        if self._ended is not None:
            raise self._ended

    @property
    def is_up(self) -> bool:
        """Is there a line right now?"""
        return self._is_up.is_set() and self._ended is None

    async def command(self, command_type: str, *, timeout_seconds: float = COMMAND_SECONDS, **fields: Any) -> Any:
        """Send once. Raises `CommandRefusedError`, `LineLostError` (done or not is unknown), `CommandTimeoutError`."""
        line = await self._require_line()
        return await line.command(command_type, fields, timeout_seconds=timeout_seconds)

    async def insist(self, command_type: str, *, timeout_seconds: float = COMMAND_SECONDS, **fields: Any) -> Any:
        """Send until it is answered, over as many lines as it takes: for commands with an `op_id`, or idempotent ones."""
        while True:
            try:
                return await self.command(command_type, timeout_seconds=timeout_seconds, **fields)
            except (LineLostError, CommandTimeoutError):
                await asyncio.sleep(0)  # the line is being replaced; `connected` waits for the next

    async def subscribe(self, ear: Ear) -> None:
        """Listen to a channel, now and after every reconnect."""
        self._ears[ear.channel] = ear
        await self._resume(ear)

    def adopt(self, ear: Ear, subscription: Frame) -> None:
        """Listen to a channel that a command has subscribed to; its reply's snapshot belongs to `subscription`."""
        ear.begin_at(subscription["epoch"], subscription["offset"])
        self._ears[ear.channel] = ear
        for frame in self._orphans.pop(ear.channel, ()):
            self._hear(frame)

    async def unsubscribe(self, channel: str) -> None:
        """Listen no more."""
        self._ears.pop(channel, None)
        await self.insist("unsubscribe", channel=channel)

    async def measure_clock(self, *, rounds: int = 5) -> ClockOffset:
        """The server's clock by several exchanges; the one with the smallest error counts."""
        found = []
        for _ in range(rounds):
            sent_ms = local_ms()
            reply = await self.insist("time.sync", t0=sent_ms)
            found.append(measured(sent_ms, local_ms(), reply))
        return min(found, key=lambda offset: offset.error_ms)

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
        self._is_up.set()

    async def _keep_up(self) -> None:
        while self._ended is None:
            line = await self._tried()
            if line is not None and line.close_code in _FINAL_CODES:
                self._end(ClosedError(line.close_code, line.close_reason))
            if self._ended is None:
                await asyncio.sleep(self._pause_seconds(line))

    async def _tried(self) -> Line | None:
        """One line, from its opening to its end; None when it did not come up. What is final has ended the client."""
        try:
            return await self._live_once()
        except InvalidStatus as refused:
            self._take_refusal(refused.response.status_code)
        except CommandRefusedError as refused:
            is_stale = refused.code == _RUN_OUT and self._may_ask_again()
            if refused.code not in _PASSING and not is_stale:
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

    def _pause_seconds(self, line: Line | None) -> float:
        hint_ms = line.reconnect_after_ms if line is not None else None
        return hint_ms / 1000 if hint_ms is not None else self._backoff.next_seconds()

    async def _live_once(self) -> Line:
        """One line, from its opening to its end."""
        query = f"?ticket={await self._ticket()}" if self._ticket is not None else ""
        async with connect(
            self._url + query,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            open_timeout=_OPEN_SECONDS,
            close_timeout=2,
            max_size=None,
            proxy=None,
        ) as socket:
            line = Line(socket, self._take)
            reading = asyncio.create_task(line.run())
            try:
                await self._come_up(line)
                await reading
            except LineLostError:
                await reading  # it ended before it was up; its close code says why
            finally:
                self._line = None
                if self._ended is None:
                    self._is_up.clear()
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return line

    async def _come_up(self, line: Line) -> None:
        """Sign in where the ticket did not, recover the channels, then let commands through."""
        if self._token is not None:
            await line.command("auth", {"token": await self._token()}, timeout_seconds=_OPEN_SECONDS)
        async with asyncio.timeout(_OPEN_SECONDS):
            self.welcome = await line.welcome
        self._line = line
        self.connections += 1
        self._orphans.clear()
        self._backoff.reset()
        self._refusals = 0
        self._is_up.set()
        for ear in tuple(self._ears.values()):
            self._spawn(self._resume_by_itself(ear))

    async def _resume(self, ear: Ear) -> None:
        """Subscribe from where the ear stands, until a line carries it; then fetch the snapshot, if it takes one."""
        async with ear.subscribing:
            while True:
                try:
                    line = await self._require_line()
                    fields = {"channel": ear.channel, "since": ear.since}
                    await line.command("subscribe", fields, timeout_seconds=COMMAND_SECONDS, on_reply=ear.take_reply)
                    break
                except (LineLostError, CommandTimeoutError):
                    await asyncio.sleep(0)
        await ear.settle()

    async def _resume_by_itself(self, ear: Ear) -> None:
        """After a reconnect or a gap, when nobody waits for it: a channel that is refused now is told as a notice."""
        try:
            await self._resume(ear)
        except CommandRefusedError as refused:
            self._ears.pop(ear.channel, None)
            if self._on_notice is not None:
                self._on_notice({"type": "unsubscribed", "channel": ear.channel, "code": refused.code})
        except ClosedError:
            return

    # --- what comes in ---

    def _take(self, frame: Frame) -> None:
        if frame["type"] not in ("event", "state"):
            if self._on_notice is not None:
                self._on_notice(frame)
        elif frame["channel"] in self._ears:
            self._hear(frame)
        else:
            self._orphans.setdefault(frame["channel"], deque(maxlen=_ORPHANS)).append(frame)

    def _hear(self, frame: Frame) -> None:
        ear = self._ears[frame["channel"]]
        if frame["type"] == "state":
            ear.hear_state(frame)
        elif not ear.hear(frame) and not ear.subscribing.locked():
            self._spawn(self._resume_by_itself(ear))
