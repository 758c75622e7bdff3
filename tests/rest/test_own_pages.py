"""/me and /me/security as a browser without scripts has them. How they look is seen in `tests/browser`."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pyotp
import pytest

from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house

NEW_PASSWORD = "the lake in october 7"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_CODE = re.compile(r"<li><code>([^<]+)</code></li>")
_SECRET = re.compile(r'<bdi dir="ltr"><code>([A-Z2-7 ]+)</code></bdi>')


@dataclass
class Browser:
    """Somebody signed in by a cookie, before the pages of their account."""

    visitor: Visitor
    http: httpx.AsyncClient

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """A form of the page, sent with the token that stands in it."""
        page = await self.http.get("/me")
        return await self.http.post(path, data={"csrf": _CSRF.findall(page.text)[0]} | fields)

    @property
    def email(self) -> str:
        return str(self.visitor.user["email"])


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference to pages."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("own"))) as opened:
        yield opened


def cookie_client(house: House, token: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=house.address, trust_env=False, timeout=30, headers={"Accept-Language": "en"})
    client.cookies.set("lms_access", token)
    return client


@pytest.fixture
async def browser(house: House) -> AsyncIterator[Browser]:
    visitor = await house.student("Lina Own")
    async with cookie_client(house, visitor.tokens["access_token"]) as client:
        yield Browser(visitor, client)


def taken_away(reply: httpx.Response) -> set[str]:
    """The names of the cookies that a reply ends."""
    set_cookies = reply.headers.get_list("set-cookie")
    return {each.partition("=")[0] for each in set_cookies if "1970" in each}


def app_code(house: House, secret: str, *, steps: int = 0) -> str:
    """What the app shows, or will."""
    return pyotp.TOTP(secret).generate_otp(house.services.clock.now_ms() // 30_000 + steps)


async def with_app(house: House, browser: Browser) -> tuple[str, list[str]]:
    """The second step switched on by the pages: the app's secret and the recovery codes."""
    setup = await browser.post("/me/security/two-steps", method="totp", setup_password=PASSWORD)
    assert setup.status_code == 200
    secret = _SECRET.findall(setup.text)[0].replace(" ", "")
    made = await browser.post("/me/security/two-steps/confirm", method="totp", code=app_code(house, secret))
    assert made.status_code == 200
    return secret, _CODE.findall(made.text)


# --- the profile ---


async def test_the_profile_is_saved_and_the_browser_follows_it(browser: Browser) -> None:
    fields = {"full_name": "Lina Neu", "language": "ar", "digits": "arab", "timezone": "Africa/Cairo", "version": "1"}
    user = await browser.visitor.ok("GET", "/users/me")
    reply = await browser.post("/me", **fields | {"version": str(user["version"])})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/me?done=saved")
    saved = await browser.visitor.ok("GET", "/users/me")
    assert (saved["full_name"], saved["locale"], saved["timezone"]) == ("Lina Neu", "ar-u-nu-arab", "Africa/Cairo")
    assert (browser.http.cookies["lms_lang"], browser.http.cookies["lms_digits"]) == ("ar", "arab")
    assert 'dir="rtl"' in (await browser.http.get("/me")).text


async def test_a_profile_that_cannot_be_is_shown_again(browser: Browser) -> None:
    version = str((await browser.visitor.ok("GET", "/users/me"))["version"])
    fields = {"full_name": " ", "language": "en", "timezone": "Moon/Base", "version": version}
    reply = await browser.post("/me", **fields)
    assert reply.status_code == 422
    assert 'href="#full_name"' in reply.text
    assert 'href="#timezone"' in reply.text


async def test_who_was_slower_overwrites_nothing(browser: Browser) -> None:
    version = str((await browser.visitor.ok("GET", "/users/me"))["version"])
    await browser.visitor.ok("PATCH", "/users/me", json={"full_name": "Lina First"})
    reply = await browser.post("/me", full_name="Lina Late", language="en", timezone="UTC", version=version)
    assert (reply.status_code, "Lina Late" in reply.text) == (412, True)
    assert (await browser.visitor.ok("GET", "/users/me"))["full_name"] == "Lina First"


