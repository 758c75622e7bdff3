"""Categories over HTTP."""

from __future__ import annotations

from handlers.rest.access import PUBLIC
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page, PageQuery
from lms_rt.contracts.courses import CategoryView


async def list_categories(call: Call) -> Reply:
    """The categories of the catalogue."""
    return Reply(await call.services.categories.list(call.actor, call.query))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/categories",
        list_categories,
        PUBLIC,
        query=PageQuery,
        reply=Page[CategoryView],
        summary="The categories of the catalogue, with counts",
    ),
)
