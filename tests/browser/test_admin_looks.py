"""The administrators' pages in both languages and themes, wide and narrow; and that nobody else is let in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser

from tests.browser.operated_school import LEAVING_ID, PERSON_ID, TIMEZONE_ID
from tests.browser.test_pages import LOOKS, looked_at
from tests.browser.window import DemoSchool, Window, opening

pytestmark = pytest.mark.browser

PAGES = {
    "overview": "/admin",
    "letters": "/admin/dead-letters",
    "audit": "/admin/audit",
    "figures": "/admin/stats",
    "settings": "/admin/settings",
    "people": "/admin/users",
    "person": f"/admin/users/{PERSON_ID}",
    "leaving person": f"/admin/users/{LEAVING_ID}?done=changed",
    "invitation": "/admin/users/new",
    "letter": f"/admin/dead-letters/{quote(TIMEZONE_ID, safe='')}",
}


@pytest.fixture(scope="module")
def window(chromium: Browser, operated_school: DemoSchool, admin_cookies: list[Any]) -> Iterator[Window]:
    """One for all pages: the administrator goes from one to the next."""
    with opening(chromium, operated_school, cookies=admin_cookies) as opened:
        yield opened()


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_administrators(name: str, window: Window) -> None:
    assert not looked_at(window, PAGES[name], asks_for_more=False)
    assert not window.faults


def test_the_difference_before_settings_are_saved(window: Window) -> None:
    """No address shows it: a form does."""
    wrong = []
    for language, theme, width, has_axe in LOOKS[:2]:
        window.page.set_viewport_size({"width": width, "height": 800})
        window.page.goto(f"/admin/settings?lang={language}&theme={theme}")
        window.page.fill("#RETENTION_EVENTS_DAYS", "21")
        window.page.select_option("#RATE_LIMIT_ENABLED", "no")
        window.page.click("main form button[type=submit]")
        assert window.page.locator("main tbody tr").count() == 2
        wrong += [f"{language} {width}: {what}" for what in window.look_over(has_axe=has_axe)]
    assert not wrong
    assert not window.faults


def test_others_are_not_let_in(chromium: Browser, operated_school: DemoSchool) -> None:
    window = Window(chromium, operated_school)
    draft = {"email": "curious@example.org", "password": "correct horse battery staple", "full_name": "Curious"}
    httpx.post(f"{operated_school.address}/api/v1/auth/register", json=draft).raise_for_status()
    window.sign_in(draft["email"], draft["password"])
    for path in PAGES.values():
        answer = window.page.goto(path)
        assert answer is not None
        assert answer.status == 403
    window.close()
