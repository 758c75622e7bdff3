"""REST: what money came to, in all and of one course, and the way of one order."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.order_traces import OrderTraceView
from lms_rt.contracts.revenue import CourseRevenueView, RevenueQuery, RevenueTimeQuery, RevenueView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def revenue(call: Call) -> Reply:
    """Revenue by day, gateway, course and currency."""
    return Reply(await call.services.revenue.summary(call.actor, call.query))


async def course_revenue(call: Call) -> Reply:
    """Revenue of one course."""
    return Reply(await call.services.revenue.of_course(call.actor, call.path["course_id"], call.query))


async def trace(call: Call) -> Reply:
    """The way of an order."""
    return Reply(await call.services.order_traces.show(call.actor, call.path["order_id"]))


_MONEY = needs("payments:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/payments/revenue/summary",
        revenue,
        _MONEY,
        reach=Reach.ALL,
        query=RevenueQuery,
        reply=RevenueView,
        summary="Revenue by day, gateway, course and currency",
        description="Completed less refunded and disputed, in minor units, each currency alone. `from` and `to` are days of "
        "`timezone` (the caller's own), both included; at most 366, else the last 30, by months the last twelve of them.",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/revenue",
        course_revenue,
        needs("analytics:view"),
        reach=Reach.TAUGHT,
        query=RevenueTimeQuery,
        reply=CourseRevenueView,
        summary="What a course brought, by day and currency",
        description="As `GET /payments/revenue/summary` counts it, for who teaches the course. What plans brought that open it is not in it.",
    ),
    Operation(
        "GET",
        "/payments/orders/{order_id}/trace",
        trace,
        _MONEY,
        reach=Reach.ALL,
        reply=OrderTraceView,
        codes=(Code.NOT_FOUND,),
        summary="The way of one order, from its checkout to what it opened",
        description="Its payments with what gateways told, the journal, refunds and invoices; the access that came of it, and "
        "what would be done about it now.",
    ),
)
