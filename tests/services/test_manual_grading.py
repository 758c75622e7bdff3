"""Essays and other answers marked by people: points, rubric, comments, two at once, and what the student gets of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.enums import Role, ShowAnswers
from handlers.web.base import shape
from handlers.web.shown_answers import shown_question
from handlers.web.translation import Translator
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.grading import MarkDraft, MarkedView, NextDraft, QueueItemView, QueueQuery
from lms_rt.contracts.questions import QuestionChange
from lms_rt.contracts.quizzes import QuizChange
from lms_rt.errors import Code, Refused
from lms_rt.services.grading_queue import GradingQueue
from lms_rt.services.manual_grading import ManualGrading
from tests.services.exam import ESSAY, QUESTIONS, Exam, code_of, person, refused, submitted

EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])
"""Where the database has no say in it."""
RUBRIC = {
    "criteria": [
        {
            "id": "idea",
            "title": "Idea",
            "levels": [{"id": "none", "title": "None", "points": 0}, {"id": "good", "title": "Good", "points": "2.50"}],
        },
        {
            "id": "form",
            "title": "Form",
            "description": "Spelling and order",
            "levels": [{"id": "poor", "title": "Poor", "points": 0.5}, {"id": "fine", "title": "Fine", "points": 1.5}],
        },
    ]
}


@dataclass
class Desk:
    """A quiz with an essay, and those who mark it."""

    exam: Exam
    quiz_id: str
    essay_id: str

    def __post_init__(self) -> None:
        clock, relay = self.exam.clock, self.exam.relay
        self.manual = ManualGrading(clock=clock, relay=relay, grading=self.exam.attempt_clock.grading)
        self.queue = GradingQueue(clock=clock)
        self.colleague = person(Role.ADMIN, "Colleague")

    async def handed_in(self, name: str = "Student", **answers: Any) -> HandedOutView:
        """An attempt that was handed in: the first question right, the essay written."""
        student = await self.exam.student(name)
        attempt = await self.exam.begun(student, self.quiz_id)
        await self.exam.save(student, attempt, "b")
        await self.exam.save(student, attempt, answers.get("essay", "Dear teacher"), question_id=self.essay_id)
        await self.exam.attempts.submit(student, attempt.id, submitted())
        return attempt

    async def mark(self, attempt_id: str, actor: Actor | None = None, **fields: Any) -> MarkedView:
        """A mark as it comes in; of the essay unless another question is named."""
        draft = read_model(MarkDraft, {"question_id": self.essay_id, **fields})
        return await self.manual.mark(actor or self.exam.teacher, attempt_id, draft)

    async def waiting(self, actor: Actor | None = None, **query: Any) -> list[str]:
        """The attempts in the queue, in its order."""
        page = await self.queue.list_waiting(actor or self.exam.teacher, QueueQuery(**query))
        return [row.attempt_id for row in page.items]

    async def claim(self, attempt_id: str, actor: Actor | None = None) -> QueueItemView:
        """Take the essay of an attempt."""
        return await self.queue.claim(actor or self.exam.teacher, f"{attempt_id}.{self.essay_id}")


@pytest.fixture
async def desk(exam: Exam) -> Desk:
    """Two questions and an essay of four points."""
    quiz_id = await exam.quiz(questions=(*QUESTIONS[:2], ESSAY), passing_score=70)
    return Desk(exam, quiz_id, exam.question_ids[2])


async def test_the_last_mark_makes_the_grade(desk: Desk) -> None:
    attempt = await desk.handed_in()
    stored = await desk.exam.stored(attempt.id)
    assert (stored["status"], stored["grading"], stored.get("score")) == ("submitted", "manual", None)
    assert await desk.waiting() == [attempt.id]
    marked = await desk.mark(attempt.id, points="3.25", comment="Well seen.")
    assert (marked.grading, marked.status, marked.waiting_count) == ("done", "graded", 0)
    assert (marked.score, marked.max_score, marked.percentage, marked.is_passed) == (525, 700, 7500, True)
    assert await desk.waiting() == []
    told = await desk.exam.events(attempt, "attempt_graded")
    assert [one.event.data["score"] for one in told] == ["5.25"]
    assert desk.exam.effects[-1]["percentage"] == 7500
    results = await desk.exam.results.show(desk.exam.teacher, attempt.id)
    essay = results.questions[2]
    assert (essay.points_awarded, essay.comment, essay.changes) == (325, "Well seen.", [])
    assert essay.mark is not None
    assert essay.mark.revision == 1


@EMBEDDED
async def test_an_essay_left_empty_waits_for_nobody_and_can_be_given_points(desk: Desk) -> None:
    attempt = await desk.handed_in(essay=" \n")
    stored = await desk.exam.stored(attempt.id)
    assert (stored["status"], stored["grading"], stored["score"], stored.get("waiting")) == (
        "graded",
        "done",
        200,
        None,
    )
    assert await desk.waiting() == []
    assert await desk.queue.overview(desk.exam.teacher) == []
    results = await desk.exam.results.show(desk.exam.teacher, attempt.id)
    assert (results.questions[2].points_awarded, results.questions[2].is_correct) == (0, False)
    shown = shown_question(shape(results.questions[2]), Translator("en"))
    assert shown.outcome == "empty"
    fault = await refused(desk.mark(attempt.id, points=2))
    assert [one.field for one in fault.fields] == ["reason"]
    marked = await desk.mark(attempt.id, points=2, reason="Handed in on paper.")
    assert (marked.score, marked.waiting_count) == (400, 0)
    essay = (await desk.exam.results.show(desk.exam.teacher, attempt.id)).questions[2]
    assert (essay.points_awarded, essay.is_correct) == (200, None)


@EMBEDDED
async def test_other_points_than_the_rule_gave_need_a_reason_and_are_told(desk: Desk) -> None:
    attempt = await desk.handed_in()
    await desk.mark(attempt.id, points=0)
    second = desk.exam.question_ids[1]
    fault = await refused(desk.mark(attempt.id, question_id=second, points=1))
    assert [one.field for one in fault.fields] == ["reason"]
    marked = await desk.mark(attempt.id, question_id=second, points=1, reason="The line was cut.")
    assert marked.score == 300
    told = await desk.exam.events(attempt, "attempt_graded")
    assert [one.event.data["score"] for one in told] == ["2.00", "3.00"]
    assert told[-1].event.data["reason"] == "The line was cut."
    assert told[-1].event.data["previous"]["score"] == "2.00"
    results = await desk.exam.results.show(desk.exam.teacher, attempt.id)
    changed = results.questions[1].changes
    assert [(one.from_points, one.to_points, one.reason) for one in changed] == [(0, 100, "The line was cut.")]
    # A comment alone changes no score: nobody is told again.
    await desk.mark(attempt.id, points=0, comment="Nothing here.", revision=1)
    assert len(await desk.exam.events(attempt, "attempt_graded")) == 2


@EMBEDDED
async def test_points_stay_within_the_question(desk: Desk) -> None:
    attempt = await desk.handed_in()
    for fields, path in (
        ({"points": "4.01"}, "points"),
        ({}, "points"),
        ({"points": 1, "rubric": {"idea": "good"}}, "rubric.idea"),
    ):
        assert [one.field for one in (await refused(desk.mark(attempt.id, **fields))).fields] == [path]
    assert await code_of(desk.mark(attempt.id, question_id="qst_none", points=1)) is Code.NOT_FOUND
    with pytest.raises(Refused):
        read_model(MarkDraft, {"question_id": desk.essay_id, "points": -1})


@EMBEDDED
async def test_what_is_still_open_or_not_theirs_is_marked_by_nobody(desk: Desk) -> None:
    student = await desk.exam.student()
    attempt = await desk.exam.begun(student, desk.quiz_id)
    assert await code_of(desk.mark(attempt.id, points=1)) is Code.NOT_GRADED
    for somebody in (student, person(Role.INSTRUCTOR, "Other")):
        assert await code_of(desk.mark(attempt.id, somebody, points=1)) is Code.NOT_FOUND
        assert await code_of(desk.claim(attempt.id, somebody)) is Code.NOT_FOUND
        assert await code_of(desk.queue.take_next(somebody, NextDraft(), quiz_id=desk.quiz_id)) is Code.NOT_FOUND
        assert await desk.waiting(somebody) == []


async def test_a_mark_is_never_overwritten_unseen(desk: Desk) -> None:
    attempt = await desk.handed_in()
    await desk.mark(attempt.id, points=1, comment="Short.")
    for fields in ({}, {"revision": 0}, {"revision": 7}):
        fault = await refused(desk.mark(attempt.id, desk.colleague, points=3, reason="Longer than it seems.", **fields))
        assert fault.code is Code.CONFLICT
        assert (fault.data["stored"].points, fault.data["stored"].comment) == (100, "Short.")
    again = await desk.mark(attempt.id, points=1, comment="Short.")
    assert again.mark.revision == 1  # the first reply was lost
    marked = await desk.mark(attempt.id, desk.colleague, points=3, reason="Longer than it seems.", revision=1)
    assert (marked.mark.revision, marked.score) == (2, 500)


async def test_of_two_at_once_one_is_told_of_the_other(desk: Desk) -> None:
    attempt = await desk.handed_in()
    outcomes = await asyncio.gather(
        desk.mark(attempt.id, points=1, revision=0),
        desk.mark(attempt.id, desk.colleague, points=2, revision=0),
        return_exceptions=True,
    )
    marks = [one for one in outcomes if isinstance(one, MarkedView)]
    faults = [one for one in outcomes if isinstance(one, Refused)]
    assert (len(marks), [one.code for one in faults]) == (1, [Code.CONFLICT])
    assert faults[0].data["stored"].points == marks[0].mark.points
    assert len(await desk.exam.events(attempt, "attempt_graded")) == 1


async def test_two_mark_two_answers_of_one_attempt_at_once(exam: Exam) -> None:
    desk = Desk(exam, await exam.quiz(questions=(ESSAY, {**ESSAY, "question_text": "Why?"})), exam.question_ids[1])
    attempt = await desk.handed_in()
    first, second = exam.question_ids
    await asyncio.gather(
        desk.mark(attempt.id, question_id=first, points=1),
        desk.mark(attempt.id, desk.colleague, question_id=second, points=2),
    )
    stored = await exam.stored(attempt.id)
    assert (stored["grading"], stored["score"], stored["waiting"]) == ("done", 300, [])
    assert len(await exam.events(attempt, "attempt_graded")) == 1


@EMBEDDED
async def test_a_rubric_gives_the_points_and_is_shown_as_the_quiz_allows(exam: Exam) -> None:
    essay = {"question_type": "essay", "question_text": "Discuss.", "rubric": RUBRIC}
    desk = Desk(exam, await exam.quiz(questions=(QUESTIONS[0], essay)), exam.question_ids[1])
    attempt = await desk.handed_in()
    shown = await desk.claim(attempt.id)
    assert shown.rubric is not None
    assert (shown.points, shown.rubric.criteria[0].levels[1].points) == (400, 250)
    assert [one.field for one in (await refused(desk.mark(attempt.id, rubric={"idea": "good"}))).fields] == [
        "rubric.form"
    ]
    marked = await desk.mark(attempt.id, rubric={"idea": "good", "form": "poor"}, comment="Mind the spelling.")
    assert (marked.mark.points, marked.score) == (300, 500)
    student = person(Role.STUDENT, "Student")
    student = Actor(attempt.student_id, student.role, student.permissions, full_name="Student")
    results = await exam.results.show(student, attempt.id)
    found = results.questions[1].rubric
    assert found is not None
    assert [(one.level_title, one.points, one.max_points) for one in found] == [("Good", 250, 250), ("Poor", 50, 150)]
    assert (results.questions[1].comment, results.questions[1].mark) == ("Mind the spelling.", None)
    await exam.quizzes.change(exam.teacher, desk.quiz_id, QuizChange(show_correct_answers=ShowAnswers.NEVER))
    hidden = (await exam.results.show(student, attempt.id)).model_dump_json()
    assert not any(word in hidden for word in ("Mind the spelling", "Good", "Spelling and order"))


@EMBEDDED
async def test_a_rubric_comes_to_the_points_of_its_question(exam: Exam) -> None:
    essay = {"question_type": "essay", "question_text": "Discuss.", "rubric": RUBRIC}
    await exam.quiz(questions=(essay,))
    question = await exam.questions.show(exam.teacher, exam.question_ids[0])
    assert question.points == 400
    change = read_model(QuestionChange, {"points": 5})
    assert await code_of(exam.questions.change(exam.teacher, question.id, change)) is Code.VALIDATION_FAILED
    less = {"criteria": RUBRIC["criteria"][:1]}
    changed = await exam.questions.change(exam.teacher, question.id, read_model(QuestionChange, {"rubric": less}))
    assert changed.points == 250
    for bad in ({"question_type": "true_false", "correct_answer": {"value": True}}, {"points": 9}):
        with pytest.raises(Refused):
            await exam.quiz(questions=({**essay, **bad},))


async def test_one_person_has_an_answer_for_a_quarter_of_an_hour(desk: Desk) -> None:
    attempt = await desk.handed_in()
    item = await desk.claim(attempt.id)
    assert (item.value, item.full_name, item.mark) == ("Dear teacher", "Student", None)
    assert item.claimed_by is not None
    taken = await refused(desk.claim(attempt.id, desk.colleague))
    assert (taken.code, taken.data["claimed_by"].user_id) == (Code.CONFLICT, desk.exam.teacher.user_id)
    assert await code_of(desk.mark(attempt.id, desk.colleague, points=1)) is Code.CONFLICT
    await desk.claim(attempt.id)  # for longer
    desk.exam.clock.advance(15 * 60)
    assert (await desk.claim(attempt.id, desk.colleague)).claimed_by is not None
    assert await code_of(desk.claim(attempt.id)) is Code.CONFLICT
    await desk.queue.release(desk.colleague, item.id)
    await desk.claim(attempt.id)
    await desk.mark(attempt.id, points=1)
    late = await refused(desk.claim(attempt.id, desk.colleague))
    assert late.data["stored"].points == 100


async def test_next_hands_everybody_another_one(desk: Desk) -> None:
    attempts = [await desk.handed_in(f"Student {number}") for number in range(3)]
    assert await desk.waiting() == [one.id for one in attempts]
    assert await desk.waiting(sort="-submitted_at") == [one.id for one in reversed(attempts)]
    first = (await desk.queue.take_next(desk.exam.teacher, NextDraft())).item
    second = (await desk.queue.take_next(desk.colleague, NextDraft(), quiz_id=desk.quiz_id)).item
    assert first is not None
    assert second is not None
    assert [first.attempt_id, second.attempt_id] == [attempts[0].id, attempts[1].id]
    await desk.mark(first.attempt_id, points=2)
    third = await desk.queue.take_next(desk.exam.teacher, NextDraft(after=first.id))
    assert third.item is not None
    assert (third.item.attempt_id, third.waiting_count) == (attempts[2].id, 2)
    # Left for later: the next one is held by the colleague, so that the same comes again.
    again = await desk.queue.take_next(desk.exam.teacher, NextDraft(after=third.item.id))
    assert again.item is not None
    assert again.item.id == third.item.id
    await desk.mark(third.item.attempt_id, points=2)
    assert (await desk.queue.take_next(desk.exam.teacher, NextDraft(after=third.item.id))).item is None
    overview = await desk.queue.overview(desk.exam.teacher)
    assert [(one.quiz_id, one.waiting_count) for one in overview] == [(desk.quiz_id, 1)]


@EMBEDDED
async def test_where_marking_is_anonymous_no_name_is_in_the_queue(exam: Exam) -> None:
    quiz_id = await exam.quiz(questions=(QUESTIONS[0], ESSAY), is_marking_anonymous=True)
    desk = Desk(exam, quiz_id, exam.question_ids[1])
    attempt = await desk.handed_in("Somebody Known")
    page = await desk.queue.list_waiting(exam.teacher, QueueQuery())
    item = await desk.claim(attempt.id)
    taken = (await desk.queue.take_next(exam.teacher, NextDraft())).item
    marked = await desk.mark(attempt.id, points=1)
    shown = "".join(view.model_dump_json() for view in (page, item, taken, marked) if view is not None)
    assert "Known" not in shown
    assert attempt.student_id not in shown
    assert page.items[0].alias == item.alias


@EMBEDDED
async def test_a_mark_stands_when_the_attempt_is_graded_again(desk: Desk) -> None:
    attempt = await desk.handed_in()
    await desk.mark(attempt.id, points=3)
    await Attempt.rows().update_one({"_id": attempt.id}, {"$set": {"grading": "pending"}, "$inc": {"key_version": 1}})
    await desk.exam.attempt_clock.grading.grade(attempt.id)
    stored = await desk.exam.stored(attempt.id)
    assert (stored["grading"], stored["score"], stored["awarded"][desk.essay_id]) == ("done", 500, 300)
