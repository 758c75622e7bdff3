"""Has a student passed a quiz, by its policy over all of their attempts? Asked when a grade reaches the enrolment.

Not when the grade is written: during a regrade several attempts of one student are graded anew, in any order and by several
nodes at once, and what the quiz comes to is true only when none of them waits any more. Of these grades the one that was
written last is told after all of them were written, so one of those who ask sees everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.enums import GradingPolicy
from lms_rt.services.grading import counted_percentage


def policy_of(paper: Row) -> dict[str, Any]:
    """What an attempt tells of the policy that it began with."""
    return {"grading_policy": paper["grading_policy"], "passing_score": paper["passing_score"]}


async def has_passed(student_id: str, told: Mapping[str, Any]) -> bool:
    """Has the student passed the quiz, by the attempts as they are now? An attempt that is not graded tells no policy.

    While one waits for its grade nobody passes by the others, unless the best one counts: that one stays at least as good.
    """
    policy = told.get("grading_policy")
    if policy is None:
        return bool(told.get("is_quiz_passed", told.get("is_passed")))
    found, is_any_pending = await Attempt.find_decided(student_id, told["quiz_id"])
    if is_any_pending and policy != GradingPolicy.BEST:
        return False
    counted = counted_percentage(policy, [Fraction(found[number]) for number in sorted(found)])
    return counted is not None and counted >= told["passing_score"]
