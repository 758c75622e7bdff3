"""The school in figures, for administrators."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.admin import AdminStatsView
from lms_rt.security.rights import Reach


async def show_stats(call: Call) -> Reply:
    """Everything as it stands."""
    return Reply(await call.services.admin_stats.show(call.actor))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/admin/stats",
        show_stats,
        needs("settings:manage"),
        reach=Reach.ALL,
        reply=AdminStatsView,
        summary="The school in figures",
        description="Made to be asked again every few seconds: what is costly is counted once a minute, as `counted_at` says.",
    ),
)
