"""Marking essays by the pages: from the list to the last mark by keyboard, without scripts, and what the student reads then."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
RUBRIC = {
    "criteria": [
        {
            "id": "idea",
            "title": "Idea",
            "description": "What it is about",
            "levels": [
                {"id": "none", "title": "None", "points": 0},
                {"id": "good", "title": "Good", "points": 2.5, "description": "Seen and said"},
            ],
        },
        {
            "id": "form",
            "title": "الشكل",
            "levels": [{"id": "poor", "title": "Poor", "points": 0.5}, {"id": "fine", "title": "Fine", "points": 1.5}],
        },
    ]
}
ESSAY = {"question_type": "essay", "question_text": "Why is a slope *steep*?", "rubric": RUBRIC}
PLAIN = {"question_type": "essay", "question_text": "ما الميل؟", "points": 2}


class Essays:
    """A quiz of essays that some students have handed in."""

    def __init__(self, school: DemoSchool, *students: str, **fields: Any) -> None:
        self.school = school
        with school.at_rest() as teacher:
            draft = {"course_id": school.course["id"], "title": "Essays", **fields}
            self.quiz_id = str(teacher.post("/quizzes", json=draft).raise_for_status().json()["id"])
            for question in (ESSAY, PLAIN):
                teacher.post(f"/quizzes/{self.quiz_id}/questions", json=question).raise_for_status()
            teacher.post(f"/quizzes/{self.quiz_id}/publish").raise_for_status()
        self.attempts: list[dict[str, Any]] = []
        for email in students:
            self.hand_in(email)
        self.path = f"/teach/grading/{self.quiz_id}"

    def hand_in(self, email: str) -> None:
        """Both answers of one student."""
        with self.school.at_rest(email) as student:
            student.post("/enrollments", json={"course_id": self.school.course["id"]})
            draft = {"quiz_id": self.quiz_id, "device_id": "test"}
            begun = student.post("/attempts", json=draft).raise_for_status().json()
            answers = [
                {"question_id": question["id"], "value": f"Because of {place}.\nAnd so on."}
                for place, question in enumerate(begun["questions"], 1)
            ]
            body = {"answers": answers, "device_id": "test", "lease": begun["lease"]}
            student.post(f"/attempts/{begun['id']}/submit", json=body).raise_for_status()
        self.attempts.append(begun)

    def item(self, attempt: int, question: int) -> str:
        """How the queue names an answer."""
        begun = self.attempts[attempt]
        return f"{begun['id']}.{begun['questions'][question]['id']}"

    def mark(self, attempt: int, question: int, points: float) -> None:
        """A mark by somebody at another screen."""
        begun = self.attempts[attempt]
        body = {"question_id": begun["questions"][question]["id"], "points": points}
        with self.school.at_rest() as teacher:
            teacher.post(f"/attempts/{begun['id']}/grade", json=body).raise_for_status()


def reads_the_marks(student: Page, attempt_id: str) -> None:
    """What the student finds in the results."""
    student.goto(f"/attempts/{attempt_id}/results?lang=en")
    expect(student.locator(".score-figure")).to_have_text("4.5 of 6")
    first = student.locator("#q1")
    expect(first).to_contain_text("Mind the spelling.")
    expect(first).to_contain_text("Seen and said")
    expect(student.get_by_role("link", name="Give other points")).to_have_count(0)


def give(page: Page, points: str) -> None:
    """By keyboard, in a page that has just come: before its scripts ran nobody hears a key."""
    page.wait_for_load_state("domcontentloaded")
    page.fill("#points", points)
    page.keyboard.press("Control+Enter")


def test_a_teacher_marks_by_keyboard_until_nothing_waits(open_window: Opener, demo_school: DemoSchool) -> None:
    essays = Essays(demo_school, STUDENT_EMAILS[3], show_correct_answers="after_submit")
    window = open_window(who=TEACHER_EMAIL)
    page = window.page
    page.goto("/teach/grading?lang=en")
    page.locator(f'a[href="{essays.path}"]').click()
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("#connection")).to_have_attribute("data-line", "live")
    essays.hand_in(STUDENT_EMAILS[4])
    expect(page.locator("#new-answers")).to_contain_text("1 new answer")
    for question in (0, 1):
        essays.mark(1, question, 1)
    page.get_by_role("button", name="Mark the next one").click()
    expect(page.locator("h1")).to_be_focused()
    expect(page.locator(".answer-lines")).to_contain_text("Because of 1.")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("None")).not_to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#points")).to_have_value("3.00")
    page.fill("#comment", "Mind the spelling.")
    window.cut_off()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#unsent")).to_contain_text("kept here")
    expect(page.locator("#comment")).to_have_value("Mind the spelling.")
    window.let_through()
    window.forget_cookie("lms_access")  # it has run out while the essay was read
    page.keyboard.press("Control+Enter")
    expect(page.locator(".answer-lines")).to_contain_text("Because of 2.")
    expect(page.locator(".banner")).to_contain_text("The mark is saved.")
    give(page, "٢٫٥")
    expect(page.locator(".error-summary")).to_contain_text("more points than the question has")
    expect(page.locator("#points")).to_have_attribute("aria-invalid", "true")
    give(page, "١٫٥")
    expect(page).to_have_url(re.compile("done=all"))
    expect(page.locator("main")).to_contain_text("Nothing waits to be marked.")
    reads_the_marks(open_window(who=STUDENT_EMAILS[3]).page, essays.attempts[0]["id"])


def test_a_mark_that_came_first_is_shown_before_it_is_changed(open_window: Opener, demo_school: DemoSchool) -> None:
    essays = Essays(demo_school, STUDENT_EMAILS[4])
    page = open_window(who=TEACHER_EMAIL, has_scripts=False).page
    page.goto(f"{essays.path}?lang=en")
    page.locator("tbody tr").nth(1).get_by_role("button").click()
    page.fill("#points", "2")
    essays.mark(0, 1, 1)
    page.locator("#save").click()
    expect(page.locator("#conflict")).to_contain_text("1 of 2")
    expect(page.locator("#points")).to_have_value("2")
    page.locator("#save").click()
    expect(page.locator("#reason-error")).to_be_visible()
    page.fill("#reason", "It says more than it seems.")
    page.locator("#save").click()
    expect(page.locator(".answer-lines")).to_contain_text("Because of 1.")
    page.get_by_role("button", name="Give it back").click()
    expect(page.locator(".banner").first).to_contain_text("free for others")
    page.goto(f"/attempts/{essays.attempts[0]['id']}/results")
    expect(page.locator("#q2")).to_contain_text("It says more than it seems.")
    page.locator("#q2").get_by_role("link", name="Give other points").click()
    expect(page.locator("#points")).to_have_value("2.00")


def test_the_pages_of_marking_in_all_their_looks(open_window: Opener, demo_school: DemoSchool) -> None:
    essays = Essays(demo_school, STUDENT_EMAILS[3], STUDENT_EMAILS[4], is_marking_anonymous=True)
    essays.mark(1, 1, 2)
    window = open_window(who=TEACHER_EMAIL)
    window.page.goto("/teach/grading")
    wrong = []
    for path in (essays.path, f"{essays.path}?item={essays.item(0, 0)}"):
        wrong += looked_at(window, path, asks_for_more=False)
    assert not wrong
    for email in (STUDENT_EMAILS[3], STUDENT_EMAILS[4]):
        assert email.partition("@")[0] not in window.page.content().lower()
