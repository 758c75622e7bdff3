"""What a page of the grading queue asks of the database: the same for many answers as for few."""

from __future__ import annotations

from typing import Any

import pytest

from documents.attempt import Attempt
from documents.attempt_marks import find_waiting_from
from documents.paper import AttemptPaper
from documents.quiz import Quiz
from documents.quiz_control import QuizControl
from lms_rt.contracts.grading import NextDraft, QueueQuery
from lms_rt.services import grading_queue
from lms_rt.services.grading_queue import GradingQueue
from tests.services.exam import ESSAY, Exam, submitted


async def test_the_papers_of_a_page_are_read_together(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    quiz_id = await exam.quiz(questions=(ESSAY,))
    essay_id, waiting = exam.question_ids[0], list[str]()
    quiz = await Quiz.find_whole(quiz_id)
    assert quiz is not None
    essay = quiz["questions"][essay_id]
    for name in ("Amal", "Basma", "Cyril"):
        student = await exam.student(name)
        attempt = await exam.begun(student, quiz_id)
        await exam.save(student, attempt, f"Of {name}")
        waiting.append(attempt.id)
        if name == "Amal":  # what was corrected meanwhile is asked for once as well
            change = {"question_id": essay_id, "action": "fix", "question": essay | {"points": 500}}
            await exam.order(quiz_id, "correct", changes=[change])
        await exam.attempts.submit(student, attempt.id, submitted())
    rows, asked = AttemptPaper.rows, list[str]()
    controls = QuizControl.rows

    def counted() -> Any:
        asked.append("papers")
        return rows()

    def counted_too() -> Any:
        asked.append("controls")
        return controls()

    monkeypatch.setattr(AttemptPaper, "rows", counted)
    monkeypatch.setattr(QuizControl, "rows", counted_too)
    page = await GradingQueue(clock=exam.clock).list_waiting(exam.teacher, QueueQuery())
    assert [(row.attempt_id, row.points) for row in page.items] == [(one, 500) for one in waiting]
    assert sorted(asked) == ["controls", "papers"]


async def handed_in(exam: Exam, quiz_id: str, count: int) -> list[str]:
    """So many attempts with an answer to each question, one after the other: their ids."""
    attempts = []
    for number in range(count):
        student = await exam.student()
        attempt = await exam.begun(student, quiz_id)
        for question_id in exam.question_ids:
            await exam.save(student, attempt, f"Of {number}", question_id=question_id)
        await exam.attempts.submit(student, attempt.id, submitted())
        exam.clock.advance(1)
        attempts.append(attempt.id)
    return attempts


async def next_of(exam: Exam, after: str | None, question_id: str | None = None) -> tuple[str, int]:
    """The one that follows, and how many wait."""
    draft = NextDraft(after=after, question_id=question_id)
    found = await GradingQueue(clock=exam.clock).take_next(exam.teacher, draft)
    assert found.item is not None
    return found.item.id, found.waiting_count


async def test_the_next_one_is_looked_for_a_few_at_a_time_and_round_about(
    exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading_queue, "_CHUNK", 2)
    attempts = await handed_in(exam, await exam.quiz(questions=(ESSAY, ESSAY)), 4)
    pages: list[int] = []

    async def noted(*args: Any, **options: Any) -> Any:
        rows = await find_waiting_from(*args, **options)
        pages.append(len(rows))
        return rows

    monkeypatch.setattr(grading_queue, "find_waiting_from", noted)
    after, got = None, []
    for _ in range(9):
        after, waiting_count = await next_of(exam, after)
        assert waiting_count == 8
        got.append(after)
    whole = [f"{attempt_id}.{question_id}" for attempt_id in attempts for question_id in exam.question_ids]
    assert got == [*whole, whole[0]]
    assert max(pages) == 3


async def test_the_next_one_is_of_the_question_that_is_graded_and_never_one_that_was_graded_meanwhile(
    exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading_queue, "_CHUNK", 2)
    attempts = await handed_in(exam, await exam.quiz(questions=(ESSAY, ESSAY)), 4)
    one, two = exam.question_ids
    assert await next_of(exam, f"{attempts[2]}.{two}", two) == (f"{attempts[3]}.{two}", 4)
    await Attempt.rows().update_one({"_id": attempts[1]}, {"$set": {"waiting": [one]}})
    found, _ = await next_of(exam, f"{attempts[1]}.{two}")
    assert found == f"{attempts[1]}.{one}", "what it left of the same attempt"
