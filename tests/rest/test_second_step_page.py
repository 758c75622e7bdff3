"""The page of the second step as a browser without scripts posts it. How it looks is seen in `tests/browser`."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from handlers.app import make_app
from handlers.web import accounts, second_step
from tests.rest.people import MONA
from tests.rest.serving import BASE, client_of
from tests.services.people import People
from tests.services.second_steps import Steps, steps_of

FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@dataclass
class Browser:
    """Somebody before the sign-in form."""

    http: httpx.AsyncClient
    steps: Steps

    async def posted(self, path: str, **fields: str) -> httpx.Response:
        """A form sent, its hidden fields among the others."""
        return await self.http.post(self._url(path), data=fields)

    async def given_password(self, next_path: str = "/courses/mine") -> dict[str, str]:
        """The hidden fields of the form that follows the password."""
        form = await self.http.get(self._url(f"/signin?next={next_path}"))
        reply = await self.posted("/signin", **dict(FIELD.findall(form.text)), **MONA)
        assert reply.status_code == 200
        assert "lms_access" not in self.http.cookies
        return {name: html.unescape(value) for name, value in FIELD.findall(reply.text)}

    def _url(self, path: str) -> str:
        return str(self.http.base_url).removesuffix("/").removesuffix(BASE) + path


@pytest.fixture
async def browser(people: People) -> AsyncIterator[Browser]:
    steps = steps_of(people)
    services = SimpleNamespace(**vars(people), limiter=people.limiter, device_marks=people.device_marks)
    services.second_steps = steps.second_steps
    pages = (*accounts.PAGES, *second_step.PAGES)
    async with client_of(make_app(cast("Any", services), operations=(), pages=pages, live=())) as http:
        http.headers["Accept-Language"] = "en"
        yield Browser(http, steps)


async def test_the_code_signs_in_and_goes_on(browser: Browser) -> None:
    mona = await browser.steps.with_app()
    hidden = await browser.given_password()
    reply = await browser.posted("/signin/code", **hidden, code=browser.steps.app_code(mona.secret))
    assert (reply.status_code, reply.headers["Location"]) == (303, "/courses/mine")
    assert {"lms_access", "lms_refresh", "lms_csrf", "lms_device"} <= set(browser.http.cookies)


async def test_the_challenge_stands_in_the_form_alone(browser: Browser) -> None:
    await browser.steps.with_app()
    hidden = await browser.given_password()
    assert set(hidden) == {"csrf", "challenge", "method", "kind", "next"}
    assert hidden["challenge"] not in str(dict(browser.http.cookies))


async def test_nobody_is_sent_to_another_place_after_the_code(browser: Browser) -> None:
    mona = await browser.steps.with_app()
    hidden = await browser.given_password() | {"next": "https://evil.test/"}
    reply = await browser.posted("/signin/code", **hidden, code=browser.steps.app_code(mona.secret))
    assert (reply.status_code, reply.headers["Location"]) == (303, "/home")


async def test_a_form_from_elsewhere_is_refused(browser: Browser) -> None:
    mona = await browser.steps.with_app()
    hidden = await browser.given_password() | {"csrf": "made up"}
    reply = await browser.posted("/signin/code", **hidden, code=browser.steps.app_code(mona.secret))
    assert reply.status_code == 403
    assert "lms_access" not in browser.http.cookies


async def test_too_many_wrong_codes_say_when_to_come_again(browser: Browser) -> None:
    await browser.steps.with_app()
    hidden = await browser.given_password()
    for code in ("", "x" * 200, *(f"00000{number}" for number in range(5))):  # the first two are no guesses
        reply = await browser.posted("/signin/code", **hidden, code=code)
        assert reply.status_code == 422
        assert "This code is not right" in reply.text
        hidden = await browser.given_password()
    locked = await browser.posted("/signin/code", **hidden, code="000005")
    assert locked.status_code == 429
    assert 0 < int(locked.headers["Retry-After"]) <= 900
    assert "Try again in 15 minutes." in locked.text


async def test_who_took_too_long_begins_again(browser: Browser) -> None:
    mona = await browser.steps.with_app()
    hidden = await browser.given_password()
    browser.steps.people.clock.advance(600)
    reply = await browser.posted("/signin/code", **hidden, code=browser.steps.app_code(mona.secret))
    assert reply.status_code == 422
    assert "This sign-in took too long" in reply.text
    assert 'name="password"' in reply.text


async def test_another_code_by_mail_is_sent_after_a_minute(browser: Browser) -> None:
    await browser.steps.with_mail()
    hidden = await browser.given_password()
    soon = await browser.posted("/signin/code", **hidden, act="resend")
    assert (soon.status_code, soon.headers["Retry-After"]) == (429, "60")
    browser.steps.people.clock.advance(60)
    sent = await browser.posted("/signin/code", **hidden, act="resend")
    assert sent.status_code == 200
    assert "Another code is on its way." in sent.text
    reply = await browser.posted("/signin/code", **hidden, code=await browser.steps.mailed_code())
    assert reply.status_code == 303


async def test_a_recovery_code_has_a_field_of_its_own(browser: Browser) -> None:
    mona = await browser.steps.with_app()
    hidden = await browser.given_password()
    asked = await browser.posted("/signin/code", **hidden, act="recovery_code")
    assert "One of the ten codes that you kept." in asked.text
    shown = {name: html.unescape(value) for name, value in FIELD.findall(asked.text)}
    assert shown["challenge"] == hidden["challenge"]
    assert (await browser.posted("/signin/code", **shown, code=mona.recovery_codes[7])).status_code == 303
