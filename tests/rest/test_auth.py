"""Signing in and out over HTTP as a program, and tickets for sockets. Browsers are in `test_auth_cookies.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from tests.rest.people import MONA, bearer, problem, registered, serving
from tests.rest.serving import BASE
from tests.services.people import PASSWORD, People


@pytest.fixture
async def http(people: People) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(people) as client:
        yield client


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
    assert problem(refused) == (400, "invalid_credentials")
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
    async def refuse(*_: Any, **__: Any) -> bool:
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
