"""The pages behind the links of mails, as a browser without scripts has them: only the button does something."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import httpx
import pytest
from pymongo.errors import AutoReconnect

from documents.job import Job
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD
from tests.rest.mail_links import NEW_PASSWORD, changed, joined, link, new_address, post, sign_in, subjects
from tests.workers.mail_school import MailSchool, open_mail_school

_FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailSchool]:
    """A school with a mail server; where its data lies makes no difference to pages."""
    async with open_mail_school(settings_on("embedded", request, tmp_path_factory.mktemp("pages"))) as opened:
        yield opened


@pytest.fixture
async def browser(school: MailSchool) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=school.house.address, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def address() -> str:
    return new_address()


@pytest.fixture
async def lina(school: MailSchool, address: str) -> Visitor:
    return await joined(school, address)


async def send(browser: httpx.AsyncClient, page: httpx.Response, **fields: str) -> httpx.Response:
    """Fill in the form of a page and send it, as its button does; the page that it leads to."""
    action = re.findall(r'<form class="stack stack-24" method="post" action="([^"]+)"', page.text)[0]
    return await browser.post(action, data=dict(_FIELD.findall(page.text)) | fields, follow_redirects=True)


async def reset_token(school: MailSchool, address: str) -> str:
    await post(school, "/auth/forgot-password", email=address)
    return await link(school, address, "/reset")


async def test_who_guesses_on_keeps_nobody_out_of_the_browser_of_the_reset(
    school: MailSchool, browser: httpx.AsyncClient, lina: Visitor, address: str
) -> None:
    page = await browser.get("/reset", params={"token": await reset_token(school, address)})
    assert "Your new password holds" in (await send(browser, page, new_password=NEW_PASSWORD)).text
    guesses = [(await sign_in(school, address, "a guess of a stranger 2")).json()["code"] for _ in range(6)]
    assert guesses[-1] == "account_locked"
    entered = await send(browser, await browser.get("/signin"), email=address, password=NEW_PASSWORD)
    assert str(entered.url).endswith("/home")


@pytest.mark.usefixtures("lina")
async def test_while_the_database_is_away_everybody_is_told_to_come_again(
    browser: httpx.AsyncClient, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page = await browser.get("/forgot")
    monkeypatch.setattr(Job, "put", AsyncMock(side_effect=AutoReconnect("away")))
    for email in (address, new_address()):
        told = await send(browser, page, email=email)
        assert (told.status_code, "Retry-After" in told.headers) == (503, True)
    assert [one for one in caplog.records if one.name == "lms_rt.web"] == [], "it is no fault of the page"


async def test_from_the_forgotten_password_to_the_new_one(
    school: MailSchool, browser: httpx.AsyncClient, lina: Visitor, address: str
) -> None:
    sent = await send(browser, await browser.get("/forgot"), email=address)
    assert "Look into your mailbox" in sent.text
    await school.house.services.later.settled()
    token = await link(school, address, "/reset")
    page = await browser.get("/reset", params={"token": token})
    refused = await send(browser, page, new_password="short")
    assert (refused.status_code, "Use more characters." in refused.text) == (422, True)
    assert "short" not in re.findall(r'value="([^"]*)"', refused.text), "a password is not echoed"
    done = await send(browser, refused, new_password=NEW_PASSWORD)
    assert "Your new password holds" in done.text
    assert str(done.url).endswith("/reset?done=1"), "the token is in the address no more"
    assert (await sign_in(school, address, NEW_PASSWORD)).status_code == 200
    over = await browser.get("/reset", params={"token": token})
    assert (over.status_code, "This link is over" in over.text, 'href="/forgot"' in over.text) == (410, True, True)


async def test_the_same_is_said_for_an_address_that_nobody_has(browser: httpx.AsyncClient, lina: Visitor) -> None:
    said = [
        await send(browser, await browser.get("/forgot"), email=email)
        for email in (str(lina.user["email"]), new_address(), "none at all", "x" * 2_000)
    ]
    words = {re.sub(r"<script.*?</script>", "", page.text, flags=re.DOTALL) for page in said}
    assert ({page.status_code for page in said}, len(words)) == ({200}, 1)


async def test_opening_a_link_proves_nothing_and_the_button_does(
    school: MailSchool, browser: httpx.AsyncClient, lina: Visitor, address: str
) -> None:
    token = await link(school, address, "/verify-email")
    for _ in range(2):
        page = await browser.get("/verify-email", params={"token": token})
    assert (await browser.head("/verify-email", params={"token": token})).status_code == 200
    assert (await lina.ok("GET", "/auth/me"))["email_verified_at"] is None
    assert "Your address is confirmed" in (await send(browser, page)).text
    assert (await lina.ok("GET", "/auth/me"))["email_verified_at"] is not None
    assert (await browser.get("/verify-email", params={"token": token})).status_code == 410


async def test_an_invitation_is_accepted_by_choosing_a_password(
    school: MailSchool, browser: httpx.AsyncClient, address: str
) -> None:
    admin = await school.house.admin()
    await admin.ok("POST", "/users", json={"email": address, "full_name": "Tamar Teacher", "role": "instructor"})
    page = await browser.get("/invite", params={"token": await link(school, address, "/invite")})
    assert "At least 12 characters" in page.text
    done = await send(browser, page, new_password=NEW_PASSWORD)
    assert str(done.url).endswith("/invite?done=1")
    assert (await sign_in(school, address, NEW_PASSWORD)).status_code == 200


@pytest.mark.parametrize("path", ["/forgot", "/reset", "/invite", "/verify-email"])
async def test_the_token_goes_nowhere(
    school: MailSchool,
    browser: httpx.AsyncClient,
    lina: Visitor,
    *,
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    token = await reset_token(school, str(lina.user["email"]))
    page = await browser.get(path, params={"token": token, "lang": "ar"})
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "/signin?next=" not in page.text, "the way back would carry the token along"
    assert not [href for href in re.findall(r'(?:href|src)="([^"]+)"', page.text) if token in href and "?" not in href]
    records = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "mail.log"))]
    assert not [record for record in records if token in record.getMessage() or token in str(vars(record))]


@pytest.mark.parametrize("path", ["/forgot", "/reset", "/invite", "/verify-email"])
async def test_a_form_from_elsewhere_is_refused(
    school: MailSchool, browser: httpx.AsyncClient, lina: Visitor, path: str
) -> None:
    email = str(lina.user["email"])
    token = await reset_token(school, email)
    came = len(subjects(school, email))
    fields = {"token": token, "new_password": NEW_PASSWORD, "email": email}
    assert (await browser.post(path, data=fields)).status_code == 403
    assert (await sign_in(school, email, PASSWORD)).status_code == 200
    await school.work()
    assert len(subjects(school, email)) == came


async def test_who_has_to_prove_their_address_is_shown_the_way(
    school: MailSchool, browser: httpx.AsyncClient, address: str
) -> None:
    with changed(school, require_verified_email=True):
        page = await browser.get("/register")
        heard = await send(browser, page, email=address, password=PASSWORD, full_name="Lina Link")
        assert (str(heard.url).endswith("/register?sent=1"), "Look into your mailbox" in heard.text) == (True, True)
        refused = await send(browser, await browser.get("/signin"), email=address, password=PASSWORD)
        assert "Confirm your address first" in refused.text
        assert 'href="/verify-email"' in refused.text
        await school.work()
        asked = await send(browser, await browser.get("/verify-email"), email=address)
        assert "Look into your mailbox" in asked.text
        await school.house.services.later.settled()
        token = await link(school, address, "/invite")
        await send(browser, await browser.get("/invite", params={"token": token}), new_password=NEW_PASSWORD)
        entered = await send(browser, await browser.get("/signin"), email=address, password=NEW_PASSWORD)
        assert str(entered.url).endswith("/home")


async def test_the_form_of_registration_tells_nobody_who_has_an_account(
    school: MailSchool, browser: httpx.AsyncClient, lina: Visitor
) -> None:
    with changed(school, registration_hides_existing=True):
        for email in (str(lina.user["email"]), new_address()):
            page = await browser.get("/register")
            heard = await send(browser, page, email=email, password=PASSWORD, full_name="Lina Link")
            assert str(heard.url).endswith("/register?sent=1")
            assert "lms_access" not in browser.cookies
    await school.house.services.later.settled()
