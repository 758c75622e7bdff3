"""Browsers' sessions under stress and attack: two tabs at once, on one node and on two; fixation; sign-ins from other sites."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.rest.people import MONA, problem, registered, serving
from tests.services.people import PASSWORD, People, open_people

OMAR = {"email": "omar@example.org", "password": PASSWORD}


@pytest.fixture
async def http(people: People) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(people) as client:
        yield client


def csrf(http: httpx.AsyncClient) -> dict[str, str]:
    return {"X-CSRF-Token": http.cookies["lms_csrf"]}


async def signed_in(http: httpx.AsyncClient) -> None:
    await registered(http)
    assert (await http.post("/auth/login-cookie", json=MONA)).status_code == 200


def as_the_same_browser(tab: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    """The tab has the cookies of the other, as two tabs of one browser do."""
    for cookie in other.cookies.jar:
        tab.cookies.set(cookie.name, str(cookie.value), domain=cookie.domain, path=cookie.path)


async def refreshed(tab: httpx.AsyncClient) -> None:
    reply = await tab.post("/auth/refresh-cookie", headers=csrf(tab))
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("has_two_nodes", [False, True], ids=["one node", "two nodes"])
async def test_two_tabs_refresh_at_once_and_both_live(
    http: httpx.AsyncClient, people: People, has_two_nodes: bool
) -> None:
    await signed_in(http)
    async with (
        open_people(people.settings, clock=people.clock, bus=people.bus) as second,
        serving(second if has_two_nodes else people) as tab,
    ):
        as_the_same_browser(tab, http)
        people.clock.advance(3600)  # both access tokens have run out
        await asyncio.gather(refreshed(http), refreshed(tab))
        assert http.cookies["lms_refresh"] == tab.cookies["lms_refresh"]
        for one in (http, tab):
            assert (await one.get("/auth/me")).status_code == 200
            assert (await one.patch("/users/me", json={"locale": "ar"}, headers=csrf(one))).status_code == 200
        people.clock.advance(3600)
        await refreshed(tab)
        assert (await tab.get("/auth/me")).status_code == 200


async def test_a_tab_that_comes_late_with_the_old_token_ends_the_session(
    http: httpx.AsyncClient, people: People
) -> None:
    await signed_in(http)
    async with serving(people) as tab:
        as_the_same_browser(tab, http)
        await refreshed(http)
        people.clock.advance(10.001)
        assert problem(await tab.post("/auth/refresh-cookie", headers=csrf(tab))) == (401, "token_revoked")
        assert problem(await http.get("/auth/me")) == (401, "token_revoked")


async def test_a_session_that_was_planted_is_not_entered(http: httpx.AsyncClient, people: People) -> None:
    """Omar plants his cookies in Mona's browser: her sign-in begins a session of its own, and his stays his."""
    await registered(http)
    async with serving(people) as omar:
        assert (await omar.post("/auth/register", json=OMAR | {"full_name": "Omar Said"})).status_code == 201
        assert (await omar.post("/auth/login-cookie", json=OMAR)).status_code == 200
        planted = {cookie.name: cookie.value for cookie in omar.cookies.jar}
        as_the_same_browser(http, omar)
        reply = await http.post("/auth/login-cookie", json=MONA)
        assert reply.json()["user"]["email"] == MONA["email"]
        for name in ("lms_access", "lms_refresh", "lms_csrf"):
            assert http.cookies[name] != planted[name]
        assert (await omar.get("/auth/me")).json()["email"] == OMAR["email"]
        assert (await omar.post("/auth/refresh-cookie", headers=csrf(omar))).json()["user"]["email"] == OMAR["email"]


async def test_each_sign_in_begins_another_session(http: httpx.AsyncClient, people: People) -> None:
    await registered(http)
    ids = []
    for _ in range(2):
        assert (await http.post("/auth/login-cookie", json=MONA)).status_code == 200
        ids.append((await people.sessions.authenticate(http.cookies["lms_access"])).session_id)
    assert ids[0] != ids[1]


async def test_another_site_signs_nobody_in(http: httpx.AsyncClient) -> None:
    await registered(http)
    reply = await http.post("/auth/login-cookie", json=MONA, headers={"Origin": "https://elsewhere.example"})
    assert problem(reply) == (403, "origin_refused")
    assert "Set-Cookie" not in reply.headers
