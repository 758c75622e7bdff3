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

Frame = dict[str, Any]


class Line:
    """An open socket. `run` reads until it ends; every command that waits then fails with `LineLostError`."""

    def __init__(self, socket: ClientConnection, on_frame: Callable[[Frame], None]) -> None:
        self._socket, self._on_frame = socket, on_frame
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._on_reply: dict[int, Callable[[Any], None]] = {}
        self._ids = count(1)
        self.welcome: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
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

    async def run(self) -> None:
        """Read until the end of the line."""
        try:
            async for message in self._socket:
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
        if on_reply is not None:
            self._on_reply[command_id] = on_reply
        reply = self._waiting[command_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._socket.send(orjson.dumps({"id": command_id, "type": command_type, **fields}).decode())
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

    async def close(self) -> None:
        """End it politely."""
        await self._socket.close()

    def drop(self) -> None:
        """Cut it without a word, as a dead network does."""
        self._socket.transport.abort()

    def _take(self, frame: Frame) -> None:
        if "ok" in frame:
            self._answer(frame)
        elif frame["type"] == "welcome":
            self.welcome.set_result(frame)
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
        for reply in (*self._waiting.values(), self.welcome):
            if not reply.done():
                reply.set_exception(LineLostError("the line was lost"))
        if self.welcome.done():
            self.welcome.exception()  # nobody may be waiting for it any more
