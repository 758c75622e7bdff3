"""Signing in and out over HTTP: as a program, as a browser, for a socket; and one's own profile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import Morsel, SimpleCookie
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from config.settings import Settings
from handlers.app import make_app, server_options
from handlers.rest import auth, users
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode
from lms_rt.errors import Code, Refused
from lms_rt.storage.mongo import OpenDatabase
from tests.services.people import PASSWORD, People, open_people

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

MONA = {"email": "mona@example.org", "password": PASSWORD}
BASE = "/api/v1"


@asynccontextmanager
async def serving(people: People) -> AsyncIterator[httpx.AsyncClient]:
    """The operations of this file over real HTTP; the other services are not needed, and not there."""
    app = make_app(cast("Services", people), operations=(*auth.ROUTES, *users.ROUTES), pages=(), live=())
    server = HTTPServer(app, **server_options())
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{BASE}") as client:
            yield client
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.fixture
async def people(settings: Settings, database: OpenDatabase) -> AsyncIterator[People]:
    async with open_people(settings) as opened:
        yield opened


@pytest.fixture
async def http(people: People) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(people) as client:
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


def morsels(reply: httpx.Response) -> dict[str, Morsel[str]]:
    found: SimpleCookie = SimpleCookie()
    for header in reply.headers.get_list("Set-Cookie"):
        found.load(header)
    return dict(found)


# --- as a program ---


async def test_registering_signs_in(http: httpx.AsyncClient) -> None:
    reply = await http.post("/auth/register", json=MONA | {"full_name": "Mona Farouk"})
    assert reply.status_code == 201
    assert reply.headers["Location"] == f"{BASE}/users/me"
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in reply.headers
    tokens = reply.json()
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert set(tokens["user"]) == {
        "id", "email", "full_name", "role", "is_active", "locale", "timezone", "avatar_file_id", "mfa_enabled",
        "email_verified_at", "last_login_at", "permissions", "metadata", "version", "created_at", "updated_at",
    }  # fmt: skip
    assert (await http.get("/auth/me", headers=bearer(tokens))).json() == tokens["user"]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"email": "mona"}, "email", "email"),
        ({"password": "short"}, "password", "too_short"),
        ({"password": "password123"}, "password", "too_common"),
        ({"full_name": ""}, "full_name", None),
        ({"role": "owner"}, "role", None),
        ({"is_active": True}, "is_active", "unknown_field"),
        ({"email": None}, "email", None),
    ],
)
async def test_a_bad_registration_names_its_fields(
    http: httpx.AsyncClient, changes: dict[str, Any], field: str, code: str | None
) -> None:
    reply = await http.post("/auth/register", json=MONA | {"full_name": "Mona Farouk"} | changes)
    assert problem(reply) == (422, "validation_failed")
    assert reply.json()["errors"][0]["field"] == field
    assert code is None or reply.json()["errors"][0]["code"] == code


async def test_a_taken_address_is_a_conflict(http: httpx.AsyncClient) -> None:
    await registered(http)
    reply = await http.post("/auth/register", json=MONA | {"email": "MONA@example.org", "full_name": "Other Mona"})
    assert problem(reply) == (409, "email_taken")


async def test_roles_are_not_taken(http: httpx.AsyncClient) -> None:
    for role in ("admin", "instructor"):
        reply = await http.post("/auth/register", json=MONA | {"full_name": "Mona Farouk", "role": role})
        assert problem(reply) == (403, "forbidden")


async def test_wrong_and_unknown_are_answered_alike(http: httpx.AsyncClient) -> None:
    await registered(http)
    wrong = await http.post("/auth/login", json=MONA | {"password": "river stone 42"})
    unknown = await http.post("/auth/login", json=MONA | {"email": "nobody@example.org"})
    assert problem(wrong) == problem(unknown) == (401, "invalid_credentials")
    assert wrong.headers["WWW-Authenticate"] == unknown.headers["WWW-Authenticate"]
    assert wrong.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}


async def test_signing_in_ignores_stale_credentials(http: httpx.AsyncClient) -> None:
    await registered(http)
    reply = await http.post("/auth/login", json=MONA, headers={"Authorization": "Bearer stale"})
    assert reply.status_code == 200
    assert reply.json()["user"]["email"] == "mona@example.org"


async def test_a_standard_client_gets_tokens(http: httpx.AsyncClient) -> None:
    await registered(http)
    form = {
        "grant_type": "password",
        "username": "mona@example.org",
        "password": PASSWORD,
        "client_id": "x",
        "scope": "",
    }
    reply = await http.post("/auth/token", data=form)
    assert reply.status_code == 200
    assert reply.json()["token_type"] == "bearer"
    assert (await http.get("/auth/me", headers=bearer(reply.json()))).status_code == 200
    refused = await http.post("/auth/token", data=form | {"password": "wrong"})
    assert problem(refused) == (400, "invalid_grant")
    assert refused.json()["error"] == "invalid_grant"


async def test_a_token_request_is_a_form(http: httpx.AsyncClient) -> None:
    reply = await http.post("/auth/token", json={"username": "mona@example.org", "password": PASSWORD})
    assert problem(reply) == (415, "unsupported_media_type")
    reply = await http.post("/auth/token", data={"grant_type": "client_credentials", "username": "a", "password": "b"})
    assert problem(reply) == (422, "validation_failed")


async def test_tokens_are_refreshed_and_reuse_ends_the_session(http: httpx.AsyncClient, people: People) -> None:
    first = await registered(http)
    second = (await http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert second["refresh_token"] != first["refresh_token"]
    again = (await http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert again["refresh_token"] == second["refresh_token"]
    people.clock.advance(11)
    reused = await http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert problem(reused) == (401, "token_revoked")
    assert problem(await http.get("/auth/me", headers=bearer(second))) == (401, "token_revoked")


async def test_an_access_token_expires(http: httpx.AsyncClient, people: People) -> None:
    tokens = await registered(http)
    people.clock.advance(900)
    assert problem(await http.get("/auth/me", headers=bearer(tokens))) == (401, "token_expired")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "unauthenticated"),
        ("Bearer x", "invalid_token"),
        ("Bearer", "invalid_token"),
        ("Basic YTpi", "invalid_token"),
    ],
)
async def test_bad_credentials_are_401_with_a_challenge(
    http: httpx.AsyncClient, authorization: str | None, code: str
) -> None:
    reply = await http.get("/auth/me", headers={"Authorization": authorization} if authorization else {})
    assert problem(reply) == (401, code)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_a_refresh_token_is_no_access_token(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    reply = await http.get("/auth/me", headers={"Authorization": f"Bearer {tokens['refresh_token']}"})
    assert problem(reply) == (401, "invalid_token")


async def test_signing_out_ends_one_session_or_all(http: httpx.AsyncClient) -> None:
    one = await registered(http)
    two, three = [(await http.post("/auth/login", json=MONA)).json() for _ in range(2)]
    assert (await http.post("/auth/logout", headers=bearer(one))).status_code == 204
    assert problem(await http.get("/auth/me", headers=bearer(one))) == (401, "token_revoked")
    assert problem(await http.post("/auth/refresh", json={"refresh_token": one["refresh_token"]}))[0] == 401
    assert (await http.get("/auth/me", headers=bearer(two))).status_code == 200
    assert (await http.post("/auth/logout", headers=bearer(two), json={"everywhere": True})).status_code == 204
    assert problem(await http.get("/auth/me", headers=bearer(three))) == (401, "token_revoked")


async def test_a_full_pool_says_when_to_come_back(
    http: httpx.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> bool:
        raise Refused(Code.BUSY, retry_after_seconds=16)

    monkeypatch.setattr(people.passwords, "is_right", refuse)
    for reply in (
        await http.post("/auth/login", json=MONA),
        await http.post("/auth/token", data={"username": "mona@example.org", "password": "x"}),
    ):
        assert problem(reply) == (503, "busy")
        assert reply.headers["Retry-After"] == "16"


async def test_a_password_comes_in_any_unicode_form(http: httpx.AsyncClient) -> None:
    account = {"email": "amelie@example.org", "full_name": "A. Durand", "password": "Ame\u0301lie am See 9"}
    assert (await http.post("/auth/register", json=account)).status_code == 201
    reply = await http.post("/auth/login", json={"email": account["email"], "password": "Am\u00e9lie am See 9"})
    assert reply.status_code == 200


# --- as a browser ---


async def browser_signed_in(http: httpx.AsyncClient) -> httpx.Response:
    await registered(http)
    reply = await http.post("/auth/login-cookie", json=MONA)
    assert reply.status_code == 200
    return reply


def csrf(http: httpx.AsyncClient) -> dict[str, str]:
    return {"X-CSRF-Token": http.cookies["lms_csrf"]}


async def test_a_browser_gets_its_tokens_in_cookies_only(http: httpx.AsyncClient) -> None:
    reply = await browser_signed_in(http)
    assert set(reply.json()) == {"user", "expires_in"}
    cookies = morsels(reply)
    assert set(cookies) == {"lms_access", "lms_refresh", "lms_csrf"}
    assert cookies["lms_access"]["httponly"]
    assert cookies["lms_refresh"]["httponly"]
    assert not cookies["lms_csrf"]["httponly"]
    assert [cookies[name]["path"] for name in sorted(cookies)] == ["/", "/", "/api/v1/auth"]
    assert (await http.get("/auth/me")).json() == reply.json()["user"]


async def test_secure_cookies_carry_the_host_prefix_where_it_holds(settings: Settings, database: OpenDatabase) -> None:
    async with open_people(settings.model_copy(update={"cookie_secure": True})) as people, serving(people) as http:
        cookies = morsels(await browser_signed_in(http))
    assert set(cookies) == {"__Host-lms_access", "lms_refresh", "__Host-lms_csrf"}
    assert all(cookie["secure"] for cookie in cookies.values())


async def test_a_cookie_changes_nothing_without_the_csrf_token(http: httpx.AsyncClient) -> None:
    await browser_signed_in(http)
    change = {"full_name": "Mona F."}
    assert problem(await http.patch("/users/me", json=change)) == (403, "csrf_failed")
    assert problem(await http.patch("/users/me", json=change, headers={"X-CSRF-Token": "a.b"})) == (403, "csrf_failed")
    tossed = {"X-CSRF-Token": "a.b", "Cookie": f"lms_access={http.cookies['lms_access']}; lms_csrf=a.b"}
    assert problem(await http.patch("/users/me", json=change, headers=tossed)) == (403, "csrf_failed")
    assert (await http.patch("/users/me", json=change, headers=csrf(http))).status_code == 200


async def test_a_csrf_token_of_another_session_does_not_hold(http: httpx.AsyncClient) -> None:
    await browser_signed_in(http)
    other = csrf(http)
    old = http.cookies["lms_access"]
    await http.post("/auth/login-cookie", json=MONA)
    mixed = other | {"Cookie": f"lms_access={http.cookies['lms_access']}; lms_csrf={other['X-CSRF-Token']}"}
    assert old != http.cookies["lms_access"]
    assert problem(await http.patch("/users/me", json={"locale": "ar"}, headers=mixed)) == (403, "csrf_failed")


async def test_a_foreign_origin_is_refused(http: httpx.AsyncClient) -> None:
    await browser_signed_in(http)
    headers = csrf(http) | {"Origin": "https://evil.example"}
    assert problem(await http.patch("/users/me", json={"locale": "ar"}, headers=headers)) == (403, "origin_refused")


async def test_a_browser_refreshes_with_its_csrf_token(http: httpx.AsyncClient, people: People) -> None:
    await browser_signed_in(http)
    people.clock.advance(3600)  # the access token has run out
    before = http.cookies["lms_refresh"]
    assert problem(await http.post("/auth/refresh-cookie")) == (403, "csrf_failed")
    reply = await http.post("/auth/refresh-cookie", headers=csrf(http))
    assert reply.status_code == 200
    assert set(reply.json()) == {"user", "expires_in"}
    assert http.cookies["lms_refresh"] != before
    assert (await http.get("/auth/me")).status_code == 200
    assert (await http.patch("/users/me", json={"locale": "ar"}, headers=csrf(http))).status_code == 200


async def test_refreshing_without_a_cookie_is_401(http: httpx.AsyncClient) -> None:
    assert problem(await http.post("/auth/refresh-cookie")) == (401, "unauthenticated")


async def test_a_browser_signs_out_and_keeps_nothing(http: httpx.AsyncClient, people: People) -> None:
    await browser_signed_in(http)
    stolen = {"Cookie": f"lms_access={http.cookies['lms_access']}"}
    assert problem(await http.post("/auth/logout-cookie")) == (403, "csrf_failed")
    reply = await http.post("/auth/logout-cookie", headers=csrf(http))
    assert reply.status_code == 204
    assert {(name, cookie.value) for name, cookie in morsels(reply).items()} == {
        ("lms_access", ""), ("lms_refresh", ""), ("lms_csrf", ""),
    }  # fmt: skip
    assert not http.cookies
    assert problem(await http.get("/auth/me", headers=stolen)) == (401, "token_revoked")
    assert (await http.post("/auth/logout-cookie")).status_code == 204  # nobody is signed in: nothing to do


async def test_a_browser_signs_out_everywhere(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    await http.post("/auth/login-cookie", json=MONA)
    await http.post("/auth/logout-cookie", headers=csrf(http), json={"everywhere": True})
    assert problem(await http.get("/auth/me", headers=bearer(tokens))) == (401, "token_revoked")


@pytest.mark.parametrize(
    ("mode", "paths"),
    [
        ("cookie", ["/auth/login", "/auth/refresh"]),
        ("bearer", ["/auth/login-cookie", "/auth/refresh-cookie", "/auth/logout-cookie"]),
    ],
)
async def test_a_way_to_sign_in_that_is_off_is_not_there(
    settings: Settings, database: OpenDatabase, mode: str, paths: list[str]
) -> None:
    async with open_people(settings.model_copy(update={"auth_modes": (mode,)})) as people, serving(people) as http:
        for path in paths:
            body = {"refresh_token": "x"} if path == "/auth/refresh" else MONA
            if path == "/auth/logout-cookie":
                body = {}
            assert problem(await http.post(path, json=body)) == (404, "route_not_found")


# --- for a socket ---


async def test_a_ticket_stands_for_the_caller_once(http: httpx.AsyncClient, people: People) -> None:
    tokens = await registered(http)
    reply = await http.post("/auth/ws-ticket", headers=bearer(tokens))
    assert reply.status_code == 200
    assert reply.json()["expires_in"] == 30
    assert reply.headers["Cache-Control"] == "no-store"
    actor = await people.sessions.consume_ticket(reply.json()["ticket"])
    assert isinstance(actor, Actor)
    assert actor.user_id == tokens["user"]["id"]
    with pytest.raises(Refused):
        await people.sessions.consume_ticket(reply.json()["ticket"])


async def test_a_stranger_gets_no_ticket(http: httpx.AsyncClient) -> None:
    assert problem(await http.post("/auth/ws-ticket")) == (401, "unauthenticated")


# --- one's own profile ---


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_profile_changes_with_its_tag(http: httpx.AsyncClient, method: str) -> None:
    tokens = await registered(http)
    seen = await http.get("/users/me", headers=bearer(tokens))
    assert seen.headers["ETag"] == '"1"'
    headers = bearer(tokens) | {"If-Match": seen.headers["ETag"]}
    changed = await http.request(method, "/users/me", json={"timezone": "Africa/Cairo"}, headers=headers)
    assert changed.status_code == 200
    assert (changed.json()["timezone"], changed.headers["ETag"]) == ("Africa/Cairo", '"2"')
    stale = await http.request(method, "/users/me", json={"timezone": "UTC"}, headers=headers)
    assert problem(stale) == (412, "version_mismatch")
    assert stale.json()["current_version"] == 2


async def test_what_was_read_may_be_sent_back_over_http(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    seen = (await http.get("/users/me", headers=bearer(tokens))).json()
    reply = await http.put(
        "/users/me",
        content=encode(seen | {"locale": "ar"}),
        headers=bearer(tokens) | {"Content-Type": "application/json"},
    )
    assert reply.status_code == 200
    refused = await http.put("/users/me", json=seen | {"role": "admin"}, headers=bearer(tokens))
    assert problem(refused) == (422, "validation_failed")
    assert {"field": "role", "code": "read_only"}.items() <= refused.json()["errors"][0].items()
