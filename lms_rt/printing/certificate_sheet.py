"""How a certificate is drawn: A4 on its side, centred, in the colours of its course."""

from __future__ import annotations

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm

from lms_rt.printing.certificate import PrintedCertificate
from lms_rt.printing.fonts import BOLD, ONE_AT_A_TIME
from lms_rt.printing.lines import Row
from lms_rt.printing.sheet import About, Ink, Sheet

_SIZE = landscape(A4)
_MOST = 210 * mm


def drawn(facts: PrintedCertificate) -> bytes:
    """The PDF."""
    with ONE_AT_A_TIME:
        return _drawn(facts)


def _drawn(facts: PrintedCertificate) -> bytes:
    title = f"{facts.heading} – {facts.student_name} – {facts.course_name}"
    about = About(title, facts.issuer, facts.numbered, facts.language)
    sheet = Sheet(_SIZE, about, is_shaped=facts.is_shaped)
    sheet.fill(facts.colors.paper)
    sheet.frame(9 * mm, facts.colors.accent, width=2.4)
    sheet.frame(11.5 * mm, facts.colors.accent, width=0.6)
    _head(sheet, facts)
    _body(sheet, facts)
    _foot(sheet, facts)
    if facts.enclosed is not None:
        sheet.enclose("certificate.json", facts.enclosed)
    return sheet.finished()


def _head(sheet: Sheet, facts: PrintedCertificate) -> None:
    middle, top, colors = sheet.width / 2, sheet.height, facts.colors
    if facts.logo is None:
        sheet.centred(facts.issuer, (middle, top - 31 * mm), Ink(17, colors.accent, BOLD), most=_MOST)
    else:
        sheet.image(facts.logo, (middle - 45 * mm, top - 37 * mm, 90 * mm, 20 * mm))
        sheet.centred(facts.issuer, (middle, top - 43 * mm), Ink(11, colors.ink), most=_MOST)
    sheet.centred(facts.heading, (middle, top - 58 * mm), Ink(32, colors.accent, BOLD), most=_MOST)
    sheet.bar((middle - 22 * mm, top - 65 * mm, 44 * mm, 0.9 * mm), colors.accent)


def _body(sheet: Sheet, facts: PrintedCertificate) -> None:
    middle, colors = sheet.width / 2, facts.colors
    plain = Ink(13, colors.ink)
    sheet.centred(facts.lead, (middle, (136.5 if facts.is_shaped else 134) * mm), plain, most=_MOST)
    y = 119 * mm
    rows, ink = sheet.sized(facts.student_name, Ink(30, colors.ink, BOLD), most=_MOST, lines=2)
    y = _rows(sheet, rows, y + (6 * mm if len(rows) > 1 else 0), ink)
    sheet.centred(facts.middle, (middle, y - 2 * mm), plain, most=_MOST)
    rows, ink = sheet.sized(facts.course_name, Ink(21, colors.accent, BOLD), most=_MOST, lines=2)
    y = _rows(sheet, rows, y - 14 * mm, ink)
    if facts.text:
        rows, ink = sheet.sized(facts.text, Ink(11.5, colors.ink), most=_MOST - 30 * mm, lines=3)
        y = _rows(sheet, rows, y, ink)
    sheet.centred(facts.dated, (middle, y - 1 * mm), Ink(12, colors.ink), most=_MOST)


def _rows(sheet: Sheet, rows: list[Row], y: float, ink: Ink) -> float:
    """Lines below each other; where the next thing may stand."""
    for row in rows:
        sheet.centred(row, (sheet.width / 2, y), ink, most=_MOST)
        y -= ink.size * 1.45
    return y


def _foot(sheet: Sheet, facts: PrintedCertificate) -> None:
    colors, side, is_mirrored = facts.colors, 31 * mm, facts.language == "ar"
    left = 19 * mm if is_mirrored else sheet.width - 19 * mm - side
    sheet.qr(facts.verify_url, (left, 18 * mm), side=side)
    sheet.link(facts.verify_url, (left, 18 * mm, side, side))
    room = sheet.width - 2 * 19 * mm - side - 10 * mm
    start = 19 * mm + side + 10 * mm if is_mirrored else 19 * mm
    small = Ink(8.5, colors.ink)
    centre = start + room / 2
    sheet.centred(facts.numbered, (centre, 25.5 * mm), Ink(10, colors.ink, BOLD), most=room)
    sheet.centred(facts.check, (centre, 21 * mm), small, most=room)
    sheet.centred(facts.verify_url, (centre, 17 * mm), small, most=room)
    sheet.link(facts.verify_url, (start, 16 * mm, room, 8 * mm))
    signers = tuple(reversed(facts.signers)) if is_mirrored else facts.signers
    share = room / max(1, len(signers))
    for place, signer in enumerate(signers):
        x = start + share * (place + 0.5)
        sheet.bar((x - 32 * mm, 42 * mm, 64 * mm, 0.25 * mm), colors.ink)
        sheet.centred(signer.name, (x, 44 * mm), Ink(13, colors.ink, BOLD), most=share - 6 * mm)
        sheet.centred(signer.role, (x, 37 * mm), Ink(9.5, colors.ink), most=share - 6 * mm)
