"""What a correction did to one attempt: its points before and after, number by number, for the record of the regrade. Pure.

An attempt may have missed several corrections when it is graded again: each gets its own step, as if it had come alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from documents.base import Row
from lms_rt.contracts.base import hundredths_text
from lms_rt.services.corrections import corrected
from lms_rt.services.paper_grading import graded_answers, paper_total

REGRADED_EFFECT = "regrade.graded"
_TOTALS = ("score", "max_score", "percentage", "is_passed")


def has_result(attempt: Row) -> bool:
    """Has it been shown a score?"""
    return attempt.get("score") is not None


def differs(before: Row, after: Row) -> bool:
    """Is there anything that its student sees otherwise now?"""
    return any(before.get(name) != after.get(name) for name in (*_TOTALS, "awarded"))


def result_by(paper: Row, attempt: Row) -> Row:
    """Points by question and totals of an attempt by this paper, as a grade stores them."""
    graded = graded_answers(paper, attempt)
    result = paper_total(paper, graded)
    awarded = {one: got.points_hundredths for one, got in graded.items() if got.points_hundredths is not None}
    return {"awarded": awarded, **{name: getattr(result, name) for name in _TOTALS}}


def part_of(result: Row, question_ids: Sequence[str]) -> Row:
    """Of a result its totals, and the points of these questions."""
    awarded = result.get("awarded") or {}
    points = {one: awarded[one] for one in question_ids if one in awarded}
    return {"points": points, **{name: result.get(name) for name in _TOTALS}}


def moved_points(before: Row | None, after: Row | None) -> list[tuple[str, int | None, int | None]]:
    """The questions whose points differ between two parts of results, and both points."""
    if before is None or after is None:
        return []
    was, is_now = before["points"], after["points"]
    both = ((one, was.get(one), is_now.get(one)) for one in sorted(was.keys() | is_now.keys()))
    return [(one, old, new) for one, old, new in both if old != new]


def regraded_data(attempt: Row, after: Row, written: Row, corrections: Sequence[Row]) -> dict[str, Any] | None:
    """What the regrades are told of an attempt that had been graded before; None: there is nothing to tell.

    `attempt` is as it was, `after` as this grade leaves it, `written` its paper without any correction.
    """
    reached = attempt.get("graded_key_version")
    if reached is None or attempt["is_preview"]:
        return None
    steps = list(_steps(attempt, after, written, corrections))
    names = ("quiz_id", "student_id", "attempt_number")
    return {"attempt_id": attempt["_id"], **{name: attempt[name] for name in names}, "steps": steps} if steps else None


def _steps(attempt: Row, after: Row, written: Row, corrections: Sequence[Row]) -> Iterator[Row]:
    missed = [one for one in corrections if one["n"] > attempt["graded_key_version"]]
    before: Row = {"awarded": attempt.get("awarded"), **{name: attempt.get(name) for name in _TOTALS}}
    for place, correction in enumerate(missed, 1):
        is_last = place == len(missed)
        now = after if is_last else result_by(corrected(written, corrections, correction["n"]), attempt)
        question_ids = [change["question_id"] for change in correction["changes"]]
        yield {
            "control_id": correction["_id"],
            "n": correction["n"],
            "at": correction["at"],
            "old": part_of(before, question_ids),
            "new": part_of(now, question_ids),
        }
        before = now


def why(attempt: Row, corrections: Sequence[Row]) -> dict[str, Any]:
    """What an attempt's student is told beside a new score: what it was, and the reasons of what moved it."""
    reached = attempt.get("graded_key_version")
    if reached is None or not has_result(attempt):
        return {}
    reasons = [one["reason"] for one in corrections if one["n"] > reached and one.get("reason")]
    return {"previous": _shown(attempt), "reason": " ".join(reasons) or None}


def _shown(result: Mapping[str, Any]) -> dict[str, Any]:
    points = {name: hundredths_text(result[name]) for name in ("score", "max_score", "percentage")}
    return {**points, "is_passed": result["is_passed"]}
