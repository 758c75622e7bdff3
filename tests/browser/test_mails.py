"""Mails as people see them: kept for whoever develops, shown as they would arrive, and stopped from the mail itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from lms_rt.contracts.mails import MAIL_TEMPLATES
from lms_rt.ids import new_id
from lms_rt.mails.rendering import Reader, Renderer
from lms_rt.mails.wording import LANGUAGES, Language
from lms_rt.services.demo import DEMO_PASSWORD
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window
from tests.unit.mail_samples import SAMPLES

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
LOOKED_AT = {"en": {"digest", "mfa_code", "announcement", "payment_failed"}, "ar": {"digest"}}
"""Axe is slow; these have every part that mails are made of."""
NAMES = {"en": "Ali Hassan", "ar": "علي حسن"}


def newcomer(school: DemoSchool) -> tuple[str, httpx.Client]:
    """Somebody who has just registered: their address, and their hands at the API."""
    http = httpx.Client(base_url=f"{school.address}/api/v1", timeout=30)
    email = f"{new_id('usr')}@example.org"
    body = {"email": email, "password": DEMO_PASSWORD, "full_name": "Nora Newcomer"}
    tokens = http.post("/auth/register", json=body).raise_for_status().json()
    http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return email, http


def open_mail(page: Page, email: str, subject: str) -> None:
    """Open somebody's mail in the mailbox, once it is there."""
    page.goto("/dev/mailbox?lang=en")
    found = page.locator(".notice").filter(has_text=email).get_by_role("link", name=subject)
    while not found.count():
        page.reload()
    found.click()
    expect(page.locator("h1")).to_have_text(subject)


def test_a_mail_is_found_in_the_mailbox_and_shown_as_it_would_arrive(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    email, http = newcomer(demo_school)
    http.close()
    window = open_window()
    open_mail(window.page, email, "Welcome to lms_rt")
    expect(window.page.locator(".mail-text").last).to_contain_text("Hello Nora Newcomer,")
    path = window.page.url.removeprefix(demo_school.address).partition("?")[0]
    plain = open_window(has_scripts=False).page  # those of the tests would not run in there either
    plain.goto(f"{path}?lang=en")
    plain.get_by_role("link", name="Show as HTML").click()
    expect(plain.get_by_role("link", name="See the courses")).to_be_visible()
    window.page.set_viewport_size({"width": 320, "height": 800})
    window.page.goto("/dev/mailbox?lang=ar")
    assert not window.look_over()
    assert not looked_at(window, path)


def test_mails_are_stopped_from_the_mail_itself_without_signing_in(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    email, http = newcomer(demo_school)
    course = next(one for one in http.get("/courses").raise_for_status().json()["items"] if one["is_free"])
    http.post("/enrollments", json={"course_id": course["id"]}).raise_for_status()
    window = open_window(has_scripts=False)
    open_mail(window.page, email, f"You're enrolled in {course['title']}")
    written = re.search(r"/unsubscribe/[\w-]+", window.page.locator(".mail-text").last.inner_text())
    assert written
    assert not looked_at(open_window(), written[0])
    window.page.goto(f"{written[0]}?lang=en")
    expect(window.page.locator("main")).to_contain_text("An enrolment in a course")
    window.page.get_by_role("button", name="Stop these mails").click()
    expect(window.page.locator("h1")).to_have_text("These mails are stopped")
    wishes = http.get("/notifications/preferences").raise_for_status().json()["kinds"]
    assert wishes["enrollment.created"] == {"live": True, "email": False}
    assert wishes["attempt.graded"]["email"] is True
    http.close()


def show(page: Page, html: str) -> None:
    """Have the browser open a mail as a page of its own."""

    def answer(route: Route) -> None:
        route.fulfill(body=html, content_type="text/html; charset=utf-8")

    page.route("**/mail", answer)
    page.goto("/mail")
    page.unroute("**/mail")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_fits_a_phone_and_can_be_read_by_all(
    open_window: Opener, demo_school: DemoSchool, language: Language
) -> None:
    renderer = Renderer(site_name="Night School", site_url=demo_school.address)
    reader = Reader(NAMES[language], "ali@example.org", language, ZoneInfo("Africa/Cairo"))
    window = open_window(width=320)
    wrong: list[str] = []
    for template in MAIL_TEMPLATES:
        data = template.data.model_validate(SAMPLES[template.name])
        unsubscribe_url = f"{demo_school.address}/unsubscribe/x" if template.kind else None
        html = renderer.render(template.name, data, reader, unsubscribe_url=unsubscribe_url).html
        show(window.page, html)
        expect(window.page.locator("html")).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
        wrong += [f"{template.name}: {what}" for what in window.look_over(has_axe=template.name in LOOKED_AT[language])]
    assert not wrong
