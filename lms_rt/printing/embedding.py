"""Our fonts within one document: only the glyphs that it draws, each under a code that tells which sign of the text it is."""

from __future__ import annotations

from itertools import groupby

from reportlab.lib.rl_accel import fp_str
from reportlab.pdfbase.pdfdoc import PDFArray, PDFDocument, PDFStream, PDFTrueTypeFont, PDFZCompress
from reportlab.pdfbase.ttfonts import SUBSETN
from reportlab.pdfgen.canvas import Canvas

from lms_rt.printing.shaping import EM, Face, Letter, Mark, Word, face_of

_CODES = 256
_SPACE = ord(" ")
_NOTHING = "\ufffd"

Coded = tuple[int, str]
"""A glyph, and the sign that it stands for."""


class _Codes:
    """The codes of one face: as many fonts of 256 as it takes. In each, 0 is the empty box and 32 the space, as readers think."""

    def __init__(self, face: Face) -> None:
        self.face, self._space = face, (face.blank, " ")
        self.fonts = [self._begun()]
        self._known: dict[Coded, tuple[int, int]] = {}

    def code(self, letter: Letter) -> tuple[int, int]:
        """In which font, and under which code there."""
        coded = (letter.index, letter.sign)
        if coded == self._space:
            return 0, _SPACE
        if coded not in self._known:
            if len(self.fonts[-1]) == _CODES:
                self.fonts.append(self._begun())
            self.fonts[-1].append(coded)
            self._known[coded] = len(self.fonts) - 1, len(self.fonts[-1]) - 1
        return self._known[coded]

    def _begun(self) -> list[Coded]:
        return [(0, _NOTHING), *[self._space] * _SPACE]


class Embedding:
    """What one document has of our fonts."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._codes: dict[str, _Codes] = {}

    def draw(self, font: str, word: Word, at: tuple[float, float], size: float) -> None:
        """A word at that place and size, in the colour that the canvas has."""
        codes = self._codes.setdefault(font, _Codes(face_of(font)))
        shown = [(codes.code(letter), letter) for letter in word.letters]
        x, y = at
        for number, group in groupby(shown, key=lambda one: one[0][0]):
            letters = [(code, letter) for (_, code), letter in group]
            start = x + letters[0][1].x * size / EM
            self._write(f"BT 1 0 0 1 {fp_str(start, y)} Tm /{_name(font, number)} {fp_str(size)} Tf")
            self._write(f"[{_shown(codes.face, letters)}] TJ ET")
        for mark in word.marks:
            self._paint(codes.face, mark, at, size / EM)

    def finish(self) -> None:
        """Put the fonts into the document, once all is drawn."""
        document = self._canvas._doc  # noqa: SLF001 - a canvas has no door of its own to what lies within
        for name, codes in self._codes.items():
            for number, coded in enumerate(codes.fonts):
                document.idToObject["BasicFonts"].dict[_name(name, number)] = _font(document, codes.face, number, coded)

    def _write(self, operators: str) -> None:
        self._canvas._code.append(operators)  # noqa: SLF001 - drawing by glyphs is not among what a canvas offers

    def _paint(self, face: Face, mark: Mark, at: tuple[float, float], scale: float) -> None:
        left, bottom = at[0] + mark.x * scale, at[1] + mark.y * scale
        for sign, points in face.outline(mark.index):
            places = [(left, bottom)[place % 2] + point * scale for place, point in enumerate(points)]
            self._write(f"{fp_str(*places)} {sign}" if places else sign)
        self._write("f")


def _name(font: str, number: int) -> str:
    return f"{font}+{number}"


def _shown(face: Face, letters: list[tuple[int, Letter]]) -> str:
    """The codes, and between them how far each is from where the one before ended: back, as PDF counts it."""
    parts: list[str] = []
    pen = letters[0][1].x
    for code, letter in letters:
        if letter.x != pen:
            parts.append(str(pen - letter.x))
        parts.append(f"<{code:02X}>")
        pen = letter.x + face.width(letter.index)
    return " ".join(parts)


def _font(document: PDFDocument, face: Face, number: int, coded: list[Coded]) -> PDFTrueTypeFont:
    made = PDFTrueTypeFont()
    made.Name = _name(face.name, number)
    made.BaseFont = (SUBSETN(number) + b"+" + face.cut.name).decode("ascii")
    made.FirstChar, made.LastChar = 0, len(coded) - 1
    made.Widths = PDFArray([face.width(index) for index, _ in coded])
    meaning = PDFStream(content=_meaning(made.BaseFont, [sign for _, sign in coded]), filters=[PDFZCompress])
    made.ToUnicode = document.Reference(meaning, f"toUnicodeCMap:{made.BaseFont}")
    made.FontDescriptor = face.cut.addSubsetObjects(document, made.BaseFont, [index for index, _ in coded])
    return made


def _meaning(name: str, signs: list[str]) -> str:
    """The table that tells programs which sign each code is (ToUnicode); of a hundred rows at most each, as its format has it."""
    rows = [f"<{code:02X}> <{sign.encode('utf-16-be').hex().upper()}>" for code, sign in enumerate(signs)]
    blocks = [rows[at : at + 100] for at in range(0, len(rows), 100)]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap",
            f"/CIDSystemInfo << /Registry ({name}) /Ordering ({name}) /Supplement 0 >> def",
            f"/CMapName /{name} def\n/CMapType 2 def\n1 begincodespacerange\n<00> <{len(signs) - 1:02X}>\nendcodespacerange",
            *(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks),
            "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend",
        ]
    )
