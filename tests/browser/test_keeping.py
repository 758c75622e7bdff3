"""A closed account as its owner meets it: one page, in every look, that keeps it; with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from lms_rt.ids import new_id
from lms_rt.services.demo import DEMO_PASSWORD
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
KEEP = re.compile(r"/me/keep$")


@pytest.fixture
def leaver(demo_school: DemoSchool) -> str:
    """The address of somebody who has just closed their account."""
    with httpx.Client(base_url=f"{demo_school.address}/api/v1", timeout=30) as http:
        email = f"{new_id('usr')}@example.org"
        body = {"email": email, "password": DEMO_PASSWORD, "full_name": "Lea Leaver"}
        tokens = http.post("/auth/register", json=body).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        http.request("DELETE", "/users/me", json={"password": DEMO_PASSWORD}).raise_for_status()
        return email


def test_its_page_in_every_look(open_window: Opener, leaver: str) -> None:
    assert not looked_at(open_window(who=leaver), "/me/keep")


@pytest.mark.parametrize("has_scripts", [True, False])
def test_every_way_leads_to_it_and_its_button_back(open_window: Opener, leaver: str, has_scripts: bool) -> None:
    page = open_window(who=leaver, has_scripts=has_scripts).page
    for path in ("/home", "/notifications"):
        page.goto(f"{path}?lang=en")
        expect(page).to_have_url(KEEP)
    page.get_by_role("button", name="Keep the account").click()
    page.goto("/home?lang=en")
    expect(page).to_have_url(re.compile("/home"))
    page.goto("/me/keep")
    expect(page).not_to_have_url(KEEP)
