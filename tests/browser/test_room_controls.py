"""What a teacher does to a running quiz, as the student in its room sees it: told once, kept, and nothing under the hands moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.room import RoomPage, make_quiz
from tests.browser.window import DemoSchool, Window, spoken

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
WRITER, CHOOSER, ABSENT, PLAIN = STUDENT_EMAILS[6:10]
LONG = "Please read the fourth question twice: its second sentence says which of the two lines is meant."
FOCUS_IS_SOUND = """
() => {
  const has = document.activeElement;
  if (!has || has === document.body || !has.checkVisibility()) return "the focus is nowhere";
  const { left, right, top, bottom } = has.getBoundingClientRect();
  const [x, y] = [(left + right) / 2, (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2];
  const there = document.elementFromPoint(x, y);
  const label = has.closest("label");
  return has.contains(there) || there?.contains(has) || label?.contains(there) ? "" : `${has.id} is covered by ${there?.id}`;
}
"""


class Teacher:
    """Who teaches the quiz, by REST."""

    def __init__(self, school: DemoSchool, quiz_id: str) -> None:
        self._school, self.quiz_id = school, quiz_id

    def order(self, kind: str, **body: Any) -> str:
        """A control for all; its id."""
        return str(self._post(f"/quizzes/{self.quiz_id}/live/{kind}", body)["control_id"])

    def correct(self, question_id: str, **body: Any) -> None:
        """Correct a question."""
        self._post(f"/quizzes/{self.quiz_id}/questions/{question_id}/correct", body)

    def has_been_seen(self, room: RoomPage, control_id: str) -> None:
        """Wait until the room has said that it showed this."""
        with self._school.at_rest() as teacher:
            for _ in range(100):
                listed = teacher.get(f"/quizzes/{self.quiz_id}/live/controls").raise_for_status().json()["items"]
                if next(row for row in listed if row["control_id"] == control_id)["seen_count"] == 1:
                    return
                room.page.wait_for_timeout(100)
        raise AssertionError("it was not confirmed")

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        with self._school.at_rest() as teacher:
            return teacher.post(path, json=body).raise_for_status().json()


def focus_is_sound(room: RoomPage) -> None:
    """It is on something that is to be seen."""
    assert room.page.evaluate(FOCUS_IS_SOUND) == ""


def test_pause_extend_and_end_by_keyboard_alone(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=WRITER)
    teacher = Teacher(demo_school, make_quiz(demo_school))
    room = RoomPage.start(window, WRITER, teacher.quiz_id)
    page, written = room.page, room.page.locator("#answer-text")
    room.to(8)
    written.focus()
    page.keyboard.type("half a sent")
    teacher.order("pause", reason="Fire drill")
    expect(page.locator("#cover-heading")).to_be_focused()
    expect(page.locator("#cover-view")).to_contain_text("Reason: Fire drill")
    expect(written).to_be_hidden()
    expect(room.line).to_contain_text(re.compile(r"Paused by your teacher\. \d+:\d\d left; your answers are safe\."))
    focus_is_sound(room)
    page.keyboard.type("typed while nothing is taken")
    assert window.look_over() == []
    teacher.order("resume")
    expect(written).to_be_focused()
    focus_is_sound(room)
    page.keyboard.type("ence")
    room.expect_state("saved")
    assert room.stored() == {8: "half a sentence"}
    seen = teacher.order("extend", seconds=300, reason="The drill")
    expect(room.line).to_contain_text("5 more minutes. New end: ")
    expect(written).to_be_focused()
    teacher.has_been_seen(room, seen)
    page.keyboard.press("F8")
    expect(page.locator("#say")).to_contain_text(re.compile("3[45] minutes left, 1 of 8 saved, 0 waiting"))
    teacher.order("end", reason="The bell")
    expect(page.locator("#closed-heading")).to_be_focused()
    focus_is_sound(room)
    expect(page.locator("#closed-heading")).to_have_text("Ended")
    expect(page.locator("#closed-view")).to_contain_text("Your teacher has ended the quiz. This is what counts.")
    expect(page.locator("#closed-view")).to_contain_text("Reason: The bell")
    expect(page.locator("#closed-view")).to_contain_text("1 of 8 counted")
    assert window.look_over() == []
    page.get_by_role("link", name="What was noted").click()
    expect(page.locator("h1")).to_have_text("What was noted")
    expect(page.locator(".log-fact").first).to_contain_text("Connected")


def test_a_corrected_question_changes_in_place(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=CHOOSER, width=320)
    teacher = Teacher(demo_school, make_quiz(demo_school))
    room = RoomPage.start(window, CHOOSER, teacher.quiz_id)
    page = room.page
    room.choose("y = 2x − 1")
    room.expect_state("saved")
    teacher.order("announce", text=LONG)
    expect(room.line).to_contain_text("Please read the fourth question twice: its second sentence says…")
    spoken(page, LONG)
    with demo_school.at_rest(CHOOSER) as student:
        questions = student.get(f"/attempts/{room.attempt_id}").raise_for_status().json()["questions"]
        first, _, third = (question["id"] for question in questions[:3])
    page.get_by_role("radio", checked=True).focus()
    fixed = {"question_text": "Which line is parallel to `y = 2x + 1`?"}
    teacher.correct(first, action="fix", question=fixed, extra_minutes=2, reason="A sign was missing")
    expect(page.locator("#question-text")).to_contain_text("y = 2x + 1")
    expect(page.locator("#question-heading")).to_contain_text("Changed")
    expect(room.line).to_contain_text("2 more minutes. New end: ")
    expect(page.get_by_role("radio", checked=True)).to_have_value("b")
    expect(page.get_by_role("radio", checked=True)).to_be_focused()
    room.expect_state("saved")
    assert window.look_over() == []
    page.reload()
    expect(page.locator("#question-heading")).to_contain_text("Changed")
    expect(page.locator("#messages")).to_have_attribute("aria-label", "Messages")
    page.locator("#messages").click()
    told = page.get_by_role("dialog").get_by_role("listitem")
    expect(told).to_have_count(2)
    expect(told.first).to_contain_text("Question 1 was changed. Your answer is kept. 2 more minutes.")
    expect(told.first).to_contain_text("Reason: A sign was missing")
    expect(told.last).to_contain_text(LONG)
    assert window.look_over() == []
    page.get_by_role("dialog").get_by_role("link", name="Question 1").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    focus_is_sound(room)
    teacher.correct(first, action="void")
    expect(page.locator("#question-heading")).to_contain_text("Does not count")
    expect(room.line).to_have_text("Question 1 does not count any more.")
    teacher.correct(third, action="accept", accepted=[{"value": False}])
    expect(room.line).to_have_text("The grading of a question was corrected.")


def test_what_was_said_meanwhile_is_told_on_coming_back(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=ABSENT)
    teacher = Teacher(demo_school, make_quiz(demo_school))
    room = RoomPage.start(window, ABSENT, teacher.quiz_id)
    page, address = room.page, room.page.url
    room.choose("y = 3")
    room.expect_state("saved")  # who leaves while the lease is on its way is asked on coming back
    page.goto("/home")
    heard = teacher.order("announce", text="Question 2 has two right answers.")
    teacher.order("extend", seconds=90)
    page.goto(address)
    expect(room.line).to_contain_text("90 more seconds. New end: ")
    spoken(page, "90 more seconds. New end: ")
    expect(page.locator("#messages")).to_have_attribute("aria-label", "Messages, 2 new")
    teacher.has_been_seen(room, heard)
    page.locator("#clock-button").click()
    expect(page.locator("#clock-panel")).to_contain_text("90 more seconds.")
    teacher.order("pause")
    expect(page.locator("#cover-heading")).to_be_focused()
    page.goto(f"/quizzes/{teacher.quiz_id}")
    expect(page.get_by_text("Your attempt is paused. Your answers are safe.")).to_be_visible()


def test_without_a_socket_it_is_told_as_well(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=PLAIN)
    window.page.route_web_socket(re.compile("/ws\\?"), lambda socket: socket.close())
    window.page.clock.install()
    teacher = Teacher(demo_school, make_quiz(demo_school))
    room = RoomPage.start(window, PLAIN, teacher.quiz_id)
    room.choose("y = 3")
    room.expect_state("saved")
    teacher.order("announce", text="Question 2 has two right answers.")
    heard = teacher.order("extend", seconds=60)
    page, messages = room.page, room.page.locator("#messages")
    page.clock.fast_forward(11_000)
    expect(room.line).to_contain_text("1 more minute. New end: ")
    expect(messages).to_have_attribute("aria-label", "Messages, 2 new")
    teacher.has_been_seen(room, heard)
    teacher.order("pause")
    page.clock.fast_forward(11_000)
    expect(page.locator("#cover-heading")).to_be_focused()
    expect(messages).to_have_attribute("aria-label", "Messages, 3 new")
