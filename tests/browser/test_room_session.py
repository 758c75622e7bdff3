"""The quiz room of somebody whose session has ended: writing goes on, and signing in opens in place, when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import DEMO_PASSWORD, STUDENT_EMAILS
from tests.browser.room import RoomPage, make_quiz
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
AWAY = STUDENT_EMAILS[20]
SIGN_OUT = """
async () => {
  const [, token] = document.cookie.match(/lms_csrf=([^;]+)/);
  const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
  await fetch("/api/v1/auth/logout-cookie", { method: "POST", headers, body: "{}" });
}
"""


def test_a_session_that_ended_is_taken_up_in_place(open_window: Opener, demo_school: DemoSchool) -> None:
    """Nothing opens over the question by itself: one goes on writing, and signs in again when one wants to."""
    room = RoomPage.start(open_window(who=AWAY), AWAY, make_quiz(demo_school))
    page, dialog = room.page, room.page.get_by_role("dialog")
    room.choose("y = 3")
    room.expect_state("saved")
    page.evaluate(SIGN_OUT)
    expect(room.line).to_contain_text("Your session has ended")
    room.choose("y = x + 2")
    room.expect_state("waiting")
    page.wait_for_event("response", lambda reply: reply.url.endswith("/sync") and reply.status == 401)
    expect(room.line).to_contain_text("Your session has ended")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Sign in").click()
    page.fill("#again-email", AWAY)
    page.fill("#again-password", DEMO_PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    room.expect_state("saved")
    assert room.stored()[1] == "a"
