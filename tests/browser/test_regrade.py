"""A question is corrected on a page: who gains and loses, applied while somebody looks, taken back; without scripts as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window
from tests.factories import CHOICE, TRUE_FALSE

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]


def sat_quiz(school: DemoSchool, *, title: str) -> str:
    """A quiz that one student was right in and another was not; its id."""
    with school.at_rest() as teacher:
        draft = {"course_id": school.course["id"], "title": title, "passing_score": "60.00"}
        quiz_id = str(teacher.post("/quizzes", json=draft).raise_for_status().json()["id"])
        for question in (CHOICE, TRUE_FALSE):
            teacher.post(f"/quizzes/{quiz_id}/questions", json=question).raise_for_status()
        teacher.post(f"/quizzes/{quiz_id}/publish").raise_for_status()
    right = CHOICE["correct_answer"]["option_id"]
    wrong = next(one["id"] for one in CHOICE["options"] if one["id"] != right)
    for email, value in ((STUDENT_EMAILS[5], right), (STUDENT_EMAILS[6], wrong)):
        with school.at_rest(email) as student:
            student.post("/enrollments", json={"course_id": school.course["id"]})
            begun = student.post("/attempts", json={"quiz_id": quiz_id, "device_id": "test"}).raise_for_status().json()
            values: list[Any] = [value, True]
            answers = [
                {"question_id": question["id"], "value": given}
                for question, given in zip(begun["questions"], values, strict=True)
            ]
            body = {"answers": answers, "device_id": "test", "lease": begun["lease"]}
            student.post(f"/attempts/{begun['id']}/submit", json=body).raise_for_status()
    return quiz_id


def test_a_teacher_sees_who_gains_and_loses_applies_it_and_takes_it_back(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    quiz_id = sat_quiz(demo_school, title="Corrected")
    window = open_window(who=TEACHER_EMAIL)
    page = window.page
    page.goto(f"/teach/quizzes/{quiz_id}?lang=en")
    page.get_by_role("link", name="Correct and grade again").click()
    page.locator(".lesson-name a").first.click()
    path = page.url[page.url.index("/teach") :]
    assert not looked_at(window, path)
    page.goto(f"{path}&lang=en&theme=light")
    page.get_by_label("Full points for everybody").check()
    page.get_by_label("Why").fill("Both readings were possible.")
    page.get_by_role("button", name="Show who gains and loses").click()
    expect(page.locator("#count-gains")).to_have_text("1")
    expect(page.locator("#count-passes")).to_have_text("1")
    expect(page.get_by_role("main")).to_contain_text("Not applied yet")
    path = page.url[page.url.index("/teach") :].partition("&lang")[0]
    assert not looked_at(window, path)
    page.goto(f"{path}&lang=en&theme=light")
    page.get_by_role("button", name="Apply to everybody").click()
    expect(page.locator("#status")).to_have_text("Applied", timeout=15_000)
    page.get_by_role("link", name="Pass now").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto(f"{path}&lang=en")
    page.get_by_text("Take it back").first.click()
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#status")).to_have_text("Taken back", timeout=15_000)
    expect(page.locator("thead")).to_contain_text("After taking it back")


def test_what_was_edited_is_offered_and_applied_without_scripts(open_window: Opener, demo_school: DemoSchool) -> None:
    quiz_id = sat_quiz(demo_school, title="Edited")
    with demo_school.at_rest() as teacher:
        question = teacher.get(f"/quizzes/{quiz_id}/questions").json()["items"][1]
        key = {"correct_answer": {"value": not question["correct_answer"]["value"]}}
        assert teacher.patch(f"/questions/{question['id']}", json=key).raise_for_status().json()["regrade_offered"]
    page = open_window(who=TEACHER_EMAIL, has_scripts=False).page
    page.goto(f"/teach/quizzes/{quiz_id}/regrade?lang=en")
    expect(page.get_by_role("heading", name="1 question was changed")).to_be_visible()
    page.get_by_role("button", name="Show who gains and loses").click()
    expect(page.locator("#count-loses")).to_have_text("2")
    page.get_by_role("button", name="Apply to everybody").click()
    while page.get_by_role("link", name="Look again").count():
        page.get_by_role("link", name="Look again").click()
    expect(page.locator("#status")).to_have_text("Applied")
