"""Lines before they are drawn: how wide each is, and how it comes onto a page. Two kinds; a document has one of them.

`ShapedLine` is set by HarfBuzz. `JoinedLine` is how the sheets of the forms before were printed, and are printed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol

from reportlab.pdfgen.canvas import Canvas

from lms_rt.printing.embedding import Embedding
from lms_rt.printing.fonts import Run, is_ours, runs_of, width_of
from lms_rt.printing.scripts import drawn, pieces
from lms_rt.printing.shaping import EM, Word, beside, face_of


class Row(NamedTuple):
    """The words of one line, and whether what it is part of runs from right to left."""

    text: str
    is_back: bool


class Line(Protocol):
    """One line of a document."""

    def __init__(self, row: Row, font: str) -> None: ...

    def width(self, size: float) -> float:
        """How wide it is at that size, in points."""

    def draw(self, canvas: Canvas, embedding: Embedding, at: tuple[float, float], size: float) -> None:
        """Put it there, from left to right, in the colour that the canvas has."""


class JoinedLine:
    """Letters in the forms that join, without marks."""

    def __init__(self, row: Row, font: str) -> None:
        self._runs = runs_of(drawn(row.text), font)

    def width(self, size: float) -> float:
        """How wide it is at that size, in points."""
        return width_of(self._runs, size)

    def draw(self, canvas: Canvas, embedding: Embedding, at: tuple[float, float], size: float) -> None:  # noqa: ARG002
        """Put it there, by the fonts' signs."""
        x, y = at
        for run in self._runs:
            _draw_signs(canvas, run, (x, y), size)
            x += width_of([run], size)


@dataclass(frozen=True, slots=True)
class _Set:
    """A word in one of our fonts."""

    font: str
    word: Word


class ShapedLine:
    """Words as the fonts' own tables set them; in a font of the reader's program, sign by sign."""

    def __init__(self, row: Row, font: str) -> None:
        self._parts = list(_joined(_parts(row, font)))

    def width(self, size: float) -> float:
        """How wide it is at that size, in points."""
        return sum(_width(part, size) for part in self._parts)

    def draw(self, canvas: Canvas, embedding: Embedding, at: tuple[float, float], size: float) -> None:
        """Put it there, by the fonts' glyphs."""
        x, y = at
        for part in self._parts:
            if isinstance(part, _Set):
                embedding.draw(part.font, part.word, (x, y), size)
            else:
                _draw_signs(canvas, part, (x, y), size)
            x += _width(part, size)


def _parts(row: Row, font: str) -> Iterator[_Set | Run]:
    for piece, is_right_to_left in pieces(row.text, is_back=row.is_back):
        runs = runs_of(piece, font)
        for name, signs in reversed(runs) if is_right_to_left else runs:
            if is_ours(name):
                yield _Set(name, face_of(name).word(signs, is_right_to_left=is_right_to_left))
            else:
                yield name, signs


def _joined(parts: Iterator[_Set | Run]) -> Iterator[_Set | Run]:
    """Words beside each other in one font as one: readers of text want a line whole."""
    for font, group in groupby(parts, key=lambda part: part.font if isinstance(part, _Set) else ""):
        if font:
            yield _Set(font, beside(part.word for part in group if isinstance(part, _Set)))
        else:
            yield from group


def _width(part: _Set | Run, size: float) -> float:
    return part.word.width * size / EM if isinstance(part, _Set) else width_of([part], size)


def _draw_signs(canvas: Canvas, run: Run, at: tuple[float, float], size: float) -> None:
    name, text = run
    canvas.setFont(name, size)
    canvas.drawString(*at, text)
