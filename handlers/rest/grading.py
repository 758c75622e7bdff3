"""REST: marks that people give, and the queue of what waits for them."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.grading import (
    MarkDraft,
    MarkedView,
    NextDraft,
    NextView,
    QueueItemView,
    QueueQuery,
    QueueRowView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def grade_answer(call: Call) -> Reply:
    """Give one answer its points."""
    return Reply(await call.services.manual_grading.mark(call.actor, call.path["attempt_id"], call.body))


async def list_queue(call: Call) -> Reply:
    """What waits, the oldest first."""
    return Reply(
        await call.services.grading_queue.list_waiting(call.actor, call.query, quiz_id=call.path.get("quiz_id"))
    )


async def take_next(call: Call) -> Reply:
    """Take the next answer that nobody has."""
    queue, quiz_id = call.services.grading_queue, call.path.get("quiz_id")
    return Reply(await queue.take_next(call.actor, call.body, quiz_id=quiz_id))


async def claim(call: Call) -> Reply:
    """Take one answer."""
    queue, quiz_id = call.services.grading_queue, call.path.get("quiz_id")
    return Reply(await queue.claim(call.actor, call.path["item_id"], quiz_id=quiz_id))


async def release(call: Call) -> Reply:
    """Give one back."""
    await call.services.grading_queue.release(call.actor, call.path["item_id"], quiz_id=call.path.get("quiz_id"))
    return Reply(None)


_MARKERS = needs("quizzes:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/attempts/{attempt_id}/grade",
        grade_answer,
        _MARKERS,
        reach=Reach.TAUGHT,
        body=MarkDraft,
        reply=MarkedView,
        codes=(Code.NOT_GRADED, Code.CONFLICT, Code.BUSY),
        audit="attempt.grade",
        summary="Give one answer its points",
        description="409 `conflict` brings `stored`, the mark that somebody else gave, or `claimed_by`, who has the answer.",
    ),
    Operation(
        "GET",
        "/grading-queue",
        list_queue,
        _MARKERS,
        reach=Reach.TAUGHT,
        also=("/quizzes/{quiz_id}/grading-queue",),
        query=QueueQuery,
        reply=Page[QueueRowView],
        summary="What waits for a person to mark it",
    ),
    Operation(
        "POST",
        "/quizzes/{quiz_id}/grading-queue",
        take_next,
        _MARKERS,
        reach=Reach.TAUGHT,
        body=NextDraft,
        reply=NextView,
        summary="Take the next answer that nobody has",
        description="It is the caller's for 15 minutes; the one named by `after` is given back.",
    ),
    Operation(
        "POST",
        "/grading-queue",
        take_next,
        _MARKERS,
        reach=Reach.SELF,  # out of what is one's own, which is nothing where one teaches nothing
        body=NextDraft,
        reply=NextView,
        summary="Take the next answer in one's courses that nobody has",
        description="It is the caller's for 15 minutes; the one named by `after` is given back.",
    ),
    Operation(
        "POST",
        "/grading-queue/{item_id}/claim",
        claim,
        _MARKERS,
        reach=Reach.TAUGHT,
        also=("/quizzes/{quiz_id}/grading-queue/{item_id}/claim",),
        reply=QueueItemView,
        codes=(Code.CONFLICT,),
        summary="Take one answer, for 15 minutes",
        description="409 `conflict` brings `claimed_by` and `claimed_until`, or `stored`, the mark that it has by now.",
    ),
    Operation(
        "DELETE",
        "/grading-queue/{item_id}/claim",
        release,
        _MARKERS,
        reach=Reach.TAUGHT,
        also=("/quizzes/{quiz_id}/grading-queue/{item_id}/claim",),
        status=204,
        summary="Give an answer back",
    ),
)
