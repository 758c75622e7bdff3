"""The bell and the list of notifications as people use them: live, on two devices, and without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from lms_rt.ids import new_id
from lms_rt.services.demo import DEMO_PASSWORD, TEACHER_EMAIL
from tests.browser.window import DemoSchool, Window, spoken

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]


@pytest.fixture
def newcomer(demo_school: DemoSchool) -> Iterator[tuple[str, httpx.Client]]:
    """Somebody who has just registered: the address, and their hands at the API."""
    with httpx.Client(base_url=f"{demo_school.address}/api/v1", timeout=30) as http:
        email = f"{new_id('usr')}@example.org"
        body = {"email": email, "password": DEMO_PASSWORD, "full_name": "Nora Newcomer"}
        tokens = http.post("/auth/register", json=body).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield email, http


def enroll(http: httpx.Client, course_id: str) -> None:
    http.post("/enrollments", json={"course_id": course_id}).raise_for_status()


def courses(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/courses").raise_for_status().json()["items"]
    return [course for course in found if course["is_free"]]


def await_told(http: httpx.Client, count: int) -> None:
    """Return once so many are unread: a page without scripts shows what there was when it was asked for."""
    for _ in range(2_000):
        if http.get("/notifications?page_size=1").raise_for_status().json()["unread"] == count:
            return
    raise AssertionError(f"there are not {count}")


def bell(window: Window) -> Any:
    return window.page.locator("#bell")


def test_the_bell_counts_live_and_what_is_read_on_one_device_is_read_on_the_other(
    open_window: Opener, newcomer: tuple[str, httpx.Client]
) -> None:
    email, http = newcomer
    laptop, phone = open_window(who=email), open_window(who=email, width=320)
    laptop.page.goto("/home?lang=en")
    phone.page.goto("/notifications?lang=en")
    expect(phone.page.locator(".empty")).to_be_visible()
    for window in (laptop, phone):
        expect(window.page.locator("#connection")).to_have_attribute("data-line", "live")
    first, second = courses(http)[:2]
    enroll(http, first["id"])
    enroll(http, second["id"])
    for window in (laptop, phone):
        expect(bell(window)).to_have_attribute("aria-label", "Notifications, 2 unread")
        expect(bell(window).locator(".bell-count")).to_have_text("2")
    expect(phone.page.locator("#new-notifications")).to_contain_text("2 new notifications")
    spoken(phone.page, second["title"])
    phone.page.get_by_role("link", name="Show", exact=True).click()
    expect(phone.page.locator(".notice")).to_have_count(2)
    phone.page.get_by_role("button", name="Mark as read").first.click()
    for window in (laptop, phone):
        expect(bell(window)).to_have_attribute("aria-label", "Notifications, 1 unread")
    expect(phone.page.locator(".notice[data-unread]")).to_have_count(1)
    http.post("/notifications/read-all").raise_for_status()
    expect(phone.page.locator(".notice[data-unread]")).to_have_count(0)
    expect(phone.page.get_by_role("button", name="Mark all as read")).to_be_hidden()
    for window in (laptop, phone):
        expect(bell(window)).to_have_attribute("aria-label", "Notifications")


def test_who_opens_what_it_is_about_has_read_it(open_window: Opener, newcomer: tuple[str, httpx.Client]) -> None:
    email, http = newcomer
    course = courses(http)[0]
    enroll(http, course["id"])
    await_told(http, 1)
    page = open_window(who=email).page
    page.goto("/notifications?lang=ar")
    expect(page.locator(".notice-title")).to_have_text(f"تم تسجيلك في \u2068{course['title']}\u2069")
    page.locator(".notice a").click()
    page.wait_for_url(f"**/learn/{course['slug']}**")
    expect(page.locator("#bell")).to_have_attribute("data-unread", "0")


def test_without_scripts_they_are_read_too(open_window: Opener, newcomer: tuple[str, httpx.Client]) -> None:
    email, http = newcomer
    for course in courses(http)[:2]:
        enroll(http, course["id"])
    page = open_window(who=email, has_scripts=False).page
    await_told(http, 2)
    page.goto("/notifications?lang=en")
    page.get_by_role("button", name="Mark as read").first.click()
    expect(page.locator("#bell")).to_have_attribute("data-unread", "1")
    page.get_by_role("link", name="Unread", exact=True).click()
    expect(page.locator(".notice")).to_have_count(1)
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.locator(".empty")).to_be_visible()


def test_wishes_are_kept_without_scripts(open_window: Opener, newcomer: tuple[str, httpx.Client]) -> None:
    email, http = newcomer
    enroll(http, courses(http)[0]["id"])
    await_told(http, 1)
    page = open_window(who=email, has_scripts=False).page
    page.goto("/notifications/preferences?lang=en")
    page.get_by_role("checkbox", name="A graded quiz: By mail").uncheck()
    page.get_by_label("From").fill("22:00")
    page.get_by_label("to", exact=True).fill("22:00")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_title("Error: What I want to hear of · lms_rt")
    expect(page.locator("#quiet_from")).to_have_value("22:00")
    expect(page.locator("#bell")).to_have_attribute("data-unread", "1")
    page.goto("/notifications/preferences")
    page.get_by_role("checkbox", name="A graded quiz: By mail").uncheck()
    page.get_by_label("From").fill("22:00")
    page.get_by_label("to", exact=True).fill("07:00")
    page.get_by_label("One mail a day").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_role("checkbox", name="A graded quiz: By mail")).not_to_be_checked()
    wishes = http.get("/notifications/preferences").raise_for_status().json()
    assert wishes["kinds"]["attempt.graded"] == {"live": True, "email": False}
    assert wishes["kinds"]["announcement"] == {"live": True, "email": True}
    assert (wishes["quiet_hours"], wishes["digest"]) == ({"from": "22:00", "to": "07:00"}, "daily")


def test_only_administrators_are_asked_about_webhooks(open_window: Opener) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    page.goto("/notifications/preferences?lang=en")
    expect(page.get_by_role("checkbox", name="webhook")).to_have_count(0)


def test_what_a_teacher_tells_the_course_rings_the_students_bell(
    open_window: Opener, newcomer: tuple[str, httpx.Client], demo_school: DemoSchool
) -> None:
    email, http = newcomer
    enroll(http, demo_school.course["id"])
    student, teacher = open_window(who=email).page, open_window(who=TEACHER_EMAIL).page
    student.goto("/?lang=en")
    expect(student.locator("#connection")).to_have_attribute("data-line", "live")
    expect(student.locator("#bell")).to_have_attribute("data-unread", "1")
    teacher.goto(f"/teach/courses/{demo_school.course['id']}/students?lang=en")
    teacher.get_by_text("Tell everybody in the course").click()
    teacher.get_by_label("What you want to say").fill("No lesson on Monday.")
    teacher.get_by_role("button", name="Send to everybody").click()
    expect(teacher.locator("#toasts")).to_contain_text("On its way")
    expect(student.locator("#bell")).to_have_attribute("data-unread", "2")
    student.goto("/notifications")
    expect(student.locator(".notice-body").first).to_have_text("No lesson on Monday.")
