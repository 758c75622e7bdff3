"""Corrections of questions and regrades over HTTP. Only for those who teach the quiz."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.regrades import (
    CorrectionDraft,
    RegradeDraft,
    RegradeQuery,
    RegradeRowQuery,
    RegradeRowView,
    RegradeView,
    UndoDraft,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def correct(call: Call) -> Reply:
    """Correct one question for everybody."""
    regrades = call.services.regrades
    quiz_id, question_id, seed = call.path["quiz_id"], call.path["question_id"], call.idempotency_seed
    view = await regrades.correct(call.actor, quiz_id, question_id, call.body, request_seed=seed)
    return Reply(view, status=200 if view.id is None else 202)


async def regrade(call: Call) -> Reply:
    """Grade every attempt anew."""
    regrades, seed = call.services.regrades, call.idempotency_seed
    return Reply(await regrades.regrade(call.actor, call.path["quiz_id"], call.body, request_seed=seed), status=202)


async def preview(call: Call) -> Reply:
    """What a regrade would do."""
    regrades, seed = call.services.regrades, call.idempotency_seed
    view = await regrades.preview(call.actor, call.path["quiz_id"], call.body, request_seed=seed)
    if view.id is None:
        return Reply(view, status=200)
    return Reply(view, made={"quiz_id": view.quiz_id, "regrade_id": view.id})


async def list_regrades(call: Call) -> Reply:
    """The regrades of a quiz."""
    return Reply(await call.services.regrades.list(call.actor, call.path["quiz_id"], call.query))


async def show(call: Call) -> Reply:
    """One regrade."""
    return Reply(await call.services.regrades.show(call.actor, call.path["quiz_id"], call.path["regrade_id"]))


async def rows(call: Call) -> Reply:
    """Attempt by attempt."""
    regrades, quiz_id, regrade_id = call.services.regrades, call.path["quiz_id"], call.path["regrade_id"]
    return Reply(await regrades.rows(call.actor, quiz_id, regrade_id, call.query))


async def apply(call: Call) -> Reply:
    """Do what was foretold."""
    regrades, quiz_id, regrade_id = call.services.regrades, call.path["quiz_id"], call.path["regrade_id"]
    return Reply(await regrades.apply(call.actor, quiz_id, regrade_id), status=202)


async def undo(call: Call) -> Reply:
    """Take it back."""
    regrades, quiz_id, regrade_id = call.services.regrades, call.path["quiz_id"], call.path["regrade_id"]
    return Reply(await regrades.undo(call.actor, quiz_id, regrade_id, call.body or UndoDraft()), status=202)


MANAGE = needs("quizzes:manage")
_REGRADE = "/quizzes/{quiz_id}/regrades/{regrade_id}"
_BEHIND = "The reply comes when open attempts have it; closed ones are graded anew behind it, each once."

ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/quizzes/{quiz_id}/questions/{question_id}/correct",
        correct,
        MANAGE,
        reach=Reach.TAUGHT,
        body=CorrectionDraft,
        reply=RegradeView,
        status=202,
        more_statuses=(200,),
        codes=(Code.OP_ID_REUSED, Code.BUSY),
        is_idempotent=True,
        audit="quiz.correct",
        summary="Correct a question for everybody who sits or has sat it",
        description=f"{_BEHIND} With `dry_run` nothing is done, and the reply (200) says who would gain and lose.",
    ),
    Operation(
        "POST",
        "/quizzes/{quiz_id}/regrade",
        regrade,
        MANAGE,
        reach=Reach.TAUGHT,
        body=RegradeDraft,
        reply=RegradeView,
        status=202,
        codes=(Code.CONFLICT, Code.OP_ID_REUSED, Code.BUSY),
        is_idempotent=True,
        audit="quiz.regrade",
        summary="Grade every attempt anew",
        description=f"By `changes`, else by the questions as they are in the quiz now. {_BEHIND}",
    ),
    Operation(
        "POST",
        "/quizzes/{quiz_id}/regrades",
        preview,
        MANAGE,
        reach=Reach.TAUGHT,
        body=RegradeDraft,
        reply=RegradeView,
        status=201,
        more_statuses=(200,),
        location=_REGRADE,
        codes=(Code.CONFLICT,),
        is_idempotent=True,
        summary="Foretell a regrade",
        description="Nobody's grade changes. The newest preview of a quiz is kept until it is applied. 200: there is nothing "
        "that would change, and nothing is kept.",
    ),
    Operation(
        "GET",
        "/quizzes/{quiz_id}/regrades",
        list_regrades,
        MANAGE,
        reach=Reach.TAUGHT,
        query=RegradeQuery,
        reply=Page[RegradeView],
        summary="The regrades of a quiz, newest first",
    ),
    Operation(
        "GET", _REGRADE, show, MANAGE, reach=Reach.TAUGHT, reply=RegradeView, summary="One regrade, and how far it is"
    ),
    Operation(
        "GET",
        f"{_REGRADE}/rows",
        rows,
        MANAGE,
        reach=Reach.TAUGHT,
        query=RegradeRowQuery,
        reply=Page[RegradeRowView],
        summary="What a regrade does to each attempt",
    ),
    Operation(
        "POST",
        f"{_REGRADE}/apply",
        apply,
        MANAGE,
        reach=Reach.TAUGHT,
        reply=RegradeView,
        status=202,
        codes=(Code.BUSY,),
        is_idempotent=True,
        audit="quiz.regrade",
        summary="Apply a regrade that was foretold",
        description=f"Again changes nothing. {_BEHIND}",
    ),
    Operation(
        "POST",
        f"{_REGRADE}/undo",
        undo,
        MANAGE,
        reach=Reach.TAUGHT,
        body=UndoDraft,
        reply=RegradeView,
        status=202,
        codes=(Code.CONFLICT, Code.BUSY),
        is_idempotent=True,
        audit="quiz.undo_regrade",
        summary="Take a regrade back",
        description="Points that somebody has changed since stay as they are; `GET …/rows?kept=true` lists them.",
    ),
)
