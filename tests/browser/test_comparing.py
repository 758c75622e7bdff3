"""Two people save the same: what both changed is seen side by side, what one changed alone follows, and nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from lms_rt.services.demo import ADMIN_EMAIL, TEACHER_EMAIL
from tests.browser.test_grading import RUBRIC
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
LONG = "## What you learn\n\n" + "To tie knots that hold, and to untie them. " * 30
HOOK = "https://93.184.216.34/lms"


@pytest.fixture(scope="module")
def other(demo_school: DemoSchool) -> Iterator[httpx.Client]:
    """What somebody else saves goes by the API."""
    with demo_school.at_rest() as client:
        yield client


@pytest.fixture
def course(other: httpx.Client) -> dict[str, Any]:
    """One of our own."""
    return made(other, "/courses", title="Knots", description="Rope.", tags=["rope"])


def made(other: httpx.Client, path: str, **draft: Any) -> dict[str, Any]:
    found: dict[str, Any] = other.post(path, json=draft).raise_for_status().json()
    return found


def changed(other: httpx.Client, path: str, **change: Any) -> None:
    other.patch(path, json=change).raise_for_status()


def stored(other: httpx.Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = other.get(path).raise_for_status().json()
    return found


def press_save(page: Page, name: str = "Save") -> Locator:
    """Save, and be told that somebody else was first."""
    page.get_by_role("button", name=name, exact=True).click()
    summary = page.locator(".error-summary")
    expect(summary).to_be_focused()
    return summary


def looked_over(window: Window) -> list[str]:
    """What is wrong as it stands. What a press brought may push aside what stood there."""
    window.page.evaluate("window.shift = 0")
    return window.look_over()


def test_a_course_by_keyboard_alone(open_window: Opener, other: httpx.Client, course: dict[str, Any]) -> None:
    window, path = open_window(who=TEACHER_EMAIL), f"/courses/{course['id']}"
    page = window.page
    page.goto(f"/teach{path}/details")
    changed(other, path, tags=["lines"], short_description="Theirs.", description=LONG, difficulty_level="advanced")
    for name, words in (("#tags", "knots, loops"), ("#short_description", "Mine."), ("#description", "Mine, too.")):
        page.fill(name, words)
    summary = press_save(page)
    expect(summary).to_contain_text("You have both changed these")
    expect(summary.get_by_role("listitem")).to_have_text(["In one sentence", "Description", "Tags", "Level"])
    expect(page.locator("#difficulty_level")).to_have_value("advanced")
    expect(page.locator("#stored-tags")).to_contain_text("Stored now: lines")
    expect(page.get_by_role("region", name="Stored now: Description")).to_have_text(LONG)
    expect(page.locator("#tags")).to_have_accessible_description(re.compile("Stored now: lines"))
    expect(page.locator(".stored")).to_have_count(3)
    assert not looked_over(window)

    summary.get_by_role("link", name="Tags").press("Enter")
    expect(page.locator("#tags")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Take this Tags")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#tags")).to_be_focused()
    expect(page.locator("#tags")).to_have_value("lines")
    expect(page.locator("#stored-tags")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator(".toast").first).to_contain_text("Saved")
    expect(page.locator(".stored, .error-summary")).to_have_count(0)
    now = stored(other, path)
    assert (now["tags"], now["short_description"], now["description"]) == (["lines"], "Mine.", "Mine, too.")
    assert now["difficulty_level"] == "advanced"

    changed(other, path, short_description="Theirs again.")
    page.fill("#title", "Knots and loops")
    expect(press_save(page).get_by_role("listitem")).to_have_text("In one sentence")
    expect(page.locator("#short_description")).to_have_value("Theirs again.")
    expect(page.locator(".stored")).to_have_count(0)


def test_a_quiz_in_the_other_direction_on_a_small_screen(
    open_window: Opener, other: httpx.Client, course: dict[str, Any]
) -> None:
    quiz = made(other, "/quizzes", course_id=course["id"], title="Loops", passing_score="60")
    window, path = open_window(who=TEACHER_EMAIL, width=320), f"/quizzes/{quiz['id']}"
    page = window.page
    page.goto(f"/teach{path}?lang=ar&theme=dark")
    theirs = {"closes_at": "2031-05-01T09:00:00Z", "quiz_type": "practice", "shuffle_options": True}
    changed(other, path, **theirs, shuffle_questions=True, instructions="Slowly.", passing_score="70")
    page.fill("#closes_at", "2031-06-01T12:00")
    page.fill("#instructions", "Slowly.")
    page.fill("#passing_score", "٨٠")
    summary = press_save(page, "احفظ")
    expect(summary).to_contain_text("عدّل شخص آخر هذا في الأثناء")
    expect(page.locator(".stored")).to_have_count(2)
    expect(page.locator("#stored-closes_at")).to_contain_text("2031")
    expect(page.locator("#stored-passing_score")).to_contain_text("70.00")
    expect(page.locator("#quiz_type")).to_have_value("practice")
    expect(page.locator("[name=shuffle_options]")).to_be_checked()
    assert not looked_over(window)

    page.locator("#stored-closes_at button").click()
    expect(page.locator("#closes_at")).to_have_value("2031-05-01T12:00")  # in Cairo
    page.get_by_role("button", name="احفظ", exact=True).click()
    expect(page.locator(".toast").first).to_be_visible()
    now = stored(other, path)
    assert now["closes_at"].startswith("2031-05-01T09:00:00")
    assert (now["passing_score"], now["quiz_type"], now["shuffle_questions"]) == ("80.00", "practice", True)


def test_a_lesson_with_ticks_of_one_name_and_a_page_that_cannot_be_had(
    open_window: Opener, other: httpx.Client, course: dict[str, Any]
) -> None:
    first, second, third = (
        made(other, f"/courses/{course['id']}/lessons", title=title)["id"] for title in ("Bowline", "Reef", "Splice")
    )
    page, path = open_window(who=TEACHER_EMAIL).page, f"/lessons/{third}"
    address = f"/teach/courses/{course['id']}/lessons?lesson={third}"
    page.goto(address)
    changed(other, path, prerequisite_lesson_ids=[first], is_free=True, content="Theirs.")
    page.get_by_label("Reef", exact=True).check()
    page.route(re.compile(re.escape(address)), lambda route: route.abort())
    expect(press_save(page)).to_contain_text("Reload the page")
    page.unroute_all(behavior="wait")
    expect(press_save(page).get_by_role("link")).to_have_count(3)
    expect(page.locator("#content")).to_have_value("Theirs.")
    expect(page.locator("[name=is_free]")).to_be_checked()
    before = page.locator("#stored-prerequisite_lesson_ids")
    expect(before).to_contain_text("Stored now: Bowline")
    before.get_by_role("button").click()
    expect(page.get_by_label("Bowline", exact=True)).to_be_checked()
    expect(page.get_by_label("Reef", exact=True)).not_to_be_checked()
    page.get_by_label("Reef", exact=True).check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#lesson-order")).to_contain_text("Splice")
    now = stored(other, path)
    assert (now["prerequisite_lesson_ids"], now["is_free"]) == ([first, second], True)


def test_a_question_and_its_key(open_window: Opener, other: httpx.Client, course: dict[str, Any]) -> None:
    quiz = made(other, "/quizzes", course_id=course["id"], title="Colours")
    options = [{"id": "a", "text": "Red"}, {"id": "b", "text": "Green"}]
    kind = {"question_type": "multiple_choice", "options": options}
    draft = {**kind, "question_text": "Which?", "points": 1, "correct_answer": {"option_id": "a"}}
    question = made(other, f"/quizzes/{quiz['id']}/questions", **draft)
    window, path = open_window(who=TEACHER_EMAIL), f"/questions/{question['id']}"
    page = window.page
    page.goto(f"/teach/quizzes/{quiz['id']}?question={question['id']}")
    theirs = [options[0], {"id": "b", "text": "Blue"}]
    changed(other, path, options=theirs, correct_answer={"option_id": "b"}, title="Sky")
    page.fill("#question_text", "Which one?")
    page.locator("#part [data-name=text]").first.fill("Crimson")
    summary = press_save(page)
    expect(summary.get_by_role("listitem")).to_have_text(["Options", "Name in your lists"])
    expect(page.locator("#title")).to_have_value("Sky")
    expect(page.get_by_role("region", name="Stored now: Options")).to_have_text(
        "Text of A: Red\nText of B: Blue\nB is right"
    )
    assert not looked_over(window)
    page.get_by_role("button", name="Take this Options").click()
    expect(page.locator("#part [data-name=text]").nth(1)).to_have_value("Blue")
    expect(page.locator("#preview section").first).to_contain_text("Blue")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#question-order")).to_contain_text("Sky")
    now = stored(other, path)
    assert (now["question_text"], now["correct_answer"]["option_id"]) == ("Which one?", "b")
    assert [one["text"] for one in now["options"]] == ["Red", "Blue"]


def test_an_assignment_its_rubric_and_its_dates(
    open_window: Opener, other: httpx.Client, demo_school: DemoSchool
) -> None:
    task = made(other, "/assignments", course_id=demo_school.course["id"], title="Drawing", points=4, rubric=RUBRIC)
    window, path = open_window(who=TEACHER_EMAIL), f"/assignments/{task['id']}"
    page = window.page
    page.goto(f"/teach{path}")
    students = page.locator("#whom option[value^='student:']")
    mine, theirs = (students.nth(place).get_attribute("value") or "" for place in (0, 1))
    criterion = {**RUBRIC["criteria"][0], "title": "Thought"}
    date = {"student_id": theirs.removeprefix("student:"), "due_date": "2031-05-01T09:00:00Z"}
    changed(other, path, rubric={"criteria": [criterion, RUBRIC["criteria"][1]]}, overrides=[date])

    page.fill("#title", "Drawing by hand")
    expect(press_save(page)).to_contain_text("What they changed is not in these fields")
    page.locator("#rubric-rows [data-name=criterion]").first.fill("Notion")
    page.get_by_role("button", name="Save what it is graded by").click()
    expect(page.locator("#rubric-form .error-summary")).to_be_focused()
    expect(page.get_by_role("region", name=re.compile("Stored now"))).to_contain_text("Criterion A: Thought")
    page.select_option("#whom", mine)
    page.fill("#other_date", "2031-06-01T12:00")
    page.get_by_role("button", name="Give this date").click()
    expect(page.locator("#date-form .error-summary")).to_be_focused()
    expect(page.locator("#date-list li")).to_have_count(1)
    assert not looked_over(window)

    page.get_by_role("button", name="Give this date").click()
    expect(page.locator("#date-list li")).to_have_count(2)
    now = stored(other, path)
    assert {one["student_id"] for one in now["overrides"]} == {one.removeprefix("student:") for one in (mine, theirs)}
    assert [one["title"] for one in now["rubric"]["criteria"]] == ["Thought", RUBRIC["criteria"][1]["title"]]


def test_a_webhook_that_got_a_new_secret_besides(open_window: Opener, demo_school: DemoSchool) -> None:
    with demo_school.at_rest(ADMIN_EMAIL) as other:
        hook = made(other, "/webhooks", url=HOOK, event_types=["quiz.published"])
        page, path = open_window(who=ADMIN_EMAIL).page, f"/webhooks/{hook['id']}"
        page.goto(f"/admin{path}")
        changed(other, path, event_types=["enrollment.created"])
        page.get_by_role("button", name="New secret").click()
        expect(page.locator("#secret h2")).to_be_focused()
        page.fill("#description", "To the registry")
        expect(press_save(page).get_by_role("listitem")).to_have_text("Events")
        expect(page.get_by_label("enrollment.created", exact=True)).to_be_checked()
        expect(page.get_by_label("quiz.published", exact=True)).not_to_be_checked()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".toast", has_text="Saved")).to_be_visible()
        now = stored(other, path)
        assert (now["description"], now["event_types"]) == ("To the registry", ["enrollment.created"])
        other.delete(path).raise_for_status()
