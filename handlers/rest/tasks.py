"""REST: how background work stands. For administrators."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import PageQuery
from lms_rt.contracts.tasks import QueuesView, WorkersView
from lms_rt.security.rights import Reach


async def show_queues(call: Call) -> Reply:
    """Every queue."""
    return Reply(await call.services.task_figures.show_queues(call.actor))


async def list_workers(call: Call) -> Reply:
    """Every worker."""
    return Reply(await call.services.task_figures.list_workers(call.actor, call.query))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/admin/tasks",
        show_queues,
        needs("settings:manage"),
        reach=Reach.ALL,
        reply=QueuesView,
        summary="The queues of background work",
        description="Made to be asked again every few seconds; counts are those of the moment `as_of`.",
    ),
    Operation(
        "GET",
        "/admin/tasks/workers",
        list_workers,
        needs("settings:manage"),
        reach=Reach.ALL,
        query=PageQuery,
        reply=WorkersView,
        summary="The processes that do background work",
        description="Those that have reported within the last hour; who has been silent for ten seconds counts as lost.",
    ),
)
