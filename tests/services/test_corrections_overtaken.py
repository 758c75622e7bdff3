"""Corrections that overtake one another on their way into the quiz: whoever begins later is asked by all of them."""

from __future__ import annotations

from typing import Any

import pytest

from documents.quiz import Quiz
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionChange
from lms_rt.contracts.regrades import CorrectionDraft, RegradeView, UndoDraft
from lms_rt.services.regrading import Regrading
from tests.services.exam import Exam, answering


async def correct(exam: Exam, quiz_id: str, place: int, **fields: Any) -> RegradeView:
    """The teacher's request."""
    draft = read_model(CorrectionDraft, fields)
    return await exam.regrades.correct(exam.teacher, quiz_id, exam.question_ids[place], draft)


async def correct_and_die(exam: Exam, quiz_id: str, place: int, **fields: Any) -> str:
    """The same on a node that is gone before the quiz has it; its regrade."""

    async def die(*_: Any) -> None:
        raise ConnectionError("the node is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Regrading, "_correct_quiz", die)
        view = await correct(exam, quiz_id, place, **fields)
    assert view.id is not None
    assert (await stored(quiz_id)).get("key_version", 0) == 0
    return view.id


async def stored(quiz_id: str) -> dict[str, Any]:
    """The quiz as it is kept."""
    quiz = await Quiz.find_whole(quiz_id)
    assert quiz is not None
    return quiz


async def score_of_a_new_one(exam: Exam, quiz_id: str, *values: Any) -> tuple[int | None, int | None]:
    """What somebody gets, and of how many points, who begins now and answers so."""
    student = await exam.student()
    attempt = await exam.begun(student, quiz_id)
    graded = await exam.attempts.submit(student, attempt.id, answering(exam, attempt, *values))
    return graded.score, graded.max_score


async def test_a_correction_that_another_overtakes_holds_for_who_begins_later(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    first = await correct_and_die(exam, quiz_id, 0, action="void")
    second = await correct(exam, quiz_id, 1, action="fix", question={"correct_answer": {"value": False}})
    assert await score_of_a_new_one(exam, quiz_id, "a", False, "3.14") == (200, 200)
    await exam.regrading.carry_out(first)  # a worker goes on with it
    assert second.id is not None
    await exam.regrading.carry_out(second.id)
    assert (await stored(quiz_id))["questions"][exam.question_ids[0]]["version"] == 2, "once"
    assert await score_of_a_new_one(exam, quiz_id, "a", False, "3.14") == (200, 200)
    await exam.regrades.undo(exam.teacher, quiz_id, first, UndoDraft())
    assert await score_of_a_new_one(exam, quiz_id, "b", False, "3.14") == (400, 400)


async def test_two_corrections_of_one_question_both_reach_the_quiz_in_their_order(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    await correct_and_die(exam, quiz_id, 0, action="accept", accepted=[{"option_id": "a"}])
    await correct(exam, quiz_id, 0, action="fix", question={"correct_answer": {"option_id": "c"}})
    assert await score_of_a_new_one(exam, quiz_id, "c", True, "3.14") == (400, 400)


async def test_an_edit_that_came_before_the_correction_stays(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    died = await correct_and_die(exam, quiz_id, 0, action="fix", question={"correct_answer": {"option_id": "a"}})
    await exam.questions.change(
        exam.teacher, exam.question_ids[0], read_model(QuestionChange, {"correct_answer": {"option_id": "c"}})
    )
    await exam.regrading.carry_out(died)
    assert await score_of_a_new_one(exam, quiz_id, "c", True, "3.14") == (400, 400)