async def test_the_address_can_be_confirmed(browser: Browser) -> None:
    assert "Not confirmed yet" in (await browser.http.get("/me")).text
    reply = await browser.post("/me/address")
    assert (reply.status_code, reply.headers["Location"]) == (303, "/me?done=sent")


# --- whose they are ---


FORMS = ("/me", "/me/address", *(f"/me/security/{name}" for name in ("password", "sessions", "export", "leave")))
TWO_STEPS = ("/me/security/two-steps", "/me/security/two-steps/confirm", "/me/security/two-steps/off")


@pytest.mark.parametrize("path", [*FORMS, *TWO_STEPS])
async def test_a_form_from_elsewhere_does_nothing(browser: Browser, path: str) -> None:
    await browser.http.get("/me")
    assert (await browser.http.post(path, data={"csrf": "made up"})).status_code == 403


@pytest.mark.parametrize("path", ["/me", "/me/security", "/me/security/export"])
async def test_strangers_sign_in_first(house: House, path: str) -> None:
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as stranger:
        reply = await stranger.get(path)
    assert (reply.status_code, reply.headers["Location"]) == (303, f"/signin?next={path}")


async def test_security_is_kept_from_who_acts_in_ones_place(house: House, browser: Browser) -> None:
    admin, user_id = await house.admin(), browser.visitor.user_id
    given = await admin.ok("POST", f"/admin/users/{user_id}/impersonate", json={"reason": "Sees no quiz"})
    async with cookie_client(house, given["access_token"]) as client:
        assert (await client.get("/me")).status_code == 200
        assert "/me/security" not in (await client.get("/me")).text
        assert (await client.get("/me/security")).status_code == 403


# --- the password ---


async def test_everybody_is_told_the_length_that_holds_for_them(house: House, browser: Browser) -> None:
    of_student = (await browser.http.get("/me/security")).text
    assert "At least 8 characters" in of_student
    teacher = await house.teacher()
    async with cookie_client(house, teacher.tokens["access_token"]) as client:
        assert "At least 12 characters" in (await client.get("/me/security")).text


