"""Controls on the live dashboard in a browser: what a teacher orders, whom it reaches, and who has not seen it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from lms_rt.services.demo import TEACHER_EMAIL
from tests.browser.exam import Exam, follow, names, row_of
from tests.browser.window import Window, spoken

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
PATIENCE_MS = 20_000
"""An order is written, applied and told before its dialog closes; many tests share the machine."""


def control(page: Page, name: str) -> Locator:
    """The button of a control for many."""
    return page.locator(f'#controls [data-order="{name}"]')


def send(page: Page) -> None:
    """Give the order that the open dialog asks for."""
    page.locator("[data-order-form] [type=submit]").click()
    expect(page.locator("[data-order-form]")).to_have_count(0, timeout=PATIENCE_MS)


def controls_of(exam: Exam) -> list[tuple[str, int, int]]:
    """What the server holds: kind, applied, seen; newest first."""
    listed = exam.controls()
    return [(one["kind"], one["applied_count"], one["seen_count"]) for one in listed]


def test_more_time_for_all_by_keyboard_alone_with_receipts_and_who_has_not_seen_it(
    open_window: Opener, exam: Exam
) -> None:
    exam.close_in(32)
    one, two, late = exam.student(3), exam.student(4), exam.student(5)
    late.tell("attempt.submit", op_id="in")
    page = follow(open_window(who=TEACHER_EMAIL), exam)
    expect(control(page, "extend").locator(".dash-count")).to_have_text("2")
    before = page.locator("#f-ends").inner_text()
    control(page, "extend").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="5 min", exact=True)).to_be_focused()
    outlook = page.locator("[data-outlook]")
    expect(outlook).to_contain_text(f"(now {before})")
    expect(outlook).to_contain_text("2 end after the closing time")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Add 10 min for 2")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("The fire alarm")
    page.keyboard.press("Enter")
    expect(page.get_by_text("10 min more for 2.").first).to_be_visible(timeout=PATIENCE_MS)
    spoken(page, "10 min more for 2.")
    expect(control(page, "extend")).to_be_focused()
    expect(page.locator("#receipt")).to_have_text("+10 min: 0 of 2 seen")
    expect(page.locator("#f-ends")).not_to_have_text(before)
    told = exam.controls()[0]
    assert (told["kind"], told["seconds"], told["reason"]) == ("extend", 600, "The fire alarm")

    one.tell("attempt.seen", event_id=told["control_id"])
    expect(page.locator("#receipt")).to_have_text("+10 min: 1 of 2 seen")
    page.locator("#receipt button").click()
    page.get_by_role("button", name="Who has not?").click()
    expect(page.locator(".dash-unseen")).to_have_text(two.name)
    exam.announce("The board has a hint.")
    expect(page.locator(".dash-orders > li")).to_have_count(2)
    expect(page.locator(".dash-unseen")).to_have_text(two.name)
    two.tell("attempt.seen", event_id=told["control_id"])
    order = page.locator(f'.dash-orders [data-control="{told["control_id"]}"]')
    expect(order).to_contain_text("2 of 2 seen")
    expect(order.get_by_role("button", name="Who has not?")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#receipt button")).to_be_focused()


def test_a_selection_is_paused_resumed_and_ended_and_another_device_goes_on_with_it(
    open_window: Opener, exam: Exam
) -> None:
    one, two, three = (exam.student(number) for number in (6, 7, 8))
    window = open_window(who=TEACHER_EMAIL)
    page = follow(window, exam)
    row_of(page, one).locator(".dash-open").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#scope")).to_have_value("selected")
    expect(control(page, "pause").locator(".dash-count")).to_have_text("2")
    control(page, "pause").click()
    expect(page.get_by_text("For those selected: 2 attempts.")).to_be_visible()
    send(page)
    expect(row_of(page, one)).to_contain_text("Paused")
    expect(row_of(page, two)).to_contain_text("Paused")
    expect(row_of(page, three)).to_contain_text("Here")
    still = row_of(page, one).locator("td").nth(3).inner_text()
    moving = row_of(page, three).locator("td").nth(3)
    expect(moving).not_to_have_text(moving.inner_text())
    expect(row_of(page, one).locator("td").nth(3)).to_have_text(still)
    page.locator('#filters [data-filter="paused"]').click()
    assert sorted(names(page)) == sorted([one.name, two.name])

    page.goto("about:blank")
    other = follow_in_another_tab(window, exam)
    expect(other.locator("#receipt")).to_have_text("Paused: 0 of 2 seen")
    expect(control(other, "resume").locator(".dash-count")).to_have_text("2")
    control(other, "resume").click()
    send(other)
    expect(row_of(other, one)).to_contain_text("Here")

    control(other, "end").click()
    typed = other.get_by_label("Type 3, the number of open attempts, to confirm")
    typed.fill("2")
    other.get_by_role("button", name="End 3 now").click()
    expect(other.locator(".error-summary")).to_contain_text("This is not the number of open attempts.")
    typed.fill("٣")
    send(other)
    expect(row_of(other, three)).to_contain_text("Handed in")
    expect(other.locator("#running")).to_have_text("Ended: nobody can begin")
    assert controls_of(exam) == [("end", 3, 0), ("resume", 2, 0), ("pause", 2, 0)]


def follow_in_another_tab(window: Window, exam: Exam) -> Page:
    """The same teacher, as from another device: nothing of the first page is there."""
    page = window.new_page()
    page.goto(exam.path)
    expect(page.locator("#connection")).to_have_attribute("data-line", "live")
    return page


def test_one_student_s_drawer_orders_and_tells_what_was_told_and_what_happened(open_window: Opener, exam: Exam) -> None:
    one = exam.student(9)
    page = follow(open_window(who=TEACHER_EMAIL), exam)
    control(page, "announce").click()
    page.get_by_role("button", name="Tell 1").click()
    expect(page.locator(".error-summary")).to_contain_text("Write what you want to say.")
    page.get_by_label("What you want to say").fill("The board has a hint.")
    send(page)
    one.tell("attempt.seen", event_id=exam.controls()[0]["control_id"])
    one.tell("attempt.page", state="hidden")
    row_of(page, one).locator(".dash-open").click()
    drawer = page.locator(".drawer")
    expect(drawer.locator(".dash-told")).to_contain_text(re.compile(r"The board has a hint.*Seen"))
    expect(drawer.locator(".dash-log")).to_contain_text("out of sight")
    one.tell("attempt.page", state="shown")
    expect(drawer.locator(".dash-log")).to_contain_text("in sight again")
    drawer.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(f"For {one.name}.")).to_be_visible()
    send(page)
    expect(drawer.locator("[data-facts]")).to_contain_text("Paused")
    expect(drawer.get_by_role("button", name="Resume")).to_be_visible()
    expect(drawer.locator(".dash-told li")).to_have_count(2)


def give_back_two_minutes(page: Page, row: Locator) -> None:
    """Decide upon lost time; words that are no time are refused, and the first reply is lost."""
    row.locator(".dash-open").click()
    page.get_by_role("button", name="Decide…").click()
    page.get_by_label("Time to give back").fill("two minutes")
    page.get_by_role("button", name="Give it back").click()
    expect(page.locator(".error-summary")).to_contain_text("Write minutes and seconds")
    page.get_by_label("Time to give back").fill("٢:٠٠")
    page.get_by_label("Reason").fill("The Wi-Fi")
    page.get_by_role("button", name="Give it back").click()
    expect(page.locator(".error-summary")).not_to_contain_text("Write minutes and seconds")
    page.get_by_role("button", name="Give it back").click()


def test_flags_are_shown_as_facts_and_time_that_was_lost_is_given_back(open_window: Opener, exam: Exam) -> None:
    one, two, three = (exam.student(number) for number in (20, 21, 22))
    flags = {one: ["credit"], two: ["conflict", "taken_over"], three: ["taken_over"]}
    rows: dict[str, dict[str, Any]] = {student.attempt["id"]: {"flags": names} for student, names in flags.items()}
    rows[one.attempt["id"]]["credit_asked_seconds"] = 150
    asked: list[Any] = []
    keys: list[str] = []

    def read(route: Route) -> None:
        reply = route.fetch()
        view = reply.json()
        for row in view["students"]:
            row.update(rows[row["attempt_id"]])
        route.fulfill(response=reply, json=view)

    def decide(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        asked.append(route.request.post_data_json)
        if len(keys) == 1:
            route.abort()  # the reply is lost
        else:
            route.fulfill(json={})

    page = open_window(who=TEACHER_EMAIL).page
    page.route(re.compile(r"/api/v1/quizzes/[^/]+/live$"), read)
    page.route(re.compile(r"/time-credit$"), decide)
    page.goto(exam.path)
    expect(row_of(page, three)).to_contain_text("Here, other device")
    expect(page.locator("#attention")).to_have_text(re.compile("1 with two versions.*1 asks for lost time", re.DOTALL))
    page.locator('#attention [data-filter="conflict"]').click()
    assert names(page) == [two.name]
    expect(row_of(page, two)).to_contain_text("Two versions")
    page.locator('#attention [data-filter="credit"]').click()
    assert names(page) == [one.name]
    expect(row_of(page, one)).to_contain_text("Asks for 2:30")
    give_back_two_minutes(page, row_of(page, one))
    expect(page.get_by_role("region", name="What you did").get_by_text("2:00 given back.")).to_be_visible()
    assert asked == [{"approve": True, "seconds": 120, "reason": "The Wi-Fi"}] * 2
    assert keys == keys[:1] * 2, "the same words are the same request"


def test_the_room_and_the_projector_which_has_no_names(open_window: Opener, exam: Exam) -> None:
    students = [exam.student(number) for number in range(13, 18)]
    window = open_window(who=TEACHER_EMAIL)
    page = follow(window, exam, "?view=room")
    cards = page.locator("#room .dash-name")
    expect(cards).to_have_count(5)
    assert cards.all_inner_texts() == sorted(student.name for student in students)
    page.locator("#room .dash-open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#room [data-selected] .dash-name")).to_have_text(cards.nth(1).inner_text())
    page.locator("#unselect").click()
    control(page, "announce").click()
    page.get_by_label("What you want to say").fill("بقيت عشر دقائق.")
    send(page)
    expect(page.locator("#receipt")).to_contain_text("0 of 5 seen")
    expect(page.locator("#receipt button > span")).to_have_css("direction", "ltr")  # our sentence around another script

    wall = window.new_page()
    wall.goto(exam.path.replace("/live", "/screen"))
    expect(wall.locator("#screen-here")).to_have_text("5 of 5 here")
    expect(wall.locator("#screen-words")).to_have_text("بقيت عشر دقائق.")
    project = page.locator(f'[data-question="{exam.choice}"]').get_by_role("button", name="on the projector")
    project.click()
    expect(wall.locator("#screen-question")).to_contain_text("Q1")
    expect(wall.locator("#screen-answered")).to_have_text("0 answered")
    for student in students[:4]:
        student.answer(exam.choice, "b")
    page.get_by_role("button", name="Reveal").click()
    expect(wall.locator("#screen-answered")).to_have_text("4 answered. Bars are shown from 5 on.")
    expect(wall.locator(".screen-bar")).to_have_count(0)
    students[4].answer(exam.choice, "a")
    expect(wall.locator(".screen-count")).to_have_text(["1", "4", "0"])
    page.reload()
    expect(project).to_have_attribute("aria-pressed", "true")
    wall.reload()
    expect(wall.locator(".screen-count")).to_have_text(["1", "4", "0"])
    shown = wall.content()
    assert [student.name for student in students if student.name in shown] == []


def test_dialogs_room_and_projector_look_right(open_window: Opener, exam: Exam) -> None:
    one = exam.student(26)
    exam.student(27)
    window = open_window(who=TEACHER_EMAIL)
    for look in (("en", "light", 1280), ("ar", "dark", 320)):
        wrong = _looked_over(window, exam, look, one.attempt["id"])
        assert not wrong, (look, wrong)


def _looked_over(window: Window, exam: Exam, look: tuple[str, str, int], attempt_id: str) -> list[str]:
    """What is wrong with all that can be opened. Axe is slow, and sees each part once."""
    language, theme, width = look
    is_first = language == "en"
    window.page.set_viewport_size({"width": width, "height": 800})
    page = follow(window, exam, f"?lang={language}&theme={theme}&view=room")
    expect(page.locator("#room li")).to_have_count(2)
    wrong = window.look_over(has_axe=not is_first)
    for name in ("extend", "announce", "end"):
        control(page, name).click()
        wrong += window.look_over(has_axe=is_first and name == "extend")
        page.keyboard.press("Escape")
    control(page, "pause" if is_first else "resume").click()
    send(page)
    page.locator("#foot").scroll_into_view_if_needed()
    expect(page.locator('#room [data-where="paused"]')).to_have_count(2 if is_first else 0)
    page.locator("#receipt button").click()
    page.locator("[data-unseen]").first.click()
    expect(page.locator(".dash-unseen li")).to_have_count(2)
    wrong += window.look_over(has_axe=is_first)
    page.keyboard.press("Escape")
    page.locator(f'[data-attempt="{attempt_id}"] .dash-open').click()
    expect(page.locator(".dash-told li")).not_to_have_count(0)
    expect(page.locator(".dash-log li")).not_to_have_count(0)
    wrong += window.look_over(has_axe=not is_first)
    page.goto(exam.path.replace("/live", "/screen"))
    page.locator("#next").click()
    expect(page.locator("#screen-question")).to_be_visible()
    return wrong + window.look_over(has_axe=is_first)
