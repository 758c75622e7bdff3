"""What students hand in for assignments, as it crosses a border: drafts, submissions, grades, and the sheet of grades. No rules."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from lms_rt.contracts.base import (
    Draft,
    Hundredths,
    HundredthsIn,
    Identifier,
    IdFilter,
    Instant,
    Key,
    Line,
    PageQuery,
    View,
)
from lms_rt.contracts.grading import PersonView
from lms_rt.contracts.rubrics import CriterionMarkView

MAX_CONTENT = 50_000
MAX_FILES = 20
MAX_FEEDBACK = 20_000
_FILE_URL = re.compile(r"^\S{0,2000}/files/(?:download/)?([a-z]{3}_[0-9a-z]{26})(?:/download)?$")

Content = Annotated[str, StringConstraints(max_length=MAX_CONTENT)]
FileIds = Annotated[list[Key], Field(max_length=MAX_FILES)]
Feedback = Annotated[str, StringConstraints(max_length=MAX_FEEDBACK)]
Revision = Annotated[int, Field(ge=0, le=2**53)]


class _Work(Draft):
    """Text, files, or both."""

    content: Content = ""
    file_ids: FileIds = Field(default_factory=list)
    file_url: Annotated[str, StringConstraints(max_length=2_100)] | None = None
    """The other name that clients know: the address of one file that was uploaded here."""

    @model_validator(mode="after")
    def _check_files(self) -> _Work:
        if self.file_url is not None:
            found = _FILE_URL.match(self.file_url)
            if found is None:
                raise PydanticCustomError("file_url", "Upload the file first, and name it by its address here")
            self.file_ids = [*self.file_ids, found.group(1)]
        self.file_ids = list(dict.fromkeys(self.file_ids))
        return self


class WorkDraft(_Work):
    """What is kept before it is handed in. `revision` is that of the draft last seen: another screen's is not overwritten."""

    revision: Revision | None = None


class HandInDraft(_Work):
    """What is handed in. With nothing in it, the draft that is kept is handed in."""


class GradeDraft(Draft):
    """What a person gives for what was handed in, before anything comes off. Without `grade`, what the levels come to.

    `number` is that of the submission which was read, `revision` that of the grade last seen (0: none): neither newer work nor
    somebody else's grade is graded over unseen. Another grade than before is given for a `reason`. A comment and levels that nothing
    is said of stay; null and empty ones take them away.
    """

    grade: Annotated[HundredthsIn, Field(ge=0, le=1_000_000)] | None = None
    feedback: Feedback | None = None
    rubric: Annotated[dict[Key, Key], Field(max_length=100)] | None = None
    """Level by criterion, by their ids."""
    reason: Line = ""
    number: Annotated[int, Field(ge=1, le=2**31)] | None = None
    revision: Revision | None = None


class NextWorkDraft(Draft):
    """Take the next work that waits and nobody has, after that one, which is given back."""

    after: Identifier | None = None


class SubmissionQuery(PageQuery):
    """Which submissions to list."""

    state: Literal["submitted", "waiting", "graded", "late"] = "submitted"
    student_id: IdFilter | None = None
    sort: Literal["submitted_at", "-submitted_at"] = "submitted_at"


# --- what goes out ---


class WorkDraftView(View):
    """What is kept, and since when."""

    content: str
    file_ids: list[str]
    saved_at: Instant
    revision: int


class EarlierView(View):
    """What was handed in before, and replaced."""

    number: int
    content: str
    file_ids: list[str]
    submitted_at: Instant


class GradeChangeView(View):
    """A grade that was given anew or (`to` null) taken back, and why."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_grade: Hundredths = Field(serialization_alias="from")
    to_grade: Hundredths | None = Field(serialization_alias="to")
    reason: str
    at: Instant


class SubmissionRowView(View):
    """One student's work. Where names are hidden there is no student in it for who grades, only an `alias`.

    `content` and `feedback` are null where the page is long enough without them: `GET /assignments/submissions/{id}` has them.

    `grade` is what is left of `raw_grade` after `penalty_percentage` came off it: `late_days` were begun when it was handed in,
    by the due date that holds for this student now. Both are null until somebody graded.
    """

    id: str
    assignment_id: str
    course_id: str
    student_id: str | None
    full_name: str | None
    alias: str
    state: Literal["none", "draft", "submitted", "graded"]
    number: int
    content: str | None
    file_ids: list[str]
    file_url: str | None
    due_date: Instant | None
    submitted_at: Instant | None
    is_late: bool
    late_days: int
    penalty_percentage: Hundredths
    points: Hundredths
    raw_grade: Hundredths | None
    grade: Hundredths | None
    feedback: str | None
    graded_at: Instant | None
    graded_by: str | None
    revision: int
    """Of the grade: 0 until there is one."""
    claimed_by: PersonView | None = None
    claimed_until: Instant | None = None
    version: int
    created_at: Instant | None
    """Null of work that nobody began."""
    updated_at: Instant | None


class SubmissionView(SubmissionRowView):
    """The same with all its texts. The draft is shown to nobody but its student."""

    content: str
    content_html: str
    history: list[EarlierView]
    draft: WorkDraftView | None
    feedback_html: str | None
    rubric: dict[str, str] | None
    criteria: list[CriterionMarkView] | None
    grade_history: list[GradeChangeView]


class NextWorkView(View):
    """What was taken, if something waits that nobody has; and how many wait, with those that others have."""

    item: SubmissionView | None
    waiting_count: int


class GradeSheetQuery(BaseModel):
    """`?dry_run=true` reports and writes nothing."""

    model_config = ConfigDict(extra="ignore")

    dry_run: bool = False


class SheetFaultView(View):
    """What is wrong in a row."""

    field: str
    message: str
    code: str


class SheetRowView(View):
    """What a row of the sheet asks for. `line` is that of the file, from 1."""

    line: int
    submission_id: str
    name: str | None
    status: Literal["changed", "same", "refused"]
    before: Hundredths | None
    after: Hundredths | None
    feedback_before: str | None = None
    feedback_after: str | None = None
    errors: list[SheetFaultView]


class GradeSheetReport(View):
    """What the sheet comes to, or (no dry run) what was written: what came in between refuses its own row alone."""

    dry_run: bool
    changed: int
    same: int
    refused: int
    rows: list[SheetRowView]
