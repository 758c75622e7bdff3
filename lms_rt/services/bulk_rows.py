"""Rows of a table of people on their way: what one would come to, how it is kept, and how it is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from documents.base import Row
from documents.enrollment import PRESENT
from lms_rt.contracts.bulk import SHOWN_ROWS, Foretold, Outcome, PersonRowView
from lms_rt.services.people_tables import People, PersonRow
from lms_rt.services.withholding import WITHHELD

PART = 50
"""So many rows are kept in one document, and are done between two notes of how far it is."""


def parts_of(run_id: str, people: People, at: datetime) -> list[Row]:
    """The documents that keep the rows of a run."""
    parts = []
    for first in range(0, len(people.rows), PART):
        rows = people.rows[first : first + PART]
        parts.append(
            {
                "_id": f"{run_id}:{first:06d}",
                "run_id": run_id,
                "first": first,
                "rows_by_place": {str(place): _stored(row) for place, row in enumerate(rows)},
                "results": {},
                "emails": sorted({row.email_key for row in rows if row.email_key}),
                "student_ids": [],
                "created_at": at,
            }
        )
    return parts


def _stored(row: PersonRow) -> Row:
    fields: Row = {name: getattr(row, name) for name in PersonRow.__dataclass_fields__}
    return {name: value for name, value in fields.items() if value is not None}


def outcome_of(row: PersonRow, account: tuple[str, bool] | None, status: str | None, *, may_invite: bool) -> Outcome:
    """What a row comes to, of whose address there is this account (id, in use), in the course with this status."""
    if row.code is None and account is not None and not account[1]:
        row.code, row.reason = "unknown", "There is no active account with this address."
    elif row.code is None and account is None and not may_invite:
        row.code, row.reason = "not_found", "Nobody here has this address."
    if row.code is not None:
        return "refused"
    if account is None:
        return "invited"
    if status is None:
        return "enrolled"
    return "present" if status in PRESENT else "returned"


def shown_of(rows: Sequence[PersonRow], outcomes: Sequence[Foretold]) -> list[tuple[PersonRow, Foretold]]:
    """Those with an error, then as many of the others as there is room for; in the order of the file."""
    pairs = list(zip(rows, outcomes, strict=True))
    faulty = [pair for pair in pairs if pair[1] == "refused"][:SHOWN_ROWS]
    others = [pair for pair in pairs if pair[1] != "refused"][: SHOWN_ROWS - len(faulty)]
    return sorted([*faulty, *others], key=lambda pair: pair[0].line)


def row_view(row: PersonRow, outcome: Foretold) -> PersonRowView:
    """A row of a preview."""
    names = ("line", "email", "full_name", "group", "code", "reason")
    return PersonRowView(outcome=outcome, **{name: getattr(row, name) for name in names})


def stored_view(part: Row, place: str) -> PersonRowView:
    """A row of a run."""
    row, result = part["rows_by_place"][place], part["results"].get(place, {})
    given = {name: row.get(name) for name in ("full_name", "group")}
    became: Mapping[str, Any] = {name: result.get(name) for name in ("outcome", "code", "reason", "student_id")}
    return PersonRowView(line=row["line"], email=row.get("email", WITHHELD), **given, **became)
