"""Buying in a browser: the order moves by itself in another tab as the money comes, and every page about money can be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import ADMIN_EMAIL, STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
LOOKS = (("en", "light", 1280), ("ar", "dark", 320))
BUYER, SUBSCRIBER = STUDENT_EMAILS[7], STUDENT_EMAILS[8]
OF_ADMINS = ("", "/all", "/coupons")
"""The others are lists and forms of the same parts."""


def for_sale(school: DemoSchool, title: str = "Circles", code: str = "ROUND") -> dict[str, Any]:
    """A course with a price, a coupon and a tax, and a plan that opens it."""
    with school.at_rest() as teacher:
        body = {"title": title, "description": "All of them.", "price": 4900, "currency": "USD"}
        course = teacher.post("/courses", json=body).raise_for_status().json()
        lesson = {"title": "The first", "content": "Round.", "is_published": True}
        teacher.post(f"/courses/{course['id']}/lessons", json=lesson).raise_for_status()
        sold: dict[str, Any] = teacher.post(f"/courses/{course['id']}/publish").raise_for_status().json()
    with school.at_rest(ADMIN_EMAIL) as admin:
        admin.post("/payments/coupons", json={"code": code, "percent_off": 20}).raise_for_status()
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
    tab.evaluate("history.replaceState(null, '', `${location.pathname}/look`)")  # as after a form that was refused
    tab.locator("#acts button").first.focus()
    window.page.locator("button[value=pay]").click()
    expect(tab.locator("#state")).to_have_attribute("data-status", "completed")
    expect(tab.locator("#acts")).to_be_hidden()
    expect(tab.locator("#state")).to_be_focused()  # what had the focus is not there any more
    expect(tab.get_by_role("link", name="INV-")).to_be_visible()  # its papers came without a reload
    tab.get_by_role("link", name="Open the course").click()
    expect(tab.locator("h1")).to_contain_text("The first")
    tab.close()
    window.page.wait_for_url("**/payments/orders/**")
    money_goes_back_before_the_buyers_eyes(window.page, demo_school)
    wrong += looked_over(window, order, "/payments", "/plans")
    desk = open_window(who=ADMIN_EMAIL)
    pages = [f"/admin/payments{section}" for section in (*OF_ADMINS, f"/orders/{order.rpartition('/')[2]}")]
    assert not wrong + looked_over(desk, *pages)


def money_goes_back_before_the_buyers_eyes(page: Page, school: DemoSchool) -> None:
    """A part is paid back, and the bank takes the rest: the page shows sums and papers as it hears of them."""
    expect(page.locator("#connection")).to_have_attribute("data-line", "live")
    expect(page.locator("#state")).to_have_attribute("data-status", "completed")
    with school.at_rest(ADMIN_EMAIL) as admin:
        payment = admin.get("/payments", params={"status": "completed"}).raise_for_status().json()["items"][0]
        path = f"/payments/{payment['id']}"
        admin.post(f"{path}/refund", json={"amount": 1000, "reason": "Half of it."}).raise_for_status()
        expect(page.locator("#back")).to_contain_text("10.00")
        expect(page.get_by_role("link", name="CN-")).to_have_count(1)
        asked = {"state": "open", "amount": 500}
        admin.post(f"{path}/dispute", json=asked).raise_for_status()
        expect(page.locator("#dispute")).to_be_visible()
        page.evaluate("document.getElementById('moves').dataset.stood = 'yes'")
        admin.post(f"{path}/dispute", json=asked | {"amount": 600}).raise_for_status()
        for _ in range(2):  # it asks twice after a move, and this one moved nothing that is shown
            page.wait_for_event("response", lambda reply: "/payments/orders/" in reply.url and "/api/" not in reply.url)
        expect(page.locator("#moves")).to_have_attribute("data-stood", "yes")
        lost = {"state": "lost", "reason": "The bank wrote."}
        admin.post(f"{path}/dispute", json=lost).raise_for_status()
    expect(page.locator("#dispute")).to_contain_text("taken this money back")
    expect(page.get_by_role("link", name="CN-")).to_have_count(2)


def test_a_subscription_is_ended_kept_and_changed_by_keyboard(open_window: Opener, demo_school: DemoSchool) -> None:
    with demo_school.at_rest(ADMIN_EMAIL) as admin:
        plans = [
            admin.post("/payments/plans", json={"plan_name": name, "amount": amount, "currency": "EUR"})
            for name, amount in (("Small plan", 900), ("كلّ شيء", 1900))
        ]
        small, large = (plan.raise_for_status().json()["id"] for plan in plans)
    window = open_window(who=SUBSCRIBER)
    page = window.page
    page.goto("/plans?lang=en&theme=light")
    page.locator(f"#plan-{small} button[type=submit]").click()
    page.wait_for_url("**/sandbox/checkout/**")
    page.locator("button[value=pay]").click()
    page.wait_for_url("**/payments**")
    expect_paid(page)
    _opened(page, "End this subscription")
    _pressed(page, "End it")
    expect(page.get_by_text("The subscription is not renewed any more.")).to_be_visible()
    wrong = looked_over(window, "/payments?done=cancelled")
    page.goto("/payments?lang=en&theme=light")
    _pressed(page, "Keep my subscription")
    expect(page.get_by_text("The subscription goes on.")).to_be_visible()
    expect(page.get_by_text("End this subscription")).to_be_visible()
    [held] = page.evaluate("fetch('/api/v1/payments/my-subscriptions').then((reply) => reply.json())")["items"]
    change = f"/payments/subscriptions/{held['id']}/change?plan_id={large}"
    wrong += looked_over(window, "/payments", change, f"{change}&again=1")
    page.goto(f"{change}&lang=en&theme=light")
    _pressed(page, "Change")
    expect(page.get_by_text("The change was asked for.")).to_be_visible()
    assert not wrong + window.faults


def test_teachers_and_the_desk_look_at_money(open_window: Opener, demo_school: DemoSchool) -> None:
    course = for_sale(demo_school, title="Spheres", code="SPHERE")
    with demo_school.at_rest(SUBSCRIBER) as student:
        wish = {"course_id": course["id"], "gateway": "sandbox"}
        begun = student.post("/payments/create-payment-intent", json=wish).raise_for_status().json()
    buyer = open_window(who=SUBSCRIBER)
    buyer.page.goto(f"/sandbox/checkout/{begun['intent_id']}")
    buyer.page.locator("button[value=pay]").click()
    expect(buyer.page.locator("#state")).to_have_attribute("data-status", "completed")
    teacher = open_window(who=TEACHER_EMAIL)
    path = f"/teach/courses/{course['id']}/revenue"
    wrong = looked_over(teacher, path, f"{path}?currency=USD")
    assert teacher.page.locator("svg .plot-bar").count() > 0
    desk = open_window(who=ADMIN_EMAIL)
    order = f"/admin/payments/orders/{begun['order_id']}"
    desk.page.goto(f"{order}?lang=en&theme=light")
    _opened(desk.page, "Note a dispute")
    wrong += desk.look_over()
    desk.page.get_by_label("The bank took the money, or asks for it").focus()
    desk.page.keyboard.press("Space")
    desk.page.get_by_label("How much it is about, in USD").last.fill("1000000")
    _pressed(desk.page, "Note it")
    expect(desk.page.locator(".error-summary")).to_be_focused()
    assert not wrong + desk.look_over() + looked_over(desk, order) + desk.faults


def expect_paid(page: Page) -> None:
    """The subscription goes on; what came of the payment is settled by a worker meanwhile."""
    while not page.get_by_text("End this subscription").count():
        with page.expect_navigation():
            page.reload()


def _opened(page: Page, words: str) -> None:
    """Open what is folded, by its key."""
    page.locator("summary", has_text=words).first.focus()
    page.keyboard.press("Enter")


def _pressed(page: Page, words: str) -> None:
    """A button, by its key."""
    page.locator("main button[type=submit]", has_text=words).first.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")


def _begun(page: Page, path: str) -> str:
    """Go to the gateway, which is reached without another click; where the order is looked at."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(path)
    page.locator("main form[method=post] button[type=submit]").first.click()
    page.wait_for_url("**/sandbox/checkout/**")
    with page.expect_response("**/api/v1/payments/orders*"):
        found = page.evaluate("fetch('/api/v1/payments/orders').then((reply) => reply.json())")
    return f"/payments/orders/{found['items'][0]['id']}"
