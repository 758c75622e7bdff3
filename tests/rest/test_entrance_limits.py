"""The entrance at nine o'clock: a class behind one address gets in, by form and by API, and who guesses does not."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from handlers.rest import limits
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house

_ENGINES = ("embedded", pytest.param("real", marks=pytest.mark.real))
_NUMBERS = itertools.count(1)
WRONG = "not the password 7"


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school behind a proxy of its own: each browser of a test comes from the address that the test gives it."""
    folder = tmp_path_factory.mktemp("house")
    settings = settings_on(str(request.param), request, folder, trusted_proxies=("127.0.0.0/8",))
    async with open_house(settings) as opened:
        yield opened


def new_address() -> str:
    """An address that no other test has."""
    return f"203.0.113.{next(_NUMBERS)}"


@pytest.fixture
def address() -> str:
    """One for this test."""
    return new_address()


@pytest.fixture
async def browsers() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def browser_at(house: House, browsers: AsyncExitStack, address: str) -> httpx.AsyncClient:
    headers = {"X-Forwarded-For": address, "User-Agent": "Firefox"}
    return await browsers.enter_async_context(
        httpx.AsyncClient(base_url=house.address, headers=headers, timeout=30, trust_env=False)
    )


async def by_form(browser: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    """The page, and its form, as without scripts."""
    page = await browser.get("/signin")
    assert page.status_code == 200, page.text
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    return await browser.post("/signin", data={"csrf": token.group(1), "email": email, "password": password})


async def by_api(browser: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await browser.post("/api/v1/auth/login-cookie", json={"email": email, "password": password})


async def newcomers(house: House, count: int) -> list[str]:
    """Addresses of people who have registered, from home."""
    return [(await house.student()).user["email"] for _ in range(count)]


async def test_thirty_students_get_in_at_nine(house: House, browsers: AsyncExitStack, address: str) -> None:
    """From one address, each with a new browser; and all of them go on with their sessions and their sockets."""
    emails = await newcomers(house, 30)
    class_room = [await browser_at(house, browsers, address) for _ in emails]
    entered = await asyncio.gather(*(by_form(*each) for each in zip(class_room, emails, strict=True)))
    assert [reply.status_code for reply in entered] == [303] * 30
    for path in ("/api/v1/auth/refresh-cookie", "/api/v1/auth/ws-ticket"):
        replies = await asyncio.gather(
            *(one.post(path, headers={"X-CSRF-Token": one.cookies["lms_csrf"]}) for one in class_room)
        )
        assert {reply.status_code for reply in replies} == {200}


async def test_ended_sessions_of_a_classmate_keep_nobody_from_going_on(
    house: House, browsers: AsyncExitStack, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (email,) = await newcomers(house, 1)
    owner, classmate = [await browser_at(house, browsers, address) for _ in range(2)]
    assert (await by_form(owner, email)).status_code == 303
    ended = [await house.student() for _ in range(2)]
    services = house.services
    for each in ended:
        session_id = services.sessions.session_of(each.tokens["refresh_token"])
        await services.sessions.end(each.user["id"], session_id, reason="signed_out")
    few = services.settings.model_copy(update={"rate_limit_auth_per_minute": 1})
    monkeypatch.setattr(services.limiter, "_settings", few)
    monkeypatch.setattr(limits, "TOLD_APART", 1)
    tokens = [{"refresh_token": each.tokens["refresh_token"]} for each in ended]
    asked = [(await classmate.post("/api/v1/auth/refresh", json=each)).status_code for each in tokens]
    assert asked == [401, 429]
    csrf = {"X-CSRF-Token": owner.cookies["lms_csrf"]}
    assert (await owner.post("/api/v1/auth/refresh-cookie", headers=csrf)).status_code == 200


async def test_who_guesses_does_not(house: House, browsers: AsyncExitStack, address: str) -> None:
    (email,) = await newcomers(house, 1)
    guesser = await browser_at(house, browsers, address)
    answers = [await by_api(guesser, email, f"guess number {n}") for n in range(7)]
    assert [reply.status_code for reply in answers] == [401] * 5 + [429] * 2
    locked = await by_api(guesser, email)  # not with the right one either
    assert (locked.status_code, locked.json()["code"]) == (429, "account_locked")
    assert 0 < int(locked.headers["Retry-After"]) <= 900
    assert locked.headers["RateLimit-Policy"] == '"sign_in";q=300;w=60'
    token = await guesser.post("/api/v1/auth/token", data={"username": email, "password": PASSWORD})
    assert token.json()["code"] == "account_locked"
    assert (await by_form(guesser, email)).status_code == 429
    owner = await browser_at(house, browsers, "198.51.100.7")
    assert (await by_form(owner, email)).status_code == 303


async def test_an_address_that_does_not_exist_is_locked_like_any_other(
    house: House, browsers: AsyncExitStack, address: str
) -> None:
    (known,) = await newcomers(house, 1)
    told = []
    for email in (known, "nobody.at.all@example.org"):
        guesser = await browser_at(house, browsers, address)
        replies = [await by_api(guesser, email, WRONG) for _ in range(5)]
        told.append([reply.json() | {"request_id": ""} for reply in replies])
    assert told[0] == told[1]
    away = await browser_at(house, browsers, new_address())
    codes = [[(await by_api(away, email, WRONG)).json()["code"] for _ in range(2)] for email in (known, "x@y.example")]
    assert codes[0] == codes[1]


async def test_a_classmate_who_guesses_keeps_nobody_out_who_was_here_before(
    house: House, browsers: AsyncExitStack, address: str
) -> None:
    (email,) = await newcomers(house, 1)
    owner = await browser_at(house, browsers, address)
    assert (await by_form(owner, email)).status_code == 303
    mark = owner.cookies["lms_device"]
    owner.cookies.delete("lms_access")
    guesser = await browser_at(house, browsers, address)
    for number in range(12):
        await by_api(guesser, email if number < 6 else f"other{number}@example.org", WRONG)
    assert (await by_form(guesser, email)).status_code == 429
    assert (await by_form(owner, email)).status_code == 303
    assert owner.cookies["lms_device"] == mark  # the same accounts by the same browser: the same mark


async def test_the_page_says_so_in_words(house: House, browsers: AsyncExitStack) -> None:
    for language, words in (("en", "Too many failed sign-ins"), ("ar", "محاولات دخول كثيرة")):
        (email,) = await newcomers(house, 1)
        browser = await browser_at(house, browsers, new_address())
        browser.cookies.set("lms_lang", language)
        replies = [await by_form(browser, email, WRONG) for _ in range(6)]
        assert [reply.status_code for reply in replies] == [422] * 5 + [429]
        assert words in replies[-1].text
        assert email in replies[-1].text
        assert 0 < int(replies[-1].headers["Retry-After"]) <= 900


async def test_programs_that_go_on_with_their_sessions_are_not_one_address(
    house: House, browsers: AsyncExitStack, address: str
) -> None:
    students = [await house.student() for _ in range(7)]
    programs = [await browser_at(house, browsers, address) for _ in students]
    for _ in range(10):
        for student, program in zip(students, programs, strict=True):
            body = {"refresh_token": student.tokens["refresh_token"]}
            reply = await program.post("/api/v1/auth/refresh", json=body)
            assert reply.status_code == 200
            student.tokens = reply.json()
    garbage = [(await programs[0].post("/api/v1/auth/refresh", json={"refresh_token": "x"})) for _ in range(100)]
    assert {reply.status_code for reply in garbage[:60]} == {401}
    assert 429 in {reply.status_code for reply in garbage[60:]}


async def test_the_mark_of_a_browser_is_out_of_reach_and_outlives_the_session(
    house: House, browsers: AsyncExitStack, address: str
) -> None:
    (email,) = await newcomers(house, 1)
    browser = await browser_at(house, browsers, address)
    reply = await by_api(browser, email)
    (cookie,) = [line for line in reply.headers.get_list("Set-Cookie") if line.startswith("lms_device=")]
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    headers = {"X-CSRF-Token": browser.cookies["lms_csrf"]}
    signed_out = await browser.post("/api/v1/auth/logout-cookie", json={}, headers=headers)
    assert signed_out.status_code == 204
    assert "lms_device" in browser.cookies
    assert "lms_access" not in browser.cookies


async def test_registering_counts_for_the_address_by_form_and_by_api(
    house: House, browsers: AsyncExitStack, address: str
) -> None:
    browser = await browser_at(house, browsers, address)
    body = {"email": "no address", "password": "x", "full_name": "X"}
    statuses = [(await browser.post("/api/v1/auth/register", json=body)).status_code for _ in range(100)]
    assert statuses[:60] == [422] * 60
    assert 429 in statuses[60:]
    for _ in range(100):  # while we ask, the bucket refills
        form = await browser.post("/register", data=body)
        if form.status_code == 429:
            break
    assert form.status_code == 429
    assert "Too many requests" in form.text
    assert int(form.headers["Retry-After"]) >= 1
    assert (await browser.get("/signin")).status_code == 200  # who only looks is not kept out


@pytest.fixture
def two_a_minute(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So little at the entrance that nothing of it comes back while a test asks."""
    assert house.services.settings.rate_limit_auth_per_minute == 60
    few = house.services.settings.model_copy(update={"rate_limit_auth_per_minute": 2})
    monkeypatch.setattr(house.services.limiter, "_settings", few)


@pytest.mark.usefixtures("two_a_minute")
@pytest.mark.parametrize("path", ["/forgot", "/register", "/verify-email"])
async def test_who_is_signed_in_is_one_of_their_address_at_the_entrance(
    house: House, browsers: AsyncExitStack, address: str, path: str
) -> None:
    """Or whoever has ten accounts asks ten times as much there."""
    left = []
    for email in await newcomers(house, 2):
        browser = await browser_at(house, browsers, address)
        assert (await by_form(browser, email)).status_code == 303
        sent = await browser.post(path, data={"email": "", "csrf": browser.cookies["lms_csrf"]})
        assert sent.headers["RateLimit-Policy"] == '"auth";q=2;w=60'
        left.append(int(sent.headers["RateLimit-Remaining"]))
    assert left == [1, 0]


async def test_pages_of_strangers_are_counted_by_address_and_widely(
    house: House, browsers: AsyncExitStack, address: str
) -> None:
    browser = await browser_at(house, browsers, address)
    reply = await browser.get("/signin")
    assert reply.headers["RateLimit-Policy"] == '"pages";q=600;w=60'
    assert "RateLimit" not in (await browser.get("/static/000000000000/app.css")).headers
