"""Coming in and going out by the pages: with and without scripts, with a wrong word, with a session that slept."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import DEMO_PASSWORD, STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
ASK_SOMETHING = """async () => {
  const own = document.querySelector("script[type=module][src]").src;
  const { read } = await import(own.replace(/[^/]+$/, "api.js"));
  return read("/users/me").then(() => "", (problem) => problem.code);
}"""


def test_a_stranger_signs_in_and_arrives_where_they_wanted_to_go(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window().page
    page.goto(f"/quizzes/{demo_school.quiz['id']}")
    expect(page).to_have_url(re.compile(r"/signin\?next=/quizzes/"))
    page.fill("#email", STUDENT_EMAILS[3])
    page.fill("#password", DEMO_PASSWORD)
    page.click("main button[type=submit]")
    expect(page).to_have_url(re.compile(rf"/quizzes/{demo_school.quiz['id']}$"))


def test_a_wrong_password_is_said_where_the_focus_is(open_window: Opener) -> None:
    page = open_window().page
    page.goto("/signin")
    page.fill("#email", STUDENT_EMAILS[3])
    page.fill("#password", "not this one")
    page.click("main button[type=submit]")
    expect(page.locator(".error-summary")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.locator("#email")).to_have_value(STUDENT_EMAILS[3])
    expect(page.locator("#password")).to_have_value("")
    page.locator(".error-summary a").click()
    expect(page.locator("#email")).to_be_focused()


@pytest.mark.parametrize("next_path", ["//evil.test/", "https://evil.test/", "/\\evil.test"])
def test_nobody_is_sent_to_another_place(next_path: str, open_window: Opener) -> None:
    page = open_window().page
    page.goto(f"/signin?next={next_path}")
    page.fill("#email", STUDENT_EMAILS[3])
    page.fill("#password", DEMO_PASSWORD)
    page.click("main button[type=submit]")
    expect(page).to_have_url(re.compile("/home$"))


def test_a_session_that_cannot_go_on_just_now_is_not_taken_for_ended(open_window: Opener) -> None:
    window = open_window(who=STUDENT_EMAILS[4])
    page = window.page
    page.goto("/home")
    page.route("**/auth/refresh-cookie", lambda route: route.fulfill(status=429, body='{"code": "rate_limited"}'))
    window.forget_cookie("lms_access")
    assert page.evaluate(ASK_SOMETHING) == "rate_limited"
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_session_that_slept_goes_on_by_itself(open_window: Opener) -> None:
    window = open_window(who=STUDENT_EMAILS[4])
    window.forget_cookie("lms_access")
    window.page.goto("/home")
    expect(window.page).to_have_url(re.compile("/home$"))
    expect(window.page.locator("h1")).to_contain_text("Hello")


def test_the_cookies_are_out_of_reach_of_scripts(open_window: Opener) -> None:
    window = open_window().sign_in_by_hand(STUDENT_EMAILS[4])
    cookies = window.cookies()
    assert cookies["lms_access"]["httpOnly"]
    assert cookies["lms_refresh"]["httpOnly"]
    assert "lms_access" not in window.page.evaluate("document.cookie")


def test_signing_out_ends_it(open_window: Opener) -> None:
    window = open_window().sign_in_by_hand(STUDENT_EMAILS[5])
    window.page.get_by_label("Account").click()
    window.page.get_by_role("button", name="Sign out").click()
    expect(window.page).to_have_url(re.compile("/$"))
    assert not {"lms_access", "lms_refresh", "lms_csrf"} & set(window.cookies())
    window.page.goto("/home")
    expect(window.page).to_have_url(re.compile(r"/signin\?next=/home"))


def test_a_form_from_elsewhere_is_refused(open_window: Opener) -> None:
    window = open_window(who=STUDENT_EMAILS[5])
    reply = window.page.request.post("/signout", form={"csrf": "made up"})
    assert reply.status == 403
    window.page.goto("/home")
    expect(window.page).to_have_url(re.compile("/home$"))


def test_registering(open_window: Opener) -> None:
    page = open_window().page
    page.goto("/register")
    page.fill("#full_name", "نور الدين")
    page.fill("#email", STUDENT_EMAILS[0])
    page.fill("#password", "short")
    page.click("main button[type=submit]")
    expect(page.locator(".error-summary")).to_be_focused()
    expect(page.locator("#full_name")).to_have_value("نور الدين")
    page.fill("#email", f"{uuid.uuid4().hex}@demo.school")
    page.fill("#password", "four calm words here")
    page.click("main button[type=submit]")
    expect(page).to_have_url(re.compile("/home$"))
    expect(page.locator("h1")).to_contain_text("نور الدين")


def test_staff_arrive_at_their_own_start(open_window: Opener) -> None:
    page = open_window().sign_in_by_hand(TEACHER_EMAIL).page
    expect(page).to_have_url(re.compile("/teach$"))
    page.goto("/teach/courses/crs_nothing/details")
    expect(page.locator("h1")).to_have_text("Nothing here")


def test_students_may_not_open_the_editor(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window(who=STUDENT_EMAILS[5]).page
    for path in (
        "/teach",
        f"/teach/courses/{demo_school.course['id']}/details",
        f"/teach/quizzes/{demo_school.quiz['id']}",
    ):
        reply = page.goto(path)
        assert reply is not None
        assert reply.status == 403


def test_reading_and_learning_need_no_scripts(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(has_scripts=False, who=STUDENT_EMAILS[6])
    page = window.page
    page.goto("/?q=algebra&lang=ar")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.locator(".course-card a").first.click()
    lesson = f"/learn/{demo_school.course['slug']}/{demo_school.last_reading['slug']}"
    page.goto(f"{lesson}?lang=en")
    expect(page.locator(".prose")).not_to_be_empty()
    page.get_by_role("button", name="Mark as completed").click()
    page.goto(lesson)
    expect(page.locator("#complete-state")).to_be_visible()


def test_language_and_theme_are_remembered(open_window: Opener) -> None:
    page = open_window().page
    page.goto("/")
    page.get_by_label("Language").click()
    page.get_by_role("link", name="العربية").click()
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    page.locator("details.menu summary").nth(1).click()
    page.locator("[data-theme-choice=dark]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/signin")
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_menu_closes_by_escape_and_gives_the_focus_back(open_window: Opener) -> None:
    page = open_window().page
    page.goto("/")
    summary = page.get_by_label("Theme")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("[data-theme-choice=system]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(page.locator("details.menu[open]")).to_have_count(0)
