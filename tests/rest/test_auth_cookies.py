"""Signing in and out as a browser: tokens in cookies, changes only with the CSRF token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie

import httpx
import pytest

from config.settings import Settings
from lms_rt.storage.mongo import OpenDatabase
from tests.rest.people import MONA, bearer, problem, registered, serving
from tests.services.people import People, open_people


@pytest.fixture
async def http(people: People) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(people) as client:
        yield client


def morsels(reply: httpx.Response) -> dict[str, Morsel[str]]:
    found: SimpleCookie = SimpleCookie()
    for header in reply.headers.get_list("Set-Cookie"):
        found.load(header)
    return dict(found)


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
    assert set(cookies) == {"lms_access", "lms_refresh", "lms_csrf", "lms_device"}
    assert cookies["lms_access"]["httponly"]
    assert cookies["lms_device"]["httponly"]
    assert cookies["lms_refresh"]["httponly"]
    assert not cookies["lms_csrf"]["httponly"]
    assert [cookies[name]["path"] for name in sorted(cookies)] == ["/", "/", "/", "/api/v1/auth"]
    assert (await http.get("/auth/me")).json() == reply.json()["user"]


async def test_secure_cookies_carry_the_host_prefix_where_it_holds(settings: Settings, database: OpenDatabase) -> None:
    async with open_people(settings.model_copy(update={"cookie_secure": True})) as people, serving(people) as http:
        cookies = morsels(await browser_signed_in(http))
    assert set(cookies) == {"__Host-lms_access", "lms_refresh", "__Host-lms_csrf", "__Host-lms_device"}
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


async def test_a_browser_signs_out_and_keeps_nothing_but_its_mark(http: httpx.AsyncClient, people: People) -> None:
    await browser_signed_in(http)
    stolen = {"Cookie": f"lms_access={http.cookies['lms_access']}"}
    assert problem(await http.post("/auth/logout-cookie")) == (403, "csrf_failed")
    reply = await http.post("/auth/logout-cookie", headers=csrf(http))
    assert reply.status_code == 204
    assert {(name, cookie.value) for name, cookie in morsels(reply).items()} == {
        ("lms_access", ""), ("lms_refresh", ""), ("lms_csrf", ""), ("lms_own", ""),
    }  # fmt: skip
    assert set(http.cookies) == {"lms_device"}  # lets nobody in
    assert problem(await http.get("/auth/me", headers=stolen)) == (401, "token_revoked")
    assert (await http.post("/auth/logout-cookie")).status_code == 204  # nobody is signed in: nothing to do


async def test_another_site_signs_nobody_out(http: httpx.AsyncClient) -> None:
    """Its form is sent without the strict cookie; an answer that clears the cookies would sign out all the same."""
    refused = await http.post("/auth/logout-cookie", headers={"Origin": "https://elsewhere.example"})
    assert problem(refused) == (403, "origin_refused")
    assert "Set-Cookie" not in refused.headers


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
