"""Accounts over real HTTP for tests: only their operations are served, with the services of `tests/services/people.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import httpx

from handlers.app import make_app
from handlers.rest import auth, users
from tests.rest.serving import client_of
from tests.services.people import PASSWORD, People

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

MONA = {"email": "mona@example.org", "password": PASSWORD}


@asynccontextmanager
async def serving(people: People) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server for accounts; the other services are not needed, and not there."""
    app = make_app(cast("Services", people), operations=(*auth.ROUTES, *users.ROUTES), pages=(), live=())
    async with client_of(app) as client:
        yield client


async def registered(http: httpx.AsyncClient) -> dict[str, Any]:
    reply = await http.post("/auth/register", json=MONA | {"full_name": "Mona Farouk"})
    assert reply.status_code == 201
    tokens: dict[str, Any] = reply.json()
    return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def problem(reply: httpx.Response) -> tuple[int, str]:
    assert reply.headers["Content-Type"] == "application/problem+json"
    return reply.status_code, reply.json()["code"]
