"""The answer ledger: what becomes of one operation. `decide` is the six rules in their order, without any I/O.

The invariant: what is stored, and graded, is the acknowledged and not superseded operation of the highest revision.
Whose attempt it is, and whether the value fits the question, has been settled before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from documents.attempt import Attempt, LedgerWrite
from documents.base import Row
from documents.enums import AttemptStatus
from lms_rt.clock import Clock
from lms_rt.errors import Code
from lms_rt.services import figures
from lms_rt.services.deadlines import is_late
from lms_rt.services.receipt_chain import next_hash, value_digest

Record = Callable[[str, LedgerWrite], Awaitable[bool]]
"""Stores one step of the ledger, if the attempt is still as it was read."""

TRIES = 5
MAX_OPERATIONS = 5_000


@dataclass(frozen=True, slots=True)
class Operation:
    """One `answer.save`. `base_revision` is the revision of this answer that the client last saw."""

    question_id: str
    value: Any
    op_id: str
    seq: int
    device_id: str
    lease: str | None
    base_revision: int

    @property
    def digest(self) -> str:
        """What tells this value from others, here and in the receipt."""
        return value_digest(self.value)


class Verdict(Enum):
    """What the rules say; the value is the code of the refusal, where it is one."""

    REPEATED = None
    OP_ID_REUSED = Code.OP_ID_REUSED
    PAUSED = Code.ATTEMPT_PAUSED
    CLOSED = Code.ATTEMPT_CLOSED
    NOT_WRITER = Code.NOT_WRITER
    CONFLICT = Code.CONFLICT
    TOO_MANY = Code.TOO_MANY_OPERATIONS
    BUSY = Code.BUSY
    OVERTAKEN = "overtaken"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with what an acknowledgement names, and the stored answer where it matters."""

    verdict: Verdict
    is_me: bool
    revision: int = 0
    saved_at_ms: int = 0
    is_superseded: bool = False
    stored: Row | None = None

    @property
    def is_saved(self) -> bool:
        """Is it acknowledged, or does it wait for its write?"""
        return self.verdict in (Verdict.REPEATED, Verdict.OVERTAKEN, Verdict.WRITE)

    @property
    def is_to_write(self) -> bool:
        """Is something still to be stored?"""
        return self.verdict in (Verdict.OVERTAKEN, Verdict.WRITE)

    @property
    def code(self) -> Code:
        """The refusal's code."""
        assert isinstance(self.verdict.value, Code)  # noqa: S101 - only refusals are asked
        return self.verdict.value


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """The numbers that the rules depend on."""

    grace_ms: int
    max_operations: int = MAX_OPERATIONS


def is_writer(row: Row, lease: str | None) -> bool:
    """Does this lease make its holder the writer?"""
    writer = row.get("writer")
    return writer is not None and lease is not None and writer["lease"] == lease


def decide(row: Row, op: Operation, *, received_ms: int, rules: LedgerRules) -> Decision:
    """The six rules of the ledger, in their order."""
    is_me = is_writer(row, op.lease)
    if (mark := row.get("ops", {}).get(op.op_id)) is not None:
        revision, digest, saved_at_ms, is_superseded, question_id = mark
        if question_id != op.question_id or digest != op.digest:
            return Decision(Verdict.OP_ID_REUSED, is_me)
        return Decision(Verdict.REPEATED, is_me, revision, saved_at_ms, is_superseded)
    if refusal := _refusal(row, received_ms, rules, is_me=is_me):
        return Decision(refusal, is_me)
    stored: Row | None = row.get("answers", {}).get(op.question_id)
    if stored is not None and op.base_revision < stored["revision"]:
        if stored["device_id"] != op.device_id:
            return Decision(Verdict.CONFLICT, is_me, stored=stored)
        if op.seq <= stored["seq"]:
            return _within_limit(row, rules, Decision(Verdict.OVERTAKEN, is_me, stored["revision"], received_ms, True))
    return _within_limit(row, rules, Decision(Verdict.WRITE, is_me, row["revision"] + 1, received_ms))


def _refusal(row: Row, received_ms: int, rules: LedgerRules, *, is_me: bool) -> Verdict | None:
    """Rules 2 and 3: paused, however late; closed or late; not the writer."""
    if row["status"] == AttemptStatus.PAUSED:
        return Verdict.PAUSED
    if row["status"] != AttemptStatus.IN_PROGRESS or is_late(received_ms, row.get("deadline_ms"), rules.grace_ms):
        return Verdict.CLOSED
    return None if is_me else Verdict.NOT_WRITER


def _within_limit(row: Row, rules: LedgerRules, decision: Decision) -> Decision:
    if row["ops_count"] >= rules.max_operations:
        return Decision(Verdict.TOO_MANY, decision.is_me)
    return decision


