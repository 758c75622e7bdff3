"""A Sentry on a real socket: takes envelopes as the library sends them, and keeps every byte."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.servers.receiver import PATIENCE_SECONDS, Receiver, receiving

Event = dict[str, Any]


class SentryServer:
    """What it was sent. `receiver` can be told to be silent."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    @property
    def dsn(self) -> str:
        return f"http://0123456789abcdef@127.0.0.1:{self.receiver.port}/7"

    @property
    def text(self) -> str:
        """All that came, in clear: what would have left the house. (The DSN's own key names the house to Sentry.)"""
        heads = [f"{one.path} { ({**one.headers, 'x-sentry-auth': ''}) }" for one in self.receiver.received]
        return "\n".join([*heads, *(_clear(one.headers, one.body) for one in self.receiver.received)])

    @property
    def events(self) -> list[Event]:
        """Reports and traces."""
        lines = [line for one in self.receiver.received for line in _clear(one.headers, one.body).splitlines() if line]
        read = [json.loads(line) for line in lines]
        return [one for one in read if "event_id" in one and "timestamp" in one]

    async def hear_of(self, is_wanted: Callable[[Event], bool]) -> Event:
        """The first event of this kind, when it has come."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.receiver._came:
            await self.receiver._came.wait_for(lambda: any(is_wanted(event) for event in self.events))
        return next(event for event in self.events if is_wanted(event))


def _clear(headers: dict[str, str], body: bytes) -> str:
    return (gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body).decode()


@asynccontextmanager
async def sentry_running() -> AsyncIterator[SentryServer]:
    """It answers on a free port of 127.0.0.1."""
    async with receiving() as receiver:
        yield SentryServer(receiver)
