"""Work on many things at once, at the border: people brought into a course by a table, and runs in the background. No rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lms_rt.contracts.base import CursorQuery, IdFilter, Instant, NewestFirst, PageQuery, View

MAX_ROWS = 10_000
SHOWN_ROWS = 1_000
"""A preview shows so many rows at most, those with an error before all."""

RunKind = Literal["people", "course_copy", "course_export", "course_import"]
RunStatus = Literal["waiting", "running", "finished", "failed", "cancelled"]
Outcome = Literal["enrolled", "returned", "invited", "present", "refused"]
"""enrolled: has an account and came in; returned: came back; invited: an account was made and a mail sent, and they are in;
present: was in already; refused: nothing was done, `code` says why."""
OUTCOMES: tuple[Outcome, ...] = ("enrolled", "returned", "invited", "present", "refused")
Foretold = Outcome | Literal["added"]
"""What a preview says: `added` is enrolled or invited, where the asker may not know whether there is such an account."""
TableEncoding = Literal["utf-8", "utf-16", "windows-1256", "windows-1252"]


class PeopleImportQuery(BaseModel):
    """`?dry_run=true` only says what would become of each row. Without `invite`, an unknown address is an error.

    `encoding` is how the file is written, where that is not to be found out from it.
    """

    model_config = ConfigDict(extra="ignore")

    dry_run: bool = False
    invite: bool = True
    encoding: TableEncoding | None = None


class RunQuery(PageQuery):
    """Which of one's own runs."""

    kind: RunKind | None = None
    status: RunStatus | None = None
    course_id: IdFilter | None = None
    sort: NewestFirst = "-created_at"


class RunRowQuery(CursorQuery):
    """Which rows of a run, after which line."""

    outcome: Outcome | None = None
    after: Annotated[str, StringConstraints(pattern=r"^\d{1,9}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 100


class PersonRowView(View):
    """A row of a table of people. `outcome` is what would become of it, or what did; null: it waits."""

    line: int
    email: str
    full_name: str | None
    group: str | None
    outcome: Foretold | None
    code: str | None
    reason: str | None
    student_id: str | None = None


class OutcomeCounts(View):
    """How many rows came to what."""

    enrolled: int = 0
    returned: int = 0
    invited: int = 0
    present: int = 0
    refused: int = 0
    added: int = 0


class PeoplePreview(View):
    """What an import would do. `rows` are those with an error and the first of the others, in the order of the file."""

    dry_run: bool = True
    encoding: str
    separator: str
    columns: dict[str, str]
    total: int
    counts: OutcomeCounts
    rows: list[PersonRowView]
    is_cut: bool


class RunView(View):
    """Work in the background. `url` is where its result is fetched, once there is one.

    `course_id` is the course that it is about, `made_course_id` the one that it made.
    """

    id: str
    kind: RunKind
    status: RunStatus
    course_id: str | None
    made_course_id: str | None
    filename: str | None
    total: int
    done: int
    counts: dict[str, int]
    error: str | None
    error_detail: str | None
    url: str | None
    size_bytes: int | None
    expires_at: Instant
    version: int
    created_at: Instant
    updated_at: Instant
    finished_at: Instant | None


def counts_view(counts: Mapping[Any, int]) -> OutcomeCounts:
    """Counts as a view, those that nothing came to as nought."""
    return OutcomeCounts(**{name: counts.get(name, 0) for name in (*OUTCOMES, "added")})
