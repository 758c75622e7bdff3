"""Tables as people save them from spreadsheets: which encoding, which separator, which line. What columns mean is not known here.

Excel writes UTF-8 with a mark, UTF-16 with tabs, or the code page of Windows (1256 where Arabic is written), and puts a
semicolon between cells where the comma is the decimal sign. All of that is recognised; nothing is guessed twice.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_CELL = 2_000
MAX_COLUMNS = 60
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UTF16_BY_NULS = {True: "utf-16-be", False: "utf-16-le"}
_SEPARATORS = (",", ";", "\t", "|", "؛")
_HINT = "sep="
"""Excel's own first line, which names the separator and is no row."""
_SAMPLE = 4_096
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""A letter beyond ASCII in UTF-8."""
_ASCII = bytes(range(0x80))
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How a workbook begins, new or old."""
_BINARY = "This is no table in text but a spreadsheet or some other file; save it as CSV."


class TableFault(Exception):
    """The table cannot be read: a stable code, and words for people. `line` is where, when it is known."""

    def __init__(self, code: str, words: str, line: int | None = None) -> None:
        super().__init__(words)
        self.code, self.words, self.line = code, words, line


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: the line of the file on which it begins, and its cells without the space around them."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What was read, and how: `encoding` as Python names it, and the sign between cells."""

    encoding: str
    separator: str
    rows: Sequence[TableRow]


def read_table(raw: bytes, *, max_rows: int, encoding: str | None = None) -> Table:
    """All rows that are not empty, at most so many; in this encoding, if one is said. Raises `TableFault`."""
    if raw.startswith(_SPREADSHEETS):
        raise TableFault("binary", _BINARY)
    text, encoding = decode(raw) if encoding is None else (_said(raw, encoding), encoding)
    if "\x00" in text:
        raise TableFault("binary", _BINARY)
    separator, text, skipped = _separated(text)
    rows: list[TableRow] = []
    for row in _rows(text, separator, skipped):
        if len(rows) == max_rows:
            raise TableFault("too_many_rows", f"A file has {max_rows} rows at most; split it.", row.line)
        rows.append(row)
    return Table(encoding, separator, rows)


def decode(raw: bytes) -> tuple[str, str]:
    """The text and its encoding: by its mark, else UTF-8, else UTF-16 by its zeros, else Windows-1256, which takes every byte.

    What is mostly UTF-8 is damaged UTF-8, and refused.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _decoded(raw, encoding), encoding.removesuffix("-sig")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        pass
    else:
        if "\x00" not in text:
            return text, "utf-8"
    sample = raw[:_SAMPLE]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > len(sample) // 8:
        encoding = _UTF16_BY_NULS[even > odd]
        return _decoded(raw, encoding), encoding
    _refuse_damaged(raw)
    return raw.decode("cp1256"), "windows-1256"


def _said(raw: bytes, encoding: str) -> str:
    """In the encoding that is said to be its own."""
    if encoding == "utf-16" and not raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16-le"
    try:
        return raw.decode(encoding.replace("windows-", "cp")).removeprefix("\ufeff")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        raise TableFault("encoding", f"There is something here that is not written as {encoding}.", line) from None


def _refuse_damaged(raw: bytes) -> None:
    """What is UTF-8 but for a few bytes is no other encoding: read as one, every name would be another."""
    letters = _SEQUENCE.findall(raw)
    strays = len(raw.translate(None, _ASCII)) - sum(map(len, letters))
    if len(letters) <= strays:
        return
    try:
        raw.decode()
    except UnicodeDecodeError as fault:
        words = "There is a letter that is not UTF-8, as the rest of the file is; save it again as CSV UTF-8."
        raise TableFault("encoding", words, raw.count(b"\n", 0, fault.start) + 1) from None


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise TableFault(
            "encoding", "The file says that it is Unicode, and is not; save it again as CSV UTF-8."
        ) from None


def _separated(text: str) -> tuple[str, str, int]:
    """The separator, the text without a line that only names it, and how many lines that were."""
    first, _, rest = text.partition("\n")
    said = first.strip("\r ").strip('"')
    if said.lower().startswith(_HINT) and len(said) == len(_HINT) + 1:
        return said[-1], rest, 1
    counts = {separator: _outside_quotes(first, separator) for separator in _SEPARATORS}
    found = max(counts, key=lambda separator: counts[separator])
    return (found if counts[found] else ","), text, 0


def _outside_quotes(line: str, separator: str) -> int:
    return sum(part.count(separator) for part in line.split('"')[::2])


def _rows(text: str, separator: str, skipped: int) -> Iterator[TableRow]:
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), skipped + 1
    try:
        for cells in reader:
            kept = tuple(cell.strip().strip("\ufeff") for cell in cells)
            if any(kept):
                yield _checked(TableRow(line, kept))
            line = skipped + reader.line_num + 1
    except csv.Error:
        words = "From this line on the quotation marks do not fit together."
        raise TableFault("quotes", words, line) from None


def _checked(row: TableRow) -> TableRow:
    if len(row.cells) > MAX_COLUMNS or max(map(len, row.cells)) > MAX_CELL:
        raise TableFault(
            "too_long", "This line is too long for a table of people; is a quotation mark missing?", row.line
        )
    return row
