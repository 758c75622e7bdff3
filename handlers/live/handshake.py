"""The HTTP side of a live socket: what a handshake must bring, how it is answered, and how Tornado lets the socket go."""

from __future__ import annotations

import asyncio
import binascii
import socket
from base64 import b64decode

from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketProtocol13

from lms_rt.contracts.frames import SUBPROTOCOL
from lms_rt.errors import Code, Refused

VERSION = "13"
SENT_SECONDS = 5.0
"""So long a client may take to read our answer, which is nearly always sent at once."""
_KEY_BYTES = 16


def check_handshake(request: HTTPServerRequest) -> None:
    """Refuse what RFC 6455 (4.2.1) does not take for a handshake."""
    if request.method != "GET":
        raise Refused(Code.METHOD_NOT_ALLOWED, allow=["GET"])
    if "websocket" not in _words(request, "Upgrade") or "upgrade" not in _words(request, "Connection"):
        raise Refused(Code.MALFORMED_REQUEST, "This path speaks WebSocket; ask for the upgrade.")
    if request.version != "HTTP/1.1":
        raise Refused(Code.MALFORMED_REQUEST, "The upgrade needs HTTP/1.1.")
    if request.headers.get("Sec-WebSocket-Version") != VERSION:
        raise Refused(Code.MALFORMED_REQUEST, f"Only version {VERSION} of WebSocket is spoken here.")
    try:
        key = b64decode(request.headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise Refused(Code.MALFORMED_REQUEST, f"Sec-WebSocket-Key has to be {_KEY_BYTES} bytes in Base64.")


def accepted_headers(request: HTTPServerRequest) -> dict[str, str]:
    """What the answer 101 says. No extension is taken: permessage-deflate would cost 200 KB a connection."""
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": WebSocketProtocol13.compute_accept_value(request.headers["Sec-WebSocket-Key"]),
    }
    if SUBPROTOCOL in _words(request, "Sec-WebSocket-Protocol", is_lowered=False):
        headers["Sec-WebSocket-Protocol"] = SUBPROTOCOL
    return headers


async def take_socket(stream: IOStream) -> tuple[socket.socket, bytes] | None:
    """The socket under a stream, and what the stream has read from it already; None: the line is gone.

    The stream is closed and has nothing to do with the socket any more. It has to be a plain one: TLS ends in front
    of us.
    """
    try:
        if stream.writing():
            async with asyncio.timeout(SENT_SECONDS):
                await stream.write(b"")  # resolves behind everything that was written before
        reading = stream.read_bytes(stream.max_buffer_size, partial=True)
        data = await reading if reading.done() else b""  # type: ignore[attr-defined]  # Tornado's futures are asyncio's
    except (StreamClosedError, TimeoutError):
        stream.close()
        return None
    given = stream.socket
    stream.io_loop.remove_handler(given)
    line = socket.socket(given.family, given.type, given.proto, fileno=given.detach())
    stream.close()
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line, data


def _words(request: HTTPServerRequest, name: str, *, is_lowered: bool = True) -> list[str]:
    value = request.headers.get(name, "")
    return [word.strip() for word in (value.lower() if is_lowered else value).split(",")]
