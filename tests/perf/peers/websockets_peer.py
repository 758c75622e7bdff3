"""`websockets` on uvloop, with its own `broadcast`."""

from __future__ import annotations

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.perf.peers.event import answer, event, obey, ready, text_of

_clients: set[ServerConnection] = set()


async def _client(connection: ServerConnection) -> None:
    _clients.add(connection)
    try:
        async for message in connection:
            await connection.send(text_of(answer(message)))
    finally:
        _clients.discard(connection)


async def _publish(count: int, stamp: int, size: int) -> None:
    for _ in range(count):
        broadcast(_clients, text_of(event(stamp, size)))


async def _serve() -> None:
    async with serve(_client, "127.0.0.1", 0, compression=None) as server:
        ready(next(iter(server.sockets)).getsockname()[1])
        await obey(_publish)


uvloop.run(_serve())
