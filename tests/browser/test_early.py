"""A page whose scripts come late, never, or have done their part already: no press is lost, none is done twice, and what was typed stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.room import make_quiz
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
EARLY = STUDENT_EMAILS[21]
COURSE = re.compile(r"/teach/courses/[^/]+/details$")
IMPATIENT = """() => {
  let presses = 0;
  setInterval(() => {
    document.querySelector("form[data-send] [type=submit]").click();
    pressed(presses += 1);
  }, 50);
}"""


class Held:
    """Requests that wait until they are let go."""

    def __init__(self, page: Page, url: str | re.Pattern[str]) -> None:
        self._page, self._waiting, self._is_over = page, list[Route](), False
        page.route(url, self._asked)

    def _asked(self, route: Route) -> None:
        if self._is_over:
            route.continue_()
        else:
            self._waiting.append(route)

    def wait(self) -> None:
        """The page has asked."""
        while not self._waiting:
            self._page.wait_for_timeout(20)

    def let_go(self) -> None:
        """They are answered."""
        self._is_over = True
        for route in self._waiting:
            route.continue_()


def courses(school: DemoSchool, title: str) -> list[Any]:
    """Those of this title."""
    with school.at_rest() as teacher:
        found: list[Any] = teacher.get("/courses/me").raise_for_status().json()["items"]
    return [one for one in found if one["title"] == title]


def test_what_is_sent_before_the_scripts_came_is_sent_by_them(open_window: Opener) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    late = Held(page, re.compile(r"/sending\.js$"))
    page.goto("/teach", wait_until="commit")
    page.fill("#title", "Typed early")
    page.get_by_role("button", name="Create").click()
    late.wait()
    expect(page.locator("#title")).to_have_value("Typed early")
    late.let_go()
    expect(page).to_have_url(COURSE)
    expect(page.locator("#title")).to_have_value("Typed early")


def test_start_is_pressed_before_the_scripts_came(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window(who=EARLY).page
    late = Held(page, re.compile(r"/quiz-start\.js$"))
    begun: list[str] = []
    page.on(
        "request", lambda request: begun.append(request.method) if request.url.endswith("/api/v1/attempts") else None
    )
    page.goto(f"/quizzes/{make_quiz(demo_school)}", wait_until="commit")
    for _ in range(2):
        page.get_by_role("button", name="Start").click()
    late.let_go()
    page.wait_for_url("**/attempts/*")
    assert begun == ["POST"]


def test_what_a_script_fills_when_it_comes_is_not_put_over_what_was_typed(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    late = Held(page, re.compile(r"/dashboard\.js$"))
    page.goto(f"/teach/quizzes/{make_quiz(demo_school)}/live", wait_until="commit")
    page.fill("#find", "Mona")
    late.wait()
    late.let_go()
    expect(page).to_have_url(re.compile("Mona"))
    expect(page.locator("#find")).to_have_value("Mona")


def test_where_the_scripts_cannot_be_had_what_was_typed_stays(open_window: Opener) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    page.route(re.compile(r"/sending\.js$"), lambda route: route.abort())
    page.goto("/teach")
    page.fill("#title", "Typed in vain")
    page.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("/teach$"))
    expect(page.locator("#title")).to_have_value("Typed in vain")


def test_who_presses_again_until_the_next_page_is_there_has_pressed_once(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    presses: list[int] = []
    page.expose_function("pressed", lambda count: presses.append(count))  # noqa: PLW0108
    page.goto("/teach")
    late = Held(page, COURSE)
    page.fill("#title", "Pressed often")
    page.evaluate(IMPATIENT)
    late.wait()
    presses.clear()
    while len(presses) < 3:
        page.wait_for_timeout(20)
    late.let_go()
    expect(page).to_have_url(COURSE)
    assert len(courses(demo_school, "Pressed often")) == 1
