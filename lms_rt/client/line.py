"""One WebSocket of a client: commands and their replies, frames to a receiver. It does not come back; `live.py` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from lms_rt.client.faults import CommandRefusedError, CommandTimeoutError, LineLostError
from lms_rt.client.pacing import Pace, local_ms
from lms_rt.contracts.frames import HEARTBEAT_MS, MAX_FRAME_BYTES

Frame = dict[str, Any]

MAX_WAITING = 1_000
"""So many commands may wait for their replies on one line."""


class Line:
    """An open socket. `run` reads until it ends; every command that waits then fails with `LineLostError`."""

    def __init__(
        self, socket: ClientConnection, *, on_welcome: Callable[[Line, Frame], None], on_frame: Callable[[Frame], None]
    ) -> None:
        self._socket, self._on_welcome, self._on_frame = socket, on_welcome, on_frame
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._on_reply: dict[int, Callable[[Any], None]] = {}
        self._ids, self._pace = count(1), Pace()
        self._max_frame_bytes, self._up_ms = MAX_FRAME_BYTES, 0.0
        self.welcome: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self.heartbeat_ms = HEARTBEAT_MS
        self.frames_heard = 0
        self.reconnect_after_ms: int | None = None
        self.is_over = False

    @property
    def close_code(self) -> int | None:
        """The number it ended with."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str:
        """The words it ended with."""
        return self._socket.close_reason or ""

    @property
    def has_lasted(self) -> bool:
        """Has it stood for a heartbeat at least?"""
        return self._up_ms > 0 and local_ms() - self._up_ms >= self.heartbeat_ms

    @property
    def was_up(self) -> bool:
        """Has the server said welcome?"""
        return self._up_ms > 0

    async def run(self) -> None:
        """Read until the end of the line."""
        try:
            async for message in self._socket:
                self.frames_heard += 1
                self._take(orjson.loads(message))
        except ConnectionClosed:
            return
        finally:
            self.is_over = True
            self._fail_waiting()

    async def command(
        self,
        command_type: str,
        fields: Frame,
        *,
        timeout_seconds: float,
        on_reply: Callable[[Any], None] | None = None,
    ) -> Any:
        """Send a command and wait for its reply. `on_reply` gets the result before any frame that followed it."""
        command_id = next(self._ids)
        message = self._encoded({"id": command_id, "type": command_type, **fields})
        if on_reply is not None:
            self._on_reply[command_id] = on_reply
        reply = self._waiting[command_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_seconds), self._pace:
                await self._socket.send(message)
                return await reply
        except TimeoutError:
            raise CommandTimeoutError(f"{command_type}: no reply within {timeout_seconds} s") from None
        except ConnectionClosed:
            raise LineLostError(command_type) from None
        finally:
            self._waiting.pop(command_id, None)
            self._on_reply.pop(command_id, None)
            if not reply.cancel() and not reply.cancelled():
                reply.exception()  # the line went while it was being sent: that is told already

    async def watch(self, on_server_time: Callable[[str], None]) -> None:
        """Ask now and then whether anybody is there, and cut a line on which nothing comes any more."""
        while not self.is_over:
            await asyncio.sleep(1.5 * self.heartbeat_ms / 1000)
            heard = self.frames_heard
            try:
                reply = await self.command("ping", {}, timeout_seconds=self.heartbeat_ms / 1000)
            except CommandTimeoutError:
                if self.frames_heard == heard:
                    self.drop()
            except (CommandRefusedError, LineLostError):
                continue
            else:
                on_server_time(reply["server_time"])

    async def close(self) -> None:
        """End it politely."""
        await self._socket.close()

    def drop(self) -> None:
        """Cut it without a word, as a dead network does."""
        self._socket.transport.abort()

    def _encoded(self, frame: Frame) -> str:
        """As it goes out; refused here when the server would have to close the line over it."""
        message = orjson.dumps(frame)
        if len(message) > self._max_frame_bytes:
            raise CommandRefusedError({"code": "too_large", "message": f"over {self._max_frame_bytes} bytes"})
        if len(self._waiting) >= MAX_WAITING:
            raise CommandRefusedError({"code": "busy", "message": f"{MAX_WAITING} commands wait for their replies"})
        return message.decode()

    def _take(self, frame: Frame) -> None:
        if "ok" in frame:
            self._answer(frame)
        elif frame["type"] == "welcome":
            self.heartbeat_ms, self._max_frame_bytes = frame["heartbeat_ms"], frame["max_frame_bytes"]
            self._up_ms = local_ms()
            self.welcome.set_result(frame)
            self._on_welcome(self, frame)
        else:
            if frame["type"] == "reconnect":
                self.reconnect_after_ms = int(frame["after_ms"])
            self._on_frame(frame)

    def _answer(self, frame: Frame) -> None:
        reply = self._waiting.get(frame["id"]) if isinstance(frame["id"], int) else None
        if reply is None or reply.done():
            return
        if frame["ok"]:
            if (on_reply := self._on_reply.get(frame["id"])) is not None:
                on_reply(frame["result"])
            reply.set_result(frame["result"])
        else:
            reply.set_exception(CommandRefusedError(frame["error"]))

    def _fail_waiting(self) -> None:
        self._pace.lift()
        for reply in (*self._waiting.values(), self.welcome):
            if not reply.done():
                reply.set_exception(LineLostError("the line was lost"))
        if self.welcome.done():
            self.welcome.exception()  # nobody may be waiting for it any more
