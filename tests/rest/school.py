"""Courses and learning over real HTTP for tests: their operations alone, with the services of `tests/services/school.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx

from config.settings import Settings
from handlers.app import make_app
from handlers.rest import categories, courses, enrollments, lessons
from lms_rt.bus.memory import memory_bus
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.csrf import CsrfTokens
from lms_rt.security.keyring import Keyring
from lms_rt.services.idempotency import Idempotency
from lms_rt.wiring_accounts import guard_of
from tests.rest.serving import client_of
from tests.services.school import PEOPLE, School

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

OPERATIONS = (*courses.ROUTES, *lessons.ROUTES, *categories.ROUTES, *enrollments.ROUTES)


class StubSessions:
    """Tokens are user ids."""

    csrf = CsrfTokens(Keyring("0123456789abcdefghijklmnopqrstuv"))

    async def authenticate(self, token: str, *, also_leaving: bool = False) -> Actor:  # noqa: ARG002
        for one in PEOPLE:
            if one.user_id == token:
                return one
        raise Refused(Code.INVALID_TOKEN)


def as_(actor: Actor, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {actor.user_id}", **headers}


def problem(reply: httpx.Response) -> tuple[int, str]:
    assert reply.headers["Content-Type"] == "application/problem+json", reply.text
    return reply.status_code, reply.json()["code"]


def faults(reply: httpx.Response) -> list[tuple[str, str]]:
    return [(fault["field"], fault["code"]) for fault in reply.json()["errors"]]


def items(reply: httpx.Response) -> list[dict[str, Any]]:
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["items"]
    return found


@asynccontextmanager
async def serving(school: School, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server for courses; the other services are not needed, and not there."""
    services = SimpleNamespace(
        settings=settings,
        clock=school.clock,
        sessions=StubSessions(),
        idempotency=Idempotency(clock=school.clock),
        courses=school.courses,
        lessons=school.lessons,
        categories=school.categories,
        enrollments=school.enrollments,
        progress=school.progress,
        limiter=guard_of(settings, memory_bus(school.clock)).limiter,
    )
    app = make_app(cast("Services", services), operations=OPERATIONS, pages=(), live=())
    async with client_of(app) as client:
        yield client
