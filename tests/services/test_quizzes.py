"""Quizzes and questions as their author works on them: publishing, limits, versions, lists, and who may know."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documents.enums import Role
from documents.quiz import Quiz
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionChange, QuestionDraft
from lms_rt.contracts.quizzes import QuestionQuery, QuizChange, QuizDraft, QuizQuery, QuizView
from lms_rt.errors import Code
from lms_rt.services import questions as questions_service
from tests.services.exam import QUESTIONS, Exam, person, refused


def change(**fields: Any) -> QuizChange:
    return read_model(QuizChange, fields)


def question(**fields: Any) -> QuestionDraft:
    return read_model(QuestionDraft, {**QUESTIONS[1], **fields})


async def made(exam: Exam, **fields: Any) -> QuizView:
    return await exam.quizzes.create(
        exam.teacher, read_model(QuizDraft, {"course_id": exam.course_id, "title": "Midterm", **fields})
    )


async def test_a_new_quiz_has_the_defaults_of_the_house(exam: Exam) -> None:
    quiz = await made(exam)
    assert (quiz.passing_score, quiz.max_attempts, quiz.grading_policy) == (7_000, None, "best")
    assert (quiz.is_published, quiz.questions_count, quiz.total_points, quiz.version) == (False, 0, 0, 1)
    assert await exam.quizzes.show(exam.teacher, quiz.id) == quiz


@pytest.mark.parametrize(
    ("fields", "drafts", "missing"),
    [
        ({}, [], ["questions"]),
        ({}, [{"question_type": "description", "question_text": "Read.", "correct_answer": None, "points": 0}], ["questions"]),
        ({"draw": [{"tag": "easy", "count": 2}]}, [{"tags": ["easy"]}], ["draw"]),
        ({"opens_at": "2026-02-01T00:00:00Z", "closes_at": "2026-02-01T00:00:00Z"}, [{}], ["opens_at"]),
        ({"draw": [{"category": "x", "count": 1}], "opens_at": "2026-02-02T00:00:00Z", "closes_at": "2026-02-01T00:00:00Z"},
         [], ["questions", "draw", "opens_at"]),
    ],
)  # fmt: skip
async def test_what_is_not_ready_is_not_published(
    exam: Exam, fields: dict[str, Any], drafts: list[dict[str, Any]], missing: list[str]
) -> None:
    quiz = await made(exam, **fields)
    await exam.questions.add_all(exam.teacher, quiz.id, [question(**draft) for draft in drafts])
    for publishing in (
        exam.quizzes.publish(exam.teacher, quiz.id),
        exam.quizzes.change(exam.teacher, quiz.id, change(is_published=True)),
    ):
        fault = await refused(publishing)
        assert (fault.code, fault.data["missing"]) == (Code.QUIZ_NOT_READY, missing)
    assert not (await exam.quizzes.show(exam.teacher, quiz.id)).is_published


async def test_a_published_quiz_stays_fit(exam: Exam) -> None:
    quiz_id = await exam.quiz(questions=QUESTIONS[:1])
    for breaking in (
        exam.questions.remove(exam.teacher, exam.question_ids[0]),
        exam.quizzes.change(exam.teacher, quiz_id, change(draw=[{"tag": "none", "count": 1}])),
    ):
        assert (await refused(breaking)).code is Code.QUIZ_NOT_READY
    assert (await exam.quizzes.show(exam.teacher, quiz_id)).questions_count == 1


async def test_publishing_is_told_once(exam: Exam) -> None:
    quiz_id = await exam.quiz()
    stored = await Quiz.rows().find_one({"_id": quiz_id})
    assert stored is not None
    assert stored["outbox"] == []
    version = stored["version"]
    assert (await exam.quizzes.publish(exam.teacher, quiz_id)).version == version, "nothing changed"


async def test_versions_keep_edits_from_losing_one_another(exam: Exam) -> None:
    quiz = await made(exam)
    fault = await refused(exam.quizzes.change(exam.teacher, quiz.id, change(title="X"), expected_version=9))
    assert (fault.code, fault.data["current_version"]) == (Code.VERSION_MISMATCH, 1)
    fields: list[dict[str, Any]] = [
        {"title": "New"},
        {"max_attempts": 3},
        {"description": "D"},
        {"shuffle_options": True},
    ]
    await asyncio.gather(*(exam.quizzes.change(exam.teacher, quiz.id, change(**one)) for one in fields))
    now = await exam.quizzes.show(exam.teacher, quiz.id)
    assert (now.title, now.max_attempts, now.description, now.shuffle_options, now.version) == ("New", 3, "D", True, 5)


async def test_null_takes_a_limit_away(exam: Exam) -> None:
    quiz = await made(exam, time_limit_minutes=5, max_attempts=2)
    now = await exam.quizzes.change(exam.teacher, quiz.id, change(time_limit_minutes=None))
    assert (now.time_limit_minutes, now.max_attempts) == (None, 2)
    stored = await Quiz.rows().find_one({"_id": quiz.id})
    assert stored is not None
    assert "time_limit_minutes" not in stored


async def test_a_lesson_must_be_of_the_course(exam: Exam) -> None:
    fault = await refused(made(exam, lesson_id="les_other"))
    assert [field.field for field in fault.fields] == ["lesson_id"]


async def test_begun_quizzes_are_put_away_not_removed(exam: Exam) -> None:
    quiz_id, student = await exam.quiz(), await exam.student()
    await exam.begun(student, quiz_id)
    assert (await refused(exam.quizzes.remove(exam.teacher, quiz_id))).code is Code.HAS_ATTEMPTS
    assert (await exam.quizzes.show(exam.teacher, quiz_id)).is_published
    await exam.quizzes.remove(exam.teacher, quiz_id, archive=True)
    shown = await exam.quizzes.list(exam.teacher, QuizQuery())
    archived = await exam.quizzes.list(exam.teacher, QuizQuery(is_archived=True))
    assert ([item.id for item in shown.items], [item.id for item in archived.items]) == ([], [quiz_id])
    fresh = await made(exam)
    await exam.quizzes.remove(exam.teacher, fresh.id)
    assert (await refused(exam.quizzes.show(exam.teacher, fresh.id))).code is Code.NOT_FOUND


async def test_who_may_know_of_a_quiz(exam: Exam) -> None:
    published, student = await exam.quiz(), await exam.student()
    draft = await made(exam)
    stranger, other = person(Role.STUDENT, "Stranger"), person(Role.INSTRUCTOR, "Other")
    admin = person(Role.ADMIN, "Admin")
    assert (await refused(exam.quizzes.show(student, draft.id))).code is Code.NOT_FOUND
    assert (await refused(exam.quizzes.show(stranger, published))).code is Code.NOT_ENROLLED
    assert (await refused(exam.quizzes.change(other, published, change(title="X")))).code is Code.NOT_FOUND
    assert (await refused(exam.questions.show(other, exam.question_ids[0]))).code is Code.NOT_FOUND
    for actor, known in (
        (student, {published}),
        (stranger, set()),
        (other, set()),
        (exam.teacher, {published, draft.id}),
    ):
        for query in (QuizQuery(), QuizQuery(course_id=exam.course_id)):
            page = await exam.quizzes.list(actor, query)
            assert {item.id for item in page.items} == known
    assert {item.id for item in (await exam.quizzes.list(admin, QuizQuery())).items} == {published, draft.id}
    assert (await exam.quizzes.list(student, QuizQuery(course_id="crs_none"))).items == []


async def test_a_student_learns_how_many_attempts_are_used(exam: Exam) -> None:
    quiz_id, student = await exam.quiz(), await exam.student()
    assert (await exam.quizzes.show(student, quiz_id)).attempts_used == 0
    attempt = await exam.begun(student, quiz_id)
    shown = await exam.quizzes.show(student, quiz_id)
    assert (shown.attempts_used, shown.open_attempt_id) == (1, attempt.id)


# --- questions ---


async def test_questions_take_their_places(exam: Exam) -> None:
    quiz = await made(exam)
    ids = [(await exam.questions.add(exam.teacher, quiz.id, question(question_text=str(n)))).id for n in range(3)]
    first = await exam.questions.add(exam.teacher, quiz.id, question(order=1))
    moved = await exam.questions.change(exam.teacher, ids[2], read_model(QuestionChange, {"order": 2}))
    page = await exam.questions.list(exam.teacher, quiz.id, QuestionQuery())
    assert [item.id for item in page.items] == [first.id, ids[2], ids[0], ids[1]]
    assert [item.order for item in page.items] == [1, 2, 3, 4]
    assert moved.order == 2
    newest = await exam.questions.list(exam.teacher, quiz.id, QuestionQuery(sort="-order", page_size=1, page=2))
    assert [item.id for item in newest.items] == [ids[0]]
    assert (await exam.quizzes.show(exam.teacher, quiz.id)).total_points == 400


async def test_a_question_and_its_quiz_move_their_versions_together(exam: Exam) -> None:
    quiz = await made(exam)
    one = await exam.questions.add(exam.teacher, quiz.id, question())
    assert (one.version, (await exam.quizzes.show(exam.teacher, quiz.id)).version) == (1, 2)
    two = await exam.questions.change(
        exam.teacher, one.id, read_model(QuestionChange, {"points": "2.50"}), expected_version=1
    )
    shown = await exam.quizzes.show(exam.teacher, quiz.id)
    assert (two.version, two.points, shown.version, shown.total_points) == (2, 250, 3, 250)
    stale = exam.questions.change(exam.teacher, one.id, read_model(QuestionChange, {"points": 1}), expected_version=1)
    assert (await refused(stale)).code is Code.VERSION_MISMATCH


async def test_questions_added_at_once_are_all_there(exam: Exam) -> None:
    quiz = await made(exam)
    await asyncio.gather(*(exam.questions.add(exam.teacher, quiz.id, question(question_text=str(n))) for n in range(8)))
    page = await exam.questions.list(exam.teacher, quiz.id, QuestionQuery())
    assert sorted(item.question_text for item in page.items) == [str(number) for number in range(8)]


async def test_too_many_or_too_big_changes_nothing(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    quiz = await made(exam)
    monkeypatch.setattr(questions_service, "MAX_QUESTIONS", 3)
    assert (await refused(exam.questions.add_all(exam.teacher, quiz.id, [question()] * 4))).code is Code.TOO_LARGE
    monkeypatch.setattr(questions_service, "MAX_BYTES", 2_000)
    big = question(explanation="x" * 2_000)
    assert (await refused(exam.questions.add(exam.teacher, quiz.id, big))).code is Code.TOO_LARGE
    assert (await exam.quizzes.show(exam.teacher, quiz.id)).questions_count == 0


async def test_many_come_in_one_write_in_their_order(exam: Exam) -> None:
    quiz = await made(exam)
    ids = await exam.questions.add_all(exam.teacher, quiz.id, [question(question_text=str(n)) for n in range(30)])
    page = await exam.questions.list(exam.teacher, quiz.id, QuestionQuery(page_size=100))
    assert [item.id for item in page.items] == ids
    assert (await exam.quizzes.show(exam.teacher, quiz.id)).version == 2
    assert await exam.questions.add_all(exam.teacher, quiz.id, []) == []
