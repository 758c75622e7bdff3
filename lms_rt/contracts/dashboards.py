"""What a teacher sees of a running quiz: the snapshot, and the frames that change it."""

from __future__ import annotations

from documents.enums import AttemptStatus, QuestionType
from lms_rt.contracts.base import Hundredths, Instant, View


class AsOf(View):
    """The place of a channel that a snapshot stands behind: subscribe with it as `since`."""

    channel: str
    epoch: str
    offset: int


class LiveStudentView(View):
    """One student's row. `is_connected`, `devices` and `question_id` are presence: best effort; the rest is stored.

    `away_since` is when this node saw the last screen go; None: somebody is there, or nobody saw it. `flags` are facts,
    never a verdict: `hidden` (the page is behind another window), `conflict` (two devices answered differently, and
    nothing was saved since), `taken_over` (continued on another device), `credit` (time was lost and waits for approval).
    """

    attempt_id: str
    student_id: str
    full_name: str
    attempt_number: int
    started_at: Instant
    last_saved_at: Instant | None
    is_connected: bool
    away_since: Instant | None
    devices: int
    question_id: str | None
    answered_count: int
    deadline_at: Instant | None
    paused_at: Instant | None
    remaining_ms: int | None
    group: str | None
    take_overs: int
    credit_asked_seconds: int | None
    status: AttemptStatus
    score: Hundredths | None
    max_score: Hundredths | None
    flags: list[str]
    revision: int


class LiveQuestionView(View):
    """One question's figures over all attempts. `median_seconds`: from the answer saved before it, or the start.

    `version` is the question's: when it moves, its words, options or key may be others.
    """

    question_id: str
    order: int
    title: str
    question_type: QuestionType
    version: int
    viewing: int
    answered: int
    options: dict[str, int]
    median_seconds: int | None


class LiveTotalsView(View):
    """The figures above the table. `connected` is presence; the others equal the database."""

    students: int
    connected: int
    in_progress: int
    paused: int
    submitted: int
    graded: int
    answers_saved: int


class LiveView(View):
    """The snapshot. Frames apply to it whose `follows` is at most its `version`."""

    quiz_id: str
    title: str
    version: int
    as_of: AsOf | None
    server_time: Instant
    closes_at: Instant | None
    totals: LiveTotalsView
    students: list[LiveStudentView]
    questions: list[LiveQuestionView]
