"""Receipts of attempts as they are sat: whatever was acknowledged is in the chain, and nothing that was not."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from config.settings import Settings
from documents.attempt import Attempt
from documents.base import Row
from documents.enums import Role
from documents.paper import AttemptPaper
from documents.receipt_key import ReceiptKey
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import AnswersDraft, HandedOutView
from lms_rt.contracts.base import encode
from lms_rt.errors import Code
from lms_rt.security.signing import SigningKey, signing_key_of
from lms_rt.services.leases import Device
from lms_rt.services.receipt_check import answer_findings, findings_of, keys_of
from lms_rt.services.receipts import Receipts, ReceiptSigning
from tests.services.exam import ESSAY, QUESTIONS, Exam, code_of, person, submitted
from tests.services.receipt_heads import head_of


@pytest.fixture
def receipts(exam: Exam) -> Receipts:
    return Receipts(signing=exam.attempt_clock.signing)


async def told(receipts: Receipts, actor: Actor, attempt_id: str) -> tuple[Row, list[Any]]:
    """The receipt as it is sent, and what does not hold in it by the published keys."""
    receipt: Row = orjson.loads(encode(await receipts.show(actor, attempt_id)))
    keys = keys_of(orjson.loads(encode(await receipts.keys())))
    return receipt, findings_of(receipt, keys, attempt_id=attempt_id)


async def assert_head_follows(exam: Exam, attempt_id: str) -> None:
    """The head that is stored is that of the written operations that are stored."""
    row = await exam.stored(attempt_id)
    assert row["receipt_head"] == head_of(row)


async def test_whatever_way_an_answer_came_it_is_a_link(
    exam: Exam, receipts: Receipts, student: Actor, attempt: HandedOutView
) -> None:
    """Saved, repeated, overtaken, refused, taken over, in conflict, many at once, and with the submission."""
    first, second, third = exam.question_ids
    row = exam.row("a", op_id="one", seq=5)
    await assert_head_follows(exam, attempt.id)
    given: dict[str, Any] = {"device_id": attempt.writer.device_id, "lease": attempt.lease or ""}
    for _ in range(2):
        await exam.attempts.save(student, attempt.id, row, **given)
    await assert_head_follows(exam, attempt.id)
    late = await exam.save(student, attempt, "c", op_id="overtaken", seq=4)
    assert late.superseded
    assert await code_of(exam.save(student, attempt, "b", op_id="refused", lease="other")) is Code.NOT_WRITER
    await assert_head_follows(exam, attempt.id)
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    conflict = exam.save(student, phone, "c", op_id="unseen", device_id="phone", lease=phone.lease)
    assert await code_of(conflict) is Code.CONFLICT
    many = [
        exam.row("b", op_id="two", seq=1, base_revision=1),
        exam.row(True, question_id=second, op_id="three", seq=2),
        exam.row(None, question_id=second, op_id="four", seq=3, base_revision=3),
    ]
    draft = AnswersDraft(answers=many, device_id="phone", lease=phone.lease or "")
    await exam.attempts.save_all(student, attempt.id, draft)
    await assert_head_follows(exam, attempt.id)
    answers = [{"question_id": third, "value": "٣٫١٤", "op_id": "five"}, {"question_id": first, "value": "c"}]
    closed = await exam.attempts.submit(student, attempt.id, submitted(answers=answers, lease=phone.lease))
    await assert_head_follows(exam, attempt.id)
    receipt, found = await told(receipts, student, attempt.id)
    assert found == []
    names = [operation["op_id"] for operation in receipt["operations"]]
    assert names[:5] == ["one", "two", "three", "four", "five"]
    assert len(names) == 6
    assert answer_findings(receipt, {one: answer.value for one, answer in closed.answers.items()}) == []
    assert closed.receipt is not None
    assert (closed.receipt.head, closed.receipt.operations_count) == (receipt["head"], 6)
    assert (receipt["closed_by"], receipt["student"]["full_name"]) == ("student", "Student")


async def test_savers_at_once_make_one_chain(
    exam: Exam, receipts: Receipts, student: Actor, attempt: HandedOutView
) -> None:
    second = exam.question_ids[1]
    saves = [exam.save(student, attempt, value, question_id=second) for value in (True, False, True, None)]
    await asyncio.gather(*saves, return_exceptions=True)
    await assert_head_follows(exam, attempt.id)
    await exam.attempts.submit(student, attempt.id, submitted())
    _, found = await told(receipts, student, attempt.id)
    assert found == []


async def test_there_is_none_before_the_close_and_it_is_for_student_and_teacher_alone(
    exam: Exam, receipts: Receipts, student: Actor, attempt: HandedOutView
) -> None:
    assert (attempt.receipt, await code_of(receipts.show(student, attempt.id))) == (None, Code.NOT_GRADED)
    exam.clock.advance(30 * 60 + 3)
    await exam.attempt_clock.sweep()
    for actor in (student, exam.teacher):
        receipt, found = await told(receipts, actor, attempt.id)
        assert found == []
        assert (receipt["closed_by"], receipt["operations"]) == ("deadline", [])
    for stranger in (await exam.student("Neighbour"), person(Role.INSTRUCTOR, "Colleague")):
        assert await code_of(receipts.show(stranger, attempt.id)) is Code.NOT_FOUND


async def test_an_essay_that_waits_has_its_receipt_and_a_regrade_leaves_it(
    exam: Exam, receipts: Receipts, student: Actor
) -> None:
    attempt = await exam.begun(student, await exam.quiz(questions=(*QUESTIONS[:1], ESSAY)))
    await exam.save(student, attempt, "In my own words", question_id=exam.question_ids[1])
    closed = await exam.attempts.submit(student, attempt.id, submitted())
    assert (closed.grading, closed.receipt is None) == ("manual", False)
    before, found = await told(receipts, student, attempt.id)
    assert found == []
    assert "own words" not in orjson.dumps(before).decode()
    changed = {"grading": "pending", "key_version": 3}
    await Attempt.rows().update_one({"_id": attempt.id}, {"$set": changed})
    exam.attempt_clock.signing.key = SigningKey(bytes(range(32)))
    await exam.attempt_clock.grading.grade(attempt.id)
    assert await told(receipts, student, attempt.id) == (before, [])


async def test_what_a_former_key_signed_still_holds(
    exam: Exam, settings: Settings, student: Actor, attempt: HandedOutView
) -> None:
    await exam.attempts.submit(student, attempt.id, submitted())
    exam.clock.advance(1)
    new = ReceiptSigning(clock=exam.clock, key=SigningKey(bytes(range(32))))
    later = Receipts(signing=new)
    receipt, found = await told(later, student, attempt.id)
    former = signing_key_of(settings)
    assert former is not None
    assert new.key is not None
    assert found == []
    assert receipt["key_id"] == former.key_id
    shown = await later.keys()
    assert ([row.key_id for row in shown.keys], shown.current) == ([former.key_id, new.key.key_id], new.key.key_id)
    await new.publish()
    assert await ReceiptKey.rows().count_documents({}) == 2


async def test_a_tampered_database_is_told_with_the_place(
    exam: Exam, receipts: Receipts, student: Actor, attempt: HandedOutView
) -> None:
    for seq, value in enumerate(("a", "b", "c"), 1):
        await exam.save(student, attempt, value, op_id=f"op-{seq}", seq=seq, base_revision=seq - 1)
    await exam.attempts.submit(student, attempt.id, submitted())
    await Attempt.rows().update_one({"_id": attempt.id}, {"$inc": {"ops.op-2.2": -60_000}})
    _, found = await told(receipts, student, attempt.id)
    assert [one.kind for one in found] == ["head_differs"], "hashes are made anew from what is stored"
    await Attempt.rows().update_one({"_id": attempt.id}, {"$unset": {"ops.op-2": ""}})
    _, found = await told(receipts, student, attempt.id)
    assert [one.kind for one in found] == ["tail_missing"]
    await AttemptPaper.rows().update_one({"_id": attempt.id}, {"$set": {"title": "Another"}})
    _, found = await told(receipts, student, attempt.id)
    assert [one.kind for one in found] == ["tail_missing", "signature"]


async def test_attempts_from_before_there_were_receipts_go_on_without(
    exam: Exam, receipts: Receipts, student: Actor, attempt: HandedOutView
) -> None:
    await Attempt.rows().update_one({"_id": attempt.id}, {"$unset": {"receipt_head": ""}})
    await exam.save(student, attempt, "b")
    closed = await exam.attempts.submit(student, attempt.id, submitted())
    assert (closed.status, closed.receipt) == ("graded", None)
    assert await code_of(receipts.show(student, attempt.id)) is Code.NOT_FOUND
