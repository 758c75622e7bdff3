"""From rows to views of regrades, and from two results to what the one means for a student. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from documents.base import Row
from lms_rt.contracts.questions import StoredQuestion
from lms_rt.contracts.regrades import (
    ChangeView,
    CountsView,
    LeftOutView,
    RegradeRowView,
    RegradeView,
    ResultPartView,
)

_SHORT = 120


def meaning_of(old: Row, new: Row) -> Row:
    """What a new result is for its student. Measured by the percentage: without a void question all points are fewer."""
    difference = (new["percentage"] or 0) - (old["percentage"] or 0) if _has_both(old, new) else 0
    passing = None
    if old["is_passed"] is not None and new["is_passed"] is not None and old["is_passed"] != new["is_passed"]:
        passing = "passes" if new["is_passed"] else "fails"
    outcome = "gains" if difference > 0 else "loses" if difference < 0 else "same"
    return {"difference": difference, "outcome": outcome, "passing": passing}


def _has_both(old: Row, new: Row) -> bool:
    return old["percentage"] is not None and new["percentage"] is not None


def counts_of(rows: Iterable[Row]) -> Row:
    """How many there are of each kind."""
    tally: Counter[str] = Counter()
    for row in rows:
        tally.update(["attempts", row["outcome"]])
        if row.get("passing"):
            tally[row["passing"]] += 1
        if row.get("kept"):
            tally["kept"] += 1
    return {name: tally[name] for name in CountsView.model_fields}


def regrade_view(
    regrade: Row, questions: Mapping[str, Row], counts: Row, *, progress: tuple[int, int], by_name: str | None
) -> RegradeView:
    """A regrade. `questions` are those of the quiz now, in their order."""
    places = {question_id: order for order, question_id in enumerate(questions, 1)}
    return RegradeView(
        id=regrade["_id"] or None,
        quiz_id=regrade["quiz_id"],
        status=regrade["status"],
        changes=[change_view(change, places.get(change["question_id"])) for change in regrade["changes"]],
        reason=regrade["reason"],
        extra_minutes=(regrade.get("seconds") or 0) // 60,
        by_id=regrade["by"],
        by_name=by_name,
        left_out=[LeftOutView(**one) for one in regrade.get("left_out", [])],
        counts=CountsView(**counts),
        done=progress[0],
        total=progress[1],
        control_id=regrade.get("control_id"),
        created_at=regrade["created_at"],
        applied_at=regrade.get("applied_at"),
        undone_at=regrade.get("undone_at"),
        version=regrade["version"],
    )


def change_view(change: Row, order: int | None) -> ChangeView:
    """What is changed of one question."""
    asked: StoredQuestion = change.get("question") or change["was"]
    line = " ".join(asked["question_text"].split())
    shown = line if len(line) <= _SHORT else line[: _SHORT - 1] + "…"
    return ChangeView(question_id=change["question_id"], order=order, question_text=shown, action=change["action"])


def row_view(row: Row, names: Mapping[str, Row]) -> RegradeRowView:
    """One attempt of a regrade."""
    return RegradeRowView(
        attempt_id=row["attempt_id"],
        student_id=row["student_id"],
        full_name=names.get(row["student_id"], {}).get("full_name"),
        attempt_number=row["attempt_number"],
        **{name: _part(row.get(name)) for name in ("old", "new", "undone")},
        outcome=row["outcome"],
        passing=row.get("passing"),
        difference=row["difference"],
        kept=row.get("kept", []),
        is_applied="applied_at" in row,
    )


def _part(part: dict[str, Any] | None) -> ResultPartView | None:
    return None if part is None else ResultPartView(**part)
