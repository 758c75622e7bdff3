"""A sheet to draw on: lines of any script, shrunk or broken to a width, and the same bytes for the same lines."""

from __future__ import annotations

import io
from dataclasses import dataclass

from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream, PDFString
from reportlab.pdfgen.canvas import Canvas

from lms_rt.printing.embedding import Embedding
from lms_rt.printing.fonts import REGULAR
from lms_rt.printing.lines import JoinedLine, Line, Row, ShapedLine
from lms_rt.printing.scripts import is_right_to_left

_SMALLEST = 0.5
"""Of a line's size; what is wider still is broken."""


@dataclass(frozen=True, slots=True)
class Ink:
    """How a line is drawn."""

    size: float
    color: str
    font: str = REGULAR


@dataclass(frozen=True, slots=True)
class About:
    """What programs are told of the document."""

    title: str
    author: str
    subject: str
    language: str


class Sheet:
    """Pages, drawn one after the other. Measures are points, from the lower left corner.

    `is_shaped`: words are set by the font's own tables, their marks with them; otherwise as on the sheets of the forms before.
    """

    def __init__(self, size: tuple[float, float], about: About, *, is_shaped: bool) -> None:
        self.width, self.height = size
        self._kind: type[Line] = ShapedLine if is_shaped else JoinedLine
        self._lines: dict[tuple[Row, str], Line] = {}
        self._content = io.BytesIO()
        # `invariant`: no time and no random id in it, so that the same facts make the same bytes
        self._canvas = Canvas(self._content, pagesize=size, invariant=1, pageCompression=1, lang=about.language)
        self._canvas.setTitle(about.title)
        self._canvas.setAuthor(about.author)
        self._canvas.setSubject(about.subject)
        self._canvas.setCreator(about.author)
        self._embedding = Embedding(self._canvas)

    def fill(self, color: str) -> None:
        """The paper's colour."""
        self._canvas.setFillColor(HexColor(color))
        self._canvas.rect(0, 0, self.width, self.height, stroke=0, fill=1)

    def frame(self, inset: float, color: str, *, width: float) -> None:
        """A line around everything."""
        self._canvas.setStrokeColor(HexColor(color))
        self._canvas.setLineWidth(width)
        self._canvas.rect(inset, inset, self.width - 2 * inset, self.height - 2 * inset, stroke=1, fill=0)

    def bar(self, box: tuple[float, float, float, float], color: str) -> None:
        """A filled box: x, y, width, height."""
        self._canvas.setFillColor(HexColor(color))
        self._canvas.rect(*box, stroke=0, fill=1)

    def centred(self, text: str | Row, at: tuple[float, float], ink: Ink, *, most: float) -> None:
        """One line around x, no wider than that: shrunk as far as need be."""
        line = self._line(text, ink)
        size = _fitting(line, ink.size, most)
        self._draw(line, (at[0] - line.width(size) / 2, at[1]), ink, size)

    def beside(self, text: str | Row, at: tuple[float, float], ink: Ink, *, most: float, is_before: bool) -> None:
        """One line that begins at x, or ends there if it `is_before`; no wider than that."""
        line = self._line(text, ink)
        size = _fitting(line, ink.size, most)
        self._draw(line, (at[0] - (line.width(size) if is_before else 0), at[1]), ink, size)

    def image(self, content: bytes, box: tuple[float, float, float, float]) -> None:
        """A picture within a box, its shape kept."""
        x, y, width, height = box
        reader = ImageReader(io.BytesIO(content))
        self._canvas.drawImage(
            reader, x, y, width, height, mask="auto", preserveAspectRatio=True, anchor="c", anchorAtXY=False
        )

    def qr(self, text: str, at: tuple[float, float], *, side: float) -> None:
        """A QR code on white, whatever the paper is: scanners want the contrast, and the quiet edge."""
        self._canvas.setFillColor(HexColor("#FFFFFF"))
        self._canvas.rect(at[0], at[1], side, side, stroke=0, fill=1)
        widget = QrCodeWidget(text, barLevel="M", barWidth=side, barHeight=side, barBorder=4)
        drawing = Drawing(side, side)
        drawing.add(widget)
        renderPDF.draw(drawing, self._canvas, at[0], at[1])

    def link(self, url: str, box: tuple[float, float, float, float]) -> None:
        """A box that leads somewhere when it is clicked."""
        x, y, width, height = box
        self._canvas.linkURL(url, (x, y, x + width, y + height), relative=0)

    def enclose(self, name: str, json: bytes) -> None:
        """A file of JSON that lies within, as it is: readers list it, and it is found without a reader of PDFs."""
        document = self._canvas._doc  # noqa: SLF001 - a canvas has no door of its own to what lies within
        kind = PDFDictionary({"Type": PDFName("EmbeddedFile")})
        stream = document.Reference(PDFStream(kind, json + b"\n", filters=[]))
        within = {"F": PDFString(name), "UF": PDFString(name), "EF": PDFDictionary({"F": stream})}
        spec = document.Reference(PDFDictionary({"Type": PDFName("Filespec"), **within}))
        files = PDFDictionary({"Names": PDFArray([PDFString(name), spec])})
        document.Catalog.Names = PDFDictionary({"EmbeddedFiles": files})

    def turn(self) -> None:
        """Go on with another page."""
        self._canvas.showPage()

    def finished(self) -> bytes:
        """The document."""
        self._embedding.finish()
        self._canvas.showPage()
        self._canvas.save()
        return self._content.getvalue()

    def broken(self, text: str, ink: Ink, *, most: float, lines: int) -> list[Row]:
        """The words in lines of that width, in the order of their meaning. What is too much for so many lines ends with "…"."""
        made: list[str] = []
        is_back = is_right_to_left(text)
        for word in text.split():
            longer = f"{made[-1]} {word}" if made else word
            if made and self.measured(Row(longer, is_back), ink) <= most:
                made[-1] = longer
            else:
                made.append(word)
        if len(made) > lines:
            made = [*made[: lines - 1], f"{made[lines - 1]} …"]
        return [Row(row, is_back) for row in made]

    def sized(self, text: str, ink: Ink, *, most: float, lines: int) -> tuple[list[Row], Ink]:
        """The lines of a title: smaller as long as that makes it fit into so many lines, broken and cut at last."""
        size = ink.size
        while size > ink.size * _SMALLEST:
            smaller = Ink(size, ink.color, ink.font)
            rows = self.broken(text, smaller, most=most, lines=lines + 1)
            if len(rows) <= lines and all(self.measured(row, smaller) <= most for row in rows):
                return rows, smaller
            size -= 1
        smallest = Ink(ink.size * _SMALLEST, ink.color, ink.font)
        return self.broken(text, smallest, most=most, lines=lines), smallest

    def measured(self, text: str | Row, ink: Ink) -> float:
        """How wide this would be in one line, in points."""
        return self._line(text, ink).width(ink.size)

    def _line(self, text: str | Row, ink: Ink) -> Line:
        row = text if isinstance(text, Row) else Row(text, is_right_to_left(text))
        if (row, ink.font) not in self._lines:
            self._lines[row, ink.font] = self._kind(row, ink.font)
        return self._lines[row, ink.font]

    def _draw(self, line: Line, at: tuple[float, float], ink: Ink, size: float) -> None:
        self._canvas.setFillColor(HexColor(ink.color))
        line.draw(self._canvas, self._embedding, at, size)


def _fitting(line: Line, size: float, most: float) -> float:
    """The size at which the line is no wider than that."""
    width = line.width(size)
    return size if width <= most else size * most / width
