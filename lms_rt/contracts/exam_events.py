"""Live events of attempts and of the controls of a quiz, one model per name. Where they are told stands in `events.py`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lms_rt.contracts.event_data import EventData, OfRecord


class AnswerSaved(EventData):
    """An answer was stored."""

    question_id: str
    op_id: str
    revision: int
    device_id: str
    saved_at: str


class WriterChanged(EventData):
    """Another device writes the attempt now."""

    device_id: str


class ControlTold(OfRecord):
    """What somebody ordered while a quiz runs, as it reached this attempt: the aggregate is the quiz's row of controls.

    The event's id is the control's, on every attempt: `attempt.seen` names it. Times are those of the attempt.
    """

    version: int = Field(description="the control's number: of `live_version`, never of the attempt's `version`")
    control_id: str
    quiz_id: str
    reason: str
    deadline_at: str | None
    server_time: str
    remaining_ms: int | None
    status: str
    live_version: int
    revision: int


class QuizPaused(ControlTold):
    """The attempt stands still: no answer is taken, and no time runs."""


class QuizResumed(ControlTold):
    """The attempt goes on, with the time that was left."""


class QuizExtended(ControlTold):
    """There is more time."""

    seconds: int


class QuizEnded(ControlTold):
    """The attempt was closed with what was saved."""


class ExamAnnouncement(ControlTold):
    """A word to those who sit the quiz."""

    text: str


class QuestionCorrected(ControlTold):
    """Questions were corrected: fetch the attempt. `seconds` is there when there is more time for it."""

    text: str
    question_ids: list[str]
    seconds: int | None = None


class ControlApplied(EventData):
    """A control of the quiz reached everybody whom it concerns. `number` is its place in the quiz's row of controls."""

    control_id: str
    number: int
    kind: str
    scope: str


class Receipts(EventData):
    """How many attempts a control took effect on, and how many of their screens told that they show it."""

    control_id: str
    applied: int
    seen: int


class IntegrityFact(EventData):
    """Something happened around an attempt: a fact, never a verdict. `number` counts them within the attempt."""

    attempt_id: str
    number: int
    kind: str
    at: str
    data: dict[str, Any]


class AttemptStarted(OfRecord):
    """A student began an attempt."""

    attempt_id: str
    student_id: str
    full_name: str
    at: str


class AttemptSubmitted(OfRecord):
    """An attempt closed, by its student or by its deadline."""

    attempt_id: str
    student_id: str
    full_name: str
    at: str
