"""Starting and submitting an attempt over the real services, by a clock that moves only when told to."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from documents.attempt import Attempt
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import (
    AttemptQuery,
    HandedOutView,
    SubmitDraft,
)
from lms_rt.contracts.base import CursorPage, read_model
from lms_rt.contracts.quizzes import QuizChange
from lms_rt.errors import Code
from lms_rt.services.leases import Device
from tests.services.exam import ESSAY, QUESTIONS, Exam, answering, code_of, refused, submitted

LIMIT_SECONDS = 30 * 60
GRACE_SECONDS = 2


async def test_a_start_writes_deadline_and_lease_and_shows_no_key(exam: Exam, attempt: HandedOutView) -> None:
    assert attempt.deadline_at == exam.clock.now() + timedelta(minutes=30)
    assert attempt.remaining_ms == LIMIT_SECONDS * 1000
    assert attempt.writer.is_me
    assert attempt.lease
    assert [question.id for question in attempt.questions] == exam.question_ids
    shown = attempt.model_dump_json()
    for secret in ("correct_answer", "explanation", "Because", "weight", "feedback", "tolerance"):
        assert secret not in shown
    (started,) = await exam.events(attempt, "attempt_started")
    assert started.event.data["attempt_id"] == attempt.id
    assert [effect["status"] for effect in exam.effects] == ["in_progress"]


async def test_starting_again_brings_back_the_open_attempt(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    again, is_new = await exam.attempts.start(student, attempt.quiz_id, Device("laptop"))
    assert (again.id, is_new) == (attempt.id, False)
    assert again.lease not in (None, attempt.lease)


async def test_many_starts_at_once_make_one_attempt(exam: Exam) -> None:
    student, quiz_id = await exam.student(), await exam.quiz()
    devices = [Device(f"tab-{number}") for number in range(8)]
    started = await asyncio.gather(*(exam.node().start(student, quiz_id, device) for device in devices))
    assert len({view.id for view, _ in started}) == 1
    assert sum(is_new for _, is_new in started) == 1
    assert await Attempt.rows().count_documents({}) == 1
    holders = [view for view, _ in started if view.lease is not None]
    stored = await exam.stored(started[0][0].id)
    assert stored["writer"]["lease"] in [view.lease for view in holders]
    papers = await Attempt.rows().database["attempt_papers"].count_documents({})
    assert papers == 1


async def test_who_may_start(exam: Exam, student: Actor) -> None:
    hidden, open_quiz = await exam.quiz(), await exam.quiz()
    await exam.quizzes.unpublish(exam.teacher, hidden)
    stranger = Actor("usr_nobody", student.role, full_name="Nobody")
    assert await code_of(exam.begun(student, hidden)) is Code.NOT_FOUND
    assert await code_of(exam.begun(student, "quz_unknown")) is Code.NOT_FOUND
    assert await code_of(exam.begun(stranger, open_quiz)) is Code.NOT_ENROLLED


async def test_the_window_keeps_new_attempts_out_and_open_ones_in(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz(opens_at=exam.at(minutes=5), closes_at=exam.at(minutes=60), time_limit_minutes=None)
    assert await code_of(exam.begun(student, quiz_id)) is Code.QUIZ_NOT_OPEN
    exam.clock.advance(5 * 60)
    attempt = await exam.begun(student, quiz_id)
    assert attempt.remaining_ms == 55 * 60_000, "the closing time ends it"
    exam.clock.advance(55 * 60 + 1)
    assert (await exam.begun(student, quiz_id)).id == attempt.id, "still open in its grace"
    assert await code_of(exam.begun(await exam.student(), quiz_id)) is Code.QUIZ_CLOSED
    exam.clock.advance(60)
    assert await code_of(exam.begun(student, quiz_id)) is Code.QUIZ_CLOSED
    assert (await exam.stored(attempt.id))["status"] == "graded"


async def test_attempts_are_exhausted_after_so_many(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz(max_attempts=2)
    for number in (1, 2):
        attempt = await exam.begun(student, quiz_id)
        assert attempt.attempt_number == number
        await exam.attempts.submit(student, attempt.id, submitted())
    assert await code_of(exam.begun(student, quiz_id)) is Code.ATTEMPTS_EXHAUSTED


async def test_an_open_attempt_past_its_deadline_is_closed_first(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 1)
    second = await exam.begun(student, attempt.quiz_id)
    assert second.id != attempt.id
    assert second.attempt_number == 2
    assert (await exam.stored(attempt.id))["submitted_by"] == "deadline"


async def test_who_teaches_previews_and_counts_nowhere(exam: Exam) -> None:
    quiz_id = await exam.quiz(closes_at=exam.at(minutes=1), max_attempts=1)
    for _ in range(2):
        preview = await exam.begun(exam.teacher, quiz_id)
        assert preview.is_preview
        assert preview.remaining_ms == LIMIT_SECONDS * 1000
        await exam.attempts.submit(exam.teacher, preview.id, submitted())
    assert exam.effects == []
    assert await exam.events(preview, "attempt_submitted") == []
    assert await Attempt.find_changed(quiz_id, 0) == []
    assert len(await exam.events(preview, "attempt_graded")) == 1


async def test_the_paper_is_fixed_at_the_start(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz(shuffle_questions=True, shuffle_options=True)
    attempt = await exam.begun(student, quiz_id)
    await exam.questions.remove(exam.teacher, exam.question_ids[1])
    await exam.quizzes.change(exam.teacher, quiz_id, read_model(QuizChange, {"title": "Other"}))
    again = await exam.begun(student, quiz_id)
    assert again.questions == attempt.questions
    assert again.quiz_title == "Midterm"


async def test_submitting_grades_at_once_and_only_once(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b")
    exam.clock.advance(61)
    first = await exam.attempts.submit(student, attempt.id, submitted(revision=1))
    assert (first.status, first.grading, first.submitted_by) == ("graded", "done", "student")
    assert (first.score, first.max_score, first.percentage, first.is_passed) == (200, 400, 5_000, False)
    assert first.time_taken_seconds == 61
    again = await exam.attempts.submit(student, attempt.id, submitted(revision=99))
    assert again.graded_at == first.graded_at
    assert len(await exam.events(attempt, "attempt_graded")) == 1
    assert len(await exam.events(attempt, "attempt_submitted")) == 1
    assert [effect["status"] for effect in exam.effects] == ["in_progress", "graded"]


async def test_many_submissions_at_once_close_once(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await asyncio.gather(*(exam.node().submit(student, attempt.id, submitted()) for _ in range(6)))
    assert len(await exam.events(attempt, "attempt_graded")) == 1
    assert (await exam.stored(attempt.id))["version"] == 2


async def test_what_another_screen_wrote_keeps_it_open(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b")
    conflict = await refused(exam.attempts.submit(student, attempt.id, submitted(revision=0)))
    assert (conflict.code, conflict.data["revision"]) == (Code.CONFLICT, 1)
    assert conflict.data["answers"][exam.question_ids[0]].value == "b"
    assert (await exam.stored(attempt.id))["status"] == "in_progress"


async def test_answers_that_come_along_are_saved_by_the_closing_write(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    await exam.save(student, attempt, "a")
    draft = answering(exam, attempt, "b", True, "3.14", revision=1)
    closed = await exam.attempts.submit(student, attempt.id, draft)
    assert (closed.score, closed.is_passed) == (400, True)
    assert closed.answers[exam.question_ids[0]].revision == 2
    again = await exam.attempts.submit(student, attempt.id, draft)
    assert again.graded_at == closed.graded_at
    other = answering(exam, attempt, "c")
    assert await code_of(exam.attempts.submit(student, attempt.id, other)) is Code.ATTEMPT_CLOSED


async def test_answers_need_the_lease_and_closing_does_not(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    draft = answering(exam, attempt, "b", lease=None)
    fault = await refused(exam.attempts.submit(student, attempt.id, draft))
    assert fault.code is Code.NOT_WRITER
    assert [row.code for row in fault.data["refused"]] == ["not_writer"]
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    assert (await exam.attempts.submit(student, attempt.id, submitted())).status == "graded"


async def test_answers_are_all_or_nothing(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b")
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    draft = read_model(
        SubmitDraft,
        {
            "lease": phone.lease,
            "device_id": "phone",
            "answers": [
                {"question_id": exam.question_ids[1], "value": True},
                {"question_id": exam.question_ids[0], "value": "c", "base_revision": 0, "seq": 1},
            ],
        },
    )
    fault = await refused(exam.attempts.submit(student, attempt.id, draft))
    assert fault.code is Code.CONFLICT
    assert [row.stored.value for row in fault.data["conflicts"]] == ["b"]
    stored = await exam.stored(attempt.id)
    assert (stored["status"], list(stored["answers"])) == ("in_progress", [exam.question_ids[0]])


async def test_an_essay_waits_for_a_person(exam: Exam, student: Actor) -> None:
    attempt = await exam.begun(student, await exam.quiz(questions=(*QUESTIONS, ESSAY)))
    await exam.save(student, attempt, "b")
    await exam.save(student, attempt, "Because.", question_id=exam.question_ids[-1])
    closed = await exam.attempts.submit(student, attempt.id, submitted())
    assert (closed.status, closed.grading, closed.score, closed.is_passed) == ("submitted", "manual", None, None)
    assert await exam.events(attempt, "attempt_graded") == []
    assert len(await exam.events(attempt, "attempt_submitted")) == 1
    results = await exam.results.show(student, attempt.id)
    assert results.score is None
    assert [question.points_awarded for question in results.questions] == [200, 0, 0, None]


async def test_attempts_by_cursor_are_newest_first_and_each_is_there_once(exam: Exam, student: Actor) -> None:
    begun = []
    for _ in range(3):
        begun.append((await exam.begun(student, await exam.quiz())).id)
        exam.clock.advance(1)
    found, after = list[str](), None
    for _ in range(3):
        stretch = await exam.attempts.list(student, AttemptQuery(limit=1, after=after))
        assert isinstance(stretch, CursorPage)
        found += [row.id for row in stretch.items]
        after = stretch.next
    assert (found, after) == (begun[::-1], None)
