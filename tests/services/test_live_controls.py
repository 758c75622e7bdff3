"""What is kept of orders in the audit log, and the list of them: one record for each that was carried out, counts read at once."""

from __future__ import annotations

from typing import Any

import pytest

from documents.attempt import Attempt
from documents.attempt_controls import mark_seen
from documents.audit_record import AuditRecord
from documents.quiz_control import QuizControl
from lms_rt.contracts.base import read_model
from lms_rt.contracts.quiz_controls import ControlQuery, OrderDraft
from lms_rt.errors import Code
from lms_rt.security.audit_chain import AuditChain
from lms_rt.security.keyring import Keyring
from lms_rt.services.audit import Audit
from lms_rt.services.live_controls import LiveControls
from tests.services.exam import Exam, code_of


@pytest.fixture
def live(exam: Exam) -> LiveControls:
    """Orders as a teacher gives them, with an audit log."""
    audit = Audit(clock=exam.clock, chain=AuditChain(Keyring("the key of this school")))
    return LiveControls(controls=exam.controls, audit=audit)


def _draft(**fields: Any) -> OrderDraft:
    return read_model(OrderDraft, fields)


async def _recorded() -> list[str]:
    return [row["action"] for row in await AuditRecord.find_stretch(after=0, limit=100)]


async def test_an_order_is_recorded_once_however_often_it_is_sent_and_a_refused_one_is_not(
    exam: Exam, live: LiveControls
) -> None:
    quiz_id = await exam.quiz()
    sent = [await live.order(exam.teacher, quiz_id, "pause", _draft(op_id="same")) for _ in range(3)]
    assert len({ordered.control_id for ordered in sent}) == 1
    assert await code_of(live.order(exam.teacher, quiz_id, "end", _draft(op_id="same"))) is Code.OP_ID_REUSED
    assert await _recorded() == ["quiz.pause"]
    await live.order(exam.teacher, quiz_id, "resume", _draft())
    await live.order(exam.teacher, quiz_id, "resume", _draft())
    assert await _recorded() == ["quiz.pause", "quiz.resume", "quiz.resume"]


async def test_an_order_that_cannot_be_recorded_is_not_carried_out(
    exam: Exam, live: LiveControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> bool:
        raise OSError("no space left")

    quiz_id = await exam.quiz()
    monkeypatch.setattr(AuditRecord, "append", full)
    with pytest.raises(OSError, match="no space"):
        await live.order(exam.teacher, quiz_id, "pause", _draft())
    assert await QuizControl.newest(quiz_id) == 0


async def test_the_receipts_of_a_page_of_orders_are_counted_in_one_pass(
    exam: Exam, live: LiveControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiz_id = await exam.quiz()
    begun = [await exam.begun(await exam.student(), quiz_id) for _ in range(3)]
    await exam.begun(exam.teacher, quiz_id)
    some = await live.order(exam.teacher, quiz_id, "pause", _draft(attempt_ids=[begun[0].id]))
    everybody = await live.order(exam.teacher, quiz_id, "end", _draft())
    for attempt in begun[:2]:
        await mark_seen(attempt.id, 2, exam.clock.now_ms())
    rows, asked = Attempt.rows, list[str]()

    def counted() -> Any:
        asked.append("attempts")
        return rows()

    monkeypatch.setattr(Attempt, "rows", counted)
    page = await live.list(exam.teacher, quiz_id, ControlQuery())
    assert asked == ["attempts"]
    assert [(row.control_id, row.applied_count, row.seen_count) for row in page.items] == [
        (everybody.control_id, 3, 2),
        (some.control_id, 1, 0),
    ]
    shown = await live.show(exam.teacher, quiz_id, everybody.control_id, ControlQuery())
    assert (shown.applied_count, shown.seen_count, shown.unseen.total) == (3, 2, 1)
