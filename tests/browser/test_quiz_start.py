"""The page before a quiz: one's own time and why, attempts left, and a Start that unlocks by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.room import make_quiz
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
SLOWER, HELD = STUDENT_EMAILS[25:27]


def test_who_has_more_time_reads_how_much_and_why(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=SLOWER)
    page = window.page
    quiz_id = make_quiz(demo_school, closes_in_seconds=600, max_attempts=2, connection_loss_policy="automatic")
    with demo_school.at_rest(SLOWER) as student:
        student_id = student.get("/users/me").raise_for_status().json()["id"]
    profile = {"student_id": student_id, "factor": "1.50", "extra_minutes": 10, "break_minutes": 5}
    with demo_school.at_rest() as teacher:
        path = f"/quizzes/{quiz_id}/accommodations"
        teacher.put(path, json=profile | {"stretches_closing": True}).raise_for_status()
    page.goto(f"/quizzes/{quiz_id}")
    figure = page.locator(".figure", has_text="Your time")
    expect(figure).not_to_contain_text("30 min for others")  # it closes before that
    expect(figure).to_contain_text("until it closes")
    why = page.locator("#your-time")
    for words in (
        "1.5 times",
        "You have 10 more minutes.",
        "5 minutes for breaks are in it.",
        "For you it closes later",
    ):
        expect(why).to_contain_text(words)
    expect(page.get_by_text("Time lost by it is given back, up to 10 minutes.")).to_be_visible()
    expect(page.locator("aside")).to_contain_text("2 of 2")
    assert window.look_over() == []
    with demo_school.at_rest(SLOWER) as student:
        quiz = student.get(f"/quizzes/{quiz_id}").raise_for_status().json()
    closes_at = datetime.fromisoformat(quiz["your_time"]["closes_at"]).astimezone(ZoneInfo("Africa/Cairo"))
    assert f"{closes_at:%H:%M}</time>" in page.request.get(f"/quizzes/{quiz_id}").text()  # where the browser says it is
    with demo_school.at_rest() as teacher:
        teacher.patch(f"/quizzes/{quiz_id}", json={"closes_at": None}).raise_for_status()
    page.goto(f"/quizzes/{quiz_id}?lang=ar")
    figure = page.locator(".figure").first
    expect(figure).to_contain_text("ساعة")  # 30 × 1.5 + 10 + 5
    expect(figure).to_contain_text("لغيرك 30 دقيقة")
    assert window.look_over(has_axe=False) == []


def test_start_unlocks_when_its_time_has_come_and_when_the_teacher_goes_on(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    window = open_window(who=HELD)
    page, start = window.page, window.page.locator("#start")
    window.page.clock.install()
    opens_at = (datetime.now(UTC) + timedelta(seconds=600)).isoformat()
    quiz_id = make_quiz(demo_school, opens_at=opens_at)
    with demo_school.at_rest() as teacher:
        live = f"/quizzes/{quiz_id}/live"
        page.goto(f"/quizzes/{quiz_id}")
        expect(start).to_have_attribute("aria-disabled", "true")
        page.clock.run_for(2000)
        expect(page.locator("#why-not")).to_contain_text("Opens in 9:")
        page.clock.fast_forward(600_000)
        expect(start).not_to_have_attribute("aria-disabled", "true")
        start.click()  # the school's own clock has not come so far
        expect(start).to_have_attribute("aria-disabled", "true")
        teacher.patch(f"/quizzes/{quiz_id}", json={"opens_at": None}).raise_for_status()
        teacher.post(f"{live}/pause", json={"reason": "Not yet"}).raise_for_status()
        page.goto(f"/quizzes/{quiz_id}")
        expect(page.locator("#why-not")).to_have_text("Your teacher has paused the quiz. This page unlocks by itself.")
        assert window.look_over() == []
        teacher.post(f"{live}/resume", json={}).raise_for_status()
        page.clock.fast_forward(12_000)
        expect(start).not_to_have_attribute("aria-disabled", "true")
        expect(page.locator("#say")).to_have_text("The quiz is open. You may start.")
        teacher.post(f"{live}/pause", json={}).raise_for_status()
        start.click()
        expect(page.locator("#why-not")).to_contain_text("Your teacher has paused the quiz.")
        teacher.post(f"{live}/end", json={}).raise_for_status()
        page.goto(f"/quizzes/{quiz_id}")
        expect(page.locator("#why-not")).to_have_text("Your teacher has ended the quiz.")
        expect(start).to_have_attribute("aria-disabled", "true")
        assert window.look_over(has_axe=False) == []
