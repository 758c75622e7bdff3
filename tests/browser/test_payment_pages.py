"""Buying in a browser: the order moves by itself in another tab as the money comes, and every page about money can be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import ADMIN_EMAIL, STUDENT_EMAILS
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
LOOKS = (("en", "light", 1280), ("ar", "dark", 320))
BUYER = STUDENT_EMAILS[7]
OF_ADMINS = ("", "/all", "/coupons")
"""The others are lists and forms of the same parts."""


def for_sale(school: DemoSchool) -> dict[str, Any]:
    """A course with a price, a coupon and a tax, and a plan that opens it."""
    with school.at_rest() as teacher:
        body = {"title": "Circles", "description": "All of them.", "price": 4900, "currency": "USD"}
        course = teacher.post("/courses", json=body).raise_for_status().json()
        lesson = {"title": "The first", "content": "Round.", "is_published": True}
        teacher.post(f"/courses/{course['id']}/lessons", json=lesson).raise_for_status()
        sold: dict[str, Any] = teacher.post(f"/courses/{course['id']}/publish").raise_for_status().json()
    with school.at_rest(ADMIN_EMAIL) as admin:
        admin.post("/payments/coupons", json={"code": "ROUND", "percent_off": 20}).raise_for_status()
        plan = {"plan_name": "Everything", "amount": 1900, "currency": "USD"}
        admin.post("/payments/plans", json=plan).raise_for_status()
    return sold


def looked_over(window: Window, *paths: str) -> list[str]:
    """What is wrong with pages, wide and narrow, each in both languages and themes; axe is slow, and sees one look of each."""
    wrong: list[str] = []
    for n, path in enumerate(paths):
        for language, theme, width in LOOKS:
            window.page.set_viewport_size({"width": width, "height": 800})
            window.page.goto(f"{path}{'&' if '?' in path else '?'}lang={language}&theme={theme}")
            has_axe = (language == "ar") == bool(n % 2)
            wrong += [f"{path} {language}: {what}" for what in window.look_over(has_axe=has_axe)]
    return wrong


def test_a_course_is_bought_while_another_tab_looks_on(open_window: Opener, demo_school: DemoSchool) -> None:
    course = for_sale(demo_school)
    window = open_window(who=BUYER)
    wrong = looked_over(window, f"/checkout/{course['slug']}?coupon_code=nothing&country=EG")
    order = _begun(window.page, f"/checkout/{course['slug']}?coupon_code=ROUND&lang=en&theme=light")
    tab = window.new_page()
    tab.goto(order)
    expect(tab.locator("#state")).to_contain_text("Waiting for the bank")
    expect(tab.locator("#connection")).to_have_attribute("data-line", "live")
    window.page.locator("button[value=pay]").click()
    expect(tab.locator("#state")).to_have_attribute("data-status", "completed")
    expect(tab.locator("#acts")).to_be_hidden()
    tab.get_by_role("link", name="Open the course").click()
    expect(tab.locator("h1")).to_contain_text("The first")
    tab.close()
    window.page.wait_for_url("**/payments/orders/**")
    wrong += looked_over(window, order, "/payments", "/plans")
    desk = open_window(who=ADMIN_EMAIL)
    pages = [f"/admin/payments{section}" for section in (*OF_ADMINS, f"/orders/{order.rpartition('/')[2]}")]
    assert not wrong + looked_over(desk, *pages)


def _begun(page: Page, path: str) -> str:
    """Go to the gateway, which is reached without another click; where the order is looked at."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(path)
    page.locator("main form[method=post] button[type=submit]").first.click()
    page.wait_for_url("**/sandbox/checkout/**")
    with page.expect_response("**/api/v1/payments/orders*"):
        found = page.evaluate("fetch('/api/v1/payments/orders').then((reply) => reply.json())")
    return f"/payments/orders/{found['items'][0]['id']}"
