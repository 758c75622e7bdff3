"""Words as HarfBuzz sets them, by the font's own tables: letters joined, and each mark where its letter has a place for it.

Programs that read a PDF put its text together from where each glyph stands. A mark above its letter is another line to some
of them, and what says two signs at once (لا) is turned around by others. So marks are painted as outlines, which say nothing,
and every sign that has no glyph of its own on the line is said by a blank there, one sign each, in the order of the line.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import uharfbuzz
from reportlab.pdfbase.ttfonts import TTFontFace

from lms_rt.printing.fonts import font_file

EM = 1000
"""All measures of glyphs are thousandths of the size at which they are drawn."""
_BESIDE = 120
"""How far the blanks of letters lie from each other: two equal ones in one place are taken for one by readers."""
_FEATURES = {"liga": False, "dlig": False}
"""Without the ornamental ligatures of Latin; those that a script asks for (rlig) stay."""

Segment = tuple[str, tuple[float, ...]]
"""A piece of an outline: "m", "l", "c" or "h" as in PDF, and its points."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A glyph on the line, from x on, and the one sign that it says."""

    index: int
    x: int
    sign: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A glyph that is painted, its origin at x and y."""

    index: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Word:
    """One piece of a line, set: from left to right whatever its script."""

    letters: tuple[Letter, ...]
    marks: tuple[Mark, ...]
    width: int


def beside(words: Iterable[Word]) -> Word:
    """These words after each other as one."""
    letters: list[Letter] = []
    marks: list[Mark] = []
    width = 0
    for word in words:
        letters += [replace(letter, x=letter.x + width) for letter in word.letters]
        marks += [replace(mark, x=mark.x + width) for mark in word.marks]
        width += word.width
    return Word(tuple(letters), tuple(marks), width)


@dataclass(frozen=True, slots=True)
class _Glyph:
    index: int
    says: str
    x: int
    y: int
    advance: int


class Face:
    """A font of ours, for shaping and for cutting what is embedded out of it."""

    def __init__(self, name: str) -> None:
        content = font_file(name)
        self._font = uharfbuzz.Font(uharfbuzz.Face(content))
        self._font.scale = (EM, EM)
        self.name, self.blank = name, int(self._font.get_nominal_glyph(ord(" ")))
        self.cut = TTFontFace(io.BytesIO(content))
        self.cut.charToGlyph = {index: index for index in range(self._font.face.glyph_count)}  # cut out by index

    def width(self, index: int) -> int:
        """What this glyph takes of a line, by itself."""
        return int(self._font.get_glyph_h_advance(index))

    def outline(self, index: int) -> list[Segment]:
        """The lines around this glyph."""
        drawn: list[Segment] = []
        self._font.draw_glyph(index, _outlining(), drawn)
        return drawn

    def word(self, text: str, *, is_right_to_left: bool) -> Word:
        """These signs, in the order of their meaning and of one script and direction, set."""
        letters: list[Letter] = []
        marks: list[Mark] = []
        pen = 0
        for glyph in self._shaped(text, is_right_to_left=is_right_to_left):
            x = pen + glyph.x
            if glyph.says and glyph.advance and not glyph.y:
                own, others = Letter(glyph.index, x, glyph.says[0]), glyph.says[1:]
                if is_right_to_left:
                    letters += [*self._blanks(others[::-1], x), own]
                else:
                    letters += [own, *self._blanks(others, pen + glyph.advance)]
            else:
                letters += self._blanks(glyph.says[::-1] if is_right_to_left else glyph.says, pen)
                if glyph.index not in {self.blank, 0}:
                    marks.append(Mark(glyph.index, x, glyph.y))
            pen += glyph.advance
        return Word(tuple(letters), tuple(marks), pen)

    def _blanks(self, signs: str, x: int) -> Iterator[Letter]:
        """What has no glyph of its own on the line, said from left to right."""
        for sign in signs:
            yield Letter(self.blank, x, sign)
            x += 0 if _is_mark(sign) else _BESIDE

    def _shaped(self, text: str, *, is_right_to_left: bool) -> Iterator[_Glyph]:
        """Its glyphs from left to right; of those that stand for the same signs, the first on the line says them."""
        buffer = uharfbuzz.Buffer()
        buffer.cluster_level = uharfbuzz.BufferClusterLevel.MONOTONE_CHARACTERS
        buffer.add_str(text)
        buffer.direction = "rtl" if is_right_to_left else "ltr"
        buffer.guess_segment_properties()
        uharfbuzz.shape(self._font, buffer, _FEATURES)
        places = zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
        found = [(info.cluster, info.codepoint, place) for info, place in places]
        sayers: dict[int, int] = {}
        for number, (cluster, _, place) in enumerate(found):
            if cluster not in sayers or (place.x_advance and not found[sayers[cluster]][2].x_advance):
                sayers[cluster] = number
        ends = dict(zip(sorted(sayers), [*sorted(sayers)[1:], len(text)], strict=True))
        for number, (cluster, index, place) in enumerate(found):
            says = text[cluster : ends[cluster]] if sayers[cluster] == number else ""
            advance = 0 if index == 0 and all(_is_mark(sign) for sign in says) else place.x_advance
            yield _Glyph(index, says, place.x_offset, place.y_offset, advance)


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign) == "Mn"


@cache
def _outlining() -> uharfbuzz.DrawFuncs:
    """What writes an outline down; curves of the second degree as those of the third that PDF has."""
    funcs, at = uharfbuzz.DrawFuncs(), [0.0, 0.0]

    def add(sign: str, into: list[Segment], *points: float) -> None:
        into.append((sign, points))
        at[:] = points[-2:]

    def quadratic(*given: Any) -> None:
        (start_x, start_y), (by_x, by_y, x, y, into) = at, given
        first = (start_x + (by_x - start_x) * 2 / 3, start_y + (by_y - start_y) * 2 / 3)
        add("c", into, *first, x + (by_x - x) * 2 / 3, y + (by_y - y) * 2 / 3, x, y)

    funcs.set_move_to_func(lambda x, y, into: add("m", into, x, y))
    funcs.set_line_to_func(lambda x, y, into: add("l", into, x, y))
    funcs.set_quadratic_to_func(quadratic)
    funcs.set_cubic_to_func(lambda a, b, c, d, x, y, into: add("c", into, a, b, c, d, x, y))
    funcs.set_close_path_func(lambda into: into.append(("h", ())))
    return funcs


@cache
def face_of(name: str) -> Face:
    """One of our fonts, read once for each process."""
    return Face(name)
