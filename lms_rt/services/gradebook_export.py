"""The gradebook as a table for spreadsheets: CSV in pieces, XLSX by way of a file. That it was taken is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from decimal import Decimal
from pathlib import Path

from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.gradebook import GradebookView, StudentRowView
from lms_rt.interchange.csv_rows import csv_lines
from lms_rt.interchange.sheets import scratch_file, write_sheet
from lms_rt.services.audit import Audit
from lms_rt.services.gradebook import Gradebooks

BOM = b"\xef\xbb\xbf"
ROWS_AT_ONCE = 50
PIECE_BYTES = 64 << 10
_STATES = {"excused": "excused", "missing": "missing", "waiting": "waiting"}
_OWN = ("student_id", "full_name", "email", "group")


class GradebookExport:
    """Makes tables of gradebooks."""

    def __init__(self, *, gradebooks: Gradebooks, audit: Audit) -> None:
        self._gradebooks, self._audit = gradebooks, audit

    async def csv(self, actor: Actor, course_id: str, *, has_bom: bool = False) -> AsyncGenerator[bytes, None]:
        """As CSV; `has_bom` puts the mark before it by which old spreadsheets know UTF-8."""
        book = await self._taken(actor, course_id)
        yield (BOM if has_bom else b"") + csv_lines([head_of(book)])
        for begin in range(0, len(book.students), ROWS_AT_ONCE):
            rows = book.students[begin : begin + ROWS_AT_ONCE]
            yield await asyncio.to_thread(_lines, book, rows)

    async def xlsx(self, actor: Actor, course_id: str, *, is_mirrored: bool = False) -> AsyncGenerator[bytes, None]:
        """As XLSX, in pieces of the file that is written in a thread."""
        book = await self._taken(actor, course_id)
        with scratch_file() as directory:
            path = Path(directory) / "gradebook.xlsx"
            rows = (list(cells_of(book, row)) for row in book.students)
            await asyncio.to_thread(
                write_sheet, path, "Gradebook", head_of(book), rows, is_mirrored=is_mirrored, frozen_columns=2
            )
            with path.open("rb") as file:
                while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                    yield piece

    async def _taken(self, actor: Actor, course_id: str) -> GradebookView:
        book = await self._gradebooks.show(actor, course_id)
        after = {"count": len(book.students)}
        await self._audit.record(actor, "gradebook.export", kind="gradebook", target_id=book.course_id, after=after)
        return book


def head_of(book: GradebookView) -> list[str]:
    """The first row: who, each item with its points, each category with its weight, and the whole."""
    items = [f"{one.title} ({hundredths_text(one.points)})" for one in book.items]
    categories = [f"{one.name} ({hundredths_text(one.weight)} %)" for one in book.categories]
    return [*_OWN, *items, *categories, "total (%)", "letter"]


def cells_of(book: GradebookView, row: StudentRowView) -> Iterator[object]:
    """One student. A grade is its points, or a word where there are none."""
    yield from (getattr(row, name) for name in _OWN)
    for item in book.items:
        grade = row.grades[item.item_id]
        yield _STATES.get(grade.state) if grade.points is None else _number(grade.points)
    for category in book.categories:
        yield _number(row.categories.get(category.id))
    yield _number(row.percentage)
    yield row.letter


def _number(hundredths: int | None) -> Decimal | None:
    return None if hundredths is None else Decimal(hundredths) / 100


def _lines(book: GradebookView, rows: list[StudentRowView]) -> bytes:
    return csv_lines(_texts(cells_of(book, row)) for row in rows)


def _texts(cells: Iterator[object]) -> Iterator[object]:
    """Numbers with two places, as everywhere."""
    return (f"{one:.2f}" if isinstance(one, Decimal) else one for one in cells)
