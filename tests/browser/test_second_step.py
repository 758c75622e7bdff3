"""The second step of signing in, in a browser: with scripts and without, by app, mail and recovery code, and in place."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
PASSWORD = "four calm words here"
SUBMIT = "main button.button-main[type=submit]"
ASK_SOMETHING = """async () => {
  const own = document.querySelector("script[type=module][src]").src;
  const { read } = await import(own.replace(/[^/]+$/, "api.js"));
  document.title = (await read("/users/me")).email;
}"""


@dataclass
class Newcomer:
    """Somebody of the demo school with an app."""

    email: str
    secret: str = ""
    recovery_codes: tuple[str, ...] = ()

    def app_code(self) -> str:
        """What the app shows next: the code that set it up is used already."""
        return pyotp.TOTP(self.secret).generate_otp(int(time.time()) // 30 + 1)


@contextmanager
def newcomer(school: DemoSchool) -> Iterator[tuple[str, httpx.Client]]:
    """Somebody who has just registered: their address, and their hands at the API."""
    email = f"{uuid.uuid4().hex}@demo.school"
    with httpx.Client(base_url=f"{school.address}/api/v1", timeout=30) as http:
        body = {"email": email, "password": PASSWORD, "full_name": "Nora Newcomer"}
        tokens = http.post("/auth/register", json=body).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield email, http


def with_app(school: DemoSchool) -> Newcomer:
    with newcomer(school) as (email, http):
        asked = {"password": PASSWORD, "method": "totp"}
        secret = http.post("/auth/mfa/enable", json=asked).raise_for_status().json()["secret"]
        code = pyotp.TOTP(secret).generate_otp(int(time.time()) // 30)
        shown = http.post("/auth/mfa/verify", json={"code": code}).raise_for_status().json()
    return Newcomer(email, secret, tuple(shown["recovery_codes"]))


def with_mail(school: DemoSchool) -> tuple[str, str]:
    """Their address, and the code that was mailed to set it up."""
    with newcomer(school) as (email, http):
        asked = {"password": PASSWORD, "method": "email"}
        http.post("/auth/mfa/enable", json=asked).raise_for_status()
        code = mailed_code(school, email)
        http.post("/auth/mfa/verify", json={"code": code}).raise_for_status()
    return email, code


def give_password(page: Page, email: str, path: str = "/signin?next=/notifications") -> None:
    page.goto(path)
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click(SUBMIT)
    expect(page.locator("#code")).to_be_visible()


def mailed_code(school: DemoSchool, email: str, but: str = "") -> str:
    """The code of the newest mail to this address that is not the one we know."""
    with httpx.Client(base_url=school.address, timeout=30) as http:
        while True:
            for path in dict.fromkeys(re.findall(r"/dev/mailbox/[^\"?#\s]+", http.get("/dev/mailbox").text)):
                mail = http.get(path).text
                found = re.search(r"^ +(\d{6})$", mail, re.MULTILINE)
                if found and email in mail and found[1] != but:
                    return found[1]


def test_a_code_of_the_app_opens_without_scripts(open_window: Opener, demo_school: DemoSchool) -> None:
    nora = with_app(demo_school)
    page = open_window(has_scripts=False).page
    give_password(page, nora.email)
    assert "challenge" not in page.url
    page.fill("#code", "000000")
    page.click(SUBMIT)
    expect(page.locator(".error-summary")).to_contain_text("This code is not right")
    expect(page).to_have_title(re.compile("^Error: "))
    page.fill("#code", nora.app_code())
    page.click(SUBMIT)
    expect(page).to_have_url(re.compile("/notifications$"))


def test_a_recovery_code_opens_without_scripts(open_window: Opener, demo_school: DemoSchool) -> None:
    nora = with_app(demo_school)
    page = open_window(has_scripts=False).page
    give_password(page, nora.email)
    page.get_by_role("button", name="Use a recovery code").click()
    expect(page.get_by_label("Recovery code")).to_be_visible()
    page.fill("#code", nora.recovery_codes[0].lower())
    page.click(SUBMIT)
    expect(page).to_have_url(re.compile("/notifications$"))


def test_a_code_by_mail_opens_and_comes_no_more_than_once_a_minute(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    email, first = with_mail(demo_school)
    page = open_window().page
    give_password(page, email)
    code = mailed_code(demo_school, email, but=first)
    page.get_by_role("button", name="Send another code").click()
    expect(page.locator(".error-summary")).to_contain_text("A code was sent a moment ago")
    page.fill("#code", code)
    page.click(SUBMIT)
    expect(page).to_have_url(re.compile("/notifications$"))


def test_a_reload_begins_with_the_password_again(open_window: Opener, demo_school: DemoSchool) -> None:
    nora = with_app(demo_school)
    page = open_window().page
    give_password(page, nora.email)
    page.goto("/signin/code")
    expect(page).to_have_url(re.compile("/signin$"))
    expect(page.locator("#email")).to_have_value("")


def test_a_made_up_challenge_begins_with_the_password_again(open_window: Opener, demo_school: DemoSchool) -> None:
    nora = with_app(demo_school)
    page = open_window().page
    give_password(page, nora.email)
    page.evaluate("document.querySelector('[name=challenge]').value = 'made up'")
    page.fill("#code", nora.app_code())
    page.click(SUBMIT)
    expect(page.locator(".error-summary")).to_contain_text("Begin again")
    expect(page.locator("#password")).to_be_visible()


@pytest.mark.parametrize(("looks", "width"), [("lang=en&theme=light", 1280), ("lang=ar&theme=dark", 320)])
def test_the_form_of_the_code_is_for_everybody(
    open_window: Opener, demo_school: DemoSchool, looks: str, width: int
) -> None:
    nora = with_app(demo_school)
    window = open_window(width=width)
    give_password(window.page, nora.email, f"/signin?{looks}")
    assert not window.look_over()
    window.page.fill("#code", "1")
    window.page.click(SUBMIT)
    expect(window.page.locator(".error-summary")).to_be_focused()
    assert not window.look_over()


def test_signing_in_again_in_place_asks_for_the_code_too(open_window: Opener, demo_school: DemoSchool) -> None:
    nora = with_app(demo_school)
    window = open_window()
    page = window.page
    give_password(page, nora.email)
    page.fill("#code", nora.recovery_codes[0])
    page.click(SUBMIT)
    expect(page).to_have_url(re.compile("/notifications$"))
    window.forget_cookie("lms_access")
    window.forget_cookie("lms_refresh")
    page.evaluate(f"void ({ASK_SOMETHING})()")
    forgot = page.get_by_role("dialog").get_by_role("link", name="Forgot your password?")
    expect(forgot).to_have_attribute("href", "/forgot")
    expect(forgot).to_have_attribute("target", "_blank")  # what is not sent yet stays on this page
    page.fill("#again-email", nora.email)
    page.fill("#again-password", PASSWORD)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.locator("#again-code")).to_be_focused()
    assert not window.look_over()
    page.fill("#again-code", "000000")
    page.keyboard.press("Enter")
    expect(page.locator("dialog .error-summary")).to_contain_text("This code is not right")
    page.fill("#again-code", nora.app_code())
    page.keyboard.press("Enter")
    expect(page).to_have_title(nora.email)
    expect(page.get_by_role("dialog")).to_have_count(0)
