"""What an attempt may do, by the words of the design: an executable reference that knows nothing of the product's code.

A `Sheet` is an attempt as its students can tell it; each request takes a sheet to another one and says what must be answered.
The judge looks for an order of what ran at once that explains every answer and the stored end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

OPEN, PAUSED, CLOSED = "in_progress", "paused", "closed"


@dataclass(frozen=True)
class Op:
    """An operation as a screen made it; `op_id` may have been used before with another value."""

    op_id: str
    question_id: str
    value: Any
    seq: int
    base: int
    device: str
    lease: str | None


@dataclass(frozen=True)
class Answer:
    """A stored answer."""

    value: Any
    op_id: str
    seq: int
    device: str
    revision: int


@dataclass(frozen=True)
class Mark:
    """What is known of an operation: where it led, what it said, and whether it was overtaken."""

    revision: int
    question_id: str
    value: Any
    is_superseded: bool = False


@dataclass(frozen=True)
class Sheet:
    """An attempt. Of a closed one only answers and marks are compared: grading moves the rest."""

    status: str = OPEN
    revision: int = 0
    device: str | None = None
    lease: str | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    ops: Mapping[str, Mark] = field(default_factory=dict)
    controls: tuple[int, ...] = ()
    live_version: int = 0

    def shape(self) -> tuple[Any, ...]:
        """What two equal sheets have in common."""
        content = (
            tuple(sorted((one, repr(answer)) for one, answer in self.answers.items())),
            tuple(sorted((one, repr(mark)) for one, mark in self.ops.items())),
            self.controls,
        )
        if self.status == CLOSED:
            return CLOSED, *content
        return self.status, self.revision, self.device, self.lease, self.live_version, *content


@dataclass(frozen=True)
class Reply:
    """What a screen was told: a code where it was refused, else the acknowledgement. `is_me`: does it write?"""

    code: str | None
    revision: int = 0
    is_superseded: bool = False
    is_me: bool | None = None


def save(sheet: Sheet, op: Op, *, is_late: bool) -> tuple[Sheet, Reply]:
    """The six rules of the ledger, in their order."""
    is_me = op.lease is not None and op.lease == sheet.lease
    if (mark := sheet.ops.get(op.op_id)) is not None:
        if (mark.question_id, mark.value) != (op.question_id, op.value):
            return sheet, Reply("op_id_reused", is_me=is_me)
        return sheet, Reply(None, mark.revision, mark.is_superseded, is_me)
    if (code := _refusal(sheet, is_late=is_late, is_me=is_me)) is not None:
        return sheet, Reply(code, is_me=is_me)
    stored = sheet.answers.get(op.question_id)
    if stored is not None and op.base < stored.revision and stored.device == op.device and op.seq <= stored.seq:
        overtaken = Mark(stored.revision, op.question_id, op.value, is_superseded=True)
        ops = {**sheet.ops, op.op_id: overtaken}
        return replace(sheet, ops=ops), Reply(None, stored.revision, is_superseded=True, is_me=True)
    if stored is not None and op.base < stored.revision and stored.device != op.device:
        return sheet, Reply("conflict", is_me=True)
    revision = sheet.revision + 1
    answer = Answer(op.value, op.op_id, op.seq, op.device, revision)
    return replace(
        sheet,
        revision=revision,
        answers={**sheet.answers, op.question_id: answer},
        ops={**sheet.ops, op.op_id: Mark(revision, op.question_id, op.value)},
    ), Reply(None, revision, is_me=True)


def _refusal(sheet: Sheet, *, is_late: bool, is_me: bool) -> str | None:
    """Rules 2 and 3: paused, however late; closed or late; not the writer."""
    if sheet.status == PAUSED:
        return "attempt_paused"
    if sheet.status == CLOSED or is_late:
        return "attempt_closed"
    return None if is_me else "not_writer"


def closed(sheet: Sheet) -> Sheet:
    """After the close, whoever closed it."""
    return sheet if sheet.status == CLOSED else replace(sheet, status=CLOSED, revision=sheet.revision + 1)


def submit(sheet: Sheet, revision: int | None, ops: tuple[Op, ...], *, is_late: bool) -> tuple[Sheet, Reply]:
    """Answers first, all or nothing; then the close. On a closed one: what became of it."""
    if sheet.status == PAUSED:
        return sheet, Reply("attempt_paused")
    after, refusal = sheet, None
    for op in ops:
        after, reply = save(after, op, is_late=is_late)
        refusal = refusal or reply.code
    if sheet.status != CLOSED and revision not in (None, sheet.revision):
        return sheet, Reply("conflict")
    if refusal is not None:
        return sheet, Reply(refusal)
    return (sheet if sheet.status == CLOSED else closed(after)), Reply(None)


def control(sheet: Sheet, n: int, kind: str, *, is_meant: bool) -> Sheet:
    """Control `n` on an attempt that has seen the one before it."""
    if sheet.status == CLOSED or sheet.live_version != n - 1:
        return sheet
    numbered = replace(sheet, live_version=n)
    has_work = {"pause": sheet.status == OPEN, "resume": sheet.status == PAUSED}.get(kind, True)
    if not is_meant or not has_work:
        return numbered
    done = replace(numbered, revision=sheet.revision + 1, controls=(*sheet.controls, n))
    if kind == "end":
        return replace(done, status=CLOSED)
    return replace(done, status={"pause": PAUSED, "resume": OPEN}.get(kind, sheet.status))


def granted(sheet: Sheet, device: str, lease: str) -> Sheet:
    """The same with this writer."""
    return replace(sheet, device=device, lease=lease)
