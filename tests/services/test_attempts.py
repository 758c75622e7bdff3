"""The attempt engine over the real services and a clock that moves only when told to: every rule of a timed attempt."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.attempt import Attempt
from lms_rt.bus.base import Member
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import (
    AnswersDraft,
    AttemptQuery,
    HandedOutView,
    Signal,
    SubmitDraft,
    SubmitRow,
    SyncDraft,
)
from lms_rt.contracts.base import CursorPage, read_model
from lms_rt.contracts.channels import attempt_channel
from lms_rt.contracts.quizzes import QuizChange
from lms_rt.errors import Code, Refused
from lms_rt.services.leases import Device
from lms_rt.storage.mongo import OpenDatabase
from tests.services.exam import ESSAY, QUESTIONS, Exam

pytestmark = pytest.mark.usefixtures("database")
LIMIT_SECONDS = 30 * 60
GRACE_SECONDS = 2


@pytest.fixture
async def exam(database: OpenDatabase, settings: Settings) -> Exam:
    made = Exam(settings)
    await made.open_course()
    return made


@pytest.fixture
async def student(exam: Exam) -> Actor:
    return await exam.student()


@pytest.fixture
async def attempt(exam: Exam, student: Actor) -> HandedOutView:
    return await exam.begun(student, await exam.quiz())


async def refused(awaitable: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await awaitable
    return caught.value


async def code_of(awaitable: Any) -> Code:
    return (await refused(awaitable)).code


def submitted(**fields: Any) -> SubmitDraft:
    return read_model(SubmitDraft, fields)


# --- starting ---


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


# --- saving ---


async def test_what_is_acknowledged_is_stored_and_told(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    saved = await exam.save(student, attempt, "b", op_id="first")
    assert (saved.revision, saved.superseded, saved.writer.is_me) == (1, None, True)
    stored = (await exam.stored(attempt.id))["answers"][exam.question_ids[0]]
    assert (stored["value"], stored["op_id"], stored["revision"]) == ("b", "first", 1)
    (told,) = await exam.events(attempt, "answer_saved")
    assert (told.event.data["op_id"], told.event.data["revision"]) == ("first", 1)


async def test_null_clears_an_answer(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b")
    await exam.save(student, attempt, None, base_revision=1)
    shown = await exam.attempts.show(student, attempt.id)
    assert shown.answers[exam.question_ids[0]].value is None


async def test_resending_brings_the_first_ack_even_after_the_close(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    row: dict[str, Any] = {"op_id": "once", "seq": 1, "base_revision": 0}
    first = await exam.save(student, attempt, "b", **row)
    exam.clock.advance(5)
    assert await exam.save(student, attempt, "b", **row) == first
    await exam.attempts.submit(student, attempt.id, submitted())
    exam.clock.advance(LIMIT_SECONDS * 2)
    again = await exam.save(student, attempt, "b", **row)
    assert (again.revision, again.saved_at) == (first.revision, first.saved_at)
    assert await code_of(exam.save(student, attempt, "c", **row)) is Code.OP_ID_REUSED
    assert (await exam.stored(attempt.id))["ops_count"] == 1


async def test_the_grace_counts_and_what_comes_later_does_not(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS)
    await exam.save(student, attempt, "a")
    exam.clock.advance(0.001)
    late = await refused(exam.save(student, attempt, "b", base_revision=1))
    assert late.code is Code.ATTEMPT_CLOSED
    assert late.data["writer"].is_me
    assert (await exam.stored(attempt.id))["answers"][exam.question_ids[0]]["value"] == "a"


async def test_an_answer_counts_by_its_arrival(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    arrived_ms = exam.clock.now_ms() + LIMIT_SECONDS * 1000
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 1)
    saved = await exam.save(student, attempt, "b", received_ms=arrived_ms)
    assert saved.revision == 1


async def test_only_the_writer_writes(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    answer = await refused(exam.save(student, attempt, "b", lease="another"))
    assert (answer.code, answer.data["writer"].is_me) == (Code.NOT_WRITER, False)


async def test_nothing_is_overwritten_unseen(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b")
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    conflict = await refused(exam.save(student, phone, "c", base_revision=0))
    assert conflict.code is Code.CONFLICT
    assert conflict.data["stored"].value == "b"
    assert conflict.data["writer"].is_me
    assert (await exam.save(student, phone, "c", base_revision=1)).revision == 2


async def test_what_was_overtaken_is_superseded_once_and_for_all(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    await exam.save(student, attempt, "b", seq=2)
    old: dict[str, Any] = {"op_id": "old", "seq": 1, "base_revision": 0}
    overtaken = await exam.save(student, attempt, "a", **old)
    assert (overtaken.superseded, overtaken.revision) == (True, 1)
    await exam.save(student, attempt, "c", seq=3, base_revision=1)
    exam.clock.advance(3)
    assert await exam.save(student, attempt, "a", **old) == overtaken
    stored = await exam.stored(attempt.id)
    assert (stored["revision"], stored["answers"][exam.question_ids[0]]["value"]) == (2, "c")


async def test_wrong_values_and_foreign_questions_store_nothing(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    wrong = await refused(exam.save(student, attempt, "unknown"))
    assert wrong.code is Code.VALIDATION_FAILED
    assert [fault.code for fault in wrong.fields] == ["invalid_answer"]
    assert wrong.data["writer"].is_me
    assert await code_of(exam.save(student, attempt, "b", question_id="qst_other")) is Code.NOT_FOUND
    somebody = await exam.student("Somebody")
    assert await code_of(exam.save(somebody, attempt, "b")) is Code.NOT_FOUND
    assert await code_of(exam.save(exam.teacher, attempt, "b")) is Code.NOT_FOUND
    stored = await exam.stored(attempt.id)
    assert (stored["revision"], stored["ops"]) == (0, {})


async def test_an_invalid_answer_is_invalid_whatever_the_status(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    await exam.attempts.submit(student, attempt.id, submitted())
    assert await code_of(exam.save(student, attempt, "unknown")) is Code.VALIDATION_FAILED
    assert await code_of(exam.save(student, attempt, "b")) is Code.ATTEMPT_CLOSED


async def test_too_many_operations(database: OpenDatabase, settings: Settings) -> None:
    exam = Exam(settings, max_operations=3)
    await exam.open_course()
    student = await exam.student()
    attempt = await exam.begun(student, await exam.quiz())
    for revision in range(3):
        await exam.save(student, attempt, "b", op_id=f"n{revision}", base_revision=revision)
    assert await code_of(exam.save(student, attempt, "c", base_revision=3)) is Code.TOO_MANY_OPERATIONS
    assert (await exam.save(student, attempt, "b", op_id="n1")).revision == 2, "a known one is answered still"


async def test_a_paused_attempt_takes_nothing_however_late(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    paused = {"status": "paused", "paused_at_ms": exam.clock.now_ms()}
    await Attempt.rows().update_one({"_id": attempt.id}, {"$set": paused})
    exam.clock.advance(LIMIT_SECONDS * 2)
    assert await code_of(exam.save(student, attempt, "b")) is Code.ATTEMPT_PAUSED
    assert await code_of(exam.attempts.submit(student, attempt.id, submitted())) is Code.ATTEMPT_PAUSED
    await exam.attempt_clock.sweep()
    again = await exam.begun(student, attempt.quiz_id)
    assert (again.id, again.status, again.remaining_ms) == (attempt.id, "paused", LIMIT_SECONDS * 1000)


async def test_writers_of_different_questions_at_once_all_get_in(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    values: dict[str, Any] = dict(zip(exam.question_ids, ("b", True, "3.14"), strict=True))
    acks = await asyncio.gather(
        *(exam.save(student, attempt, value, question_id=question_id) for question_id, value in values.items())
    )
    assert sorted(ack.revision for ack in acks) == [1, 2, 3]
    shown = await exam.attempts.show(student, attempt.id)
    assert {question_id: answer.value for question_id, answer in shown.answers.items()} == values


# --- many answers at once ---


def rows(exam: Exam, attempt: HandedOutView, *values: tuple[int, Any, dict[str, Any]], **fields: Any) -> AnswersDraft:
    answers = [exam.row(value, question_id=exam.question_ids[place], **more) for place, value, more in values]
    given = {"device_id": attempt.writer.device_id, "lease": attempt.lease, **fields}
    return AnswersDraft(answers=answers, **given)


async def test_each_row_is_decided_for_itself(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b", op_id="known", seq=1)
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    draft = rows(
        exam,
        phone,
        (0, "b", {"op_id": "known", "seq": 1}),
        (0, "c", {"op_id": "unseen"}),
        (1, True, {"op_id": "new"}),
        (1, False, {"op_id": "newer", "base_revision": 2}),
        (0, "a", {"op_id": "known"}),
    )
    report = await exam.attempts.save_all(student, attempt.id, draft)
    assert [(row.op_id, row.revision) for row in report.saved] == [("known", 1), ("new", 2), ("newer", 3)]
    assert [(row.op_id, row.stored.value) for row in report.conflicts] == [("unseen", "b")]
    assert [(row.op_id, row.code) for row in report.refused] == [("known", "op_id_reused")]
    assert (report.revision, report.writer.is_me) == (3, True)
    assert (await exam.stored(attempt.id))["revision"] == 3


async def test_one_invalid_row_saves_nothing(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    draft = rows(exam, attempt, (0, "b", {}), (1, "perhaps", {}), (2, [], {}))
    fault = await refused(exam.attempts.save_all(student, attempt.id, draft))
    assert [field.field for field in fault.fields] == ["answers.1.value", "answers.2.value"]
    assert (await exam.stored(attempt.id))["ops"] == {}


async def test_rows_that_are_all_refused_for_one_reason_are_that_error(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    draft = rows(exam, attempt, (0, "b", {}), (1, True, {}), lease="another")
    fault = await refused(exam.attempts.save_all(student, attempt.id, draft))
    assert fault.code is Code.NOT_WRITER
    assert [row.code for row in fault.data["refused"]] == ["not_writer", "not_writer"]
    assert not fault.data["writer"].is_me


# --- one writer, many screens ---


async def test_a_second_device_reads_until_it_takes_over(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    phone = await exam.attempts.resume(student, attempt.id, Device("phone"))
    assert (phone.lease, phone.writer.is_me, phone.writer.device_id) == (None, False, "laptop")
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    assert phone.writer.is_me
    assert (await refused(exam.save(student, attempt, "b"))).code is Code.NOT_WRITER
    assert (await exam.save(student, phone, "b")).revision == 1
    (told,) = await exam.events(attempt, "writer_changed")
    assert told.event.data == {"device_id": "phone"}


async def test_a_reload_goes_on_by_its_lease_and_a_duplicate_turns_the_first_tab_read_only(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    reloaded = await exam.attempts.resume(student, attempt.id, Device("laptop-2", lease=attempt.lease))
    assert reloaded.lease
    assert (await refused(exam.save(student, attempt, "b"))).code is Code.NOT_WRITER
    old = await exam.attempts.resume(student, attempt.id, Device("laptop-3", lease=attempt.lease))
    assert old.lease is None


async def test_an_idle_writer_without_a_connection_gives_way_after_15_s(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    exam.clock.advance(14.999)
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is None
    exam.clock.advance(0.001)
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is not None


async def test_a_connected_writer_gives_way_only_to_a_take_over(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    device = Device("laptop", connection_id="con_1")
    attempt, _ = await exam.attempts.start(student, quiz_id, device)
    channel = attempt_channel(attempt.id)
    await exam.bus.presence.join(channel, Member("con_1", student.user_id))
    exam.clock.advance(20)
    await exam.bus.presence.renew([(channel, "con_1")])
    exam.clock.advance(20)
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is None
    await exam.bus.presence.leave(channel, "con_1")
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is not None


async def test_of_many_resumes_at_once_one_holds_the_lease(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    exam.clock.advance(20)
    views = await asyncio.gather(
        *(exam.node().resume(student, attempt.id, Device(f"tab-{number}")) for number in range(6))
    )
    stored = (await exam.stored(attempt.id))["writer"]["lease"]
    assert [view.lease for view in views if view.lease is not None] == [stored]


async def test_a_closed_attempt_gives_no_lease(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.attempts.submit(student, attempt.id, submitted())
    for ask in (exam.attempts.resume, exam.attempts.take_over):
        view = await ask(student, attempt.id, Device("laptop"))
        assert (view.lease, view.status, view.remaining_ms) == (None, "graded", 0)


async def test_sync_tells_what_is_missing(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b", op_id="here")
    asked = SyncDraft(have=["here", "lost", "lost"], device_id=None, lease=attempt.lease)
    view = await exam.attempts.sync(student, attempt.id, asked)
    assert (view.missing, view.revision, view.writer.is_me) == (["lost"], 1, True)
    assert view.answers[exam.question_ids[0]].op_id == "here"
    many = SyncDraft(have=["here", *(f"op{number}" for number in range(300))])
    assert "here" not in (await exam.attempts.sync(student, attempt.id, many)).missing


# --- submitting ---


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


def answering(exam: Exam, attempt: HandedOutView, *values: Any, **fields: Any) -> SubmitDraft:
    answers = [SubmitRow(question_id=one, value=value) for one, value in zip(exam.question_ids, values, strict=False)]
    return SubmitDraft(answers=answers, **{"lease": attempt.lease, **fields})


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
    closed = await exam.attempts.submit(student, attempt.id, submitted())
    assert (closed.status, closed.grading, closed.score, closed.is_passed) == ("submitted", "manual", None, None)
    assert await exam.events(attempt, "attempt_graded") == []
    assert len(await exam.events(attempt, "attempt_submitted")) == 1
    results = await exam.results.show(student, attempt.id)
    assert results.score is None
    assert [question.points_awarded for question in results.questions] == [200, 0, 0, None]


# --- closing by itself ---


async def test_the_deadline_closes_and_grades_without_anybody(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    await exam.save(student, attempt, "b")
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 0.999)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    exam.clock.advance(0.001)
    await exam.attempt_clock.sweep()
    stored = await exam.stored(attempt.id)
    assert (stored["status"], stored["submitted_by"], stored["score"]) == ("graded", "deadline", 200)
    assert "open_key" not in stored
    closed = await exam.attempts.submit(student, attempt.id, submitted())
    assert closed.submitted_by == "deadline"
    for _ in range(2):
        await exam.attempt_clock.sweep()
    assert len(await exam.events(attempt, "attempt_graded")) == 1
    assert len(await exam.events(attempt, "attempt_submitted")) == 1


async def test_an_extension_a_moment_before_keeps_it_open(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 1)
    await Attempt.rows().update_one({"_id": attempt.id}, {"$inc": {"deadline_ms": 60_000}})
    await exam.attempt_clock.sweep()
    await exam.attempt_clock.grading.close_due(attempt.id)
    assert (await exam.save(student, attempt, "b")).revision == 1


async def test_the_running_clock_closes_on_the_moment(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    running = asyncio.create_task(exam.attempt_clock.run())
    exam.attempts = exam.node_of(exam.attempt_clock)
    attempt = await exam.begun(student, quiz_id)
    heard = await exam.listen(attempt_channel(attempt.id))
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 1)
    async with asyncio.timeout(10):
        while await heard.get() != "attempt_graded":
            pass
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await exam.stored(attempt.id))["submitted_by"] == "deadline"


async def test_a_grade_that_its_closer_left_behind_is_made_by_the_next_sweep(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    assert await Attempt.submit(attempt.id, revision=None, now_ms=exam.clock.now_ms())
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["grading"] == "pending", "its closer may still be at it"
    exam.clock.advance(5)
    await asyncio.gather(*(exam.attempt_clock.sweep() for _ in range(3)))
    assert (await exam.stored(attempt.id))["grading"] == "done"
    assert len(await exam.events(attempt, "attempt_graded")) == 1


async def test_what_a_crash_left_in_the_outbox_is_told_by_the_relay(
    exam: Exam, student: Actor, attempt: HandedOutView, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crashed(*_: Any) -> None:
        """The node dies between the write and the relay."""

    with monkeypatch.context() as patch:
        patch.setattr(exam.relay, "hand_over", crashed)
        await exam.attempts.submit(student, attempt.id, submitted())
    assert await exam.events(attempt, "attempt_graded") == []
    exam.clock.advance(3)
    await exam.relay.sweep()
    await exam.relay.sweep()
    assert len(await exam.events(attempt, "attempt_graded")) == 1
    assert (await exam.stored(attempt.id))["outbox"] == []


async def test_an_untimed_attempt_without_answers_is_abandoned_and_counts(exam: Exam, student: Actor) -> None:
    attempt = await exam.begun(student, await exam.quiz(time_limit_minutes=None, max_attempts=1))
    assert attempt.deadline_at is None
    exam.clock.advance(29 * 86_400)
    await exam.save(student, attempt, "b")
    exam.clock.advance(29 * 86_400)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    exam.clock.advance(86_400)
    await exam.attempt_clock.sweep()
    stored = await exam.stored(attempt.id)
    assert (stored["status"], stored["grading"], stored["score"]) == ("abandoned", "done", 200)
    assert await code_of(exam.begun(student, attempt.quiz_id)) is Code.ATTEMPTS_EXHAUSTED


async def test_one_damaged_attempt_holds_up_no_other(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    other = await exam.begun(await exam.student(), attempt.quiz_id)
    await Attempt.rows().database["attempt_papers"].delete_one({"_id": attempt.id})
    for one in (attempt, other):
        assert await Attempt.submit(one.id, revision=None, now_ms=exam.clock.now_ms())
    exam.clock.advance(5)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(other.id))["grading"] == "done"


# --- results and lists ---


@pytest.mark.parametrize(
    ("policy", "is_shown"), [("never", False), ("after_submit", True), ("after_close", False), ("after_pass", False)]
)
async def test_keys_are_shown_as_the_policy_says(exam: Exam, student: Actor, policy: str, is_shown: bool) -> None:
    quiz_id = await exam.quiz(show_correct_answers=policy)
    attempt = await exam.begun(student, quiz_id)
    assert await code_of(exam.results.show(student, attempt.id)) is Code.NOT_GRADED
    await exam.save(student, attempt, "b")
    await exam.attempts.submit(student, attempt.id, submitted())
    results = await exam.results.show(student, attempt.id)
    assert (results.score, results.is_passed, results.has_answers_shown) == (200, False, is_shown)
    question = results.questions[0]
    assert (question.correct_answer is not None) == is_shown
    assert (question.is_correct, question.points_awarded) == ((True, 200) if is_shown else (None, None))
    assert (b"Because" in results.model_dump_json().encode()) == is_shown
    taught = await exam.results.show(exam.teacher, attempt.id)
    assert taught.questions[0].correct_answer == {"option_id": "b"}
    somebody = await exam.student("Somebody")
    assert await code_of(exam.results.show(somebody, attempt.id)) is Code.NOT_FOUND


async def test_keys_come_with_the_close_and_with_the_pass(exam: Exam, student: Actor) -> None:
    windowed = await exam.quiz(show_correct_answers="after_close", closes_at=exam.at(minutes=40))
    attempt = await exam.begun(student, windowed)
    await exam.attempts.submit(student, attempt.id, submitted())
    assert not (await exam.results.show(student, attempt.id)).has_answers_shown
    exam.clock.advance(40 * 60)
    assert (await exam.results.show(student, attempt.id)).has_answers_shown
    passing = await exam.quiz(show_correct_answers="after_pass", passing_score=50)
    attempt = await exam.begun(student, passing)
    await exam.save(student, attempt, "b")
    await exam.attempts.submit(student, attempt.id, submitted())
    assert (await exam.results.show(student, attempt.id)).has_answers_shown


async def test_without_a_closing_time_keys_come_when_the_quiz_is_taken_back(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz(show_correct_answers="after_close")
    attempt = await exam.begun(student, quiz_id)
    await exam.attempts.submit(student, attempt.id, submitted())
    assert not (await exam.results.show(student, attempt.id)).has_answers_shown
    await exam.quizzes.unpublish(exam.teacher, quiz_id)
    assert (await exam.results.show(student, attempt.id)).has_answers_shown


@pytest.mark.parametrize(
    ("policy", "percentage"), [("best", 10_000), ("last", 2_500), ("first", 5_000), ("average", 5_833)]
)
async def test_the_policy_decides_what_the_attempts_come_to(
    exam: Exam, student: Actor, policy: str, percentage: int
) -> None:
    is_passed = percentage >= 7_000
    quiz_id = await exam.quiz(grading_policy=policy, passing_score=70)
    for values in (("b",), ("b", True, "3.14"), (None, True)):
        attempt = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, attempt.id, answering(exam, attempt, *values))
    assert (exam.effects[-1]["quiz_percentage"], exam.effects[-1]["is_quiz_passed"]) == (percentage, is_passed)
    standing = (await exam.results.show(student, attempt.id)).standing
    assert (standing.attempts_count, standing.percentage, standing.is_passed) == (3, percentage, is_passed)


async def test_lists_hold_ones_own_and_to_teachers_those_of_their_quizzes(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    for _ in range(3):
        attempt = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, attempt.id, submitted())
        exam.clock.advance(60)
    other = await exam.student("Other")
    await exam.begun(other, quiz_id)
    await exam.begun(exam.teacher, quiz_id)
    own = await exam.attempts.list(student, AttemptQuery(quiz_id=quiz_id))
    assert [item.attempt_number for item in own.items] == [3, 2, 1]
    taught = await exam.attempts.list(exam.teacher, AttemptQuery(quiz_id=quiz_id))
    assert len(taught.items) == 4, "previews do not count"
    named = await exam.attempts.list(exam.teacher, AttemptQuery(quiz_id=quiz_id, student_id=other.user_id))
    assert [item.student_id for item in named.items] == [other.user_id]
    foreign = await exam.attempts.list(student, AttemptQuery(quiz_id=quiz_id, student_id=other.user_id))
    assert foreign.items == []


async def test_a_cursor_walks_the_list_while_attempts_are_added(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    for _ in range(5):
        attempt = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, attempt.id, submitted())
    seen: list[int] = []
    after = None
    while True:
        page = await exam.attempts.list(student, AttemptQuery(after=after, limit=2))
        assert isinstance(page, CursorPage)
        seen += [item.attempt_number for item in page.items]
        if page.next is None:
            break
        after = page.next
        exam.clock.advance(1)
        added = await exam.begun(student, quiz_id)
        await exam.attempts.submit(student, added.id, submitted())
    assert sorted(seen) == [1, 2, 3, 4, 5]
    assert await code_of(exam.attempts.list(student, AttemptQuery(after="no cursor"))) is Code.VALIDATION_FAILED


async def test_looks_are_noted_for_the_dashboard(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    channel = attempt_channel(attempt.id)
    await exam.bus.presence.join(channel, Member("con_1", student.user_id))
    look, page = Signal(kind="look", question_id=exam.question_ids[1]), Signal(kind="page", state="hidden")
    await exam.attempts.signal(student, attempt.id, [look, page])
    (member,) = (await exam.bus.presence.members_of([channel]))[channel]
    assert member.note == {"question_id": exam.question_ids[1], "state": "hidden"}
    outside = Signal(kind="look", question_id="qst_other")
    assert await code_of(exam.attempts.signal(student, attempt.id, [outside])) is Code.NOT_FOUND
    assert await code_of(exam.attempts.signal(student, attempt.id, [Signal(kind="look")])) is Code.VALIDATION_FAILED
