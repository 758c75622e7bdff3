"""aiohttp on uvloop, with files: `PUT /…` streams a body into a file of the folder, `GET /…` streams it out in pieces of 256 KiB."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from tests.perf.peers.event import ready

PIECE_BYTES = 256 << 10
_folder = Path(sys.argv[1])


async def _take(request: web.Request) -> web.Response:
    with (_folder / request.match_info["name"]).open("wb") as file:
        async for piece in request.content.iter_chunked(PIECE_BYTES):
            await asyncio.to_thread(file.write, piece)
    return web.Response(status=201)


async def _give(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    with (_folder / request.match_info["name"]).open("rb") as file:
        response.content_length = (_folder / request.match_info["name"]).stat().st_size
        await response.prepare(request)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            await response.write(piece)
    return response


async def _serve() -> None:
    app = web.Application(client_max_size=0)
    app.router.add_put("/{name}", _take)
    app.router.add_get("/{name}", _give)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(runner.addresses[0][1])
    await asyncio.Event().wait()


uvloop.run(_serve())
