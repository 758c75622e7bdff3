"""Tables of people: which column is which, in English and Arabic, and what is wrong with a row by itself. Pure.

Whether there are such people, and what becomes of them, is `bulk_enrollment.py`'s.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter, ValidationError

from lms_rt.contracts.accommodations import GroupName
from lms_rt.contracts.accounts import Email, FullName, find_email_key
from lms_rt.contracts.bulk import MAX_ROWS
from lms_rt.errors import invalid
from lms_rt.interchange.tables import Table, TableFault, TableRow, read_table

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "email": (
        "email", "e-mail", "mail", "email address", "e-mail address", "address",
        "البريد", "البريد الإلكتروني", "بريد إلكتروني", "الإيميل", "إيميل", "ايميل",
    ),
    "full_name": (
        "name", "full name", "fullname", "full_name", "student", "student name", "display name",
        "الاسم", "الاسم الكامل", "اسم الطالب", "اسم الطالبة", "الطالب",
    ),
    "first_name": ("first name", "firstname", "first_name", "given name", "forename", "الاسم الأول"),
    "last_name": (
        "last name", "lastname", "last_name", "surname", "family name", "اسم العائلة", "الاسم الأخير", "الكنية", "العائلة",
    ),
    "group": ("group", "section", "class", "المجموعة", "مجموعة", "الشعبة", "شعبة", "الفصل", "الصف"),
    "locale": ("language", "locale", "lang", "اللغة", "لغة"),
}  # fmt: skip
"""How columns are called."""
_LOCALES = {"en": "en", "english": "en", "ar": "ar", "arabic": "ar", "العربيه": "ar", "عربي": "ar", "الانجليزيه": "en"}
_FOLDED_LETTERS = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ة": "ه", "ى": "ي", "ـ": None})
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(FullName)
_GROUP: TypeAdapter[str] = TypeAdapter(GroupName)


@dataclass(slots=True)
class PersonRow:
    """A row as it was read. With a `code` nothing can be done with it."""

    line: int
    email: str
    email_key: str = ""
    full_name: str | None = None
    group: str | None = None
    locale: str | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class People:
    """What a file holds: `columns` are the names of those that were understood, by what they are."""

    encoding: str
    separator: str
    columns: dict[str, str]
    rows: list[PersonRow]


def read_people(raw: bytes, encoding: str | None = None) -> People:
    """The people of a file; the file is refused (422 on `file`) when it is no table, or has no column of addresses."""
    try:
        table = read_table(raw, max_rows=MAX_ROWS + 1, encoding=encoding)
    except TableFault as fault:
        where = f"Line {fault.line}: " if fault.line else ""
        raise invalid("file", where + fault.words, fault.code) from None
    if not table.rows:
        raise invalid("file", "There is nothing in this file.", "empty")
    places, has_head = _places_of(table)
    columns = {name: table.rows[0].cells[place] if has_head else str(place + 1) for name, place in places.items()}
    found = table.rows[1:] if has_head else table.rows
    if len(found) > MAX_ROWS:
        raise invalid("file", f"A file has {MAX_ROWS} rows at most; split it.", "too_many_rows")
    rows = [_row(row, places) for row in found]
    _mark_doubles(rows)
    return People(table.encoding, table.separator, columns, rows)


def _places_of(table: Table) -> tuple[dict[str, int], bool]:
    """Where which column is, and whether the first row names them."""
    first = table.rows[0].cells
    places: dict[str, int] = {}
    for place, cell in enumerate(first):
        if (name := _known_columns().get(_folded(cell))) is not None:
            places.setdefault(name, place)
    if "email" in places:
        return places, True
    at = next((place for place, cell in enumerate(first) if find_email_key(cell) is not None), None)
    if at is None or places:
        raise invalid(
            "file", "No column is called email; put the names of the columns into the first line.", "no_email"
        )
    other = next((place for place in range(len(first)) if place != at), None)
    return ({"email": at} if other is None else {"email": at, "full_name": other}), False


@cache
def _known_columns() -> Mapping[str, str]:
    return {_folded(word): name for name, words in COLUMNS.items() for word in words}


def _folded(cell: str) -> str:
    """The name of a column without case, marks, points, and what tells one spelling from the other."""
    text = unicodedata.normalize("NFKD", cell).casefold()
    kept = "".join(sign for sign in text if sign.isalnum() or sign in " _-")
    return " ".join(kept.translate(_FOLDED_LETTERS).replace("_", " ").replace("-", " ").split())


def _row(row: TableRow, places: Mapping[str, int]) -> PersonRow:
    cells = {name: row.cells[place] if place < len(row.cells) else "" for name, place in places.items()}
    made = PersonRow(row.line, cells["email"].removeprefix("mailto:")[:320])
    full_name = cells.get("full_name") or " ".join(
        part for part in (cells.get("first_name", ""), cells.get("last_name", "")) if part
    )
    made.locale = _LOCALES.get(_folded(cells.get("locale", "")))
    _take(made, "email", _EMAIL, made.email)
    made.email_key = find_email_key(made.email) or ""
    if not made.email_key:
        _refuse(made, "email", "This is no e-mail address." if made.email else "The address is missing.")
    if full_name:
        _take(made, "full_name", _NAME, full_name)
    if cells.get("group"):
        _take(made, "group", _GROUP, cells["group"])
    return made


def _take(row: PersonRow, name: str, kind: TypeAdapter[str], value: str) -> None:
    try:
        setattr(row, name, kind.validate_python(value))
    except ValidationError as error:
        _refuse(row, name, error.errors(include_url=False, include_input=False)[0]["msg"])


def _refuse(row: PersonRow, code: str, reason: str) -> None:
    if row.code is None:
        row.code, row.reason = code, reason


def _mark_doubles(rows: Sequence[PersonRow]) -> None:
    """Of rows with the same address the first counts."""
    seen: dict[str, int] = {}
    for row in rows:
        if row.email_key and seen.setdefault(row.email_key, row.line) != row.line:
            _refuse(row, "duplicate", f"The address stands on line {seen[row.email_key]} already.")
