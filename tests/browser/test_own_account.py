"""One's own account in a browser: the second step set up and given up, a copy of the data, the account menu."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable

import httpx
import pyotp
import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import DEMO_PASSWORD, STUDENT_EMAILS
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
# Language, theme, width, with scripts or without.
LOOKS = (("en", "light", 1280, True), ("ar", "dark", 320, True), ("en", "dark", 320, False))


@pytest.fixture
def newcomer(demo_school: DemoSchool) -> str:
    """The address of somebody who has just registered."""
    email = f"{uuid.uuid4().hex}@example.org"
    body = {"email": email, "password": DEMO_PASSWORD, "full_name": "Nora Newcomer"}
    with httpx.Client(base_url=f"{demo_school.address}/api/v1", timeout=30) as http:
        http.post("/auth/register", json=body).raise_for_status()
    return email


def submit(page: Page, action: str) -> None:
    page.locator(f"form[action='{action}'] button[type=submit]").click()


def kept_by(page: Page, *, has_scripts: bool) -> list[str]:
    """The recovery codes as the page lets them be kept: as a file, and, with scripts, copied."""
    with page.expect_download() as download:
        submit(page, "/me/security/two-steps/codes")
    assert download.value.suggested_filename == "recovery-codes.txt"
    lines = download.value.path().read_text(encoding="utf-8").split("\n")
    codes = [line.strip() for line in lines if re.fullmatch(r"(\w{4}-){3}\w{4}", line.strip())]
    expect(page.locator("#codes-copy")).to_be_visible(visible=has_scripts)
    if has_scripts:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("#codes-copy").click()
        expect(page.locator("#codes-told")).not_to_be_empty()
        assert page.evaluate("navigator.clipboard.readText()").split("\n") == codes
    return codes


@pytest.mark.parametrize("look", LOOKS)
def test_the_second_step_from_the_picture_to_the_codes_and_back(
    open_window: Opener, newcomer: str, look: tuple[str, str, int, bool]
) -> None:
    language, theme, width, has_scripts = look
    window = open_window(who=newcomer, has_scripts=has_scripts)
    page, wrong = window.page, []
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/me/security?lang={language}&theme={theme}")
    page.fill("#setup_password", DEMO_PASSWORD)
    submit(page, "/me/security/two-steps")
    expect(page.locator("main img")).to_have_js_property("complete", True)
    assert page.locator("main img").evaluate("image => image.naturalWidth") > 0
    secret = re.sub(r"\s", "", page.locator("main code").inner_text())
    wrong += window.look_over(has_axe=has_scripts)
    page.fill("#code", pyotp.TOTP(secret).generate_otp(int(time.time()) // 30))
    submit(page, "/me/security/two-steps/confirm")
    codes = page.locator("main ol code")
    expect(codes).to_have_count(10)
    code = codes.nth(0).inner_text()
    assert kept_by(page, has_scripts=has_scripts) == codes.all_inner_texts()
    wrong += window.look_over(has_axe=has_scripts)
    page.locator("main a.button-main").click()
    wrong += window.look_over(has_axe=has_scripts)
    page.fill("#off_password", DEMO_PASSWORD)
    page.fill("#off_code", code)
    submit(page, "/me/security/two-steps/off")
    expect(page.locator("#setup_password")).to_be_visible()
    assert not wrong


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_copy_of_the_data_is_fetched(open_window: Opener, newcomer: str, has_scripts: bool) -> None:
    page = open_window(who=newcomer, has_scripts=has_scripts).page
    page.goto("/me/security?lang=en")
    submit(page, "/me/security/export")
    fetch = page.get_by_role("link", name="Fetch the copy")
    while not has_scripts and not fetch.is_visible():
        page.goto("/me/security")
    expect(fetch).to_be_visible()  # with scripts by itself
    with page.expect_download() as download:
        fetch.click()
    assert download.value.suggested_filename.endswith(".zip")


def test_the_account_menu_leads_there(open_window: Opener) -> None:
    page = open_window(who=STUDENT_EMAILS[1]).page
    page.goto("/home?lang=en")
    for name, path in (("Profile", "/me"), ("Security and data", "/me/security")):
        page.locator("summary[aria-label=Account]").click()
        page.get_by_role("link", name=name).first.click()
        expect(page).to_have_url(re.compile(f"{path}$"))
