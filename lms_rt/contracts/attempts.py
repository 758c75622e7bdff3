"""Attempts as they cross a border: what starts, saves, syncs and submits them, by REST and live, and what is shown.

Values of answers are checked by `answers.py`. Nothing here holds a key before the quiz's policy allows it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from documents.enums import AttemptStatus, Grading, SubmittedBy
from lms_rt.contracts.accommodations import AccommodationShown
from lms_rt.contracts.base import CursorQuery, Draft, Hundredths, Identifier, IdFilter, Instant, Key, PageQuery, View
from lms_rt.contracts.integrity import OfflineView
from lms_rt.contracts.questions import AttemptQuestionView
from lms_rt.contracts.quiz_controls import MessageView
from lms_rt.contracts.receipts import ReceiptSummaryView

MAX_ROWS = 500
MAX_HELD = 5_000
VALUE_FORMS = (
    "By the question's type: `multiple_choice` an option's id; `multiple_select` a list of ids; `true_false` true or false; "
    "`short_answer` and `essay` a text; `numeric` a number, or one as text; `matching` an object, left id to right id; "
    "`ordering` the ids in order. null clears the answer."
)

Lease = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Counter = Annotated[int, Field(ge=0, le=2**53)]


def _is_none(value: Any) -> bool:
    return value is None


# --- what comes in ---


class AttemptDraft(Draft):
    """Start an attempt, or come back to the open one."""

    quiz_id: Identifier | None = None
    device_id: Key | None = None


class TakeOverDraft(Draft):
    """Make this device the writer."""

    device_id: Key | None = None


class AnswerRow(Draft):
    """One answer to save. `base_revision` is the revision of this answer that the client last saw (0: none)."""

    question_id: Key
    value: Annotated[Any, Field(description=VALUE_FORMS)]
    op_id: Key
    seq: Counter
    base_revision: Counter


class AnswersDraft(Draft):
    """Answers to save, each decided for itself."""

    answers: Annotated[list[AnswerRow], Field(min_length=1, max_length=MAX_ROWS)]
    device_id: Key
    lease: Lease


class SubmitRow(Draft):
    """One answer that comes with the submission."""

    question_id: Key
    value: Any
    op_id: Key | None = None
    seq: Counter | None = None
    base_revision: Counter | None = None


class SubmitDraft(Draft):
    """Close the attempt; with `revision`, only when nothing was written after it."""

    revision: Counter | None = None
    answers: list[SubmitRow] = Field(default=[], max_length=MAX_ROWS)
    device_id: Key | None = None
    lease: Lease | None = None


class SyncDraft(Draft):
    """Which of these operations does the server hold?"""

    have: Annotated[list[Key], Field(max_length=MAX_HELD)]
    device_id: Key | None = None
    lease: Lease | None = None


class Signal(Draft):
    """A word about what the student looks at; best effort."""

    kind: Literal["look", "page", "seen"]
    question_id: Key | None = None
    state: Literal["hidden", "shown"] | None = None
    event_id: Key | None = None


class SignalsDraft(Draft):
    """Some words about what the student looks at."""

    signals: Annotated[list[Signal], Field(min_length=1, max_length=100)]


class AttemptQuery(PageQuery, CursorQuery):
    """Which attempts to list: in pages, or by cursor when `after` or `limit` is given."""

    quiz_id: IdFilter | None = None
    course_id: IdFilter | None = None
    student_id: IdFilter | None = None
    status: AttemptStatus | None = None
    is_preview: bool | None = None
    sort: Literal["started_at", "-started_at", "submitted_at", "-submitted_at", "percentage", "-percentage"] = (
        "-started_at"
    )

    @property
    def is_by_cursor(self) -> bool:
        """Was a cursor asked for?"""
        return bool({"after", "limit"} & self.model_fields_set)


# --- live commands ---


class AttemptStart(Draft):
    """`attempt.start`."""

    quiz_id: Identifier
    device_id: Key


class AttemptResume(Draft):
    """`attempt.resume`."""

    attempt_id: Identifier
    device_id: Key
    lease: Lease | None = None


class AttemptTakeOver(Draft):
    """`attempt.take_over`."""

    attempt_id: Identifier
    device_id: Key


class AttemptLook(Draft):
    """`attempt.look`."""

    attempt_id: Identifier
    question_id: Key


class AttemptPage(Draft):
    """`attempt.page`."""

    attempt_id: Identifier
    state: Literal["hidden", "shown"]


class AttemptSeen(Draft):
    """`attempt.seen`."""

    attempt_id: Identifier
    event_id: Key


class AnswerSave(AnswerRow):
    """`answer.save`."""

    attempt_id: Identifier
    device_id: Key
    lease: Lease


class AttemptSync(SyncDraft):
    """`attempt.sync`."""

    attempt_id: Identifier


class AttemptSubmit(Draft):
    """`attempt.submit`. It is idempotent by itself; `op_id` is taken and not needed."""

    attempt_id: Identifier
    revision: Counter | None = None
    op_id: Key | None = None


# --- what goes out ---


class AnswerView(View):
    """A stored answer."""

    value: Any
    op_id: str
    seq: int
    device_id: str
    revision: int
    saved_at: Instant


class WriterView(View):
    """Which device writes, and whether it is the caller's."""

    device_id: str | None
    is_me: bool


