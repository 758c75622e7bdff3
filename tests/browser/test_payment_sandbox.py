"""The page of the sandbox in a browser: declined, then paid, in both languages and themes, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]


def sold_course(teacher: httpx.Client) -> dict[str, Any]:
    """A course that costs twelve dinars and a half."""
    fields = {"title": "Waves and tides", "description": "Water.", "price": 12_500, "currency": "KWD"}
    made = teacher.post("/courses", json=fields).raise_for_status().json()
    lesson = {"title": "Tides", "content_type": "text", "content": "Twice a day.", "is_published": True}
    teacher.post(f"/courses/{made['id']}/lessons", json=lesson).raise_for_status()
    published: dict[str, Any] = teacher.post(f"/courses/{made['id']}/publish").raise_for_status().json()
    return published


def test_a_card_is_declined_and_then_pays(open_window: Opener, demo_school: DemoSchool) -> None:
    with demo_school.at_rest() as teacher, demo_school.at_rest(STUDENT_EMAILS[1]) as student:
        body = {"course_id": sold_course(teacher)["id"], "gateway": "sandbox"}
        checkout = student.post("/payments/create-payment-intent", json=body).raise_for_status().json()
        page = f"/sandbox/checkout/{checkout['intent_id']}"
        window = open_window(who=STUDENT_EMAILS[1])
        window.page.goto(f"{page}?lang=en")
        assert "KWD" in window.page.locator("main").inner_text()
        window.page.locator("button[value=decline]").click()
        window.page.wait_for_selector("#fault")
        assert not looked_at(window, page)
        window.page.locator("button[value=pay]").click()
        window.page.wait_for_url(f"**/payments/orders/{checkout['order_id']}**")
        window.page.goto(f"{page}?lang=ar")
        assert window.page.locator("main form").count() == 0
        assert not window.look_over(has_axe=False)
        order = student.get(f"/payments/orders/{checkout['order_id']}").raise_for_status().json()
    assert order["status"] in {"pending", "completed"}
