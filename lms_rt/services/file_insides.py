"""What files show of their kind only beyond their beginning: looked at as they come, with little of them kept. Pure.

An office file lists its parts at its end, an old one names its streams anywhere, and a text is one in all of its bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol
from uuid import UUID

from lms_rt.services.file_charsets import TEXT_TYPES, TextWatch
from lms_rt.services.file_kinds import KINDS, mismatched

_END_BYTES = 256 << 10
"""So much of the end of a ZIP is kept: the list of some thousands of parts, and a comment behind it."""
_ENTRY, _LAST = b"PK\x01\x02", b"PK\x05\x06"
_WIDE_RECORD, _WIDE_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x06", b"PK\x06\x07", 20
_ENTRY_BYTES = 46
_TYPES, _MACROS = b"[Content_Types].xml", b"vbaProject.bin"
_FOLDERS = {"docx": b"word/", "xlsx": b"xl/", "pptx": b"ppt/"}
_SLOT_BYTES = 128
"""A directory of streams has slots of this size, at multiples of it: 64 bytes of name, its length, and what it is."""
_OWN = {"doc": ("WordDocument",), "xls": ("Workbook", "Book"), "ppt": ("PowerPoint Document",)}
_END_OF_NAME = bytes(2)
_TABLE = "\u4840".encode("utf-16-le")
"""How the tables of installers begin."""
_IS_AT, _IS_STREAM = 66, 2
_CLASS = slice(80, 96)
_MESSAGE = UUID("00020d0b-0000-0000-c000-000000000046").bytes_le
"""What the first slot of a message says that it is."""
_FIRST_SECTOR, _SECTOR_SHIFT_AT = slice(48, 52), 30


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
        self._folder, self._end, self._length = _FOLDERS[extension], bytearray(), 0

    def take(self, chunk: bytes) -> None:
        """Only the last pieces are kept."""
        self._end += chunk[-_END_BYTES:]
        self._length += len(chunk)
        if len(self._end) > 2 * _END_BYTES:
            del self._end[:-_END_BYTES]

    @property
    def is_fit(self) -> bool:
        """The list of types and its own folder, no other's, and no macros: files with those have other endings.

        Of a directory longer than what is kept the list of types, which mostly stands first, is not asked for.
        """
        end = bytes(self._end)
        begin = _directory(end)
        is_cut = begin < 0 and self._length > len(end)
        names = _names(end, max(0, begin))
        others = tuple(one for one in _FOLDERS.values() if one != self._folder)
        is_own = (is_cut or _TYPES in names) and any(name.startswith(self._folder) for name in names)
        return is_own and not any(name.startswith(others) or name.endswith(_MACROS) for name in names)


def _names(end: bytes, begin: int) -> list[bytes]:
    """Of the parts, from the first that is listed there."""
    names = list[bytes]()
    at = end.find(_ENTRY, begin)
    while at >= 0 and end[at : at + 4] == _ENTRY:
        sizes = [_number(end[at + place : at + place + 2]) for place in (28, 30, 32)]
        names.append(end[at + _ENTRY_BYTES : at + _ENTRY_BYTES + sizes[0]])
        at += _ENTRY_BYTES + sum(sizes)
    return names


def _directory(end: bytes) -> int:
    """Where the directory begins in what was kept; less than 0 where that is before it, 0 where it is not said.

    The record of 64 bits, where there is one, stands between the directory and the last record.
    """
    last = end.rfind(_LAST)
    if last < 0:
        return 0
    size = _number(end[last + 12 : last + 16])
    if end[max(0, last - _LOCATOR_BYTES) :].startswith(_WIDE_LOCATOR):
        wide = end.rfind(_WIDE_RECORD, 0, last)
        return wide - _number(end[wide + 40 : wide + 48]) if wide >= 0 else 0
    return last - size


def _number(written: bytes) -> int:
    return int.from_bytes(written, "little")


class StreamsWatch:
    """Which streams an old office file has: the slots of its directory, which may lie anywhere."""

    def __init__(self, extension: str) -> None:
        self._own = tuple(name.encode("utf-16-le") + _END_OF_NAME for name in _OWN[extension])
        self._rest, self._seen, self._root = b"", 0, 0
        self._has_own = self._is_installer = self._is_message = False

    def take(self, chunk: bytes) -> None:
        """Slot by slot, as far as they are whole."""
        held = self._rest + chunk
        whole = len(held) // _SLOT_BYTES * _SLOT_BYTES
        self._rest = held[whole:]
        self._look_at_root(held[:whole])
        for number, what in enumerate(held[_IS_AT:whole:_SLOT_BYTES]):
            if what == _IS_STREAM:
                at = number * _SLOT_BYTES
                self._has_own = self._has_own or held.startswith(self._own, at)
                self._is_installer = self._is_installer or held.startswith(_TABLE, at)

    def _look_at_root(self, slots: bytes) -> None:
        """The head says in which sector the directory begins; its first slot is of the whole."""
        if slots and not self._seen:
            self._root = (1 + _number(slots[_FIRST_SECTOR])) << slots[_SECTOR_SHIFT_AT]
        at = self._root - self._seen
        if 0 <= at < len(slots):
            self._is_message = slots[at : at + _SLOT_BYTES][_CLASS] == _MESSAGE
        self._seen += len(slots)

    @property
    def is_fit(self) -> bool:
        """Its own stream, none of an installer's, and no message as a whole; what is embedded may be one."""
        return self._has_own and not self._is_installer and not self._is_message


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
