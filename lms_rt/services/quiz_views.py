"""From rows to views of quizzes, and what a quiz lacks before it may be published. Pure: no time, no storage."""

from __future__ import annotations

import random
from enum import Enum
from typing import Any

from documents.base import Row
from lms_rt.contracts.accommodations import YourTimeView
from lms_rt.contracts.questions import is_counted
from lms_rt.contracts.quizzes import LiveState, QuizFields, QuizView
from lms_rt.security.access.lessons import Lock
from lms_rt.services.papers import draw, totals

_SHOWN = (*QuizFields.model_fields, "course_id", "title", "is_archived", "questions_count", "total_points", "version")
_FORMERLY = {"is_marking_anonymous": False, "connection_loss_cap_minutes": 10}
"""What holds for quizzes that are older than a field."""


def quiz_view(
    row: Row,
    *,
    attempts_used: int | None = None,
    open_attempt_id: str | None = None,
    time: YourTimeView | None = None,
    live_state: LiveState | None = None,
    lock: Lock | None = None,
) -> QuizView:
    """A quiz without its questions; what is its reader's own is null where it is not given. A `lock` withholds its texts."""
    shown = {name: row.get(name, _FORMERLY.get(name)) for name in _SHOWN}
    if lock is not None:
        shown |= {"description": "", "instructions": "", "is_locked": True, "unlocks_at": lock.unlocks_at}
    return QuizView(
        id=row["_id"],
        **shown,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        attempts_used=attempts_used,
        open_attempt_id=open_attempt_id,
        your_time=time,
        live_state=live_state,
    )


def stored_fields(given: dict[str, Any]) -> Row:
    """Fields of a draft or a change as they are stored: words for enums, rules of a draw without nulls."""
    stored = {name: value.value if isinstance(value, Enum) else value for name, value in given.items()}
    if "draw" in stored:
        stored["draw"] = [rule.model_dump(exclude_none=True) for rule in stored["draw"]]
    return stored


def counted_fields(quiz: Row) -> Row:
    """The counts that follow from questions and draw; written with every change of either."""
    questions_count, total_points = totals(quiz)
    return {"questions_count": questions_count, "total_points": total_points}


def missing_for_publishing(quiz: Row) -> list[str]:
    """What keeps a quiz, with its questions, from being published: names of fields."""
    missing = []
    if not quiz["title"].strip():
        missing.append("title")
    if not any(is_counted(question) for question in quiz["questions"].values()):
        missing.append("questions")
    rules = quiz.get("draw") or []
    if rules and draw(quiz["questions"], rules, random.Random(0)) is None:  # noqa: S311 - only whether it can be done
        missing.append("draw")
    opens_at, closes_at = quiz.get("opens_at"), quiz.get("closes_at")
    if opens_at is not None and closes_at is not None and opens_at >= closes_at:
        missing.append("opens_at")
    return missing
