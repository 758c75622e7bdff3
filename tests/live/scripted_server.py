"""A server of the live protocol that says what a script says: for tests of clients. It knows no rules and keeps no channels."""

from __future__ import annotations

import http
import json
import queue
import socket as sockets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

Frame = dict[str, Any]
PATIENCE_SECONDS = 20
WELCOME: Frame = {
    "type": "welcome",
    "connection_id": "con_1",
    "server_time": "2025-03-01T10:00:00.000Z",
    "clock_error_ms": 0,
    "heartbeat_ms": 10_000,
    "max_frame_bytes": 65_536,
    "user": {"id": "usr_1", "full_name": "Ada", "role": "student"},
    "subscriptions": [],
    "session_expires_at": "2025-03-01T10:15:00.000Z",
}


class ScriptedLine:
    """One connection of a client."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection, self.is_done = connection, threading.Event()
        request = connection.request
        assert request is not None
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        self._waiting: list[Frame] = []

    def command(self, *, timeout: float = PATIENCE_SECONDS) -> Frame:
        """The next command of the client."""
        frame: Frame = json.loads(self._connection.recv(timeout))
        return frame

    def send(self, frame: Mapping[str, Any]) -> None:
        """Say something."""
        self._connection.send(json.dumps(frame))

    def close(self, code: int) -> None:
        """End it with a number."""
        self._connection.close(code)
        self.is_done.set()

    def cut(self) -> None:
        """End it without a word."""
        self._connection.socket.shutdown(sockets.SHUT_RDWR)
        self.is_done.set()

    def await_end(self) -> None:
        """Until the client has ended it."""
        try:
            while True:
                self._connection.recv(PATIENCE_SECONDS)
        except ConnectionClosed:
            self.is_done.set()


class ScriptedServer:
    """Where clients connect; pages and files of `files` are served on the same port."""

    def __init__(self, files: Mapping[str, tuple[str, bytes]]) -> None:
        self._files, self._lines = files, queue.Queue[ScriptedLine]()
        self._open: list[ScriptedLine] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def accept(self) -> ScriptedLine:
        """The next connection of a client."""
        return self._lines.get(timeout=PATIENCE_SECONDS)

    def end(self) -> None:
        for line in self._open:
            line.is_done.set()

    def handle(self, connection: ServerConnection) -> None:
        line = ScriptedLine(connection)
        self._open.append(line)
        self._lines.put(line)
        line.is_done.wait(60)

    def answer(self, _: ServerConnection, request: Request) -> Response | None:
        """A file, or the handshake."""
        path = urlsplit(request.path).path
        if path == "/ws":
            return None
        media_type, body = self._files.get(path, ("text/plain", b""))
        status = http.HTTPStatus.OK if path in self._files else http.HTTPStatus.NOT_FOUND
        headers = Headers({"Content-Type": media_type, "Content-Length": str(len(body)), "Connection": "close"})
        return Response(status.value, status.phrase, headers, body)


@contextmanager
def scripted_server(files: Mapping[str, tuple[str, bytes]] | None = None) -> Iterator[ScriptedServer]:
    """A scripted server on a free port."""
    made = ScriptedServer(files or {})
    with serve(
        made.handle,
        "127.0.0.1",
        0,
        process_request=made.answer,
        subprotocols=[Subprotocol("lms.v1.json")],
        compression=None,
        ping_interval=None,
        close_timeout=1,
    ) as server:
        made.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            made.end()
            server.shutdown()
            thread.join()