class IsWriter(View):
    """Is the caller the writer?"""

    is_me: bool


class AttemptRowView(View):
    """An attempt without its questions and answers. Points and percentage are null until graded."""

    id: str
    is_preview: bool
    quiz_id: str
    course_id: str
    enrollment_id: str | None
    student_id: str
    student_name: str
    attempt_number: int
    status: AttemptStatus
    grading: Grading | None
    started_at: Instant
    deadline_at: Instant | None
    submitted_at: Instant | None
    graded_at: Instant | None
    submitted_by: SubmittedBy | None
    time_taken_seconds: int | None
    remaining_ms: int | None
    server_time: Instant
    revision: int
    writer: WriterView
    score: Hundredths | None
    max_score: Hundredths | None
    percentage: Hundredths | None
    is_passed: bool | None
    receipt: ReceiptSummaryView | None = None
    metadata: dict[str, Any]
    version: int
    created_at: Instant
    updated_at: Instant


class AttemptView(AttemptRowView):
    """An attempt as its student sees it, questions in this attempt's order."""

    quiz_title: str
    instructions: str
    questions: list[AttemptQuestionView]
    answers: dict[str, AnswerView]
    live_version: int
    paused_at: Instant | None
    accommodation: AccommodationShown | None
    offline: OfflineView
    messages: list[MessageView]


class HandedOutView(AttemptView):
    """The attempt with the lease that allows to write it; null: read-only."""

    lease: str | None


class SavedView(View):
    """The acknowledgement of an operation: what it names is stored."""

    op_id: str
    revision: int
    saved_at: Instant
    superseded: bool | None = Field(default=None, exclude_if=_is_none)
    writer: IsWriter


class SavedRow(View):
    """The acknowledgement of one row."""

    question_id: str
    op_id: str
    revision: int
    saved_at: Instant
    superseded: bool | None = Field(default=None, exclude_if=_is_none)


class ConflictRow(View):
    """A row that another device was faster than; nothing was overwritten."""

    question_id: str
    op_id: str
    stored: AnswerView


class RefusedRow(View):
    """A row that was not saved, and why."""

    question_id: str
    op_id: str
    code: str


class AnswersView(View):
    """What became of each row."""

    saved: list[SavedRow]
    conflicts: list[ConflictRow]
    refused: list[RefusedRow]
    revision: int
    deadline_at: Instant | None
    server_time: Instant
    remaining_ms: int | None
    writer: IsWriter


class SyncView(View):
    """What the server holds; `missing` are the ids it was sent and does not know.

    A `live_version` above the one that is known: the teacher did something; the attempt's `messages` say what.
    """

    revision: int
    live_version: int
    answers: dict[str, AnswerView]
    missing: list[str]
    writer: IsWriter
    status: AttemptStatus
    deadline_at: Instant | None
    server_time: Instant
    remaining_ms: int | None
