"""In which encoding a text is written: looked at piece by piece as it comes, and told when it is served. Pure.

What is not told is guessed by browsers, mostly wrongly: UTF-8 without a mark, and Arabic as old programs of Windows write it.
"""

from __future__ import annotations

import codecs
import re

UTF8, UTF16, ARABIC = "utf-8", "utf-16", "windows-1256"
CHARSETS = frozenset({UTF8, UTF16, ARABIC})
TEXT_TYPES = frozenset({"text/plain", "text/markdown", "text/csv"})
"""WebVTT is UTF-8 and nothing else."""
WRITTEN = bytes(byte for byte in range(256) if byte > 31 or 9 <= byte <= 13 or byte in {0x1A, 0x1B})
"""What stands in texts: of controls blanks, escapes, and the mark by which DOS ends them."""
_WIDE_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_ASCII = bytes(range(128))
_NOT_ARABIC = bytes(
    byte for byte in range(128, 256) if not "\u0600" <= bytes([byte]).decode("cp1256", "replace") <= "\u06ff"
)
_MARKS = 2
_ENOUGH = 0.8
"""So much of what is no ASCII has to be Arabic letters."""
_RUN = re.compile(rb"[\x80-\xff]+")
_RUN_BYTES = 2
"""So long they stand together on average: accents of other languages stand alone among ASCII."""


class TextWatch:
    """Looks at all of a text, and keeps nothing of it."""

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._head = b""
        self._foreign = self._arabic = self._runs = 0
        self._is_in_run = False
        self._wide = codecs.getincrementaldecoder("utf-16")()
        self._has_controls = False

    def take(self, chunk: bytes) -> None:
        """One more piece."""
        if len(self._head) < _MARKS:
            self._head += chunk[: _MARKS - len(self._head)]
        self._has_controls = self._has_controls or self._is_controlled(chunk)
        if chunk:
            self._runs += len(_RUN.findall(chunk)) - (self._is_in_run and chunk[0] >= len(_ASCII))
            self._is_in_run = chunk[-1] >= len(_ASCII)
        foreign = chunk.translate(None, _ASCII)
        self._foreign += len(foreign)
        self._arabic += len(foreign.translate(None, _NOT_ARABIC))
        if self._decoder is not None:
            try:
                self._decoder.decode(chunk)
            except UnicodeDecodeError:
                self._decoder = None

    @property
    def is_fit(self) -> bool:
        """Is all that came a text?"""
        return not self._has_controls

    def _is_controlled(self, chunk: bytes) -> bool:
        """Does it hold what stands in no text? With its mark, UTF-16 is read as that."""
        if not codecs.BOM_UTF16_LE.startswith(self._head) and not codecs.BOM_UTF16_BE.startswith(self._head):
            return bool(chunk.translate(None, WRITTEN))
        try:
            return _WIDE_CONTROL.search(self._wide.decode(chunk)) is not None
        except UnicodeDecodeError:
            return True

    @property
    def charset(self) -> str | None:
        """Of all that came; None: it is some other one."""
        if self._head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return UTF16
        if self._decoder is not None and not self._decoder.getstate()[0]:
            return UTF8
        is_arabic = self._arabic >= _ENOUGH * self._foreign and self._foreign >= _RUN_BYTES * self._runs
        return ARABIC if self._foreign and is_arabic else None
