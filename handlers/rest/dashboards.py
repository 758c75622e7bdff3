"""REST: the live dashboard's snapshot."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.dashboards import LiveView
from lms_rt.security.rights import Reach


async def show(call: Call) -> Reply:
    """The whole picture of a running quiz."""
    return Reply(await call.services.dashboards.show(call.actor, call.path["quiz_id"]))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/quizzes/{quiz_id}/live",
        show,
        needs("analytics:view"),
        reach=Reach.TAUGHT,
        reply=LiveView,
        summary="The live dashboard's snapshot",
        description="Frames of the channel `quiz:{id}:live` change it; a frame applies when its `follows` is at most `version`.",
    ),
)