def applied(row: Row, op: Operation, decision: Decision) -> Row:
    """The row as it will be once the decision is stored: what the next operation of one write is decided by."""
    if not decision.is_to_write:
        return row
    digest = op.digest
    mark = [decision.revision, digest, decision.saved_at_ms, decision.is_superseded, op.question_id]
    after = {**row, "ops": {**row.get("ops", {}), op.op_id: mark}, "ops_count": row["ops_count"] + 1}
    if decision.verdict is Verdict.WRITE:
        answer = _answer(op, decision)
        after |= {"revision": decision.revision, "answers": {**row.get("answers", {}), op.question_id: answer}}
        if (head := row.get("receipt_head")) is not None:
            count, before = head
            at_ms = decision.saved_at_ms
            link = next_hash(before, op.op_id, op.question_id, digest=digest, saved_at_ms=at_ms)
            after["receipt_head"] = [count + 1, link]
    return after


def decide_all(
    row: Row, ops: Sequence[Operation], *, received_ms: int, rules: LedgerRules
) -> tuple[list[Decision], Row]:
    """Operations decided one after another, as if each was stored, and the row that they lead to."""
    decisions = []
    for op in ops:
        decision = decide(row, op, received_ms=received_ms, rules=rules)
        row = applied(row, op, decision)
        decisions.append(decision)
    return decisions, row


def _answer(op: Operation, decision: Decision) -> Row:
    return {
        "value": op.value,
        "op_id": op.op_id,
        "seq": op.seq,
        "device_id": op.device_id,
        "revision": decision.revision,
        "saved_at_ms": decision.saved_at_ms,
    }


def write_of(row: Row, after: Row, ops: Sequence[Operation], *, now_ms: int) -> LedgerWrite | None:
    """The one write that leads from `row` to `after`, or None when there is nothing to store."""
    known = row.get("ops", {})
    new = {op.op_id: op for op in ops if op.op_id not in known and op.op_id in after.get("ops", {})}
    if not new:
        return None
    written = {op.question_id for op in new.values()}
    answers = {
        question_id: answer for question_id, answer in after.get("answers", {}).items() if question_id in written
    }
    return LedgerWrite(
        seen_revision=row["revision"],
        lease=row["writer"]["lease"],
        answers={q: answer for q, answer in answers.items() if answer["op_id"] in new},
        marks={op_id: after["ops"][op_id] for op_id in new},
        now_ms=now_ms,
        receipt_head=after.get("receipt_head"),
    )


async def reread(attempt_id: str, ops: Sequence[Operation]) -> Row | None:
    """What these operations are decided by, as it is now."""
    return await Attempt.find_for_ledger(attempt_id, {op.question_id for op in ops}, {op.op_id for op in ops})


class Ledger:
    """Decides by what was read once, writes by compare-and-set, and decides again when somebody was faster."""

    def __init__(self, *, clock: Clock, rules: LedgerRules, record: Record = Attempt.record) -> None:
        self._clock, self.rules, self._record = clock, rules, record

    def now_ms(self) -> int:
        """The time of a write."""
        return self._clock.now_ms()

    async def save_unread(self, row: Row, op: Operation, *, received_ms: int) -> tuple[Decision, Row] | None:
        """The same by a row that may be out of date; None: it is, or the operation is refused, which only reading can tell.

        The filter of the write is what a row that is read now would be held to, so that nothing is stored by an old one.
        """
        decision = decide(row, op, received_ms=received_ms, rules=self.rules)
        if not decision.is_to_write:
            return None
        after = applied(row, op, decision)
        write = write_of(row, after, [op], now_ms=self._clock.now_ms())
        if write is None or not await self._record(row["_id"], write):
            return None
        figures.ANSWERS_SAVED.inc()
        return decision, after

    async def save(self, row: Row, op: Operation, *, received_ms: int) -> tuple[Decision, Row]:
        """What became of the operation, stored before it is told, and the row as it is after it."""
        (decision,), row = await self.save_all(row, [op], received_ms=received_ms)
        return decision, row

    async def save_all(self, row: Row, ops: Sequence[Operation], *, received_ms: int) -> tuple[list[Decision], Row]:
        """The same of many, each decided by what those before it lead to; whatever is to be stored, one write stores.

        A write for each would cost as many rewrites of a document that grows with every one of them.
        """
        for _ in range(TRIES):
            decisions, after = decide_all(row, ops, received_ms=received_ms, rules=self.rules)
            write = write_of(row, after, ops, now_ms=self._clock.now_ms())
            if write is None:
                return decisions, row
            if await self._record(row["_id"], write):
                figures.ANSWERS_SAVED.inc(len(write.marks))
                return decisions, after
            row = await reread(row["_id"], ops) or row
        known = row.get("ops", {})
        return [
            Decision(Verdict.BUSY, one.is_me) if one.is_saved and op.op_id not in known else one
            for op, one in zip(ops, decisions, strict=True)
        ], row
