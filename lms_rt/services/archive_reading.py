"""An archive that lies in the file store, opened where it lies: read by pieces in a thread, never whole, nothing put on a disk.

What an archive may hold is `interchange/course_archive.py`'s.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from lms_rt.errors import invalid
from lms_rt.interchange.course_archive import ArchiveFault, Manifest, PartSum, damaged, open_part, opened, read_part
from lms_rt.storage.files.base import CHUNK_BYTES, FileStore

PIECE_BYTES = CHUNK_BYTES
READ_SECONDS = 60.0
"""So long one piece of the store may take."""
_HELD = 8
"""So many pieces are kept: a ZIP is read forwards, but for its end."""
T = TypeVar("T")


class _Far(io.RawIOBase):
    """A file in the store, for code in a thread that reads and seeks."""

    def __init__(self, store: FileStore, file_id: str, size: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._store, self._file_id, self._size, self._loop = store, file_id, size, loop
        self._at, self._held = 0, dict[int, bytes]()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Some of what is there, from one piece."""
        if self._at >= self._size or not len(buffer):
            return 0
        place, within = divmod(self._at, PIECE_BYTES)
        found = self._piece(place)[within : within + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _piece(self, place: int) -> bytes:
        if place not in self._held:
            waiting = asyncio.run_coroutine_threadsafe(self._fetch(place), self._loop)
            piece = waiting.result(READ_SECONDS)
            while len(self._held) >= _HELD:
                del self._held[next(iter(self._held))]
            self._held[place] = piece
        return self._held[place]

    async def _fetch(self, place: int) -> bytes:
        size = min(PIECE_BYTES, self._size - place * PIECE_BYTES)
        piece = bytearray()
        async for chunk in self._store.read(self._file_id, start=place * PIECE_BYTES, size=size):
            piece += chunk
        if len(piece) != size:
            raise EOFError("the file is shorter than it was")
        return bytes(piece)


@dataclass(frozen=True, slots=True)
class ReadArchive:
    """An open archive."""

    archive: zipfile.ZipFile
    manifest: Manifest
    names: frozenset[str]
    told: Mapping[str, PartSum]
    """What the manifest says of each part."""

    async def text(self, name: str) -> bytes:
        """One part as it is."""
        return await asyncio.to_thread(_told, lambda: read_part(self.archive, name))

    async def chunks(self, name: str) -> AsyncIterator[bytes]:
        """A part piece by piece. Its sum is looked at by the ZIP, and again by whoever keeps it."""
        file = await asyncio.to_thread(_told, lambda: open_part(self.archive, name))
        try:
            while chunk := await asyncio.to_thread(_piece_of, file, name):
                yield chunk
        finally:
            await asyncio.to_thread(file.close)


async def open_archive(store: FileStore, file_id: str, *, size_bytes: int, max_bytes: int) -> ReadArchive:
    """The archive, checked by its directory. 422 on `file_id` with the reason when it is refused."""
    far = io.BufferedReader(_Far(store, file_id, size_bytes, asyncio.get_running_loop()), buffer_size=16 << 10)
    archive, manifest = await asyncio.to_thread(_told, lambda: opened(cast("Any", far), max_bytes=max_bytes))
    return ReadArchive(archive, manifest, frozenset(archive.namelist()), {one.name: one for one in manifest.parts})


def _told(do: Callable[[], T]) -> T:
    """Do it; a fault of the archive becomes a refusal that says why."""
    try:
        return do()
    except ArchiveFault as fault:
        raise invalid("file_id", fault.words, fault.code) from None


def _piece_of(file: Any, name: str) -> bytes:
    try:
        return cast("bytes", file.read(PIECE_BYTES))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError):
        fault = damaged(name)
        raise invalid("file_id", fault.words, fault.code) from None
