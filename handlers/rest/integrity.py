"""REST: what happened around an attempt, and the credit of time that a lost connection cost."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.integrity import IntegrityQuery, IntegrityView, OfflineView, TimeCreditDraft
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def show_integrity(call: Call) -> Reply:
    """What happened around an attempt."""
    return Reply(await call.services.integrity.show(call.actor, call.path["attempt_id"], call.query))


async def credit_time(call: Call) -> Reply:
    """Give back what a lost connection cost, or not."""
    loss, attempt_id = call.services.connection_loss, call.path["attempt_id"]
    return Reply(await loss.decide(call.actor, attempt_id, call.body))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/attempts/{attempt_id}/integrity",
        show_integrity,
        SIGNED_IN,
        reach=Reach.SHARED,
        query=IntegrityQuery,
        reply=Page[IntegrityView],
        summary="What happened around an attempt",
        description="Facts in the server's order, the same for its student and its teachers; never a verdict.",
    ),
    Operation(
        "POST",
        "/attempts/{attempt_id}/time-credit",
        credit_time,
        needs("quizzes:manage"),
        reach=Reach.TAUGHT,
        body=TimeCreditDraft,
        reply=OfflineView,
        codes=(Code.ATTEMPT_CLOSED, Code.CONFLICT),
        is_idempotent=True,
        audit="attempt.credit",
        summary="Give back the time that a lost connection cost, or not",
        description="Once for what was lost once: 409 `conflict` when nothing waits for a decision.",
    ),
)
