"""What every file store does, wherever its files lie. Ids are ours; what a person called the file is no part of them."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

CHUNK_BYTES = 256 * 1024
"""Files are read in pieces of this size at most; nobody ever holds a whole one."""
_FILE_ID = re.compile(r"[a-z]{3}_[0-9a-z]{1,64}(\.[a-z0-9]{1,8})?")


class FileMissing(Exception):
    """There is no such file, or not any more."""


@dataclass(frozen=True, slots=True)
class SavedFile:
    """What was saved."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Served:
    """How a file is given to a browser."""

    mime_type: str
    disposition: str
    expires_in_seconds: int


class FileStore(ABC):
    """Files by id. A file is there as a whole or not at all."""

    provider: ClassVar[Literal["gridfs", "local", "s3", "azure"]]
    """What the store is called in settings and views."""

    @abstractmethod
    async def save(self, file_id: str, chunks: AsyncIterator[bytes]) -> SavedFile:
        """Keep what comes, in place of what there was under this id. Nothing of it stays when `chunks` raises."""

    @abstractmethod
    def read(self, file_id: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """The file in pieces, from `start` on and (with `size`) so much of it. Raises `FileMissing` before the first of them."""

    @abstractmethod
    async def remove(self, file_id: str) -> None:
        """Let it be gone, and what a crash left of it; again does nothing."""

    @abstractmethod
    async def find_ids(self, *, before: datetime, limit: int, prefix: str = "", after: str = "") -> list[str]:
        """Some of the files that were saved before then, those after this id; what a crash left half written is among them, or is removed.

        In the order of their ids, so that a walk goes on behind the last of them. Only those whose id begins with `prefix`.
        """

    async def signed_url(self, file_id: str, served: Served) -> str | None:  # noqa: ARG002 - of those that have none
        """An address at which the store itself gives the file for a while, as told; None: it must be read through us."""
        return None

    async def open(self) -> None:  # noqa: B027 - most stores are there already
        """Make what takes a while to make, before anybody waits for it."""

    async def close(self) -> None:  # noqa: B027 - most stores hold nothing that wants closing
        """Let go of connections; the store is not used any more."""

    @abstractmethod
    async def ping(self) -> None:
        """Return when files can be saved as far as can be told; else raise."""


class Counting:
    """Counts and hashes what passes."""

    def __init__(self) -> None:
        self._size_bytes, self._hash = 0, hashlib.sha256()

    def take(self, chunk: bytes) -> bytes:
        """One more piece."""
        self._size_bytes += len(chunk)
        self._hash.update(chunk)
        return chunk

    @property
    def saved(self) -> SavedFile:
        """All that passed."""
        return SavedFile(self._size_bytes, self._hash.hexdigest())


async def in_pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What comes, however it was cut, in pieces of `CHUNK_BYTES`; the last one is what is left."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def piece_bytes(left: int | None) -> int:
    """How much to read next, when so much of what was asked for is left; None: all there is."""
    return CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)


def checked_id(file_id: str) -> str:
    """The id, which becomes a name on a disk: of ours or refused."""
    if not _FILE_ID.fullmatch(file_id):
        raise ValueError("this is no id of a file")
    return file_id
