"""The statistics of a quiz as its teacher sees them: plots with their tables, in both languages, without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "question_type": "multiple_choice",
        "question_text": "Which line is steeper than `y = 2x`?",
        "points": 2,
        "options": [{"id": one, "text": text} for one, text in (("a", "y = x"), ("b", "y = 3x"), ("c", "y = 2x + 9"))],
        "correct_answer": {"option_id": "b"},
    },
    {"question_type": "true_false", "question_text": "الخط المستقيم له ميل واحد.", "correct_answer": {"value": True}},
    {"question_type": "numeric", "question_text": "How many?", "correct_answer": {"value": "12"}},
    {
        "question_type": "short_answer",
        "question_text": "What is the capital of Jordan?",
        "correct_answer": {"accepted": [{"text": "Amman"}]},
    },
)
SITTINGS: tuple[tuple[Any, ...], ...] = (
    *[("b", True, "12", "Amman")] * 4,
    *[("b", True, "١٢", "amman")] * 2,
    *[("c", False, "7", "عمّان")] * 3,
    *[("a", True, "12", None)] * 2,
    ("c", False, "13", "Petra"),
)


def sat_quiz(school: DemoSchool) -> str:
    """A quiz with twelve attempts of one student; its id."""
    with school.at_rest() as teacher:
        draft = {"course_id": school.course["id"], "title": "Slopes", "grading_policy": "average"}
        quiz_id = str(teacher.post("/quizzes", json=draft).raise_for_status().json()["id"])
        for question in QUESTIONS:
            body = {"points": 1, **question}
            teacher.post(f"/quizzes/{quiz_id}/questions", json=body).raise_for_status()
        teacher.post(f"/quizzes/{quiz_id}/publish").raise_for_status()
    with school.at_rest(STUDENT_EMAILS[5]) as student:
        for values in SITTINGS:
            begun = student.post("/attempts", json={"quiz_id": quiz_id, "device_id": "test"}).raise_for_status().json()
            answers = [
                {"question_id": question["id"], "value": value}
                for question, value in zip(begun["questions"], values, strict=True)
                if value is not None
            ]
            body = {"answers": answers, "device_id": "test", "lease": begun["lease"]}
            student.post(f"/attempts/{begun['id']}/submit", json=body).raise_for_status()
    return quiz_id


def test_a_teacher_reads_how_a_quiz_went(open_window: Opener, demo_school: DemoSchool) -> None:
    quiz_id = sat_quiz(demo_school)
    window = open_window(who=TEACHER_EMAIL)
    page, path = window.page, f"/teach/quizzes/{quiz_id}/statistics"
    page.goto(f"/teach/quizzes/{quiz_id}?lang=en")
    page.get_by_role("link", name="Statistics").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Statistics")
    told = page.locator("#q1")
    expect(told).to_contain_text("answered by 12 of 12")
    expect(told.locator("tbody tr").nth(1)).to_contain_text("6 (50%)")
    expect(page.locator("#q3 tbody tr").first).to_contain_text("12")
    expect(page.locator("#q3 tbody tr").first).to_contain_text("100%")
    assert page.locator(".plot-dot").count() >= 1
    assert page.locator(".plot-bar").count() == 10
    page.get_by_label("Of each student, look at").select_option("first")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#q1")).to_contain_text("answered by 1 of 1")
    expect(page.locator("#q1")).to_contain_text("Few attempts")
    assert not looked_at(window, path)


def test_nobody_has_sat_it(open_window: Opener, demo_school: DemoSchool) -> None:
    with demo_school.at_rest() as teacher:
        draft = {"course_id": demo_school.course["id"], "title": "Untouched"}
        quiz_id = teacher.post("/quizzes", json=draft).raise_for_status().json()["id"]
    page = open_window(who=TEACHER_EMAIL).page
    page.goto(f"/teach/quizzes/{quiz_id}/statistics?lang=en&attempts=nonsense")
    expect(page.locator("main")).to_contain_text("Nobody’s attempt has been graded yet.")
