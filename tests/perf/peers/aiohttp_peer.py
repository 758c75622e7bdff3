"""aiohttp on uvloop: `send_str` for every client, one after the other, of a text that is made once."""

from __future__ import annotations

import uvloop
from aiohttp import WSMsgType, web

from tests.perf.peers.event import PATH, answer, event, obey, ready, text_of

_clients: set[web.WebSocketResponse] = set()


async def _client(request: web.Request) -> web.WebSocketResponse:
    connection = web.WebSocketResponse(compress=False)
    await connection.prepare(request)
    _clients.add(connection)
    try:
        async for message in connection:
            if message.type == WSMsgType.TEXT:
                await connection.send_str(text_of(answer(message.data)))
    finally:
        _clients.discard(connection)
    return connection


async def _publish(count: int, stamp: int, size: int) -> None:
    for _ in range(count):
        text = text_of(event(stamp, size))
        for connection in tuple(_clients):
            await connection.send_str(text)


async def _serve() -> None:
    app = web.Application()
    app.router.add_get(PATH, _client)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(runner.addresses[0][1])
    await obey(_publish)


uvloop.run(_serve())
