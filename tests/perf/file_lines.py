"""Files over a socket of one's own, for whoever measures the server: sent as fast as they are taken, fetched and thrown away."""

from __future__ import annotations

import json
import socket
from typing import Any

MEBIBYTE = 1 << 20
_SECONDS = 120.0
_PIECE = bytes(range(256)) * (MEBIBYTE // 256)
_BEGIN = b'--x\r\nContent-Disposition: form-data; name="file"; filename="large.pdf"\r\n\r\n'
_END = b"\r\n--x--\r\n"
_SIGNATURE = b"%PDF-1.7"


def send(port: int, head: str, mebibytes: int, *, is_form: bool) -> dict[str, Any]:
    """Send so much, as a form or bare; the answer's JSON, if it is any."""
    begin, end = (_BEGIN, _END) if is_form else (b"", b"")
    kind = "Content-Type: multipart/form-data; boundary=x\r\n" if is_form else ""
    length = len(begin) + mebibytes * MEBIBYTE + len(end)
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as line:
        line.sendall(f"{head}Content-Length: {length}\r\n{kind}Connection: close\r\n\r\n".encode())
        line.sendall(begin + _SIGNATURE + _PIECE[len(_SIGNATURE) :])
        for _ in range(mebibytes - 1):
            line.sendall(_PIECE)
        line.sendall(end)
        return _answer(line)


def ask(port: int, head: str) -> dict[str, Any]:
    """Send a request without a body; the answer's JSON, if it is any."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as line:
        line.sendall(f"{head}Connection: close\r\n\r\n".encode())
        return _answer(line)


def fetch(port: int, head: str) -> int:
    """Ask for something; how many bytes came."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as line:
        line.sendall(f"{head}Connection: close\r\n\r\n".encode())
        received, piece = 0, memoryview(bytearray(MEBIBYTE))
        while count := line.recv_into(piece):
            received += count
    return received


def _answer(line: socket.socket) -> dict[str, Any]:
    """What it says; an error when it is a refusal."""
    told = b""
    while piece := line.recv(65_536):
        told += piece
    head, _, body = told.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status not in (200, 201, 204):
        raise RuntimeError(f"{status}: {body[:300]!r}")
    return dict(json.loads(body)) if body.startswith(b"{") else {}
