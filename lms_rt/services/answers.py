"""Saving answers: whose attempt, which question, which value; then the ledger decides. Live and REST, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.enums import SubmittedBy
from lms_rt.clock import from_ms, rfc3339, to_ms
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
from lms_rt.services.integrity import Integrity
from lms_rt.services.ledger import Decision, Ledger, Operation, Verdict, is_writer, reread
from lms_rt.services.ledger_memory import LedgerMemory
from lms_rt.services.papers import Papers, Sheet
from lms_rt.services.telling import Telling

_NAMED = 20
_Saved = tuple[Operation, Decision, Row]


class Answers:
    """Takes answers for the ledger, and tells other screens and the dashboard of what was stored."""

    def __init__(self, *, ledger: Ledger, papers: Papers, telling: Telling, integrity: Integrity) -> None:
        self._ledger, self._papers, self._telling, self._integrity = ledger, papers, telling, integrity
        self._memory = LedgerMemory()

    async def save(self, actor: Actor, attempt_id: str, op: Operation, *, received_ms: int) -> SavedView:
        """One answer: stored, then acknowledged; or refused, and then nothing is stored."""
        saved = await self._save_unread(actor, attempt_id, op, received_ms)
        op, decision, row = saved or await self._save(actor, attempt_id, op, received_ms)
        if not decision.is_saved:
            await self.note_late(row, [(op, decision)], received_ms)
            if decision.stored is not None:
                await self._note_conflict(row)
            raise Refused(decision.code, **_facts(decision))
        await self.tell(row, [(op, decision)])
        return SavedView(**_acknowledged(op, decision), writer=IsWriter(is_me=decision.is_me))

    async def _save_unread(self, actor: Actor, attempt_id: str, op: Operation, received_ms: int) -> _Saved | None:
        """By what is remembered of the attempt; None: that will not do, and it has to be read."""
        remembered = self._memory.find(attempt_id)
        if remembered is None:
            return None
        own(actor, remembered)
        try:
            op = checked(await self._papers.sheet_of(attempt_id), op)
        except Refused:
            return None
        saved = await self._ledger.save_unread(remembered, op, received_ms=received_ms)
        if saved is None:
            self._memory.forget(attempt_id)
            return None
        self._memory.keep(saved[1])
        return op, *saved

    async def _save(self, actor: Actor, attempt_id: str, op: Operation, received_ms: int) -> _Saved:
        read = own(actor, await Attempt.find_for_sync(attempt_id, [op.op_id]))
        try:
            op = checked(await self._papers.sheet_of(attempt_id), op)
        except Refused as refused:
            raise with_facts(refused, writer=IsWriter(is_me=is_writer(read, op.lease))) from None
        decision, row = await self._ledger.save(read, op, received_ms=received_ms)
        if decision.is_to_write and _comes_from(row, read, op.question_id):
            self._memory.keep(row)
        return op, decision, row

    async def save_all(self, actor: Actor, attempt_id: str, draft: AnswersDraft, *, received_ms: int) -> AnswersView:
        """Many answers: all checked first, then each decided for itself, in their order."""
        ops = [Operation(**row.model_dump(), device_id=draft.device_id, lease=draft.lease) for row in draft.answers]
        row = own(actor, await reread(attempt_id, ops))
        try:
            ops = checked_all(await self._papers.sheet_of(attempt_id), ops)
        except Refused as refused:
            raise with_facts(refused, writer=IsWriter(is_me=is_writer(row, draft.lease))) from None
        decisions, row = await self._ledger.save_all(row, ops, received_ms=received_ms)
        decided = list(zip(ops, decisions, strict=True))
        await self.note_late(row, decided, received_ms)
        await self.tell(row, decided)
        if any(decision.stored is not None for _, decision in decided):
            await self._note_conflict(row)
        report = _report(decided) | times_of(row, self._ledger.now_ms()) | {"revision": row["revision"]}
        report["writer"] = IsWriter(is_me=is_writer(row, draft.lease))
        codes = {refused.code for refused in report["refused"]}
        if len(report["refused"]) == len(ops) and len(codes) == 1:
            facts = {name: report[name] for name in ("refused", "writer", "revision", "deadline_at", "remaining_ms")}
            raise Refused(decided[0][1].code, **facts)
        return AnswersView(**report)

    async def note_late(self, row: Row, decided: Sequence[tuple[Operation, Decision]], received_ms: int) -> None:
        """Answers that came when the time was over: that they came is a fact, though they do not count."""
        late = [op.question_id for op, decision in decided if decision.verdict is Verdict.CLOSED]
        end_ms = _end_ms(row)
        if late and end_ms is not None and received_ms > end_ms:
            data = {"question_ids": late[:_NAMED], "answers": len(late), "late_ms": received_ms - end_ms}
            await self._integrity.note(row, "late_message", data, at_ms=received_ms)

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

    async def _note_conflict(self, row: Row) -> None:
        """Two devices answered differently: the dashboard shows it until something is saved after it."""
        if row["is_preview"]:
            return
        await self._telling.note(attempt_channel(row["_id"]), row["student_id"], {"conflict": row["revision"]})
        await self._telling.poke(quiz_live_channel(row["quiz_id"]), [row["_id"]])


def _end_ms(row: Row) -> int | None:
    """When the time of an attempt was over: at its deadline, or when somebody else than its student closed it, if that was before."""
    ends: list[int] = [] if row.get("deadline_ms") is None else [row["deadline_ms"]]
    if row.get("submitted_by") not in (None, SubmittedBy.STUDENT):
        ends.append(to_ms(row["submitted_at"]))
    return min(ends, default=None)


def _comes_from(row: Row, read: Row, question_id: str) -> bool:
    """Was the row made from the one that was read with all answers? One that was read again has but a few of them."""
    others = ((one, answer) for one, answer in read.get("answers", {}).items() if one != question_id)
    return all(row["answers"].get(one) is answer for one, answer in others)


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
