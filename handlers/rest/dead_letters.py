"""REST: jobs that nobody could do. For administrators."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.tasks import DeadLetterQuery, DeadLetterView
from lms_rt.security.rights import Reach


async def list_dead_letters(call: Call) -> Reply:
    """The latest first."""
    return Reply(await call.services.dead_letters.list(call.actor, call.query))


async def show_dead_letter(call: Call) -> Reply:
    """One of them."""
    return Reply(await call.services.dead_letters.show(call.actor, call.path["job_id"]))


async def retry_dead_letter(call: Call) -> Reply:
    """Send it again."""
    return Reply(await call.services.dead_letters.retry(call.actor, call.path["job_id"]))


async def discard_dead_letter(call: Call) -> Reply:
    """Remove it for good."""
    await call.services.dead_letters.discard(call.actor, call.path["job_id"])
    return Reply(None)


_OPERATOR = needs("settings:manage")
_ONE = "/admin/dead-letters/{job_id}"

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/admin/dead-letters",
        list_dead_letters,
        _OPERATOR,
        reach=Reach.ALL,
        query=DeadLetterQuery,
        reply=Page[DeadLetterView],
        summary="Jobs that nobody could do",
        description="The latest first. What may be a secret in `args` and `error` is masked.",
    ),
    Operation(
        "GET",
        _ONE,
        show_dead_letter,
        _OPERATOR,
        reach=Reach.ALL,
        reply=DeadLetterView,
        summary="One job that nobody could do",
    ),
    Operation(
        "POST",
        _ONE + "/retry",
        retry_dead_letter,
        _OPERATOR,
        reach=Reach.ALL,
        reply=DeadLetterView,
        audit="dead_letter.retry",
        summary="Send it again",
        description="From its first try; `state` says that it waits. It is no dead letter any more: again is 404.",
    ),
    Operation(
        "DELETE",
        _ONE,
        discard_dead_letter,
        _OPERATOR,
        reach=Reach.ALL,
        status=204,
        audit="dead_letter.discard",
        summary="Discard it for good",
    ),
)
