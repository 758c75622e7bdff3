"""Acting in somebody's place, in a browser: the form, the banner with what is left, the button, and how a page learns of its end."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import ADMIN_EMAIL, DEMO_PASSWORD
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
NAME = "Nora Newcomer of the Long Name"
# Language, theme, width, with scripts or without.
LOOKS = (("ar", "dark", 320, True), ("en", "light", 1280, False))
QUARTER_MS = 15 * 60_000


@pytest.fixture
def nora(demo_school: DemoSchool) -> dict[str, str]:
    """Somebody who has just registered: their account and a token of theirs."""
    body = {"email": f"{uuid.uuid4().hex}@example.org", "password": DEMO_PASSWORD, "full_name": NAME}
    with httpx.Client(base_url=f"{demo_school.address}/api/v1", timeout=30) as http:
        tokens = http.post("/auth/register", json=body).raise_for_status().json()
    return {"id": tokens["user"]["id"], "token": tokens["access_token"]}


def begin(page: Page, user_id: str, looks: str = "lang=en") -> None:
    page.goto(f"/admin/users/{user_id}?{looks}")
    page.locator("#act > summary").click()
    page.fill("#reason", "Cannot find the quiz")
    page.locator("#act button[type=submit]").click()
    expect(page).to_have_url(re.compile("/home$"))


@pytest.mark.parametrize("look", LOOKS)
def test_there_and_back(open_window: Opener, nora: dict[str, str], look: tuple[str, str, int, bool]) -> None:
    language, theme, width, has_scripts = look
    window = open_window(who=ADMIN_EMAIL, width=width, has_scripts=has_scripts)
    page, wrong = window.page, []
    page.goto(f"/admin/users/{nora['id']}?lang={language}&theme={theme}")
    page.locator("#act > summary").click()
    wrong += window.look_over(has_axe=has_scripts)
    page.fill("#reason", "Cannot find the quiz")
    page.locator("#act button[type=submit]").click()
    banner = page.locator(".acting")
    expect(banner.get_by_role("status")).to_contain_text(NAME)
    expect(page.locator("#acting-left")).to_be_visible(visible=has_scripts)
    wrong += window.look_over(has_axe=has_scripts)
    cookies = window.cookies()
    assert cookies["lms_own"]["httpOnly"]
    assert cookies["lms_access"]["httpOnly"]
    page.goto("/me/security")
    expect(banner).to_be_visible()
    wrong += window.look_over(has_axe=has_scripts)
    banner.locator("button").click()
    expect(page).to_have_url(re.compile(f"/admin/users/{nora['id']}$"))
    expect(banner).to_have_count(0)
    assert not wrong


def test_the_time_that_is_left_is_counted_and_its_end_leads_to_the_way_back(
    open_window: Opener, nora: dict[str, str]
) -> None:
    page = open_window(who=ADMIN_EMAIL).page
    page.clock.install()
    begin(page, nora["id"])
    left = page.locator("#acting-left")
    expect(left).to_have_text(re.compile(r"1[45]:\d\d"))
    page.clock.fast_forward(QUARTER_MS - 70_000)
    expect(left).to_have_text(re.compile(r"\b1:\d\d"))
    page.clock.fast_forward(30_000)
    expect(page.locator("#say")).to_have_text("One minute is left in somebody’s place.")
    page.clock.fast_forward(60_000)
    expect(page).to_have_url(re.compile("/acting$"))


def test_an_end_from_elsewhere_is_seen_at_once(
    open_window: Opener, demo_school: DemoSchool, nora: dict[str, str]
) -> None:
    window = open_window(who=ADMIN_EMAIL)
    page = window.page
    begin(page, nora["id"])
    expect(page.locator("#connection")).to_have_attribute("data-line", "live")
    assert not window.look_over()
    bearer = {"Authorization": f"Bearer {nora['token']}"}
    everywhere = httpx.post(f"{demo_school.address}/api/v1/auth/logout", json={"everywhere": True}, headers=bearer)
    everywhere.raise_for_status()
    expect(page).to_have_url(re.compile("/acting$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("You are yourself again")
    assert not window.look_over()
    page.locator("main button[type=submit]").click()
    expect(page).to_have_url(re.compile(f"/admin/users/{nora['id']}$"))


def test_a_tab_that_was_open_before_shows_whose_place_it_is(open_window: Opener, nora: dict[str, str]) -> None:
    """The cookies are those of all tabs: what its scripts do is done in that person's place from then on, and back."""
    page = open_window(who=ADMIN_EMAIL).page
    other = page.context.new_page()
    other.goto("/notifications?lang=en")
    banner = other.locator(".acting")
    expect(banner).to_have_count(0)
    begin(page, nora["id"])
    expect(banner.get_by_role("status")).to_contain_text(NAME)
    page.locator(".acting button").click()
    expect(page).to_have_url(re.compile(f"/admin/users/{nora['id']}"))
    expect(banner).to_have_count(0)
    other.close()
