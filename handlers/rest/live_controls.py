"""REST: what a teacher orders while a quiz runs, and the list of it with its receipts. The same services as live."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Endpoint, Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.quiz_controls import (
    AnnounceDraft,
    ControlDetailView,
    ControlQuery,
    ControlView,
    ExtendDraft,
    OrderDraft,
    OrderedView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


def _ordering(kind: str) -> Endpoint:
    async def order(call: Call) -> Reply:
        controls, seed = call.services.live_controls, call.idempotency_seed
        return Reply(await controls.order(call.actor, call.path["quiz_id"], kind, call.body, request_seed=seed))

    return order


async def list_controls(call: Call) -> Reply:
    """What was ordered, newest first."""
    return Reply(await call.services.live_controls.list(call.actor, call.path["quiz_id"], call.query))


async def show_control(call: Call) -> Reply:
    """One of them, and who has not seen it."""
    quiz_id, control_id = call.path["quiz_id"], call.path["control_id"]
    return Reply(await call.services.live_controls.show(call.actor, quiz_id, control_id, call.query))


_SUMMARIES: Sequence[tuple[str, type[OrderDraft], str]] = (
    ("pause", OrderDraft, "Pause attempts: no answer is taken, and no time runs"),
    ("resume", OrderDraft, "Let paused attempts go on, with the time that was left"),
    ("extend", ExtendDraft, "Give attempts more time"),
    ("end", OrderDraft, "Close attempts with what was saved"),
    ("announce", AnnounceDraft, "Tell those who sit the quiz something"),
)

ROUTES: tuple[Operation, ...] = (
    *(
        Operation(
            "POST",
            f"/quizzes/{{quiz_id}}/live/{kind}",
            _ordering(kind),
            needs("quizzes:manage"),
            reach=Reach.TAUGHT,
            body=draft,
            reply=OrderedView,
            codes=(Code.OP_ID_REUSED, Code.BUSY),
            is_idempotent=True,
            audit=f"quiz.{kind}",
            summary=summary,
            description="For `attempt_ids`, for a `group`, or else for everybody who sits the quiz now.",
        )
        for kind, draft, summary in _SUMMARIES
    ),
    Operation(
        "GET",
        "/quizzes/{quiz_id}/live/controls",
        list_controls,
        needs("quizzes:manage"),
        reach=Reach.TAUGHT,
        query=ControlQuery,
        reply=Page[ControlView],
        summary="What was ordered while the quiz ran, with receipts",
    ),
    Operation(
        "GET",
        "/quizzes/{quiz_id}/live/controls/{control_id}",
        show_control,
        needs("quizzes:manage"),
        reach=Reach.TAUGHT,
        query=ControlQuery,
        reply=ControlDetailView,
        summary="One order, and who has not seen it",
    ),
)
