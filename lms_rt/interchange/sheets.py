"""Tables as XLSX, row by row into a file on disk: what is held at once is one row. Blocking: for a thread.

What somebody wrote is stored as text, never as a formula, a number or a link; where a spreadsheet would take it for a formula
once it is edited, the cell is marked as text as well.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from lms_rt.interchange.csv_rows import is_formula

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_TEXT = 32_767
"""A cell holds no longer text."""
_NAME_LENGTH = 31
_UNNAMED = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))
_NUMBER = "0.00"

Cells = Sequence[object]


def write_sheet(
    path: Path, title: str, head: Cells, rows: Iterable[Cells], *, is_mirrored: bool = False, frozen_columns: int = 1
) -> None:
    """One sheet with a bold first row that stays in view. `is_mirrored`: its first column is at the right."""
    options = {"constant_memory": True, "tmpdir": str(path.parent), "in_memory": False}
    book = xlsxwriter.Workbook(str(path), options)
    try:
        sheet = book.add_worksheet(sheet_name(title))
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        looks = {"number": book.add_format({"num_format": _NUMBER}), "text": book.add_format({"quote_prefix": True})}
        if is_mirrored:
            sheet.right_to_left()
        sheet.freeze_panes(1, frozen_columns)
        sheet.set_column(0, max(0, len(head) - 1), 16)
        for column, value in enumerate(head):
            sheet.write_string(0, column, str(value)[:MAX_TEXT], bold)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                _write(sheet, (number, column), value, looks)
    finally:
        book.close()


def sheet_name(title: str) -> str:
    """A title as a sheet may be called: without some signs, at most 31 of them, and not nothing."""
    name = " ".join(title.translate(_UNNAMED).split())[:_NAME_LENGTH].strip()
    return name or "Sheet1"


def scratch_file() -> tempfile.TemporaryDirectory[str]:
    """A directory for the file and what is written beside it meanwhile; gone when it is closed."""
    return tempfile.TemporaryDirectory(prefix="lms-sheet-")


def _write(sheet: Any, place: tuple[int, int], value: object, looks: dict[str, Any]) -> None:
    if value is None:
        return
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        sheet.write_number(*place, float(value), looks["number"] if isinstance(value, Decimal) else None)
        return
    text = str(value)[:MAX_TEXT]
    sheet.write_string(*place, text, looks["text"] if is_formula(text) else None)