async def test_a_new_password_ends_the_other_sessions(house: House, browser: Browser) -> None:
    other = await house.visitor()
    await other.sign_in(browser.email, PASSWORD)
    wrong = await browser.post("/me/security/password", current_password="no", new_password=NEW_PASSWORD)
    assert (wrong.status_code, "The password is wrong." in wrong.text) == (422, True)
    short = await browser.post("/me/security/password", current_password=PASSWORD, new_password="short")
    assert (short.status_code, "Use more characters." in short.text, PASSWORD in short.text) == (422, True, False)
    done = await browser.post("/me/security/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert (done.status_code, done.headers["Location"]) == (303, "/me/security?done=password")
    assert (await browser.http.get("/me/security")).status_code == 200
    await other.refused(401, "GET", "/users/me")


async def test_who_guesses_the_password_is_told_to_wait(browser: Browser) -> None:
    replies = [
        await browser.post("/me/security/password", current_password=f"guess {number}", new_password=NEW_PASSWORD)
        for number in range(6)
    ]
    assert {reply.status_code for reply in replies[:5]} == {422}
    assert replies[5].status_code == 429
    assert int(replies[5].headers["Retry-After"]) > 0


# --- two steps ---


async def test_secret_and_codes_are_shown_once(house: House, browser: Browser) -> None:
    setup = await browser.post("/me/security/two-steps", method="totp", setup_password=PASSWORD)
    assert (setup.headers["Cache-Control"], setup.text.count("data:image/svg+xml")) == ("no-store", 1)
    secret = _SECRET.findall(setup.text)[0].replace(" ", "")
    assert secret in html.unescape(setup.text)
    wrong = await browser.post("/me/security/two-steps/confirm", method="totp", code="000000x")
    assert (wrong.status_code, "data:image" in wrong.text, secret in wrong.text) == (422, False, False)
    made = await browser.post("/me/security/two-steps/confirm", method="totp", code=app_code(house, secret))
    codes = _CODE.findall(made.text)
    assert (made.status_code, made.headers["Cache-Control"], len(set(codes))) == (200, "no-store", 10)
    overview = (await browser.http.get("/me/security")).text
    assert "On, by an app" in overview
    assert not [code for code in (secret, *codes) if code in overview]
    again = await browser.post("/me/security/two-steps/confirm", method="totp", code=app_code(house, secret, steps=1))
    assert (again.status_code, again.headers["Location"]) == (303, "/me/security")


async def test_it_is_switched_off_by_password_and_code(house: House, browser: Browser) -> None:
    _, codes = await with_app(house, browser)
    wrong = await browser.post("/me/security/two-steps/off", off_password=PASSWORD, off_code="000000")
    assert (wrong.status_code, 'href="#off_code"' in wrong.text) == (422, True)
    none = await browser.post("/me/security/two-steps/off", off_password=PASSWORD)
    assert none.status_code == 422
    done = await browser.post("/me/security/two-steps/off", off_password=PASSWORD, off_code=codes[0])
    assert (done.status_code, done.headers["Location"]) == (303, "/me/security?done=off")
    assert (await browser.visitor.ok("GET", "/users/me"))["mfa_enabled"] is False


async def test_a_code_by_mail_is_asked_for(browser: Browser) -> None:
    asked = await browser.post("/me/security/two-steps", method="email", setup_password=PASSWORD)
    assert (asked.status_code, "sent six digits" in asked.text, "data:image" in asked.text) == (200, True, False)
    soon = await browser.post("/me/security/two-steps", method="email", setup_password=PASSWORD)
    assert (soon.status_code, "Wait a minute" in soon.text) == (429, True)
    wrong = await browser.post("/me/security/two-steps", method="email", setup_password="no")
    assert (wrong.status_code, 'href="#setup_password"' in wrong.text) == (422, True)


# --- sessions ---


async def test_sessions_are_ended(house: House, browser: Browser) -> None:
    others = [await house.visitor() for _ in range(3)]
    for other in others:
        await other.sign_in(browser.email, PASSWORD)
    assert (await browser.http.get("/me/security")).text.count('name="end"') == 4
    listed = (await others[0].ok("GET", "/auth/sessions"))["items"]
    first = next(one["id"] for one in listed if one["is_current"])
    done = await browser.post("/me/security/sessions", end=first)
    assert (done.status_code, done.headers["Location"]) == (303, "/me/security?done=ended")
    await others[0].refused(401, "GET", "/users/me")
    assert (await browser.post("/me/security/sessions", end=first)).status_code == 303
    assert (await browser.post("/me/security/sessions")).headers["Location"] == "/me/security?done=ended_others"
    await others[1].refused(401, "GET", "/users/me")
    own = (await browser.visitor.ok("GET", "/auth/sessions"))["items"]
    out = await browser.post("/me/security/sessions", end=own[0]["id"])
    assert (len(own), out.headers["Location"]) == (1, "/")
    assert {"lms_access", "lms_refresh", "lms_csrf"} <= taken_away(out)


async def test_nobody_ends_the_session_of_another(house: House, browser: Browser) -> None:
    other = await house.student()
    (theirs,) = (await other.ok("GET", "/auth/sessions"))["items"]
    assert (await browser.post("/me/security/sessions", end=theirs["id"])).status_code == 303
    await other.ok("GET", "/users/me")


async def test_the_codes_are_kept_as_a_file_and_nobody_asks_for_them_later(house: House, browser: Browser) -> None:
    _, codes = await with_app(house, browser)
    path, csrf = "/me/security/two-steps/codes", _CSRF.findall((await browser.http.get("/me")).text)[0]
    kept = await browser.http.post(path, data={"csrf": csrf, "codes": codes})
    assert kept.headers["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert (kept.headers["Content-Type"], kept.headers["Cache-Control"]) == ("text/plain; charset=utf-8", "no-store")
    assert kept.text.splitlines()[-10:] == codes
    assert browser.email in kept.text
    for wrong in ([], [*codes, codes[0]], ["<script>"], [f"{codes[0]}\r\nX: y"], [*codes[1:], "0000"]):
        reply = await browser.http.post(path, data={"csrf": csrf, "codes": wrong})
        assert (reply.status_code, "Content-Disposition" in reply.headers) == (404, False)
    assert (await browser.http.post(path, data={"codes": codes})).status_code == 403
    later = await browser.http.get(path)
    assert (later.status_code, later.headers["Location"]) == (303, "/me/security")
    assert not [code for code in codes if code in (await browser.http.get("/me/security")).text]


# --- data ---


async def test_a_copy_is_asked_for_and_its_state_is_shown(browser: Browser) -> None:
    assert "Ask for a copy" in (await browser.http.get("/me/security")).text
    asked = await browser.post("/me/security/export")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/me/security?done=export")
    shown = (await browser.http.get("/me/security")).text
    assert ("Look again" in shown or "Fetch the copy" in shown, "Ask for a copy" in shown) == (True, False)
    fetched = await browser.http.get("/me/security/export")
    assert (fetched.status_code, fetched.headers["Location"]) == (303, "/api/v1/users/me/export/download")


async def test_the_account_is_closed_by_address_and_password(house: House, browser: Browser) -> None:
    address = await browser.post("/me/security/leave", leave_address="x@example.org", leave_password=PASSWORD)
    assert (address.status_code, 'href="#leave_address"' in address.text) == (422, True)
    wrong = await browser.post("/me/security/leave", leave_address=browser.email, leave_password="no")
    assert (wrong.status_code, 'href="#leave_password"' in wrong.text) == (422, True)
    left = await browser.post("/me/security/leave", leave_address=browser.email.upper(), leave_password=PASSWORD)
    assert (left.status_code, "Your account is closed" in left.text) == (200, True)
    assert {"lms_access", "lms_refresh", "lms_csrf"} <= taken_away(left)
    await browser.visitor.refused(401, "GET", "/users/me")
    back = await house.visitor()
    await back.sign_in(browser.email, PASSWORD)
    async with cookie_client(house, back.tokens["access_token"]) as client:
        assert (await client.get("/me/security")).headers["Location"] == "/me/keep"


async def test_who_has_closed_their_account_fetches_a_copy_all_the_same(house: House, browser: Browser) -> None:
    await browser.post("/me/security/leave", leave_address=browser.email, leave_password=PASSWORD)
    back = await house.visitor()
    await back.sign_in(browser.email, PASSWORD)
    async with cookie_client(house, back.tokens["access_token"]) as client:
        page = (await client.get("/me/keep")).text
        assert 'action="/me/security/export"' in page
        asked = await client.post("/me/security/export", data={"csrf": _CSRF.findall(page)[0]})
        assert (asked.status_code, asked.headers["Location"]) == (303, "/me/keep#data")
        shown = (await client.get("/me/keep")).text
        assert "Look again" in shown or "Fetch the copy" in shown
        assert (await client.get("/me/security/export")).headers["Location"] == "/api/v1/users/me/export/download"
        kept = await client.post("/me/keep", data={"csrf": _CSRF.findall(shown)[0]})
        assert (kept.status_code, kept.headers["Location"]) == (303, "/")


async def test_who_still_has_courses_is_told_so(house: House) -> None:
    teacher = await house.teacher()
    await teacher.ok("POST", "/courses", json={"title": "Geometry"})
    async with cookie_client(house, teacher.tokens["access_token"]) as client:
        browser = Browser(teacher, client)
        kept = await browser.post("/me/security/leave", leave_address=browser.email, leave_password=PASSWORD)
    assert (kept.status_code, "Courses of yours are still there" in kept.text) == (409, True)
    await teacher.ok("GET", "/users/me")


async def test_the_school_keeps_an_administrator(house: House) -> None:
    admin = await house.admin()
    async with cookie_client(house, admin.tokens["access_token"]) as client:
        browser = Browser(admin, client)
        kept = await browser.post("/me/security/leave", leave_address=browser.email, leave_password=PASSWORD)
    assert (kept.status_code, "at least one administrator" in kept.text) == (409, True)
    await admin.ok("GET", "/users/me")


async def test_a_locale_that_says_more_is_left_as_it_is(browser: Browser) -> None:
    user = await browser.visitor.ok("PATCH", "/users/me", json={"locale": "ar-u-ca-islamic-nu-arab"})
    fields = {"full_name": "Lina", "timezone": "UTC", "language": "ar"}
    await browser.post("/me", **fields, digits="arab", version=str(user["version"]))
    same = await browser.visitor.ok("GET", "/users/me")
    assert (same["full_name"], same["locale"]) == ("Lina", "ar-u-ca-islamic-nu-arab")
    await browser.post("/me", **fields, digits="latn", version=str(same["version"]))
    assert (await browser.visitor.ok("GET", "/users/me"))["locale"] == "ar"
