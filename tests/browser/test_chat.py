"""The chat of a course in two browsers, and reviews: live, by name, changed, taken away, and sent when there is no line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

DROP_LINE = """() => import(JSON.parse(document.getElementById("page-data").textContent).assets + "line.js")
  .then(({ live }) => live.drop())"""
"""The line is lost, and comes back only when the way is open again."""
Opener = Callable[..., Window]


@contextmanager
def hands(school: DemoSchool, email: str) -> Iterator[httpx.Client]:
    """Somebody's hands at the API, in the course of the demonstration."""
    with school.at_rest(email) as http:
        if email != TEACHER_EMAIL:
            http.post("/enrollments", json={"course_id": school.course["id"]})
        yield http


def said(window: Window, text: str) -> Any:
    return window.page.locator(".said", has_text=text)


def write(window: Window, text: str) -> None:
    window.page.locator("#chat-text").fill(text)
    window.page.keyboard.press("Enter")


def mute(teacher: Window, message: Any) -> None:
    """Let who wrote this only read for a while."""
    message.get_by_role("button", name="Mute").click()
    teacher.page.locator("#reason").fill("Please listen for a while.")
    assert teacher.look_over(has_axe=True) == []
    teacher.page.get_by_role("dialog").get_by_role("button", name="Mute", exact=True).click()


def test_two_talk_live_and_a_teacher_keeps_it_fit_to_be_read(open_window: Opener, demo_school: DemoSchool) -> None:
    with hands(demo_school, STUDENT_EMAILS[0]) as http:
        me = http.get("/auth/me").raise_for_status().json()
    path = f"/courses/{demo_school.course['slug']}/chat"
    student, teacher = open_window(who=STUDENT_EMAILS[0], width=320), open_window(who=TEACHER_EMAIL)
    for window in (student, teacher):
        window.page.goto(f"{path}?lang=en")
        expect(window.page.locator("#chat-here")).to_contain_text("here")
    expect(teacher.page.locator("#chat-here")).to_contain_text("2 people here")
    student.page.locator("#chat-text").press_sequentially("Look: https://example.org/a. <b>")
    expect(teacher.page.locator("#chat-typing")).to_contain_text(f"{me['full_name']} is writing")
    student.page.keyboard.press("Enter")
    expect(said(teacher, "<b>").locator("a")).to_have_attribute("href", "https://example.org/a")
    expect(said(student, "<b>")).to_have_count(1)
    assert student.look_over(has_axe=True) == []

    teacher.page.locator("#chat-text").press_sequentially(f"@{me['full_name'][:3]}")
    teacher.page.locator("#chat-names button").click()
    teacher.page.locator("#chat-text").press_sequentially("well done")
    teacher.page.keyboard.press("Enter")
    expect(student.page.locator(".said[data-called]")).to_contain_text("well done")
    expect(student.page.locator("#bell")).not_to_have_attribute("data-unread", "0")

    write(student, "Helo all")
    said(student, "Helo").get_by_role("button", name="Change").click()
    student.page.locator(".said textarea").fill("Hello all")
    student.page.get_by_role("button", name="Save").click()
    expect(said(teacher, "Hello all")).to_contain_text("changed")
    expect(said(student, "Helo all")).to_have_count(0)

    said(teacher, "Hello all").get_by_role("button", name="Delete").click()
    teacher.page.locator("dialog [data-confirm]").click()
    expect(student.page.locator(".said", has_text="Removed by the teachers")).to_be_visible()
    mute(teacher, said(teacher, "<b>"))
    expect(student.page.locator("#chat-form")).to_be_hidden()
    with hands(demo_school, TEACHER_EMAIL) as http:
        http.delete(f"/courses/{demo_school.course['id']}/chat/mutes/{me['id']}").raise_for_status()
    expect(student.page.locator("#chat-form")).to_be_visible()
    assert [student.faults, teacher.faults] == [[], []]


def test_the_chat_beside_a_lesson_sends_once_what_was_written_without_a_line(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    with hands(demo_school, STUDENT_EMAILS[1]) as http:
        course = http.get(f"/courses/{demo_school.course['id']}").raise_for_status().json()
        messages = f"/courses/{course['id']}/messages"
        http.post(messages, json={"text": "Said before"}).raise_for_status()
        window = open_window(who=STUDENT_EMAILS[1])
        window.page.goto(f"/learn/{course['slug']}/{course['lessons'][0]['slug']}?lang=ar")
        window.page.locator("#chat-open").click()
        expect(said(window, "Said before")).to_be_visible()
        assert window.look_over(has_axe=True) == []
        window.cut_off()
        window.page.evaluate(DROP_LINE)
        write(window, "Written on the way")
        expect(window.page.locator('.said[data-state="sending"]')).to_contain_text("Written on the way")
        window.let_through()
        expect(window.page.locator('.said[data-state="sending"]')).to_have_count(0)
        expect(said(window, "Written on the way")).to_have_count(1)
        items = http.get(messages).raise_for_status().json()["items"]
        assert [one["text"] for one in items].count("Written on the way") == 1


def test_a_course_is_rated_without_scripts_and_its_teacher_hides_words(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    with hands(demo_school, STUDENT_EMAILS[0]):
        pass
    path = f"/courses/{demo_school.course['slug']}/reviews"
    student = open_window(who=STUDENT_EMAILS[0], has_scripts=False, width=320)
    student.page.goto(f"{path}?lang=en")
    student.page.locator('input[name="rating"][value="4"]').check()
    student.page.locator("#review").fill("Clear, and never too fast.")
    student.page.get_by_role("button", name="Save your review").click()
    expect(student.page.locator("main")).to_contain_text("Clear, and never too fast.")
    teacher = open_window(who=TEACHER_EMAIL)
    teacher.page.goto(f"{path}?lang=ar")
    assert teacher.look_over(has_axe=True) == []
    teacher.page.locator("details summary", has_text="إخفاء").first.click()
    teacher.page.locator('input[name="reason"]').first.fill("For the test alone.")
    teacher.page.get_by_role("button", name="أخفِ هذه الكلمات").click()
    student.page.goto(f"{path}?lang=en")
    expect(student.page.locator("main")).to_contain_text("For the test alone.")
    stranger = open_window()
    stranger.page.goto(f"{path}?lang=en")
    expect(stranger.page.locator("main")).not_to_contain_text("never too fast")
    assert stranger.look_over(has_axe=True) == []
