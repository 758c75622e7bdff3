"""How an invoice is drawn: A4, begun where its language begins, on as many pages as it takes."""

from __future__ import annotations

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from lms_rt.printing.fonts import BOLD, ONE_AT_A_TIME
from lms_rt.printing.invoice import PrintedInvoice
from lms_rt.printing.lines import Row
from lms_rt.printing.sheet import About, Ink, Sheet

_INK, _MUTED, _LINE, _BAND = "#17211F", "#4C5A57", "#6B7A76", "#ECEFEC"
_EDGE, _FOOT = 20 * mm, 18 * mm
_FEW_COLUMNS = 2


def drawn(facts: PrintedInvoice) -> bytes:
    """The PDF."""
    with ONE_AT_A_TIME:
        return _Page(facts).drawn()


class _Page:
    """The page while it is drawn, from its top. Measures across are from the edge where the language begins."""

    def __init__(self, facts: PrintedInvoice) -> None:
        self._facts = facts
        about = About(f"{facts.heading} {facts.number}", facts.seller, facts.number, facts.language)
        self._sheet = Sheet(A4, about, is_shaped=facts.is_shaped)
        self._is_mirrored = facts.language == "ar"
        self._room = self._sheet.width - 2 * _EDGE
        self._y, self._number = self._sheet.height - 28 * mm, 1

    def drawn(self) -> bytes:
        """The document."""
        self._head()
        self._parties()
        self._table()
        self._notes()
        return self._sheet.finished()

    def _head(self) -> None:
        facts, half = self._facts, self._room / 2 - 5 * mm
        self._end(facts.heading, Ink(24, _INK, BOLD), most=half)
        self._start(facts.seller, Ink(14, _INK, BOLD), most=half)
        self._down(7 * mm)
        self._end(facts.number, Ink(11, _MUTED), most=half)
        for line in self._wrapped(facts.seller_lines, most=half):
            self._keep(5 * mm)
            self._start(line, Ink(9.5, _MUTED), most=half)
            self._down(4.8 * mm)
        self._down(12 * mm)

    def _parties(self) -> None:
        self._keep(60 * mm)
        facts, half, top = self._facts, self._room / 2 - 5 * mm, self._y
        self._start(facts.buyer_heading, Ink(9.5, _MUTED), most=half)
        self._down(6 * mm)
        for row in self._sheet.broken(facts.buyer, Ink(12, _INK, BOLD), most=half, lines=3):
            self._start(row, Ink(12, _INK, BOLD), most=half)
            self._down(6 * mm)
        lowest, self._y = self._y, top
        for name, value in facts.facts:
            self._start(name, Ink(9.5, _MUTED), most=half * 0.45, inset=half + 10 * mm)
            self._end(value, Ink(9.5, _INK), most=self._beside_name(name, half))
            self._down(5.6 * mm)
        self._y = min(self._y, lowest) - 10 * mm

    def _beside_name(self, name: str, room: float) -> float:
        """What a fact's name leaves its value; in the forms before, a share."""
        if not self._facts.is_shaped:
            return room * 0.55
        taken: float = min(self._sheet.measured(name, Ink(9.5, _MUTED)), room * 0.45) + 4 * mm
        return room - taken

    def _table(self) -> None:
        facts, wide = self._facts, self._room * 0.66
        words = wide if len(facts.columns) == _FEW_COLUMNS else self._room * 0.4
        small = Ink(9.5, _MUTED)
        self._start(facts.columns[0], small, most=words)
        self._amounts(facts.columns[1:], small, room=self._room - words, gap=0)
        self._rule()
        for position in facts.positions:
            rows = self._sheet.broken(position.words, Ink(10.5, _INK), most=words, lines=3)
            self._keep(len(rows) * 6 * mm)
            self._amounts(position.amounts, Ink(10.5, _INK), room=self._room - words, gap=4 * mm)
            for row in rows:
                self._start(row, Ink(10.5, _INK), most=words)
                self._down(6 * mm)
        self._keep(len(facts.sums) * 6 * mm + 20 * mm)
        for position in facts.sums:
            self._amounts(position.amounts, small, room=self._room - wide, gap=4 * mm)
            self._start(position.words, small, most=wide)
            self._down(6 * mm)
        self._down(5 * mm)
        self._sheet.bar((_EDGE, self._y - 4 * mm, self._room, 11 * mm), _BAND)
        self._start(facts.total.words, Ink(13, _INK, BOLD), most=wide, inset=3 * mm)
        self._end(facts.total.amounts[0], Ink(13, _INK, BOLD), most=self._room - wide, inset=3 * mm)
        self._down(10 * mm)
        self._end(facts.total_in_words, Ink(9.5, _MUTED), most=self._room, inset=3 * mm)
        self._down(16 * mm)

    def _amounts(self, amounts: tuple[str, ...], ink: Ink, *, room: float, gap: float) -> None:
        """Beside each other in the room at the end of a row, the last at its edge."""
        each = room / len(amounts)
        for place, amount in enumerate(reversed(amounts)):
            self._end(amount, ink, most=each - gap, inset=place * each)

    def _notes(self) -> None:
        for line in self._wrapped(self._facts.notes, most=self._room):
            self._keep(5 * mm)
            self._start(line, Ink(9.5, _MUTED), most=self._room)
            self._down(5.4 * mm)

    def _wrapped(self, lines: tuple[str, ...], *, most: float) -> list[Row]:
        ink = Ink(9.5, _MUTED)
        return [row for line in lines for row in self._sheet.broken(line, ink, most=most, lines=3)]

    def _rule(self) -> None:
        self._down(2.6 * mm)
        self._sheet.bar((_EDGE, self._y, self._room, 0.25 * mm), _LINE)
        self._down(7 * mm)

    def _start(self, text: str | Row, ink: Ink, *, most: float, inset: float = 0) -> None:
        self._placed(text, ink, most=most, inset=inset, is_at_end=False)

    def _end(self, text: str | Row, ink: Ink, *, most: float, inset: float = 0) -> None:
        self._placed(text, ink, most=most, inset=inset, is_at_end=True)

    def _placed(self, text: str | Row, ink: Ink, *, most: float, inset: float, is_at_end: bool) -> None:
        is_right = is_at_end is not self._is_mirrored
        x = self._sheet.width - _EDGE - inset if is_right else _EDGE + inset
        self._sheet.beside(text, (x, self._y), ink, most=most, is_before=is_right)

    def _keep(self, height: float) -> None:
        """Another page, unless so much is left of this one; in the forms before there is one."""
        if not self._facts.is_shaped or self._y - height >= _FOOT:
            return
        self._sheet.turn()
        self._y, self._number = self._sheet.height - _EDGE, self._number + 1
        self._end(f"{self._facts.number} – {self._number}", Ink(9.5, _MUTED), most=self._room)
        self._down(12 * mm)

    def _down(self, height: float) -> None:
        self._y -= height
