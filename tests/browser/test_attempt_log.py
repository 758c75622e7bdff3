"""What was noted around an attempt, as its student reads it: a cut line, a hidden page, the time given back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.room import RoomPage, make_quiz
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
NOTED = STUDENT_EMAILS[9]


def told(page: Page, attempt_id: str, words: str) -> None:
    """Look into the log until it says so: facts are noted behind what they are about."""
    for _ in range(300):
        if words in page.request.get(f"/attempts/{attempt_id}/log?lang=en").text():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the log does not say: {words}")


def test_the_student_reads_what_was_noted_and_what_time_was_given_back(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    window = open_window(who=NOTED)
    quiz_id = make_quiz(demo_school, connection_loss_policy="approval")
    room = RoomPage.start(window, NOTED, quiz_id)
    page, attempt_id = room.page, room.attempt_id
    facts = page.locator(".log-fact")
    told(page, attempt_id, "Connected")  # a line that was never up is not lost
    page.goto(f"/attempts/{attempt_id}/log")
    expect(page.get_by_text("None of them says that anything was wrong.")).to_be_visible()
    told(page, attempt_id, "Connection lost")
    page.reload()
    expect(facts.last).to_contain_text("Connection lost (closed by the device)")
    told(page, attempt_id, "Measured, 1 time")  # as soon as the absence is so long that it counts
    with demo_school.at_rest() as teacher:
        credit = {"approve": True, "seconds": 75, "reason": "The line at the school"}
        teacher.post(f"/attempts/{attempt_id}/time-credit", json=credit).raise_for_status()
    page.reload()
    expect(facts.last).to_contain_text("Time was given back for a lost connection:")
    expect(page.locator("dl")).to_contain_text("Measured, 1 time")
    expect(page.locator("dl")).to_contain_text("Given back")
    assert window.look_over() == []
    page.goto(f"/attempts/{attempt_id}/log?lang=ar")
    expect(facts.last).to_contain_text("أُعيد وقت عن اتصال انقطع")
    page.set_viewport_size({"width": 320, "height": 800})
    assert window.look_over(has_axe=False) == []
    page.get_by_role("link", name="العودة إلى الاختبار").click()
    page.wait_for_url(f"**/attempts/{attempt_id}")
    told(page, attempt_id, "The page was in sight again")
