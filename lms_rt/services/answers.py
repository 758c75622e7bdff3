"""Saving answers: whose attempt, which question, which value; then the ledger decides. Live and REST, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from documents.base import Row
from lms_rt.clock import from_ms, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.answers import check_answer
from lms_rt.contracts.attempts import (
    AnswersDraft,
    AnswersView,
    ConflictRow,
    IsWriter,
    RefusedRow,
    SavedRow,
    SavedView,
)
from lms_rt.contracts.channels import attempt_channel, quiz_live_channel
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.access.quizzes import own
from lms_rt.services.attempt_views import answer_view, times_of
from lms_rt.services.ledger import Decision, Ledger, Operation, Verdict, is_writer, reread
from lms_rt.services.papers import Papers, Sheet
from lms_rt.services.telling import Telling


class Answers:
    """Takes answers for the ledger, and tells other screens and the dashboard of what was stored."""

    def __init__(self, *, ledger: Ledger, papers: Papers, telling: Telling) -> None:
        self._ledger, self._papers, self._telling = ledger, papers, telling

    async def save(self, actor: Actor, attempt_id: str, op: Operation, *, received_ms: int) -> SavedView:
        """One answer: stored, then acknowledged; or refused, and then nothing is stored."""
        row = own(actor, await reread(attempt_id, [op]))
        sheet = await self._papers.sheet_of(attempt_id)
        try:
            op = checked(sheet, op)
        except Refused as refused:
            raise with_facts(refused, writer=IsWriter(is_me=is_writer(row, op.lease))) from None
        decision, row = await self._ledger.save(row, op, received_ms=received_ms)
        if not decision.is_saved:
            raise Refused(decision.code, **_facts(decision))
        await self.tell(row, [(op, decision)])
        return SavedView(**_acknowledged(op, decision), writer=IsWriter(is_me=decision.is_me))

    async def save_all(self, actor: Actor, attempt_id: str, draft: AnswersDraft, *, received_ms: int) -> AnswersView:
        """Many answers: all checked first, then each decided for itself, in their order."""
        ops = [Operation(**row.model_dump(), device_id=draft.device_id, lease=draft.lease) for row in draft.answers]
        row = own(actor, await reread(attempt_id, ops))
        ops = checked_all(await self._papers.sheet_of(attempt_id), ops)
        decided: list[tuple[Operation, Decision]] = []
        for op in ops:
            decision, row = await self._ledger.save(row, op, received_ms=received_ms, scope=ops)
            decided.append((op, decision))
        await self.tell(row, decided)
        report = _report(decided) | times_of(row, self._ledger.now_ms()) | {"revision": row["revision"]}
        report["writer"] = IsWriter(is_me=is_writer(row, draft.lease))
        codes = {refused.code for refused in report["refused"]}
        if len(report["refused"]) == len(ops) and len(codes) == 1:
            facts = {name: report[name] for name in ("refused", "writer", "revision", "deadline_at", "remaining_ms")}
            raise Refused(decided[0][1].code, **facts)
        return AnswersView(**report)

    async def tell(self, row: Row, decided: Sequence[tuple[Operation, Decision]]) -> None:
        """Let the other screens and the dashboard know of what was written."""
        written = [(op, decision) for op, decision in decided if decision.verdict is Verdict.WRITE]
        for op, decision in written:
            data = {
                "question_id": op.question_id,
                "op_id": op.op_id,
                "revision": decision.revision,
                "device_id": op.device_id,
                "saved_at": rfc3339(from_ms(decision.saved_at_ms)),
            }
            await self._telling.event(attempt_channel(row["_id"]), "answer_saved", data)
        if written and not row["is_preview"]:
            await self._telling.poke(quiz_live_channel(row["quiz_id"]))


def checked(sheet: Sheet, op: Operation, *, field: str = "value") -> Operation:
    """The operation with its value as it is stored; not found: a question outside the attempt; 422: no such value."""
    question = sheet.get(op.question_id)
    if question is None:
        raise Refused(Code.NOT_FOUND, "The attempt has no such question.")
    return replace(op, value=check_answer(question, op.value, field=field))


def checked_all(sheet: Sheet, ops: Sequence[Operation]) -> list[Operation]:
    """All operations checked; the faults of all are named at once."""
    done: list[Operation] = []
    faults: list[FieldError] = []
    for place, op in enumerate(ops):
        try:
            done.append(checked(sheet, op, field=f"answers.{place}.value"))
        except Refused as refused:
            if refused.code is not Code.VALIDATION_FAILED:
                raise
            faults += refused.fields
    if faults:
        raise Refused(Code.VALIDATION_FAILED, fields=faults)
    return done


def with_facts(refused: Refused, **facts: Any) -> Refused:
    """The same refusal with further facts."""
    return Refused(refused.code, refused.detail, fields=refused.fields, **{**refused.data, **facts})


def refused_rows(decided: Sequence[tuple[Operation, Decision]]) -> dict[str, Any]:
    """The rows that were not saved, as a refusal of all of them names them."""
    report = _report(decided)
    return {"refused": report["refused"], "conflicts": report["conflicts"]}


def _report(decided: Sequence[tuple[Operation, Decision]]) -> dict[str, Any]:
    saved, conflicts, refused = [], [], []
    for op, decision in decided:
        if decision.is_saved:
            saved.append(SavedRow(question_id=op.question_id, **_acknowledged(op, decision)))
        elif decision.stored is not None:
            stored = answer_view(decision.stored)
            conflicts.append(ConflictRow(question_id=op.question_id, op_id=op.op_id, stored=stored))
        else:
            refused.append(RefusedRow(question_id=op.question_id, op_id=op.op_id, code=decision.code.code))
    return {"saved": saved, "conflicts": conflicts, "refused": refused}


def _acknowledged(op: Operation, decision: Decision) -> dict[str, Any]:
    return {
        "op_id": op.op_id,
        "revision": decision.revision,
        "saved_at": from_ms(decision.saved_at_ms),
        "superseded": True if decision.is_superseded else None,
    }


def _facts(decision: Decision) -> dict[str, Any]:
    facts: dict[str, Any] = {"writer": IsWriter(is_me=decision.is_me)}
    if decision.stored is not None:
        facts["stored"] = answer_view(decision.stored)
    if decision.verdict is Verdict.BUSY:
        facts["retry_after_seconds"] = 1
    return facts
