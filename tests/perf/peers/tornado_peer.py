"""Tornado as its documentation shows it: `write_message` for every client; with "dict" each makes its own JSON."""

from __future__ import annotations

import asyncio
import sys

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from tests.perf.peers.event import PATH, answer, event, obey, ready, text_of

_clients: set[Client] = set()


class Client(WebSocketHandler):
    """One client."""

    def open(self, *_: str, **__: str) -> None:
        """Listen."""
        self.set_nodelay(True)
        _clients.add(self)

    async def on_message(self, message: str | bytes) -> None:
        """Answer."""
        await self.write_message(text_of(answer(message)))

    def on_close(self) -> None:
        """Listen no more."""
        _clients.discard(self)


async def _publish(count: int, stamp: int, size: int) -> None:
    makes_text = sys.argv[1:] != ["dict"]
    for _ in range(count):
        message = event(stamp, size)
        shared = text_of(message) if makes_text else message
        for client in _clients:
            client.write_message(shared)  # nobody waits for it, as in Tornado's own chat demo


async def _serve() -> None:
    server = HTTPServer(Application([(PATH, Client)]))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    ready(sockets[0].getsockname()[1])
    await obey(_publish)


asyncio.run(_serve())
