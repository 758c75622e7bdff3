"""From rows to views of attempts. Pure: the time is passed in, and nobody's right to see is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from documents.base import Row
from documents.enums import AttemptStatus
from lms_rt.clock import from_ms, to_ms
from lms_rt.contracts.attempts import AnswerView, AttemptRowView, AttemptView, HandedOutView, WriterView
from lms_rt.contracts.quiz_controls import MessageView
from lms_rt.contracts.receipts import ReceiptSummaryView
from lms_rt.services import deadlines
from lms_rt.services.accommodations import shown
from lms_rt.services.offline import offline_view
from lms_rt.services.papers import shown_questions

_CLOSED = (AttemptStatus.SUBMITTED, AttemptStatus.GRADED, AttemptStatus.ABANDONED)
_PLAIN = ("is_preview", "quiz_id", "course_id", "student_id", "student_name", "attempt_number", "status", "revision")
_LATER = ("enrollment_id", "grading", "submitted_at", "graded_at", "submitted_by", "score", "max_score", "percentage")


def answer_view(answer: Row) -> AnswerView:
    """A stored answer."""
    shown = {name: value for name, value in answer.items() if name != "saved_at_ms"}
    return AnswerView(**shown, saved_at=from_ms(answer["saved_at_ms"]))


def answer_views(attempt: Row) -> dict[str, AnswerView]:
    """All stored answers by question."""
    return {question_id: answer_view(answer) for question_id, answer in attempt.get("answers", {}).items()}


def is_closed(attempt: Row) -> bool:
    """Is nothing more written into it?"""
    return attempt["status"] in _CLOSED


def times_of(attempt: Row, now_ms: int) -> dict[str, Any]:
    """`deadline_at`, `server_time` and `remaining_ms`, as every reply about time names them."""
    deadline_ms = attempt.get("deadline_ms")
    left = deadlines.remaining_ms(deadline_ms, now_ms, paused_at_ms=attempt.get("paused_at_ms"))
    return {
        "deadline_at": None if deadline_ms is None else from_ms(deadline_ms),
        "server_time": from_ms(now_ms),
        "remaining_ms": 0 if is_closed(attempt) and left is not None else left,
    }


def summary_fields(attempt: Row, now_ms: int, *, is_me: bool) -> dict[str, Any]:
    """What every view of an attempt shows."""
    writer = attempt.get("writer") or {}
    return {
        "id": attempt["_id"],
        **{name: attempt[name] for name in (*_PLAIN, "started_at", "version", "created_at")},
        **{name: attempt.get(name) for name in (*_LATER, "is_passed")},
        **times_of(attempt, now_ms),
        "time_taken_seconds": _time_taken(attempt["started_at"], attempt.get("submitted_at")),
        "writer": WriterView(device_id=writer.get("device_id"), is_me=is_me),
        "receipt": _receipt(attempt.get("receipt")),
        "metadata": attempt.get("metadata", {}),
        "updated_at": from_ms(attempt["updated_ms"]),
    }


def summary_view(attempt: Row, now_ms: int) -> AttemptRowView:
    """One row of a list."""
    return AttemptRowView(**summary_fields(attempt, now_ms, is_me=False))


def attempt_view(
    attempt: Row, paper: Row, now_ms: int, *, is_me: bool = False, messages: Sequence[MessageView] = ()
) -> AttemptView:
    """An attempt with its questions and answers, and what its student was told."""
    fields = summary_fields(attempt, now_ms, is_me=is_me)
    return AttemptView(**fields, **_content(attempt, paper, now_ms), messages=list(messages))


def handed_out_view(
    attempt: Row, paper: Row, now_ms: int, *, lease: str | None, messages: Sequence[MessageView] = ()
) -> HandedOutView:
    """An attempt for a screen that asked to write it; without a lease it is read-only."""
    fields = summary_fields(attempt, now_ms, is_me=lease is not None)
    return HandedOutView(**fields, **_content(attempt, paper, now_ms), lease=lease, messages=list(messages))


def _content(attempt: Row, paper: Row, now_ms: int) -> Mapping[str, Any]:
    return {
        "quiz_title": paper["title"],
        "instructions": paper["instructions"],
        "questions": shown_questions(paper),
        "answers": answer_views(attempt),
        "live_version": attempt["live_version"],
        "accommodation": shown(attempt.get("accommodation")),
        "offline": offline_view(attempt, now_ms),
        "paused_at": from_ms(attempt["paused_at_ms"]) if "paused_at_ms" in attempt else None,
    }


def _receipt(kept: Row | None) -> ReceiptSummaryView | None:
    """What is told of a receipt; all of it is at `/attempts/{id}/receipt`."""
    if kept is None:
        return None
    names = ("head", "key_id", "signature")
    return ReceiptSummaryView(**{name: kept[name] for name in names}, operations_count=kept["count"])


def _time_taken(started_at: datetime, submitted_at: datetime | None) -> int | None:
    return None if submitted_at is None else (to_ms(submitted_at) - to_ms(started_at)) // 1000
