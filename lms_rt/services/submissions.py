"""Submitting: idempotent, answers first and all or nothing, and nothing closes over what another screen wrote.

Answers that come along are stored by the very write that closes, so no crash leaves them saved and the attempt open.
"""

from __future__ import annotations

from dataclasses import dataclass

from documents.attempt import Attempt
from documents.base import Row
from documents.enums import AttemptStatus
from lms_rt import ids
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import IsWriter, SubmitDraft, SubmitRow
from lms_rt.contracts.base import encode
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import own
from lms_rt.services import figures
from lms_rt.services.answers import Answers, checked_all, refused_rows
from lms_rt.services.attempt_grading import AttemptGrading
from lms_rt.services.attempt_views import answer_views, is_closed
from lms_rt.services.ledger import TRIES, Decision, Ledger, Operation, applied, decide, is_writer, write_of
from lms_rt.services.papers import Papers
from lms_rt.services.quiz_controls import QuizControls

Decided = list[tuple[Operation, Decision]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A submission with its answers checked. `drafts` tell which of their fields the client left open."""

    attempt_id: str
    draft: SubmitDraft
    ops: tuple[Operation, ...]
    received_ms: int


class Submissions:
    """Closes attempts for their students."""

    def __init__(
        self, *, ledger: Ledger, papers: Papers, grading: AttemptGrading, answers: Answers, controls: QuizControls
    ) -> None:
        self._ledger, self._papers, self._grading, self._answers = ledger, papers, grading, answers
        self._controls = controls

    async def submit(
        self, actor: Actor, attempt_id: str, draft: SubmitDraft, *, received_ms: int, quiz_id: str | None = None
    ) -> Row:
        """The closed and graded attempt, closed now or before; `quiz_id` as the path names it, if it does."""
        attempt = own(actor, await Attempt.find_state(attempt_id))
        if quiz_id not in (None, attempt["quiz_id"]):
            raise Refused(Code.NOT_FOUND)
        await self._controls.settle(attempt)  # what was ordered before it is closed still holds for it
        asked = _Asked(attempt_id, draft, await self._checked(attempt_id, draft), received_ms)
        for _ in range(TRIES):
            row = await Attempt.find_for_sync(attempt_id, [op.op_id for op in asked.ops])
            if await self._is_closed_now(own(actor, row), asked):
                return await self._grading.grade(attempt_id)
        raise Refused(Code.BUSY, retry_after_seconds=1)

    async def _is_closed_now(self, row: Row, asked: _Asked) -> bool:
        """Closed before, or by this call; False: somebody wrote meanwhile, decide again."""
        decided, after = await self._decided(row, asked)
        if is_closed(row):
            return True
        revision = asked.draft.revision
        write = write_of(row, after, [op for op, _ in decided], now_ms=self._ledger.now_ms())
        is_done = await Attempt.submit(
            asked.attempt_id,
            revision=row["revision"] if revision is not None else None,
            now_ms=self._ledger.now_ms(),
            write=write,
        )
        if is_done and write is not None:
            figures.ANSWERS_SAVED.inc(len(write.marks))
            await self._answers.tell(row, decided)
        return is_done

    async def _decided(self, row: Row, asked: _Asked) -> tuple[Decided, Row]:
        """What becomes of the answers, decided one after another as if each was stored; refused when one is."""
        is_me = is_writer(row, asked.draft.lease)
        if row["status"] == AttemptStatus.PAUSED:
            raise Refused(Code.ATTEMPT_PAUSED, writer=IsWriter(is_me=is_me))
        decided: Decided = []
        after = row
        for op, sent in zip(asked.ops, asked.draft.answers, strict=True):
            completed = _completed(op, sent, after)
            decision = decide(after, completed, received_ms=asked.received_ms, rules=self._ledger.rules)
            after = applied(after, completed, decision)
            decided.append((completed, decision))
        if asked.draft.revision not in (None, row["revision"]) and not is_closed(row):
            facts = {"revision": row["revision"], "answers": answer_views(row)}
            raise Refused(Code.CONFLICT, "Another screen has written.", **facts, writer=IsWriter(is_me=is_me))
        if failed := next((decision for _, decision in decided if not decision.is_saved), None):
            await self._answers.note_late(row, decided, asked.received_ms)
            raise Refused(failed.code, **refused_rows(decided), writer=IsWriter(is_me=is_me), revision=row["revision"])
        return decided, after

    async def _checked(self, attempt_id: str, draft: SubmitDraft) -> tuple[Operation, ...]:
        if not draft.answers:
            return ()
        sent = [_operation(attempt_id, answer, draft) for answer in draft.answers]
        ops = checked_all(await self._papers.sheet_of(attempt_id), sent)
        return tuple(ops)


def _operation(attempt_id: str, sent: SubmitRow, draft: SubmitDraft) -> Operation:
    """A row as an operation; what was left out is completed from the stored answer when it is decided."""
    op_id = sent.op_id or ids.derived_id("ops", attempt_id, sent.question_id, encode(sent.value).decode())
    return Operation(sent.question_id, sent.value, op_id, sent.seq or 0, draft.device_id or "", draft.lease, 0)


def _completed(op: Operation, sent: SubmitRow, row: Row) -> Operation:
    """A missing `base_revision` is the stored one, a missing `seq` the next, a missing device the writer's."""
    stored = row.get("answers", {}).get(op.question_id) or {"revision": 0, "seq": 0}
    device_id = op.device_id or (row.get("writer") or {}).get("device_id", "")
    return Operation(
        question_id=op.question_id,
        value=op.value,
        op_id=op.op_id,
        seq=stored["seq"] + 1 if sent.seq is None else sent.seq,
        device_id=device_id,
        lease=op.lease,
        base_revision=stored["revision"] if sent.base_revision is None else sent.base_revision,
    )
