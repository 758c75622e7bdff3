"""What a whole paper is worth: answer by answer, as a correction, a person or its rule says, and all together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documents.base import Row
from lms_rt.contracts.question_keys import StoredQuestion
from lms_rt.services.corrections import grade_corrected, is_void
from lms_rt.services.grading import Graded, Total, grade_answer, graded_by_mark, total


def graded_answers(paper: Row, attempt: Row) -> dict[str, Graded]:
    """What each answer is worth. One that is not there counts as not answered."""
    answers: Mapping[str, Row] = attempt.get("answers", {})
    marks: Mapping[str, Row] = attempt.get("marks") or {}
    return {
        question_id: _graded(question, answers.get(question_id, {}).get("value"), marks.get(question_id))
        for question_id, question in paper["questions"].items()
    }


def paper_total(paper: Row, graded: Mapping[str, Graded]) -> Total:
    """The sum. A void question is in it on neither side."""
    counted = (question for question in paper["questions"].values() if not is_void(question))
    return total(counted, graded, passing_score_hundredths=paper["passing_score"])


def _graded(question: StoredQuestion, value: Any, mark: Row | None) -> Graded:
    """What is void is so for everybody, and all points are everybody's; a person's mark stands above every key."""
    is_for_all = is_void(question) or question.get("is_full_credit")
    if mark is not None and not is_for_all:
        return graded_by_mark(question, mark)
    return grade_corrected(question, value) or grade_answer(question, value)
