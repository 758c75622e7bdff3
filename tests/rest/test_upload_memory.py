"""What a large upload costs in memory: next to nothing, in a server of its own, for one and for twenty at once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD
from tests.servers.lms_server import LmsServer

MEBIBYTE = 1 << 20
_BEGIN = b'--x\r\nContent-Disposition: form-data; name="file"; filename="large.pdf"\r\n\r\n'
_END = b"\r\n--x--\r\n"
_MEASURED = {"VmHWM", "VmRSS"}


async def test_an_upload_is_never_held_whole(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = settings_on("embedded", request, tmp_path, max_upload_mb=100)
    with LmsServer(settings, "--no-demo", log=tmp_path / "log") as server:
        async with Visitor.of(server.address) as student:
            await student.register("student@example.org", PASSWORD, "Sam Student")
            token = str(student.tokens["access_token"])
            await _send(server, token, 1)  # what a first one warms is not counted
            for uploads, each, most in ((1, 99, 8), (20, 2, 64)):
                before = _watched(server.pid)
                await asyncio.gather(*[_send(server, token, each) for _ in range(uploads)])
                added_mebibytes = (_kibibytes(server.pid)["VmHWM"] - before) / 1024
                assert added_mebibytes <= most, f"{uploads} uploads of {each} MiB"


async def _send(server: LmsServer, token: str, mebibytes: int) -> None:
    """An upload as fast as it is taken."""
    piece = os.urandom(MEBIBYTE)
    length = len(_BEGIN) + mebibytes * MEBIBYTE + len(_END)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = [
        "POST /api/v1/files/upload HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {token}",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {length}",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + _BEGIN + b"%PDF-1.7" + piece[8:])
    for _ in range(mebibytes - 1):
        writer.write(piece)
        await writer.drain()
    writer.write(_END)
    assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    writer.close()
    await writer.wait_closed()


def _watched(pid: int) -> int:
    """Begin to look for the highest mark anew; what is held now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    return _kibibytes(pid)["VmRSS"]


def _kibibytes(pid: int) -> dict[str, int]:
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return {name: int(value.split()[0]) for name, _, value in lines if name in _MEASURED}
