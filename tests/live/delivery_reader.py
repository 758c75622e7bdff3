"""A client as the protocol wants it, over a real socket, which notes everything that the server may not do.

It follows the page of the protocol by hand and shares no code with the product's own clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from lms_rt.bus.base import Position
from tests.live.delivery_oracle import Key, Oracle
from tests.live.live_node import LiveNode

Versions = Mapping[str, int]
"""What a snapshot holds of each aggregate."""


class Ear:
    """One channel of a reader. `phase`: off, asked, stale (no snapshot yet), live."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.phase = "off"
        self.place: Position | None = None
        """Where to go on; None: a snapshot is needed first."""
        self.stands: Position | None = None
        """Where the open subscription stands."""
        self.base: Versions = {}
        self.seen: set[Key] = set()

    def take_snapshot(self, versions: Versions) -> None:
        """Hold these versions; what was applied before is in them."""
        self.base, self.seen = dict(versions), set()

    def apply(self, key: Key | None) -> None:
        """An event: applied when it is news for the snapshot and for what was applied since."""
        if key is None or key.version <= self.base.get(key.aggregate, 0):
            return
        if all(key > other for other in self.seen if other.aggregate == key.aggregate):
            self.seen.add(key)

    def end(self) -> None:
        """Nothing more is heard. A place whose snapshot never came is none."""
        if self.phase == "stale":
            self.place = None
        self.phase, self.stands = "off", None

    def missing(self, written: list[Key]) -> list[Key]:
        """What it should have heard, and has not."""
        return [key for key in written if key.version > self.base.get(key.aggregate, 0) and key not in self.seen]


class Reader:
    """One device of a user."""

    def __init__(self, user_id: str, oracle: Oracle) -> None:
        self.user_id = user_id
        self.ears: dict[str, Ear] = {}
        self.live: LiveNode | None = None
        self.close_codes: list[int | None] = []
        self._oracle = oracle
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._replies: dict[int, tuple[Callable[[Mapping[str, Any]], None], asyncio.Future[Mapping[str, Any]]]] = {}
        self._commands = 0

    @property
    def is_up(self) -> bool:
        """Has it a line?"""
        return self._reading is not None and not self._reading.done()

    def ear(self, channel: str) -> Ear:
        """Its ear on a channel, made at the first use."""
        return self.ears.setdefault(channel, Ear(channel))

    # --- what a user does ---

    async def connect(self, live: LiveNode) -> bool:
        """Open a line to a node; False: it took nobody in."""
        try:
            self._socket = await live.connect(self.user_id, ping_interval=None)
        except (OSError, InvalidHandshake, ConnectionClosed):
            return False
        self.live = live
        self._reading = asyncio.create_task(self._read(self._socket), name=f"reader {self.user_id}")
        return True

    async def cut(self) -> None:
        """Lose the line without a word."""
        if self._socket is not None and self._reading is not None:
            self._socket.transport.abort()
            await self._reading
            self._socket = None

    async def subscribe(self, channel: str) -> asyncio.Future[Mapping[str, Any]]:
        """Ask for a channel from where it stands; the reply is taken when it comes."""
        ear = self.ear(channel)
        place = ear.place
        since = {"epoch": place.epoch, "offset": place.offset} if place is not None else None
        if ear.phase == "off":
            ear.phase = "asked"
        future = await self.send(
            "subscribe", lambda reply: self._take_subscribed(ear, place, reply), channel=channel, since=since
        )
        if not self.is_up:  # the line went before the command did
            ear.end()
        return future

    async def unsubscribe(self, channel: str) -> asyncio.Future[Mapping[str, Any]]:
        """Listen no more; nothing may follow the reply."""
        return await self.send("unsubscribe", lambda _: self.ear(channel).end(), channel=channel)

    async def send(
        self, command: str, on_reply: Callable[[Mapping[str, Any]], None], **fields: Any
    ) -> asyncio.Future[Mapping[str, Any]]:
        """Send a command; the future has its reply, or an empty one when the line went first."""
        self._commands += 1
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        assert self._socket is not None
        self._replies[self._commands] = (on_reply, future)
        try:
            await self._socket.send(orjson.dumps({"id": self._commands, "type": command, **fields}).decode())
        except ConnectionClosed:
            self._replies.pop(self._commands, None)
            if not future.done():
                future.set_result({})
        return future

    # --- what comes ---

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                self._take(orjson.loads(message))
        except ConnectionClosed:
            pass
        finally:
            self.close_codes.append(socket.close_code)
            for ear in self.ears.values():
                ear.end()
            for _, future in self._replies.values():
                if not future.done():
                    future.set_result({})
            self._replies.clear()

    def _take(self, frame: Mapping[str, Any]) -> None:
        if "ok" in frame:
            on_reply, future = self._replies.pop(frame["id"])
            on_reply(frame)
            future.set_result(frame)
        elif frame["type"] == "event":
            self._take_event(frame)
        elif frame["type"] == "unsubscribed":
            self.ear(frame["channel"]).end()

    def _take_event(self, event: Mapping[str, Any]) -> None:
        ear = self.ear(event["channel"])
        place = Position(event["epoch"], event["offset"])
        follows = ear.stands is not None and place == (ear.stands.epoch, ear.stands.offset + 1)
        self._oracle.require(follows, f"{self.user_id} on {ear.channel} stands at {ear.stands} and was sent {place}")
        ear.stands = place
        if ear.phase == "live":
            ear.place = place
        ear.apply(self._oracle.hear(self.user_id, event))

    def _take_subscribed(self, ear: Ear, asked: Position | None, frame: Mapping[str, Any]) -> None:
        if not frame["ok"]:  # what was open stays open, unless the channel is not for this user
            if ear.phase == "asked" or frame["error"]["code"] == "not_found":
                ear.end()
            return
        reply = frame["result"]
        ear.stands = Position(reply["epoch"], reply["offset"])
        if reply["recovered"]:
            self._take_missed(ear, asked, reply)
        else:
            self._oracle.require(reply["events"] == [], "events although nothing was recovered")
            ear.phase, ear.place = "stale", None

    def _take_missed(self, ear: Ear, asked: Position | None, reply: Mapping[str, Any]) -> None:
        if asked is None:
            self._oracle.require(False, "recovered, from nowhere")
            return
        expected = [(asked.epoch, offset) for offset in range(asked.offset + 1, reply["offset"] + 1)]
        got = [(event["epoch"], event["offset"]) for event in reply["events"]]
        self._oracle.require(
            reply["epoch"] == asked.epoch and got == expected, f"recovered since {asked}, but {got} to {ear.stands}"
        )
        for event in reply["events"]:
            ear.apply(self._oracle.hear(self.user_id, event))
        ear.phase, ear.place = "live", ear.stands

    def take_snapshot(self, channel: str, versions: Versions) -> None:
        """The snapshot that a reply without recovery asked for: now there is a place to come back with."""
        ear = self.ear(channel)
        ear.take_snapshot(versions)
        ear.phase, ear.place = "live", ear.stands
