"""The quiz room in a real browser: choosing is saving, a lost line loses nothing, one writer, and an end that is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.room import Interjector, OwnSchool, RoomPage, make_quiz
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
SITTER, OFFLINE, READER, LATE, PHONE, SHIFTED, KEYS, SLOW, TOLD = STUDENT_EMAILS[10:19]
WAITING, *WATCHED = STUDENT_EMAILS[27:30]
CLOCK_AHEAD = """
const ahead = 600000;
const now = Date.now.bind(Date);
Date.now = () => now() + ahead;
const origin = performance.timeOrigin;
Object.defineProperty(Performance.prototype, "timeOrigin", { get: () => origin + ahead });
"""

IS_SHELL_KEPT = "() => caches.match('/room-shell')"
"""The frame is kept last, when all that it needs is there."""


@pytest.fixture(scope="module")
def quiz_id(demo_school: DemoSchool) -> str:
    """A quiz with every kind of question."""
    return make_quiz(demo_school)


@pytest.fixture
def own_school(tmp_path: Path) -> Iterator[OwnSchool]:
    """A school for this test alone."""
    school = OwnSchool(tmp_path / "data")
    yield school
    school.stop()


@pytest.fixture
def own_window(chromium: Browser, own_school: OwnSchool) -> Iterator[Window]:
    """A window at the school that may be killed."""
    window = Window(chromium, own_school, who=OFFLINE)
    yield window
    # a server that is away is heard of in the console; our own faults are not excused
    faults = [fault for fault in window.faults if "net::ERR" not in fault and "WebSocket" not in fault]
    window.close()
    assert not faults


def test_a_whole_quiz_is_sat_and_each_answer_is_stored(
    open_window: Opener, demo_school: DemoSchool, quiz_id: str
) -> None:
    window = open_window(who=SITTER)
    room = RoomPage.start(window, SITTER, quiz_id)
    wanted = room.answer_all()
    assert room.stored() == wanted
    page = room.page
    page.get_by_role("link", name="Review", exact=True).click()
    expect(page.locator("#review-heading")).to_be_focused()
    expect(page.locator("#review-view")).to_contain_text("8 of 8 saved")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("dialog").get_by_role("button", name="Submit").click()
    expect(page.locator("#closed-heading")).to_be_focused()
    expect(page.locator("#closed-view")).to_contain_text("8 of 8 counted. Your receipt proves what you handed in.")
    expect(page.get_by_role("link", name="Your receipt")).to_have_attribute(
        "href", f"/attempts/{room.attempt_id}/receipt"
    )
    assert room.status() in {"submitted", "graded"}
    assert window.look_over() == []
    page.get_by_role("link", name="See your results").click()
    expect(page).to_have_url(re.compile("/results$"))


def test_a_killed_server_loses_no_answer_that_was_called_saved(own_school: OwnSchool, own_window: Window) -> None:
    room = RoomPage.start(own_window, OFFLINE, make_quiz(own_school))
    room.choose("y = 2x − 1")
    room.expect_state("saved")
    own_school.kill()
    room.to(4)
    room.write("typed without a line")
    room.expect_state("waiting")
    expect(room.line).to_contain_text("Offline. Keep working")
    room.to(3)
    room.choose("False")
    room.expect_state("waiting")
    room.choose("True")
    expect(room.page.get_by_role("link", name="Question 4, not sent").first).to_be_visible()
    own_school.come_back()
    expect(room.line).to_contain_text("All your answers are saved (3)", timeout=30_000)
    room.expect_state("saved")
    assert room.stored() == {1: "b", 3: True, 4: "typed without a line"}
    assert own_window.look_over(has_axe=False) == []


def test_a_reload_without_a_line_shows_the_room_and_keeps_what_was_typed(
    own_school: OwnSchool, own_window: Window
) -> None:
    room = RoomPage.start(own_window, OFFLINE, make_quiz(own_school))
    room.choose("y = 3")
    room.expect_state("saved")
    room.page.wait_for_function(IS_SHELL_KEPT)
    own_school.kill()
    room.to(4)
    room.write("kept here")
    room.expect_state("waiting")
    room.page.reload()
    expect(room.page.locator("#question-heading")).to_contain_text("Question 4 of 9")
    expect(room.page.locator("#answer-text")).to_have_value("kept here")
    room.expect_state("waiting")
    room.to(1)
    expect(room.page.get_by_role("radio", checked=True)).to_have_value("c")
    own_school.come_back()
    expect(room.line).to_contain_text("All your answers are saved (2)", timeout=30_000)
    assert room.stored() == {1: "c", 4: "kept here"}


def test_nobody_else_sees_the_copy_on_this_device(own_school: OwnSchool, own_window: Window) -> None:
    room = RoomPage.start(own_window, OFFLINE, make_quiz(own_school))
    room.choose("y = 3")
    room.expect_state("saved")
    attempt = f"/attempts/{room.attempt_id}"
    room.page.wait_for_function(IS_SHELL_KEPT)
    other = RoomPage.start(own_window.as_somebody(READER), READER, make_quiz(own_school, title="Another"))
    other.choose("y = 3")
    other.expect_state("saved")
    own_school.kill()
    other.page.goto(attempt)
    expect(other.page.locator("#question-text")).to_contain_text("this device has no copy")
    expect(other.page.locator(".option")).to_have_count(0)


def test_a_second_tab_reads_until_it_takes_over(open_window: Opener, quiz_id: str) -> None:
    window = open_window(who=READER)
    first = RoomPage.start(window, READER, quiz_id)
    first.choose("y = x + 2")
    first.expect_state("saved")
    second = RoomPage(window.school, READER, window.new_page())
    second.page.goto(f"/attempts/{first.attempt_id}")
    expect(second.line).to_contain_text("This page is read-only")
    expect(second.page.get_by_role("radio").first).to_be_disabled()
    first.choose("y = 2x − 1")
    expect(second.page.get_by_role("radio", checked=True)).to_have_value("b")
    second.page.get_by_role("button", name="Continue here").click()
    expect(second.page.get_by_role("radio").first).to_be_enabled()
    expect(first.line).to_be_focused()
    expect(first.line).to_contain_text("You continued on another device. This page is read-only.")
    expect(first.page.get_by_role("radio").first).to_be_disabled()
    second.choose("y = 3")
    second.expect_state("saved")
    assert first.stored() == {1: "c"}
    assert window.look_over() == []


def test_two_versions_are_both_shown_and_the_student_decides(own_school: OwnSchool, own_window: Window) -> None:
    room = RoomPage.start(own_window, OFFLINE, make_quiz(own_school))
    room.choose("y = x + 2")
    room.expect_state("saved")
    own_school.kill()
    room.choose("y = 3")
    room.expect_state("waiting")
    own_window.cut_off()
    own_school.come_back()
    with own_school.at_rest(OFFLINE) as phone:
        path = f"/attempts/{room.attempt_id}"
        taken = phone.post(f"{path}/take-over", json={"device_id": "phone"}).raise_for_status().json()
        question = taken["questions"][0]["id"]
        seen = taken["answers"][question]["revision"]
        row = {"question_id": question, "value": "b", "op_id": "on-the-phone", "seq": 1, "base_revision": seen}
        body = {"answers": [row], "device_id": "phone", "lease": taken["lease"]}
        phone.patch(f"{path}/answers", json=body).raise_for_status()
    own_window.let_through()
    room.page.get_by_role("button", name="Continue here").click(timeout=30_000)
    room.expect_state("conflict")
    expect(room.page.locator("#answer-conflict")).to_contain_text(
        "Question 1 has two versions. Saved: B (other device). Here: C. Which one counts?"
    )
    assert room.stored() == {1: "b"}
    assert own_window.look_over() == []
    room.page.get_by_role("button", name="Use the one here: C").click()
    room.expect_state("saved")
    assert room.stored() == {1: "c"}


def test_when_the_time_is_up_each_answer_is_told(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=LATE)
    room = RoomPage.start(window, LATE, make_quiz(demo_school, closes_in_seconds=14))
    room.choose("y = 2x − 1")
    room.expect_state("saved")
    room.to(4)
    room.write("in time")
    expect(room.line).to_contain_text("Time is up. Checking", timeout=20_000)
    expect(room.page.locator("#question-view")).to_be_hidden()
    expect(room.page.locator("#closed-heading")).to_be_focused()
    expect(room.page.get_by_role("link", name="See your results")).to_be_visible(timeout=20_000)
    outcomes = room.page.locator(".outcome")
    expect(outcomes.nth(0)).to_contain_text("Counted, saved")
    expect(outcomes.nth(1)).to_contain_text("Empty")
    expect(outcomes.nth(3)).to_contain_text("Counted, saved")
    assert room.stored() == {1: "b", 4: "in time"}
    assert window.look_over() == []


def test_what_arrived_late_stays_late(own_school: OwnSchool, own_window: Window) -> None:
    room = RoomPage.start(own_window, OFFLINE, make_quiz(own_school, closes_in_seconds=14))
    room.choose("y = 2x − 1")
    room.expect_state("saved")
    own_school.kill()
    room.to(3)
    room.choose("True")
    room.expect_state("waiting")
    expect(room.line).to_contain_text("Time is up and you are offline. Not confirmed: 1.", timeout=20_000)
    own_window.cut_off()  # until it is surely too late: what comes within the grace would count
    own_school.come_back()
    room.wait_until_closed()
    own_window.let_through()
    expect(room.page.locator(".outcome").nth(2)).to_contain_text("Late, not counted", timeout=30_000)
    expect(room.page.locator(".outcome").nth(0)).to_contain_text("Counted, saved")
    assert room.stored() == {1: "b"}


def test_what_was_typed_just_before_leaving_is_stored(open_window: Opener, quiz_id: str) -> None:
    room = RoomPage.start(open_window(who=SLOW), SLOW, quiz_id)
    room.to(8)
    room.write("the last words")
    room.page.reload()
    expect(room.page.locator("#answer-text")).to_have_value("the last words")
    room.expect_state("saved")
    assert room.stored() == {8: "the last words"}


def test_what_the_teacher_does_is_shown_at_once(open_window: Opener, quiz_id: str) -> None:
    window = open_window(who=TOLD)
    teacher = Interjector(window)
    room = RoomPage.start(window, TOLD, quiz_id)
    room.choose("y = 3")
    room.expect_state("saved")
    page = room.page
    deadline = teacher.deadline()
    later = teacher.times(deadline + timedelta(minutes=5), reason="The bell was late")
    teacher.say("quiz_extended", later | {"seconds": 300})
    expect(room.line).to_contain_text("5 more minutes. New end: ")
    page.locator("#messages").click()
    expect(page.get_by_role("dialog")).to_contain_text("Reason: The bell was late")
    page.keyboard.press("Escape")
    expect(page.locator("#messages")).to_be_focused()
    teacher.say("quiz_paused", teacher.times(deadline, reason=""))
    expect(room.line).to_contain_text(re.compile("^Paused by your teacher. .* left; your answers are safe."))
    expect(page.locator("#cover-heading")).to_be_focused()
    expect(page.locator("#question-view")).to_be_hidden()
    assert window.look_over() == []
    teacher.say("quiz_resumed", teacher.times(deadline + timedelta(minutes=9), reason=""))
    expect(page.locator("#question-view")).to_be_visible()
    expect(page.locator("#messages")).to_be_focused()
    expect(room.page.get_by_role("radio", checked=True)).to_have_value("c")
    teacher.say("exam_announcement", {"text": "Read question 4 twice."})
    expect(page.locator("#say")).to_contain_text("Read question 4 twice.")
    page.get_by_role("button", name=re.compile("^Messages, . new")).click()
    expect(page.get_by_role("dialog")).to_contain_text("Read question 4 twice.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert window.look_over() == []


@pytest.mark.parametrize(("how", "who"), [*zip(("restored", "subscribed"), WATCHED, strict=True)])
def test_the_dashboard_knows_the_question_again_when_live_events_are_back(
    how: str, who: str, open_window: Opener, quiz_id: str
) -> None:
    window, teacher = open_window(who=who), open_window(who=TEACHER_EMAIL)
    server = Interjector(window)
    server.is_bus_away = how == "subscribed"
    room = RoomPage.start(window, who, quiz_id)
    room.is_ready()
    teacher.page.goto(f"/teach/quizzes/{quiz_id}/live")
    looks_at = teacher.page.locator(f'tr[data-attempt="{room.attempt_id}"] td').nth(1)
    expect(looks_at).to_have_text("Q1")
    if how == "restored":
        server.notice("degraded")
    with window.school.at_rest(who) as student:  # as if it were forgotten
        second = student.post("/attempts", json={"quiz_id": quiz_id}).raise_for_status().json()["questions"][1]
        look = {"signals": [{"kind": "look", "question_id": second["id"]}]}
        student.post(f"/attempts/{room.attempt_id}/signals", json=look).raise_for_status()
    expect(looks_at).to_have_text("Q2")
    server.is_bus_away = False
    if how == "restored":
        server.notice("restored")
    expect(looks_at).to_have_text("Q1", timeout=15_000)


LOOKS = (("en", "light", 1280), ("ar", "dark", 320))
EVENTS_LATE = {
    "en": "Live updates are late. Your answers are still being saved.",
    "ar": "التحديث المباشر متأخر. إجاباتك ما زالت تُحفظ.",
}
IN_TIME = {"en": "Live updates are in time again.", "ar": "عاد التحديث المباشر في وقته."}


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_late_live_events_change_a_line_and_nothing_else(
    look: tuple[str, str, int], open_window: Opener, quiz_id: str
) -> None:
    language, theme, width = look
    window = open_window(who=WAITING, width=width)
    server = Interjector(window)
    with window.school.at_rest(WAITING) as student:
        attempt = student.post("/attempts", json={"quiz_id": quiz_id}).raise_for_status().json()
    window.page.goto(f"/attempts/{attempt['id']}?lang={language}&theme={theme}")
    room, said = RoomPage(window.school, WAITING, window.page), window.page.locator("#say")
    window.page.get_by_role("button", name=re.compile("Continue here|تابِع هنا")).click()
    room.choose("y = x + 2")
    room.expect_state("saved")
    room.page.get_by_role("radio", checked=True).focus()
    before = room.page.locator("#main").bounding_box()
    server.notice("degraded")
    expect(room.line).to_have_text(EVENTS_LATE[language])
    expect(said).to_have_text(EVENTS_LATE[language])
    expect(room.page.get_by_role("radio", checked=True)).to_be_focused()
    room.choose("y = 3")
    room.expect_state("saved")
    assert room.stored() == {1: "c"}
    expect(room.line).to_have_text(EVENTS_LATE[language])
    assert room.page.locator("#main").bounding_box() == before
    assert window.look_over() == []
    server.notice("restored")
    expect(room.line).to_have_text(IN_TIME[language])
    expect(said).to_have_text(IN_TIME[language])
    assert room.page.locator("#main").bounding_box() == before
    assert window.look_over(has_axe=False) == []


def test_the_clock_is_the_servers_whatever_the_devices_says(open_window: Opener, quiz_id: str) -> None:
    window = open_window(who=SHIFTED)
    window.before_pages(CLOCK_AHEAD)
    room = RoomPage.start(window, SHIFTED, quiz_id)
    expect(room.page.locator("#clock")).to_have_text(re.compile("^(29|30) min$"))
    room.page.locator("#clock-button").click()
    expect(room.page.locator("#clock-panel")).to_contain_text("Exact to")
    expect(room.page.locator("#clock-summary")).to_contain_text(
        re.compile(r"^(29|30) minutes left, 0 of 8 saved, 0 waiting")
    )
    room.choose("y = 3")
    room.expect_state("saved")


def test_the_room_by_keyboard_alone(open_window: Opener, quiz_id: str) -> None:
    window = open_window(who=KEYS)
    room = RoomPage.start(window, KEYS, quiz_id)
    page = room.page
    page.keyboard.press("F8")
    expect(page.locator("#say")).to_contain_text("minutes left, 0 of 8 saved, 0 waiting")
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    room.expect_state("saved")
    page.locator("#next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#question-heading")).to_be_focused()
    expect(page.locator("#question-heading")).to_contain_text("Question 2 of 9")
    page.go_back()
    expect(page.locator("#question-heading")).to_contain_text("Question 1 of 9")
    room.to(7)
    page.get_by_role("button", name=re.compile("^Move down")).first.focus()
    page.keyboard.press("Enter")
    room.expect_state("saved")
    assert page.evaluate("document.activeElement.closest('.sequence-item') !== null")
    assert len(room.stored()) == 2


@pytest.mark.parametrize(
    ("looks", "width"),
    [
        ("lang=en&theme=light", 1280),
        ("lang=en&theme=dark", 320),
        ("lang=ar&theme=light", 320),
        ("lang=ar&theme=dark", 1280),
    ],
)
def test_every_question_is_sound(looks: str, width: int, open_window: Opener, quiz_id: str) -> None:
    window = open_window(who=PHONE, width=width)
    with window.school.at_rest(PHONE) as student:
        attempt = student.post("/attempts", json={"quiz_id": quiz_id}).raise_for_status().json()
    window.page.goto(f"/attempts/{attempt['id']}?{looks}")
    room = RoomPage(window.school, PHONE, window.page)
    here = re.compile("Continue here|تابِع هنا")
    window.page.get_by_role("button", name=here).click()
    expect(window.page.locator("#answer")).to_have_attribute("data-is-closed", "false")
    for place in range(1, 10):
        room.to(place)
        assert window.look_over(has_axe=place in {1, 5, 6, 7}) == [], f"question {place}"
    window.page.evaluate("location.hash = '#review'")
    expect(window.page.locator("#review-heading")).to_be_visible()
    assert window.look_over() == []
