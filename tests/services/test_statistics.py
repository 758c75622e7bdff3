"""What teachers are told of a quiz that was sat: which attempts are looked at, and what each question came to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.enums import AttemptStatus
from documents.quiz import Quiz
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.statistics import WhichAttempts
from lms_rt.errors import Code
from lms_rt.services import statistics, statistics_views
from lms_rt.services.statistics import Statistics, chosen_attempts
from tests.services.exam import ESSAY, QUESTIONS, Exam, code_of, submitted


@pytest.fixture
def figures(exam: Exam) -> Statistics:
    return Statistics(clock=exam.clock)


async def sit(exam: Exam, quiz_id: str, *values: Any, student: Actor | None = None) -> str:
    """One attempt of a new student, or of this one, a minute for each answer; its id."""
    student = student or await exam.student()
    attempt = await exam.begun(student, quiz_id)
    for place, value in enumerate(values):
        exam.clock.advance(60 * (place + 1))
        if value is not None:
            await exam.save(student, attempt, value, question_id=exam.question_ids[place])
    await exam.attempts.submit(student, attempt.id, submitted())
    return attempt.id


async def test_a_quiz_in_figures(exam: Exam, figures: Statistics) -> None:
    quiz_id = await exam.quiz(passing_score=60)
    for values in (("b", True, "3.14"), ("b", True, "3,14"), ("b", False, "7"), ("c", False, None)):
        await sit(exam, quiz_id, *values)
    await sit(exam, quiz_id, "a", student=exam.teacher)  # a preview
    view = await figures.show(exam.teacher, quiz_id)
    assert (view.attempts_count, view.students_count, view.passed_count, view.left_out_count) == (4, 4, 2, 0)
    assert view.scores is not None
    assert (view.scores.mean, view.scores.median, view.scores.lowest, view.scores.highest) == (6_250, 7_500, 0, 10_000)
    assert [(one.lowest, one.count) for one in view.distribution if one.count] == [(0, 1), (50, 1), (90, 2)]
    assert view.median_seconds == 6 * 60
    choice, truth, number = view.questions
    assert [one.facility for one in view.questions] == [0.75, 0.5, 0.5]
    assert [one.answered_count for one in view.questions] == [4, 4, 3]
    assert [(one.option_id, one.is_right, one.chosen) for one in choice.options] == [
        ("a", False, 0),
        ("b", True, 3),
        ("c", False, 1),
    ]
    assert [(one.option_id, one.is_right, one.chosen) for one in truth.options] == [
        ("true", True, 2),
        ("false", False, 2),
    ]
    assert [(one.text, one.count, one.share_of_points) for one in number.frequent_answers] == [
        ("3.14", 2, 1),
        ("7", 1, 0),
    ]
    assert (truth.discrimination or 0) > (choice.discrimination or 0) > 0
    assert choice.time is not None
    assert truth.time is not None
    assert (choice.time.median, truth.time.median) == (60, 120)
    assert choice.remarks == ["few_answers"]
    assert view.reliability.questions_count == 3
    assert view.reliability.alpha == pytest.approx(9 / 11)


async def test_nobody_has_sat_it(exam: Exam, figures: Statistics) -> None:
    view = await figures.show(exam.teacher, await exam.quiz())
    assert (view.attempts_count, view.scores, view.median_seconds, view.questions) == (0, None, None, [])
    assert view.reliability.why_not == "few_attempts"


@pytest.mark.parametrize(
    ("policy", "which", "scores"),
    [
        ("best", "counted", [10_000]),
        ("last", "counted", [2_500]),
        ("first", "counted", [5_000]),
        ("average", "counted", [2_500, 5_000, 10_000]),
        ("best", "all", [2_500, 5_000, 10_000]),
        ("best", "first", [5_000]),
        ("best", "last", [2_500]),
        ("last", "best", [10_000]),
    ],
)
def test_which_of_several_attempts_are_looked_at(policy: str, which: WhichAttempts, scores: list[int]) -> None:
    rows: list[dict[str, Any]] = [
        {"_id": f"a{number}", "student_id": "one", "attempt_number": number, "percentage": percentage}
        for number, percentage in ((2, 10_000), (1, 5_000), (3, 2_500))
    ]
    chosen = chosen_attempts([*rows, {**rows[0], "_id": "b1", "student_id": "other"}], which, policy)
    assert sorted(row["percentage"] for row in rows if row["_id"] in chosen) == scores
    assert "b1" in chosen


async def test_previews_and_open_attempts_do_not_count_and_what_waits_is_told(exam: Exam, figures: Statistics) -> None:
    quiz_id = await exam.quiz(questions=(*QUESTIONS, ESSAY))
    await sit(exam, quiz_id, "b", student=exam.teacher)
    await exam.begun(await exam.student(), quiz_id)
    await sit(exam, quiz_id, "b", None, None, "An essay")
    view = await figures.show(exam.teacher, quiz_id)
    assert (view.attempts_count, view.waiting_count) == (0, 1)


async def test_abandoned_ones_count(exam: Exam, figures: Statistics) -> None:
    quiz_id = await exam.quiz(time_limit_minutes=None)
    attempt = await exam.begun(await exam.student(), quiz_id)
    exam.clock.advance(31 * 24 * 3600)
    await exam.attempt_clock.closing.close_abandoned()
    assert (await exam.stored(attempt.id))["status"] == AttemptStatus.ABANDONED
    assert (await figures.show(exam.teacher, quiz_id)).attempts_count == 1


async def test_an_edited_quiz_holds_both_editions(exam: Exam, figures: Statistics) -> None:
    """Points count as they were when the paper was written, and a question that is gone is told of all the same."""
    quiz_id = await exam.quiz()
    await sit(exam, quiz_id, "b")
    quiz = await Quiz.find_whole(quiz_id)
    assert quiz is not None
    first, gone, _ = quiz["question_ids"]
    questions = {one: {**question, "points": 1_000} for one, question in quiz["questions"].items() if one != gone}
    questions[first]["options"] = [*questions[first]["options"][1:], {"id": "d", "text": "D"}]
    edited = {"questions": questions, "question_ids": [one for one in quiz["question_ids"] if one != gone]}
    assert await Quiz.change_at(quiz_id, quiz["version"], edited, at=exam.clock.now())
    await sit(exam, quiz_id, "d")
    view = await figures.show(exam.teacher, quiz_id)
    assert [one.question_id for one in view.questions] == [*edited["question_ids"], gone]
    assert [one.attempts_count for one in view.questions] == [2, 2, 1]
    assert view.questions[0].facility == 0.5
    assert {one.option_id: one.chosen for one in view.questions[0].options} == {"b": 1, "c": 0, "d": 1}
    assert view.reliability.why_not == "papers_differ"


async def test_void_questions_are_out_of_it(exam: Exam, figures: Statistics, monkeypatch: pytest.MonkeyPatch) -> None:
    quiz_id = await exam.quiz()
    for values in (("b", True), ("a", True)):
        await sit(exam, quiz_id, *values)
    void = exam.question_ids[0]
    monkeypatch.setattr(statistics, "is_void", lambda question: question["id"] == void)
    view = await figures.show(exam.teacher, quiz_id)
    assert (view.void_question_ids, void in [one.question_id for one in view.questions]) == ([void], False)
    assert view.reliability.why_not == "everybody_alike", "the rest was answered alike"


async def test_drawn_questions_are_each_counted_where_they_were_asked(exam: Exam, figures: Statistics) -> None:
    questions = tuple({**QUESTIONS[1], "tags": ["pool"]} for _ in range(6))
    quiz_id = await exam.quiz(questions=questions, draw=[{"tag": "pool", "count": 2}])
    for _ in range(8):
        await sit(exam, quiz_id)
    view = await figures.show(exam.teacher, quiz_id)
    assert sum(one.attempts_count for one in view.questions) == 8 * 2
    assert {one.facility for one in view.questions} == {0}


async def test_they_are_counted_again_only_when_something_changed(
    exam: Exam, figures: Statistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    made = statistics_views.statistics_view

    def noting(*args: Any, **told: Any) -> Any:
        counted.append(told["which"])
        return made(*args, **told)

    monkeypatch.setattr(statistics, "statistics_view", noting)
    quiz_id = await exam.quiz()
    attempt_id = await sit(exam, quiz_id, "b")
    views = await asyncio.gather(*(figures.show(exam.teacher, quiz_id) for _ in range(3)))
    assert (len(counted), len({id(view) for view in views})) == (1, 1)
    await figures.show(exam.teacher, quiz_id, "all")
    await sit(exam, quiz_id, "c")
    assert (await figures.show(exam.teacher, quiz_id)).attempts_count == 2
    regraded = {"$set": {"awarded": {exam.question_ids[0]: 100}}, "$inc": {"revision": 1}}
    await Attempt.rows().update_one({"_id": attempt_id}, regraded)
    assert (await figures.show(exam.teacher, quiz_id)).questions[0].facility == 0.25
    assert counted == ["counted", "all", "counted", "counted"]


async def test_only_those_who_teach_it_see_them(exam: Exam, figures: Statistics, student: Actor) -> None:
    quiz_id = await exam.quiz()
    assert await code_of(figures.show(student, quiz_id)) is Code.NOT_FOUND
    assert await code_of(figures.show(exam.teacher, "qiz_none")) is Code.NOT_FOUND


async def test_the_newest_are_looked_at_where_there_are_too_many(
    exam: Exam, figures: Statistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "MOST_ATTEMPTS", 2)
    quiz_id = await exam.quiz()
    for value in ("c", "b", "b"):
        await sit(exam, quiz_id, value)
        exam.clock.advance(1)
    view = await figures.show(exam.teacher, quiz_id)
    assert (view.attempts_count, view.left_out_count, view.questions[0].facility) == (2, 1, 1)
