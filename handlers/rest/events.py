"""The stream of events over HTTP, for receivers that were down."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.event_records import EventPage, EventQuery
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_events(call: Call) -> Reply:
    """Events of record, oldest first."""
    return Reply(await call.services.event_log.list(call.actor, call.query))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/events",
        list_events,
        needs("webhooks:manage"),
        reach=Reach.ALL,
        query=EventQuery,
        reply=EventPage,
        codes=(Code.CONFLICT,),
        summary="Events of record",
        description=(
            "Oldest first, with the same ids as live and in webhooks. To follow the stream, keep `cursor` and ask again"
            " with it as `after`: at once while `next` is not null, else after a while. A cursor from before the oldest"
            " event that is kept is 409, and `oldest` is where to go on. `type` may be given several times."
        ),
    ),
)
