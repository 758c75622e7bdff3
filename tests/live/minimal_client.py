"""A third client, written from `docs/realtime-protocol.md` alone: it imports nothing of ours."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]


class Channel:
    """What is kept for one channel: the position, the events that wait for the snapshot, the newest of each aggregate."""

    def __init__(self, apply: Callable[[Frame], None], snapshot: Callable[[], Awaitable[dict[str, int]]]) -> None:
        self.apply, self.snapshot = apply, snapshot
        self.position: Frame | None = None
        self.held: list[Frame] | None = None
        self.newest: dict[str, tuple[int, float]] = {}
        self.following: asyncio.Task[None] | None = None

    def take(self, event: Frame) -> bool:
        """Steps 3 to 5; False: subscribe again."""
        place = self.position
        if place is None or event["epoch"] != place["epoch"]:
            return False
        if event["offset"] <= place["offset"]:
            return True
        if event["offset"] != place["offset"] + 1:
            return False
        place["offset"] += 1
        if self.held is not None:
            self.held.append(event)
        else:
            self.tell(event)
        return True

    def tell(self, event: Frame) -> None:
        data = event["data"]
        about = next((data[name] for name in ("attempt_id", "enrollment_id", "course_id") if name in data), None)
        if "version" in data and about is not None:
            place = (data["version"], data["n"])
            if place <= self.newest.get(about, (-1, 0)):
                return
            self.newest[about] = place
        self.apply(event)


class MinimalClient:
    """Comes back until a final code; `watch` sees every frame, sent (True) or received."""

    def __init__(self, url: str, ticket: Callable[[], Awaitable[str]], watch: Callable[[bool, Frame], None]) -> None:
        self.url, self.ticket, self.watch = url, ticket, watch
        self.channels: dict[str, Channel] = {}
        self.socket: ClientConnection | None = None
        self.waiting: dict[int, asyncio.Future[Frame]] = {}
        self.is_up = asyncio.Event()
        self.next_id = 1
        self.lines, self.after_s = 0, 0.0

    async def run(self) -> int:
        """Until a final close; its code."""
        failures = 0
        while True:
            self.after_s = random.uniform(0, min(0.1, 0.01 * 2**failures))  # noqa: S311 - spreads a herd, no secret
            was = self.lines
            with suppress(ConnectionClosed, OSError):
                async with connect(f"{self.url}?ticket={await self.ticket()}", compression=None, proxy=None) as socket:
                    self.socket = socket
                    await self.read(socket)
            failures = 0 if self.lines > was else failures + 1
            self.lose()
            code = self.socket.close_code if self.socket is not None else None
            if code is not None and (4500 <= code < 5000 or code in (1002, 1007, 1009)):
                return code
            if code == 4010:
                for channel in self.channels.values():
                    channel.position = None
            await asyncio.sleep(self.after_s)

    async def read(self, socket: ClientConnection) -> None:
        async for message in socket:
            frame = json.loads(message)
            self.watch(False, frame)
            if frame.get("type") == "welcome":
                self.lines += 1
                self.is_up.set()
                self.follow_all()
            elif frame.get("type") == "reconnect":
                self.after_s = frame["after_ms"] / 1000
            else:
                self.hear(frame)

    def hear(self, frame: Frame) -> None:
        if "ok" in frame:
            waiting = self.waiting.pop(frame["id"], None)
            if waiting is not None and not waiting.done():
                if frame["ok"] and "recovered" in frame["result"]:
                    self.subscribed(frame["result"])
                waiting.set_result(frame)
        elif frame["type"] == "event":
            channel = self.channels.get(frame["channel"])
            if channel is not None and not channel.take(frame):
                self.follow(frame["channel"])

    def lose(self) -> None:
        self.is_up.clear()
        for waiting in self.waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError())
        self.waiting.clear()

    async def command(self, kind: str, **fields: Any) -> Frame:
        """Send until it is answered: everything is idempotent."""
        while True:
            await self.is_up.wait()
            frame_id, self.next_id = self.next_id, self.next_id + 1
            frame = {"id": frame_id, "type": kind, **fields}
            self.waiting[frame_id] = asyncio.get_running_loop().create_future()
            try:
                assert self.socket is not None
                self.watch(True, frame)
                await self.socket.send(json.dumps(frame))
                return await self.waiting[frame_id]
            except (ConnectionClosed, ConnectionError):
                await asyncio.sleep(0)

    def subscribed(self, reply: Frame) -> None:
        """Step 2, before anything that follows the reply."""
        channel = self.channels[reply["channel"]]
        if reply["recovered"]:
            for event in reply["events"]:
                channel.take(event)
        else:
            channel.held = []
        channel.position = {"epoch": reply["epoch"], "offset": reply["offset"]}

    def listen(
        self, name: str, apply: Callable[[Frame], None], snapshot: Callable[[], Awaitable[dict[str, int]]]
    ) -> None:
        self.channels[name] = Channel(apply, snapshot)
        if self.is_up.is_set():
            self.follow(name)

    def follow_all(self) -> None:
        for name in self.channels:
            self.follow(name)

    def follow(self, name: str) -> None:
        following = self.channels[name].following
        if following is None or following.done():
            self.channels[name].following = asyncio.create_task(self.subscribe(name))

    async def subscribe(self, name: str) -> None:
        channel = self.channels[name]
        while True:
            line = self.lines
            since = channel.position if channel.held is None else None
            reply = await self.command("subscribe", channel=name, **({"since": since} if since else {}))
            if not reply["ok"]:
                del self.channels[name]
                return
            if channel.held is not None:
                for about, version in (await channel.snapshot()).items():
                    channel.newest[about] = (version, float("inf"))
                held, channel.held = channel.held, None
                for event in held:
                    channel.tell(event)
            if line == self.lines and self.is_up.is_set():
                return

    async def close(self) -> None:
        for channel in self.channels.values():
            if channel.following is not None:
                channel.following.cancel()
        if self.socket is not None:
            await self.socket.close()
