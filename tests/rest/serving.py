"""An application that a test made, on a port of its own, and a client of its API. What it serves is the test's affair."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from handlers.app import server_options

BASE = "/api/v1"


@asynccontextmanager
async def client_of(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application's API while the body runs."""
    server = HTTPServer(app, **server_options())
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{BASE}", trust_env=False) as client:
            yield client
    finally:
        server.stop()
        await server.close_all_connections()
