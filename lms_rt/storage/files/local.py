"""Files in a directory of this machine: for the embedded installation, whose one process is the only reader."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import os
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from lms_rt.clock import to_ms
from lms_rt.ids import random_token
from lms_rt.storage.files.base import Counting, FileMissing, FileStore, SavedFile, checked_id, piece_bytes
from lms_rt.undoing import undoing

_BEGUN = ".begun-"


class LocalFiles(FileStore):
    """One file each, mode 0600: written under another name, synced, then renamed."""

    provider = "local"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def save(self, file_id: str, chunks: AsyncIterator[bytes]) -> SavedFile:
        """Write it beside its place, then put it there."""
        path = self._directory / checked_id(file_id)
        await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        begun = path.with_name(f"{_BEGUN}{path.name}-{random_token(6)}")
        passing = Counting()
        async with undoing(lambda: asyncio.to_thread(begun.unlink, missing_ok=True)):
            with await asyncio.to_thread(_new, begun) as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, passing.take(chunk))
                await asyncio.to_thread(_sync, file)
            await asyncio.to_thread(_put_in_place, begun, path)
        return passing.saved

    async def read(self, file_id: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """Piece by piece, each read in a thread."""
        try:
            file = await asyncio.to_thread((self._directory / checked_id(file_id)).open, "rb")
        except FileNotFoundError:
            raise FileMissing(file_id) from None
        with file:
            file.seek(start)
            left = size
            while left != 0 and (chunk := await asyncio.to_thread(file.read, piece_bytes(left))):
                yield chunk
                left = None if left is None else left - len(chunk)

    async def remove(self, file_id: str) -> None:
        """Unlink it, and what was begun under this id: whoever still writes there cannot put it in its place."""
        await asyncio.to_thread(self._unlink, checked_id(file_id))

    async def find_ids(self, *, before: datetime, limit: int, prefix: str = "", after: str = "") -> list[str]:
        """By the time of their last writing. What a crash left half written is removed on the way."""
        return await asyncio.to_thread(self._find, to_ms(before) / 1000, limit, prefix, after)

    async def ping(self) -> None:
        """Can the directory be written to?"""
        await asyncio.to_thread(self._probe)

    def _find(self, before_seconds: float, limit: int, prefix: str, after: str) -> list[str]:
        try:
            with os.scandir(self._directory) as entries:
                wanted = (one for one in entries if one.name.startswith(_BEGUN) or self._is_asked(one, prefix, after))
                old = [one.name for one in wanted if _is_older(one, before_seconds)]
        except FileNotFoundError:
            return []
        for name in old:
            if name.startswith(_BEGUN):
                (self._directory / name).unlink(missing_ok=True)
        return heapq.nsmallest(limit, (name for name in old if not name.startswith(_BEGUN)))

    @staticmethod
    def _is_asked(entry: os.DirEntry[str], prefix: str, after: str) -> bool:
        return entry.name.startswith(prefix) and entry.name > after and entry.is_file()

    def _unlink(self, name: str) -> None:
        for path in (self._directory / name, *self._directory.glob(f"{_BEGUN}{name}-*")):
            path.unlink(missing_ok=True)

    def _probe(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(self._directory, os.W_OK | os.X_OK):
            raise OSError("the directory of files cannot be written to")


def _is_older(entry: os.DirEntry[str], before_seconds: float) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return entry.stat().st_mtime < before_seconds
    return False


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _put_in_place(begun: Path, path: Path) -> None:
    """Rename; after a power cut, too, it is there: the directory is synced as the file was."""
    begun.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
