"""Where an answer says that what it made is found, for the walks over all rows. No tests."""

from __future__ import annotations

import httpx

from handlers.rest.dispatch import API_PREFIX, RouteTable
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from tests.clients import Visitor

TABLE = RouteTable(ROUTES)


async def misplaced(row: Operation, who: Visitor, response: httpx.Response) -> str:
    """What is wrong with its `Location`: it is told where the document says so, and leads there whoever made the thing."""
    place, status = response.headers.get("Location", ""), response.status_code
    if not (place or row.is_located(status)):
        return ""
    match = TABLE.find("GET", place.partition("?")[0])
    if match is None or not row.is_located(status) or match.route != API_PREFIX + row.location.partition("?")[0]:
        return f"{status} with Location {place!r}"
    if match.operation is None or not row.access.reads_credentials:
        return ""
    found = await who.http.get(who.address + place)
    return "" if found.status_code == 200 else f"{status} with Location {place}, where there is {found.status_code}"
