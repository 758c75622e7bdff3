"""The links of mails in a browser: without scripts, in both languages, from the mailbox to signing in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_mails import newcomer, open_mail
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
NEW_PASSWORD = "the lake in october 7"


def link_of_mail(page: Page, name: str) -> str:
    """The path of a button in the mail that is shown as text."""
    address = re.findall(r"https?://\S+/[\w-]+\?token=[\w-]+", page.locator(".mail-text").last.inner_text())
    assert address, name
    return "/" + str(address[0]).split("/", 3)[3]


def test_a_forgotten_password_without_scripts(open_window: Opener, demo_school: DemoSchool) -> None:
    email, http = newcomer(demo_school)
    http.close()
    window = open_window(has_scripts=False)
    page = window.page
    page.goto("/signin?lang=en")
    page.get_by_role("link", name="Forgot your password?").click()
    page.fill("#email", email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.locator("h1")).to_have_text("Look into your mailbox")
    open_mail(page, email, "Choose a new password")
    path = link_of_mail(page, "reset")
    assert not looked_at(open_window(), path)
    page.goto(f"{path}&lang=en")
    page.fill("#new_password", "short")
    page.get_by_role("button", name="Save the password").click()
    expect(page.locator(".error-summary")).to_be_visible()
    page.fill("#new_password", NEW_PASSWORD)
    page.get_by_role("button", name="Save the password").click()
    expect(page.locator("h1")).to_have_text("Your new password holds")
    page.locator("main").get_by_role("link", name="Sign in").click()
    page.fill("#email", email)
    page.fill("#password", NEW_PASSWORD)
    page.locator("main button[type=submit]").click()
    expect(page).to_have_url(re.compile("/home$"))


def test_an_address_is_confirmed_by_a_button(open_window: Opener, demo_school: DemoSchool) -> None:
    email, http = newcomer(demo_school)
    window = open_window()
    open_mail(window.page, email, "Confirm your address")
    path = link_of_mail(window.page, "confirm")
    assert not looked_at(window, path)
    assert http.get("/auth/me").json()["email_verified_at"] is None
    window.page.goto(f"{path}&lang=ar")
    window.page.locator("main button[type=submit]").click()
    expect(window.page.locator("h1")).to_have_text("تم تأكيد عنوانك")
    assert http.get("/auth/me").json()["email_verified_at"] is not None
    http.close()
