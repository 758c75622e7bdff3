"""The fonts of printed sheets, embedded in each: FiraGO, for Latin, Cyrillic, Greek and Arabic (SIL Open Font License).

Chinese, Japanese and Korean are drawn by fonts that every reader of PDFs brings along: they would be megabytes each.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from functools import cache

import pymupdf_fonts
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "FiraGO", "FiraGO-Bold"
_SOURCES = {REGULAR: "figo", BOLD: "figbo"}
_HAN, _KANA, _HANGUL = "STSong-Light", "HeiseiMin-W3", "HYSMyeongJo-Medium"

ONE_AT_A_TIME = threading.Lock()
"""Held by who draws: the fonts are shared by all documents of a process, and cut into each as it is drawn."""
Run = tuple[str, str]
"""A font, and what is drawn with it."""


@cache
def _registered() -> dict[str, frozenset[int]]:
    """Register the fonts, once for each process; which signs each of our own has."""
    known: dict[str, frozenset[int]] = {}
    for name in _SOURCES:
        font = TTFont(name, io.BytesIO(font_file(name)))
        pdfmetrics.registerFont(font)
        known[name] = frozenset(font.face.charToGlyph)
    for name in (_HAN, _KANA, _HANGUL):
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    return known


def font_file(name: str) -> bytes:
    """One of our own fonts as its makers gave it out."""
    content: bytes = pymupdf_fonts.myfont(_SOURCES[name])
    return content


def is_ours(name: str) -> bool:
    """Is this font embedded?"""
    return name in _SOURCES


def has_glyphs(text: str, font: str = REGULAR) -> bool:
    """Can all of it be drawn with an embedded font?"""
    return all(ord(sign) in _registered()[font] for sign in text)


def runs_of(line: str, font: str) -> list[Run]:
    """The line cut where another font is needed. What no font has is drawn by ours, as its empty box."""
    runs: list[Run] = []
    for name, sign in _by_sign(line, font):
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + sign)
        else:
            runs.append((name, sign))
    return runs


def width_of(runs: list[Run], size: float) -> float:
    """How wide these runs are at that size, in points."""
    return sum(float(pdfmetrics.stringWidth(text, name, size)) for name, text in runs)


def _by_sign(line: str, font: str) -> Iterator[Run]:
    known = _registered()[font]
    for sign in line:
        code = ord(sign)
        yield (font if code in known else _of_east_asia(code) or font), sign


def _of_east_asia(code: int) -> str | None:
    if 0x3040 <= code <= 0x30FF:
        return _KANA
    if 0xAC00 <= code <= 0xD7A3 or 0x1100 <= code <= 0x11FF:
        return _HANGUL
    return _HAN if 0x3000 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF else None
