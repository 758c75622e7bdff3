"""The sheet in which grades are filled in and brought back: rows as CSV, and CSV as rows. Whether they fit, services say.

Read as spreadsheets write it: with or without a BOM, in UTF-8, UTF-16 or Windows-1256, by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lms_rt.interchange.csv_rows import csv_lines

COLUMNS = ("submission_id", "name", "submitted_at", "late_days", "points", "grade", "feedback", "reason", "revision")
READ = ("submission_id", "grade", "feedback", "reason", "revision")
MAX_ROWS = 10_000
_BOM = "\ufeff".encode()
_GUARDED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_DIGITS = str.maketrans({"٫": ".", "،": ".", ",": "."})


class SheetFault(ValueError):
    """The file is no such sheet; the words say why."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row that was read: its line in the file, and its cells by column."""

    line: int
    cells: Mapping[str, str]


def head_line(*, has_bom: bool = True) -> bytes:
    """The names of the columns; with a BOM, by which spreadsheets know UTF-8."""
    return (_BOM if has_bom else b"") + csv_lines([COLUMNS])


def row_lines(rows: Iterable[Mapping[str, object]]) -> bytes:
    """These rows as lines in which nothing runs as a formula."""
    return csv_lines([row.get(name) for name in COLUMNS] for row in rows)


def read_sheet(content: bytes) -> list[SheetRow]:
    """The rows of a sheet that say something, in their order; `SheetFault` where it is none."""
    text = _decoded(content)
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True)
    try:
        names = [cell.strip().casefold() for cell in next(reader, [])]
        if "submission_id" not in names or "grade" not in names:
            raise SheetFault("The first line has to name the columns, submission_id and grade among them.")
        rows: list[SheetRow] = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(SheetRow(reader.line_num, _named(names, cells)))
            if len(rows) > MAX_ROWS:
                raise SheetFault(f"A sheet has at most {MAX_ROWS} rows.")
    except csv.Error as error:
        raise SheetFault(f"Line {reader.line_num}: {error}.") from None
    return rows


def decimal_text(cell: str) -> str:
    """A number as people write it, in any digits and with any comma, as a decimal text."""
    return cell.strip().translate(_DIGITS)


def may_be_thousands(cell: str, *, can_be: bool) -> bool:
    """Could a separator in it be one of thousands? A comma before three digits always; a point where so much `can_be`."""
    whole, _, last = cell.strip().translate(_DIGITS).rpartition(".")
    has_three = len(last) == 3 and last.isdecimal() and 1 <= len(whole) <= 3 and whole.isdecimal()
    return has_three and (can_be or "." not in cell)


def _named(names: list[str], cells: list[str]) -> dict[str, str]:
    found = dict(zip(names, cells, strict=False))
    return {name: _unguarded(found.get(name, "")) for name in READ}


def _unguarded(cell: str) -> str:
    """Without the apostrophe that `csv_lines` put before what a spreadsheet would run."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(_GUARDED) else cell


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1256")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SheetFault("The file is not text in UTF-8, UTF-16 or Windows-1256.")


def _delimiter(text: str) -> str:
    head = text[: text.find("\n") if "\n" in text else len(text)]
    return max((",", ";", "\t"), key=head.count)
