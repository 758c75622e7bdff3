"""Attempts over HTTP: for clients without a socket, and for those whose socket is silent. The same services as live."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.attempts import (
    AnswersDraft,
    AnswersView,
    AttemptDraft,
    AttemptQuery,
    AttemptRowView,
    AttemptView,
    HandedOutView,
    SignalsDraft,
    SubmitDraft,
    SyncDraft,
    SyncView,
    TakeOverDraft,
)
from lms_rt.contracts.base import CursorPage, Page
from lms_rt.contracts.results import ResultsView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach
from lms_rt.services.attempts import device_of


async def list_attempts(call: Call) -> Reply:
    """The caller's own attempts, or those at a quiz or course of theirs."""
    quiz_id = call.path.get("quiz_id")
    return Reply(await call.services.attempts.list(call.actor, call.query, quiz_id=quiz_id))


async def start_attempt(call: Call) -> Reply:
    """Start an attempt, or come back to the open one."""
    device = device_of(call.body.device_id)
    attempt, is_new = await call.services.attempts.start(call.actor, call.agreed("quiz_id"), device)
    return Reply(attempt, status=201 if is_new else 200, made={"attempt_id": attempt.id} if is_new else None)


async def show_attempt(call: Call) -> Reply:
    """One attempt."""
    return Reply(await call.services.attempts.show(call.actor, call.path["attempt_id"]))


async def save_answers(call: Call) -> Reply:
    """Save answers, each decided for itself."""
    return Reply(await call.services.attempts.save_all(call.actor, call.path["attempt_id"], call.body))


async def sync_attempt(call: Call) -> Reply:
    """What the server holds."""
    return Reply(await call.services.attempts.sync(call.actor, call.path["attempt_id"], call.body))


async def take_over_attempt(call: Call) -> Reply:
    """Become the writer at once."""
    device = device_of(call.body.device_id)
    return Reply(await call.services.attempts.take_over(call.actor, call.path["attempt_id"], device))


async def signal_attempt(call: Call) -> Reply:
    """What the student looks at."""
    await call.services.attempts.signal(call.actor, call.path["attempt_id"], call.body.signals)
    return Reply(None)


async def submit_attempt(call: Call) -> Reply:
    """Close the attempt and grade it."""
    attempts, quiz_id = call.services.attempts, call.path.get("quiz_id")
    return Reply(await attempts.submit(call.actor, call.path["attempt_id"], call.body, quiz_id=quiz_id))


async def show_results(call: Call) -> Reply:
    """The results, as far as the quiz allows."""
    return Reply(await call.services.results.show(call.actor, call.path["attempt_id"]))


_LEDGER = (
    Code.ATTEMPT_PAUSED,
    Code.ATTEMPT_CLOSED,
    Code.NOT_WRITER,
    Code.OP_ID_REUSED,
    Code.TOO_MANY_OPERATIONS,
    Code.BUSY,
)

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/attempts",
        list_attempts,
        SIGNED_IN,
        reach=Reach.SHARED,
        also=("/quizzes/{quiz_id}/attempts",),
        query=AttemptQuery,
        reply=Page[AttemptRowView] | CursorPage[AttemptRowView],
        summary="Attempts",
        description="In pages, or with `after` or `limit` by cursor, newest first.",
    ),
    Operation(
        "POST",
        "/attempts",
        start_attempt,
        SIGNED_IN,
        reach=Reach.INSIDE,
        also=("/quizzes/{quiz_id}/attempts",),
        body=AttemptDraft,
        reply=HandedOutView,
        status=201,
        more_statuses=(200,),
        location="/attempts/{attempt_id}",
        is_idempotent=True,
        codes=(
            Code.NOT_FOUND,
            Code.NOT_ENROLLED,
            Code.FORBIDDEN,
            Code.QUIZ_NOT_OPEN,
            Code.QUIZ_CLOSED,
            Code.QUIZ_NOT_READY,
            Code.ATTEMPTS_EXHAUSTED,
            Code.BUSY,
        ),
        is_own_alone=True,
        summary="Start an attempt, or come back to the open one",
        description="201: it is new. 200: there was an open one; without `lease` another device writes it.",
    ),
    Operation(
        "GET",
        "/attempts/{attempt_id}",
        show_attempt,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=AttemptView,
        summary="One attempt",
    ),
    Operation(
        "PATCH",
        "/attempts/{attempt_id}/answers",
        save_answers,
        SIGNED_IN,
        reach=Reach.SAT,
        body=AnswersDraft,
        reply=AnswersView,
        codes=_LEDGER,
        is_own_alone=True,
        summary="Save answers",
        description="All rows are checked first, then each is decided for itself.",
    ),
    Operation(
        "POST",
        "/attempts/{attempt_id}/sync",
        sync_attempt,
        SIGNED_IN,
        reach=Reach.SAT,
        body=SyncDraft,
        reply=SyncView,
        is_own_alone=True,
        summary="What the server holds",
    ),
    Operation(
        "POST",
        "/attempts/{attempt_id}/take-over",
        take_over_attempt,
        SIGNED_IN,
        reach=Reach.SAT,
        body=TakeOverDraft,
        reply=HandedOutView,
        is_own_alone=True,
        summary="Become the writer at once",
    ),
    Operation(
        "POST",
        "/attempts/{attempt_id}/signals",
        signal_attempt,
        SIGNED_IN,
        reach=Reach.SAT,
        body=SignalsDraft,
        status=204,
        is_own_alone=True,
        summary="What the student looks at",
    ),
    Operation(
        ("POST", "PUT"),
        "/attempts/{attempt_id}/submit",
        submit_attempt,
        SIGNED_IN,
        reach=Reach.SAT,
        also=("/quizzes/{quiz_id}/attempts/{attempt_id}/submit",),
        body=SubmitDraft,
        reply=AttemptView,
        is_idempotent=True,
        codes=(Code.CONFLICT, *_LEDGER),
        is_own_alone=True,
        summary="Close the attempt and grade it",
        description="Idempotent. With another `revision` than the stored one: `conflict`, and nothing closes.",
    ),
    Operation(
        "GET",
        "/attempts/{attempt_id}/results",
        show_results,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=ResultsView,
        codes=(Code.NOT_GRADED,),
        summary="Results, as far as the quiz allows",
    ),
)
