"""A ZIP, made piece by piece: of many entries no more than a page is ever held. What is in it is `export_parts.py`'s."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from lms_rt.contracts.base import encode

_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in it: a text, a JSON array of `items`, or the bytes that come as `chunks`."""

    name: str
    text: str = ""
    items: AsyncIterator[Any] | None = None
    pieces: AsyncIterator[bytes] | None = None
    size_bytes: int = 0
    chunks: AsyncIterator[bytes] | None = None


class _Outlet(io.RawIOBase):
    """Where the archive is written to, and taken from."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._written += piece
        return len(piece)

    def take(self) -> bytes:
        """What was written since."""
        taken = bytes(self._written)
        self._written.clear()
        return taken

    @property
    def held_bytes(self) -> int:
        return len(self._written)


async def archived(entries: AsyncIterator[Entry], at: datetime) -> AsyncIterator[bytes]:
    """The ZIP of these entries, each dated `at`: the same entries make the same bytes."""
    outlet = _Outlet()
    packing = zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED)
    async for entry in entries:
        with packing.open(_head(entry, at), "w") as file:
            async for piece in _pieces(entry):
                await asyncio.to_thread(file.write, piece)
                if outlet.held_bytes >= _PIECE_BYTES:
                    yield outlet.take()
    packing.close()
    yield outlet.take()


def _head(entry: Entry, at: datetime) -> zipfile.ZipInfo:
    head = zipfile.ZipInfo(entry.name, date_time=at.timetuple()[:6])
    head.compress_type = zipfile.ZIP_DEFLATED if entry.pieces is None else zipfile.ZIP_STORED
    head.file_size = entry.size_bytes  # so that large ones are announced as such
    head.external_attr = 0o600 << 16
    head.create_system = 3  # its rights are read as Unix's
    return head


async def _pieces(entry: Entry) -> AsyncIterator[bytes]:
    if entry.pieces is not None:
        async for piece in entry.pieces:
            yield piece
        return
    if entry.chunks is not None:
        async for chunk in entry.chunks:
            yield chunk
        return
    if entry.items is None:
        yield entry.text.encode()
        return
    before = b"[\n"
    async for item in entry.items:
        yield before + orjson.dumps(orjson.loads(encode(item)), option=orjson.OPT_INDENT_2)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"
