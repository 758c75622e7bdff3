"""What files show of their kind only beyond their beginning: looked at as they come, with little of them kept. Pure.

An office file lists its parts at its end, an old one names its streams anywhere, and a text is one in all of its bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from lms_rt.services.file_charsets import TEXT_TYPES, TextWatch
from lms_rt.services.file_kinds import KINDS, mismatched

_END_BYTES = 256 << 10
"""So much of the end of a ZIP is kept: the list of some thousands of parts, and a comment behind it."""
_ENTRY = b"PK\x01\x02"
_ENTRY_BYTES = 46
_TYPES, _MACROS = b"[Content_Types].xml", b"vbaProject.bin"
_FOLDERS = {"docx": b"word/", "xlsx": b"xl/", "pptx": b"ppt/"}
_SLOT_BYTES = 128
"""A directory of streams has slots of this size, at multiples of it: 64 bytes of name, its length, and what it is."""
_OWN = {"doc": ("WordDocument",), "xls": ("Workbook", "Book"), "ppt": ("PowerPoint Document",)}
_END_OF_NAME = bytes(2)
_OTHERS = ("__properties_version1.0".encode("utf-16-le") + _END_OF_NAME, "\u4840".encode("utf-16-le"))
"""What messages have, and how the tables of installers begin."""
_IS_AT, _IS_STREAM = 66, 2


class Watch(Protocol):
    """Looks at all of a file, piece by piece."""

    def take(self, chunk: bytes) -> None:
        """One more piece."""

    @property
    def is_fit(self) -> bool:
        """Of all that came: is it of its kind?"""


class PartsWatch:
    """Which parts an office file has: its ZIP's directory, which stands at the end, says so."""

    def __init__(self, extension: str) -> None:
        self._folder, self._end = _FOLDERS[extension], bytearray()

    def take(self, chunk: bytes) -> None:
        """Only the last pieces are kept."""
        self._end += chunk[-_END_BYTES:]
        if len(self._end) > 2 * _END_BYTES:
            del self._end[:-_END_BYTES]

    @property
    def is_fit(self) -> bool:
        """The list of types and its own folder, no other's, and no macros: files with those have other endings."""
        names = self._names()
        others = tuple(one for one in _FOLDERS.values() if one != self._folder)
        is_own = _TYPES in names and any(name.startswith(self._folder) for name in names)
        return is_own and not any(name.startswith(others) or name.endswith(_MACROS) for name in names)

    def _names(self) -> list[bytes]:
        end, names = bytes(self._end), list[bytes]()
        at = end.find(_ENTRY, _directory(end))
        while at >= 0 and end[at : at + 4] == _ENTRY:
            sizes = [int.from_bytes(end[at + place : at + place + 2], "little") for place in (28, 30, 32)]
            names.append(end[at + _ENTRY_BYTES : at + _ENTRY_BYTES + sizes[0]])
            at += _ENTRY_BYTES + sum(sizes)
        return names


def _directory(end: bytes) -> int:
    """Where the directory begins in what was kept; 0 where that is before it, or is not said."""
    last = end.rfind(b"PK\x05\x06")
    return 0 if last < 0 else max(0, last - int.from_bytes(end[last + 12 : last + 16], "little"))


class StreamsWatch:
    """Which streams an old office file has: the slots of its directory, which may lie anywhere."""

    def __init__(self, extension: str) -> None:
        self._own = [name.encode("utf-16-le") + _END_OF_NAME for name in _OWN[extension]]
        self._rest = b""
        self._has_own = self._has_other = False

    def take(self, chunk: bytes) -> None:
        """Slot by slot, as far as they are whole."""
        held = self._rest + chunk
        whole = len(held) // _SLOT_BYTES * _SLOT_BYTES
        self._rest = held[whole:]
        self._has_own = self._has_own or any(_is_in(name, held, whole) for name in self._own)
        self._has_other = self._has_other or any(_is_in(name, held, whole) for name in _OTHERS)

    @property
    def is_fit(self) -> bool:
        """Its own stream, and none of a message's or an installer's; what is embedded may have any of its own."""
        return self._has_own and not self._has_other


def _is_in(name: bytes, held: bytes, whole: int) -> bool:
    """Is there a slot whose name begins so, and which says that it is a stream?"""
    at = held.find(name, 0, whole)
    while at >= 0:
        if at % _SLOT_BYTES == 0 and held[at + _IS_AT] == _IS_STREAM:
            return True
        at = held.find(name, at + 1, whole)
    return False


def watch_for(extension: str) -> Watch | None:
    """One for what the beginning of such a file does not tell; None where that is all."""
    if KINDS[extension].mime_type in TEXT_TYPES:
        return TextWatch()
    if extension in _FOLDERS:
        return PartsWatch(extension)
    return StreamsWatch(extension) if extension in _OWN else None


async def watched(chunks: AsyncIterator[bytes], watch: Watch | None) -> AsyncIterator[bytes]:
    """What comes, seen by the watch, if there is one: 422 at its end where it is not of its kind."""
    is_empty = True
    async for chunk in chunks:
        if watch is not None:
            watch.take(chunk)
        is_empty = is_empty and not chunk
        yield chunk
    if watch is not None and not is_empty and not watch.is_fit:
        raise mismatched()


def charset_of(watch: Watch | None) -> str | None:
    """What it found of a text."""
    return watch.charset if isinstance(watch, TextWatch) else None
