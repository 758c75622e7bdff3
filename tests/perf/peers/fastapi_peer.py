"""FastAPI on uvicorn with uvloop: the connection manager of its documentation, which awaits `send_text` for each client."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from tests.perf.peers.event import PATH, answer, event, obey, ready, text_of

_clients: list[WebSocket] = []


async def _client(connection: WebSocket) -> None:
    await connection.accept()
    _clients.append(connection)
    try:
        while True:
            await connection.send_text(text_of(answer(await connection.receive_text())))
    except WebSocketDisconnect:
        _clients.remove(connection)


async def _publish(count: int, stamp: int, size: int) -> None:
    for _ in range(count):
        text = text_of(event(stamp, size))
        for connection in tuple(_clients):
            await connection.send_text(text)


async def _serve() -> None:
    app = FastAPI()
    app.add_api_websocket_route(PATH, _client)
    config = uvicorn.Config(app, log_level="warning", ws_per_message_deflate=False, lifespan="off")
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    serving = asyncio.create_task(uvicorn.Server(config).serve([listener]))
    ready(listener.getsockname()[1])
    await obey(_publish)
    serving.cancel()


uvloop.run(_serve())
