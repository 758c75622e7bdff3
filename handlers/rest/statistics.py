"""REST: what a quiz and its questions came to."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.statistics import StatisticsQuery, StatisticsView
from lms_rt.security.rights import Reach


async def show(call: Call) -> Reply:
    """The statistics as the attempts are now."""
    return Reply(await call.services.statistics.show(call.actor, call.path["quiz_id"], call.query.attempts))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/quizzes/{quiz_id}/statistics",
        show,
        needs("analytics:view"),
        reach=Reach.TAUGHT,
        query=StatisticsQuery,
        reply=StatisticsView,
        summary="Facility, discrimination, options, time and reliability",
        description="Of graded attempts, without previews. The formulas and their sources are in `docs/statistics.md`.",
    ),
)
