"""Assignments by the pages: a draft that keeps itself, handing in, grading by keyboard, and a grade that arrives while one looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import FilePayload, Page, expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.test_early import Held
from tests.browser.test_grading import RUBRIC
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
WHO, HASTY, EARLY, LEAVING = STUDENT_EMAILS[2:6]


@pytest.fixture(scope="module")
def assignment_id(demo_school: DemoSchool) -> str:
    """One that was due a moment ago, with a rubric."""
    body = {
        "course_id": demo_school.course["id"],
        "title": "واجب الميل",
        "description": "Why is a slope *steep*?",
        "due_date": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        "allow_late_submission": True,
        "late_penalty_percentage": 10,
        "points": 4,
        "rubric": RUBRIC,
    }
    with demo_school.at_rest() as teacher:
        return str(teacher.post("/assignments", json=body).raise_for_status().json()["id"])


def enrolled(open_window: Opener, school: DemoSchool, who: str) -> Window:
    """A window of somebody who is in the course now."""
    with school.at_rest(who) as student:
        student.post("/enrollments", json={"course_id": school.course["id"]})
    return open_window(who=who)


def test_from_the_draft_to_the_grade_that_arrives(
    assignment_id: str, open_window: Opener, demo_school: DemoSchool
) -> None:
    student, teacher = enrolled(open_window, demo_school, WHO), open_window(who=TEACHER_EMAIL)
    mine, hers = student.page, teacher.page
    mine.goto(f"/assignments/{assignment_id}?lang=en")
    mine.get_by_label("Text").fill("It *climbs*.")
    expect(mine.locator("#draft-state")).to_contain_text("Draft kept")
    mine.reload()
    expect(mine.get_by_label("Text")).to_have_value("It *climbs*.")
    mine.get_by_label("Add files").set_input_files(
        {"name": "تقرير.txt", "mimeType": "text/plain", "buffer": "ميل".encode()}
    )
    expect(mine.locator("[data-picked]")).to_contain_text("تقرير.txt")
    expect(mine.locator("[data-picked] input[name=file]")).to_have_count(1)
    _refused(mine)
    mine.get_by_role("button", name="Hand in").click()
    expect(mine.get_by_text("Handed in. Your teacher has it.")).to_be_visible()
    expect(mine.get_by_text("1 day late").first).to_be_visible()

    hers.goto("/teach/grading?lang=en")
    hers.get_by_role("button", name="Mark the next one واجب الميل").click()
    expect(hers.get_by_role("link", name="تقرير.txt")).to_be_visible()
    hers.get_by_label("Good").check()
    hers.get_by_label("Fine").check()
    expect(hers.get_by_label("Points, of 4")).to_have_value("4.00")
    hers.get_by_label("Comment for the student").fill("Steep indeed.")
    hers.keyboard.press("Control+Enter")
    expect(hers.get_by_text("The grade is saved.")).to_be_visible()
    expect(mine.locator("#changed")).to_contain_text("3.6 of 4")
    mine.locator("#changed").get_by_role("link").click()
    expect(mine.get_by_text("Steep indeed.")).to_be_visible()
    expect(mine.get_by_text("−10%")).to_be_visible()

    assert not looked_at(student, f"/assignments/{assignment_id}")
    assert not looked_at(teacher, f"/teach/assignments/{assignment_id}?state=graded")
    with demo_school.at_rest() as rest:
        works = rest.get(f"/assignments/{assignment_id}/submissions").raise_for_status().json()["items"]
    desk = f"/teach/assignments/{assignment_id}/grade?work={works[0]['id']}"
    assert not looked_at(teacher, desk)

    _taken_back(student, teacher, f"/assignments/{assignment_id}", desk)


def test_what_was_typed_just_before_a_reload_is_kept(
    assignment_id: str, open_window: Opener, demo_school: DemoSchool
) -> None:
    """The page that comes was made before the server heard of the last words."""
    page = enrolled(open_window, demo_school, HASTY).page
    page.goto(f"/assignments/{assignment_id}?lang=en")
    page.get_by_label("Text").fill("The last words")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("The last words")
    expect(page.locator("#draft-state")).to_contain_text("Draft kept")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("The last words")


def test_what_was_typed_before_the_scripts_came_is_kept(
    assignment_id: str, open_window: Opener, demo_school: DemoSchool
) -> None:
    page = enrolled(open_window, demo_school, EARLY).page
    late = Held(page, re.compile(r"/assignment\.js$"))
    page.goto(f"/assignments/{assignment_id}?lang=en", wait_until="commit")
    page.get_by_label("Text").fill("The first words")
    late.wait()
    late.let_go()
    expect(page.locator("#draft-state")).to_contain_text("Draft kept")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("The first words")


def test_what_was_left_is_not_put_over_what_was_handed_in_since(
    assignment_id: str, open_window: Opener, demo_school: DemoSchool
) -> None:
    """Left in this tab, and not heard by the server; then it is done elsewhere."""
    path = f"/assignments/{assignment_id}"
    page = enrolled(open_window, demo_school, LEAVING).page
    page.route(re.compile("/draft$"), lambda route: route.abort())
    page.goto(f"{path}?lang=en")
    page.get_by_label("Text").fill("Half a thought")
    page.goto("/home")
    with demo_school.at_rest(LEAVING) as student:
        student.post(f"{path}/submit", json={"content": "The whole thought"}).raise_for_status()
    page.goto(f"{path}?lang=en")
    expect(page.get_by_label("Text")).to_have_value("The whole thought")


def _refused(page: Page) -> None:
    """A file that is not taken; it says why, and the draft has the others."""
    exe: FilePayload = {"name": "notes.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"}
    page.get_by_label("Add files").set_input_files([exe])
    expect(page.locator("[data-picked]")).to_contain_text("Files of this kind are not taken.")
    expect(page.locator("#draft-state")).to_contain_text("Draft kept")


def _taken_back(student: Window, teacher: Window, work: str, desk: str) -> None:
    """The grade, by keyboard; the student sees it go."""
    mine, hers = student.page, teacher.page
    mine.goto(f"{work}?lang=en")
    expect(mine.locator("#connection")).to_have_attribute("data-line", "live")
    hers.goto(f"{desk}&lang=en")
    hers.locator("summary", has_text="Take the grade back").focus()
    hers.keyboard.press("Enter")
    assert not teacher.look_over()
    hers.get_by_label("Why it is taken back").fill("Another's work")
    hers.keyboard.press("Enter")
    expect(hers.get_by_text("The grade is taken back. The work waits again.")).to_be_visible()
    expect(mine.locator("#changed")).to_contain_text("Another's work")
    mine.locator("#changed").get_by_role("link").click()
    expect(mine.get_by_text("Steep indeed.")).to_have_count(0)
    assert not student.look_over() + student.faults + teacher.faults


@pytest.mark.parametrize("path", ["/assignments", "/teach/courses/{course}/assignments"])
def test_the_lists(path: str, assignment_id: str, open_window: Opener, demo_school: DemoSchool) -> None:
    assert assignment_id
    who = TEACHER_EMAIL if path.startswith("/teach") else WHO
    assert not looked_at(open_window(who=who), demo_school.path(path))
