"""Saving answers over the real services: every rule of the ledger, one by one and many at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config.settings import Settings
from documents.attempt import Attempt, LedgerWrite
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import (
    AnswersDraft,
    HandedOutView,
)
from lms_rt.errors import Code
from lms_rt.services.leases import Device
from lms_rt.storage.mongo import OpenDatabase
from tests.services.exam import Exam, code_of, refused, submitted

LIMIT_SECONDS = 30 * 60
GRACE_SECONDS = 2


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
    assert fault.data["writer"].is_me
    assert (await exam.stored(attempt.id))["ops"] == {}


async def test_many_rows_are_stored_by_one_write(
    exam: Exam, student: Actor, attempt: HandedOutView, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, record = list[LedgerWrite](), Attempt.record

    async def counted(attempt_id: str, write: LedgerWrite) -> bool:
        writes.append(write)
        return await record(attempt_id, write)

    monkeypatch.setattr(Attempt, "record", counted)
    draft = rows(exam, attempt, *((0, "abc"[place % 3], {"base_revision": place}) for place in range(30)))
    report = await exam.attempts.save_all(student, attempt.id, draft)
    assert [row.revision for row in report.saved] == [*range(1, 31)]
    assert [len(write.marks) for write in writes] == [30]
    stored = await exam.stored(attempt.id)
    assert (stored["revision"], stored["ops_count"], len(stored["ops"])) == (30, 30, 30)
    assert stored["answers"][exam.question_ids[0]]["value"] == "c"


async def test_rows_that_could_not_be_stored_are_not_told_to_be(
    exam: Exam, student: Actor, attempt: HandedOutView, monkeypatch: pytest.MonkeyPatch
) -> None:
    await exam.save(student, attempt, "a", op_id="known", seq=1)

    async def overtaken(_attempt_id: str, _write: LedgerWrite) -> bool:
        return False

    monkeypatch.setattr(Attempt, "record", overtaken)
    new: tuple[int, Any, dict[str, Any]] = (1, True, {"op_id": "new"})
    draft = rows(exam, attempt, (0, "a", {"op_id": "known"}), new, new)
    report = await exam.attempts.save_all(student, attempt.id, draft)
    assert [row.op_id for row in report.saved] == ["known"]
    assert [(row.op_id, row.code) for row in report.refused] == [("new", "busy"), ("new", "busy")]


async def test_rows_that_are_all_refused_for_one_reason_are_that_error(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    draft = rows(exam, attempt, (0, "b", {}), (1, True, {}), lease="another")
    fault = await refused(exam.attempts.save_all(student, attempt.id, draft))
    assert fault.code is Code.NOT_WRITER
    assert [row.code for row in fault.data["refused"]] == ["not_writer", "not_writer"]
    assert not fault.data["writer"].is_me
