"""Limits of asking over HTTP: who counts for whom, what answers tell, and that nothing is asked for nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from prometheus_client import REGISTRY

from handlers.rest.access import ANONYMOUS, PUBLIC, SIGNED_IN
from handlers.rest.dispatch import RouteTable, TableError
from handlers.rest.openapi import build_document
from handlers.rest.operations import FORM, UPLOAD, Operation
from handlers.rest.session_cookies import cookie_names
from lms_rt.security.rate_limits import TOLD_APART
from lms_rt.security.rights import Reach
from tests.rest.conftest import (
    ACTORS,
    STUDENT,
    TEACHER,
    EchoView,
    GrantForm,
    Serve,
    Table,
    echo,
    table_settings,
    upload,
    whoami,
)
from tests.rest.test_conventions import API

ROWS = (
    Operation("GET", "/whoami", whoami, PUBLIC, reply=EchoView, summary="Who"),
    Operation("GET", "/mine", whoami, SIGNED_IN, reach=Reach.ALL, reply=EchoView, summary="Mine"),
    Operation(
        "GET", "/attempts/{attempt_id}", whoami, SIGNED_IN, reach=Reach.ALL, reply=EchoView, summary="An attempt"
    ),
    Operation("POST", "/upload", upload, SIGNED_IN, reach=Reach.ALL, takes=UPLOAD, reply=EchoView, summary="A file"),
    Operation("POST", "/auth/grant", echo, ANONYMOUS, body=GrantForm, takes=FORM, reply=EchoView, summary="A form"),
    Operation("GET", "/sign", whoami, ANONYMOUS, limit="sign_in", reply=EchoView, summary="Sign in"),
    Operation("GET", "/auth/me", whoami, SIGNED_IN, reach=Reach.ALL, reply=EchoView, summary="Me"),
    Operation("GET", "/auth/link", whoami, PUBLIC, reply=EchoView, summary="A mail to anybody"),
    Operation("POST", "/webhook", echo, ANONYMOUS, limit="none", reply=EchoView, summary="A gateway's"),
)
ALL = {"rate_limit_exempt_networks": "none"}
FIVE = {"rate_limit_requests_per_minute": 5}


def refused() -> float:
    return REGISTRY.get_sample_value("rate_limited_total", {"class": "general"}) or 0.0


async def statuses(table: Table, times: int, path: str = "/whoami", **options: Any) -> list[int]:
    return [(await table.client.get(f"{API}{path}", **options)).status_code for _ in range(times)]


async def test_an_answer_tells_what_is_left(serve: Serve) -> None:
    table = await serve(ROWS, **ALL)
    reply = await table.client.get(f"{API}/whoami")
    assert {name: value for name, value in reply.headers.items() if name.startswith("ratelimit")} == {
        "ratelimit-policy": '"general";q=100;w=60',
        "ratelimit": '"general";r=99;t=1',
        "ratelimit-limit": "100",
        "ratelimit-remaining": "99",
        "ratelimit-reset": "1",
    }
    assert "Retry-After" not in reply.headers


async def test_what_is_too_much_is_refused_and_told_when_to_come_again(serve: Serve) -> None:
    table, before = await serve(ROWS, **ALL, **FIVE), refused()
    assert await statuses(table, 5) == [200] * 5
    reply = await table.client.get(f"{API}/whoami")
    assert (reply.status_code, reply.json()["code"]) == (429, "rate_limited")
    assert reply.headers["Retry-After"] == "12"
    assert reply.headers["RateLimit"] == '"general";r=0;t=60'
    assert reply.json()["retry_after_seconds"] == 12
    assert refused() == before + 1
    table.clock.advance(12)
    assert await statuses(table, 2) == [200, 429]


async def test_people_are_counted_apart_and_strangers_by_their_address(serve: Serve) -> None:
    table = await serve(ROWS, trusted_proxies="127.0.0.0/8", **FIVE)
    here, there = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "203.0.113.10"}
    assert await statuses(table, 6, headers=here) == [*[200] * 5, 429]
    assert await statuses(table, 6, headers=here | STUDENT) == [*[200] * 5, 429]
    assert await statuses(table, 6, headers=there | STUDENT) == [429] * 6  # the same person from elsewhere
    assert await statuses(table, 5, headers=here | TEACHER) == [200] * 5
    assert await statuses(table, 5, headers=there) == [200] * 5


async def test_who_acts_in_somebodys_place_is_counted_for_himself(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ACTORS, "acting", replace(ACTORS["student"], impersonator_id="usr_admin"))
    table = await serve(ROWS, **ALL, **FIVE)
    table.services.audit = AsyncMock()  # which notes each of them
    assert await statuses(table, 6, headers={"Authorization": "Bearer acting"}) == [*[200] * 5, 429]
    assert await statuses(table, 5, headers=STUDENT) == [200] * 5


async def test_an_address_is_believed_of_trusted_proxies_alone(serve: Serve) -> None:
    table = await serve(ROWS, **ALL, **FIVE)
    answers = [await statuses(table, 1, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(6)]
    assert answers == [*[[200]] * 5, [429]]


@pytest.mark.parametrize(
    ("asked", "headers", "status"),
    [
        ("GET /nowhere", {}, 404),
        ("DELETE /whoami", {}, 405),
        ("GET /mine", {}, 401),
        ("GET /mine", {"Authorization": "Bearer garbage"}, 401),
        ("GET /mine", {"Authorization": "Basic x"}, 401),
        ("GET /whoami", {"Accept": "image/png"}, 406),
        ("GET /whoami", {"Host": "elsewhere.example"}, 400),
    ],
)
async def test_nonsense_is_counted_too(serve: Serve, asked: str, headers: dict[str, str], status: int) -> None:
    table, (method, path) = await serve(ROWS, **ALL, **FIVE), asked.split()
    replies = [await table.client.request(method, f"{API}{path}", headers=headers) for _ in range(6)]
    assert [reply.status_code for reply in replies] == [*[status] * 5, 429]
    assert all("RateLimit" in reply.headers for reply in replies)


async def test_classes_are_counted_apart(serve: Serve) -> None:
    table = await serve(
        ROWS,
        **ALL,
        **FIVE,
        rate_limit_attempts_per_minute=3,
        rate_limit_uploads_per_hour=2,
        rate_limit_auth_per_minute=4,
    )
    assert await statuses(table, 4, "/attempts/att_1", headers=STUDENT) == [200, 200, 200, 429]
    sent = [
        (await table.client.post(f"{API}/upload", headers=STUDENT | {"Content-Type": "text/plain"}, content=b"x"))
        for _ in range(3)
    ]
    assert [reply.status_code for reply in sent] == [200, 200, 429]
    assert sent[-1].headers["RateLimit-Policy"] == '"uploads";q=2;w=3600'
    assert sent[-1].headers["Retry-After"] == "1800"
    assert await statuses(table, 5, "/auth/me", headers=STUDENT) == [200, 200, 200, 200, 429]
    assert await statuses(table, 5, "/auth/me", headers=TEACHER) == [200, 200, 200, 200, 429]
    assert await statuses(table, 6, headers=STUDENT) == [*[200] * 5, 429]


async def test_what_strangers_may_ask_at_the_entrance_counts_for_the_address_of_everybody(serve: Serve) -> None:
    """Or whoever has ten accounts has as many mails sent."""
    table = await serve(ROWS, **ALL, rate_limit_auth_per_minute=2)
    who: tuple[dict[str, str], ...] = (STUDENT, TEACHER, {})
    asked = [(await table.client.get(f"{API}/auth/link", headers=each)).status_code for each in who]
    assert asked == [200, 200, 429]


async def test_who_brings_ever_more_marks_is_counted_by_the_address(serve: Serve) -> None:
    """Each browser has its own count, and all of them at one address have one together."""
    table = await serve(ROWS, **ALL, rate_limit_sign_ins_per_minute=1)
    name = cookie_names(table.services.settings).device

    async def ask(mark: str) -> int:
        headers = {"Cookie": f"{name}={mark}"} if mark else {}
        return (await table.client.get(f"{API}/sign", headers=headers)).status_code

    marks = [table.services.device_marks.renewed("", f"usr_{number}") for number in range(TOLD_APART + 2)]
    assert [await ask(marks[0]), await ask(marks[0])] == [200, 429]
    assert [await ask(mark) for mark in marks[1:]] == [*[200] * (TOLD_APART - 1), 429, 429]
    assert await ask("") == 200, "who has none is counted apart from them"


async def test_some_things_are_never_counted(serve: Serve) -> None:
    from handlers.rest.health import ROUTES as HEALTH

    table = await serve((*ROWS, *HEALTH), **ALL, **FIVE)
    for _ in range(8):
        for path in ("/health", "/ready", "/metrics"):
            reply = await table.client.get(path)
            assert reply.status_code == 200
            assert "RateLimit" not in reply.headers
        assert (await table.client.post(f"{API}/webhook")).status_code == 200
        assert (await table.client.options(f"{API}/whoami")).status_code == 204
    assert await statuses(table, 5) == [200] * 5


async def test_where_limits_are_off_or_the_network_is_exempt_nothing_is_counted(serve: Serve) -> None:
    for settings in ({}, {"rate_limit_enabled": False, **ALL}, {"rate_limit_exempt_networks": "127.0.0.0/8"}):
        table = await serve(ROWS, **FIVE, **settings)
        assert await statuses(table, 8) == [200] * 8
        assert "RateLimit" not in (await table.client.get(f"{API}/whoami")).headers


async def test_scripts_of_listed_sites_may_read_the_headers(serve: Serve) -> None:
    table = await serve(ROWS, cors_origins="https://app.example", **ALL)
    reply = await table.client.get(f"{API}/whoami", headers={"Origin": "https://app.example"})
    exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
    assert {name for name in reply.headers if name.startswith("ratelimit")} <= {name.lower() for name in exposed}
    assert "Retry-After" in exposed


async def test_bodies_about_accounts_are_small(serve: Serve) -> None:
    """A password of 1 MB is refused unread."""
    table = await serve(ROWS, **ALL)
    form = {"username": "mona@example.org", "password": "x" * 1_000_000}
    reply = await table.client.post(f"{API}/auth/grant", data=form)
    assert (reply.status_code, reply.json()["limit_bytes"]) == (413, 16_384)
    assert (await table.client.post(f"{API}/auth/grant", data=form | {"password": "x" * 9_000})).status_code == 200


def test_the_document_tells_of_limits() -> None:
    document = build_document(ROWS, table_settings())
    replies = {path: item[method]["responses"] for path, item in document["paths"].items() for method in item}
    assert all(("429" in reply) == (path != f"{API}/webhook") for path, reply in replies.items())
    assert set(replies[f"{API}/whoami"]["429"]["headers"]) >= {"Retry-After", "RateLimit", "RateLimit-Policy"}
    json.dumps(document)


def test_a_row_of_no_class_is_not_served() -> None:
    bad = Operation("GET", "/x", whoami, PUBLIC, limit="sometimes", reply=EchoView, summary="X")
    with pytest.raises(TableError, match="sometimes"):
        RouteTable([bad])


async def test_one_question_to_the_bus_for_a_request(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    table, asked = await serve(ROWS, **ALL), []
    role = table.services.limiter._rate_limits
    take = role.take

    async def counted(key: str, **bucket: Any) -> Any:
        asked.append(key)
        return await take(key, **bucket)

    monkeypatch.setattr(role, "take", counted)
    await table.client.get(f"{API}/whoami")
    await table.client.get(f"{API}/whoami", headers=STUDENT)
    await table.client.get(f"{API}/mine", headers={"Authorization": "Bearer garbage"})
    assert len(asked) == 3
    assert asked[1] == "general:usr_student"
    assert asked[0] == asked[2]
    assert "127.0.0.1" not in asked[0]
