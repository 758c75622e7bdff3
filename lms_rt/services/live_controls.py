"""Controls of a running quiz, as REST and live call them: who may order, what is recorded, and the list with its receipts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documents import attempt_controls
from documents.base import Row
from documents.enrollment import Enrollment
from documents.enums import ControlKind, ScopeKind
from documents.quiz_control import QuizControl
from lms_rt import ids
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.quiz_controls import (
    NAMED,
    ControlDetailView,
    ControlQuery,
    ControlView,
    MessageView,
    OrderDraft,
    OrderedView,
    ScopeView,
    UnseenView,
)
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.access.quizzes import require_taught_quiz
from lms_rt.security.permissions import Permission
from lms_rt.services.audit import Audit
from lms_rt.services.quiz_controls import (
    ALL,
    ControlOrder,
    QuizControls,
    attempts_scope,
    control_id_of,
    group_scope,
)

_BY = Permission.QUIZZES_MANAGE
_NAMED_FAULTS = 20


class LiveControls:
    """What teachers order while a quiz of theirs runs."""

    def __init__(self, *, controls: QuizControls, audit: Audit) -> None:
        self._controls, self._audit = controls, audit

    async def order(
        self, actor: Actor, quiz_id: str, kind: str, draft: OrderDraft, *, request_seed: str | None = None
    ) -> OrderedView:
        """Carry out an order for a quiz of the actor's own; the same `op_id` (or request) again is the same order."""
        quiz = (await require_taught_quiz(actor, quiz_id, _BY)).quiz
        order = ControlOrder(
            ControlKind(kind),
            await _scope_of(quiz, draft),
            by_id=actor.user_id,
            by_name=actor.full_name,
            control_id=control_id_of(quiz_id, actor.user_id, draft.op_id or request_seed),
            seconds=getattr(draft, "seconds", None),
            text=getattr(draft, "text", None) or "",
            reason=draft.reason,
        )
        record_id = ids.derived_id("aud", order.control_id)
        # before it is done, and once: neither a repeat nor another order under the same `op_id`, which is refused, adds one
        await self._audit.record_once(
            record_id, actor, f"quiz.{kind}", kind="quiz", target_id=quiz_id, after=_recorded(order)
        )
        ordered = await self._controls.order(quiz, order)
        return OrderedView(
            control_id=ordered.control_id, applied=ordered.applied, already_closed=ordered.already_closed
        )

    async def list(self, actor: Actor, quiz_id: str, query: ControlQuery) -> Page[ControlView]:
        """What was ordered, newest first."""
        await require_taught_quiz(actor, quiz_id, _BY)
        rows, total = await QuizControl.find_page(quiz_id, skip=query.skip, limit=query.page_size)
        counts = await attempt_controls.receipts_of_many(quiz_id, [row["n"] for row in rows])
        return page_of([ControlView(**_fields(row, counts[row["n"]])) for row in rows], query, total)

    async def show(self, actor: Actor, quiz_id: str, control_id: str, query: ControlQuery) -> ControlDetailView:
        """One of them, with those who have not seen it."""
        await require_taught_quiz(actor, quiz_id, _BY)
        control = await QuizControl.find_row(control_id)
        if control is None or control["quiz_id"] != quiz_id:
            raise Refused(Code.NOT_FOUND)
        rows, total = await attempt_controls.find_unseen(quiz_id, control["n"], skip=query.skip, limit=query.page_size)
        unseen = [
            UnseenView(attempt_id=row["_id"], student_id=row["student_id"], full_name=row["student_name"])
            for row in rows
        ]
        counts = await attempt_controls.receipts(quiz_id, control["n"])
        return ControlDetailView(**_fields(control, counts), unseen=page_of(unseen, query, total))


async def messages_of(attempt: Row) -> list[MessageView]:
    """What the student of an attempt was told by controls, oldest first."""
    numbers: list[int] = attempt.get("controls") or []
    if not numbers:
        return []
    seen: Mapping[str, int] = attempt.get("seen") or {}
    return [
        MessageView(
            control_id=row["_id"],
            kind=row["kind"],
            text=row["text"],
            seconds=row.get("seconds"),
            reason=row["reason"],
            question_ids=[change["question_id"] for change in row["changes"]],
            at=row["at"],
            is_seen=str(row["n"]) in seen,
        )
        for row in await QuizControl.find_numbered(attempt["quiz_id"], numbers)
    ]


async def _scope_of(quiz: Row, draft: OrderDraft) -> Row:
    """Whom an order is for: attempts at this quiz, or a group that somebody of the course is in, or sat the quiz in."""
    if draft.group is not None:
        if not await _is_known(quiz, draft.group):
            fault = FieldError("group", "Nobody of the course is in such a group.", "unknown")
            raise Refused(Code.VALIDATION_FAILED, fields=[fault])
        return group_scope(draft.group)
    if draft.attempt_ids is None:
        return ALL
    known = await attempt_controls.known_of(quiz["_id"], draft.attempt_ids)
    unknown = [
        FieldError(f"attempt_ids.{place}", "The quiz has no such attempt.", "unknown")
        for place, attempt_id in enumerate(draft.attempt_ids)
        if attempt_id not in known
    ]
    if unknown:
        raise Refused(Code.VALIDATION_FAILED, fields=unknown[:_NAMED_FAULTS])
    return attempts_scope(draft.attempt_ids)


async def _is_known(quiz: Row, group: str) -> bool:
    return await Enrollment.has_group(quiz["course_id"], group) or await attempt_controls.has_group(quiz["_id"], group)


def _fields(row: Row, counts: tuple[int, int]) -> dict[str, Any]:
    """What is shown of a control."""
    scope, (applied, seen) = row["scope"], counts
    named = scope.get("attempt_ids", [])
    return {
        "control_id": row["_id"],
        **{name: row[name] for name in ("n", "kind", "text", "reason", "by_name", "at")},
        "seconds": row.get("seconds"),
        "scope": ScopeView(
            kind=ScopeKind(scope["kind"]),
            group=scope.get("group"),
            attempt_ids=named[:NAMED],
            attempts_count=len(named),
        ),
        "by_id": row["by"],
        "done_at": row.get("done_at"),
        "applied_count": applied,
        "seen_count": seen,
    }


def _recorded(order: ControlOrder) -> dict[str, Any]:
    """What the audit log keeps of an order."""
    facts = {"control_id": order.control_id, "scope": order.scope["kind"], "seconds": order.seconds}
    return {name: value for name, value in facts.items() if value is not None}
