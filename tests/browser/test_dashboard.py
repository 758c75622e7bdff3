"""The live dashboard in a browser while students answer over their sockets: rows change in place and say what REST says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.exam import Exam, follow, names, row_of
from tests.browser.late_events import LateEvents
from tests.browser.window import DemoSchool, Window, spoken

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
KEYS = """
async ([path, keys]) => {
  const { keyOf } = await import(`${path}dashboard-answers.js`);
  return keys.map((key) => keyOf({ question_type: "numeric", correct_answer: key }).words);
}
"""


def test_rows_and_questions_follow_the_students_and_equal_what_is_stored(open_window: Opener, exam: Exam) -> None:
    page = follow(open_window(who=TEACHER_EMAIL), exam)
    expect(page.get_by_text("Nobody has started.")).to_be_visible()
    one, two = exam.student(10), exam.student(11)
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.get_by_text("Nobody has started.")).to_be_hidden()
    one.tell("attempt.look", question_id=exam.true_false)
    expect(row_of(page, one).locator("td").nth(1)).to_have_text("Q2")
    one.answer(exam.choice, "a")
    two.answer(exam.choice, "b")
    two.answer(exam.true_false, True)
    expect(row_of(page, one)).to_contain_text("1 of 3")
    expect(row_of(page, two)).to_contain_text("2 of 3")
    question = page.locator(f'[data-question="{exam.choice}"]')
    expect(question).to_contain_text("2 answered")
    expect(question.locator('[data-option="a"] .dash-number-of')).to_have_text("1")
    two.tell("attempt.submit", op_id="in")
    expect(row_of(page, two)).to_contain_text("Handed in")
    one.leave()
    expect(row_of(page, one)).to_contain_text("Away")

    stored = exam.stored()
    expect(page.locator("#f-saved")).to_have_text(str(stored["totals"]["answers_saved"]))
    expect(page.locator("#f-in")).to_have_text("1")
    expect(page.locator("#f-here")).to_have_text(f"{stored['totals']['connected']} of 2")
    scores = {row["attempt_id"]: row["score"] for row in stored["students"]}
    expect(row_of(page, two)).to_contain_text(f"{float(scores[two.attempt['id']]):g} of 4")
    page.reload()
    expect(row_of(page, one)).to_contain_text(re.compile(r"Away \d:\d\d"))


def test_no_row_moves_until_somebody_asks(open_window: Opener, exam: Exam) -> None:
    first, second = exam.student(12), exam.student(13)
    first.answer(exam.choice, "a")
    page = follow(open_window(who=TEACHER_EMAIL), exam)
    page.get_by_role("button", name="Answered", exact=True).click()
    expect(page.locator("th[data-sort=answered]")).to_have_attribute("aria-sort", "ascending")
    before = [second.name, first.name]
    assert names(page) == before
    row_of(page, second).hover()
    under_pointer = row_of(page, second).bounding_box()
    second.answer(exam.choice, "a")
    second.answer(exam.true_false, False)
    expect(row_of(page, second)).to_contain_text("2 of 3")
    expect(page.get_by_role("button", name="Order changed, refresh")).to_be_visible()
    assert names(page) == before
    assert row_of(page, second).bounding_box() == under_pointer
    third = exam.student(14)
    expect(page.get_by_role("button", name="1 new, show")).to_be_visible()
    assert names(page) == before
    page.get_by_role("button", name="1 new, show").click()
    assert names(page) == [third.name, first.name, second.name]
    expect(page.locator("#refresh")).to_be_focused()


def test_freezing_stops_the_painting_only(open_window: Opener, exam: Exam) -> None:
    one = exam.student(15)
    window = open_window(who=TEACHER_EMAIL)
    page, moving = follow(window, exam), window.new_page()
    moving.goto(exam.path)
    expect(row_of(page, one)).to_contain_text("0 of 3")
    page.get_by_role("button", name="Freeze").click()
    expect(page.locator("#stamp")).to_contain_text("Frozen at")
    one.answer(exam.choice, "a")
    expect(row_of(moving, one)).to_contain_text("1 of 3")
    one.answer(exam.true_false, True)
    expect(row_of(moving, one)).to_contain_text("2 of 3")
    expect(row_of(page, one)).to_contain_text("0 of 3")
    page.get_by_role("button", name="Frozen").click()
    expect(row_of(page, one)).to_contain_text("2 of 3")
    expect(page.locator("#stamp")).to_be_empty()


def test_while_live_events_are_late_the_page_says_so_and_reads_the_answers(open_window: Opener, exam: Exam) -> None:
    one = exam.student(16)
    one.tell("attempt.look", question_id=exam.choice)
    window = open_window(who=TEACHER_EMAIL)
    late = LateEvents(window)
    page = follow(window, exam)
    expect(row_of(page, one)).to_contain_text("Here")
    late.begin()
    expect(page.locator("#connection")).to_have_text("Late")
    expect(page.locator("#stamp")).to_contain_text(re.compile(r"^Late, as of \d\d:\d\d:\d\d\. Answers are read"))
    spoken(page, "Live updates are late. Everything you do is still saved.")
    one.answer(exam.choice, "a")
    expect(row_of(page, one)).to_contain_text("1 of 3", timeout=15_000)
    expect(row_of(page, one)).to_contain_text("Here")
    expect(page.locator("#f-here")).to_have_text("1 of 1")

    page.reload()
    expect(page.locator("#connection")).to_have_text("Late")
    expect(row_of(page, one).locator("td").first).to_have_text("–")
    expect(page.locator("#f-here")).to_have_text("–")
    one.answer(exam.true_false, True)
    expect(row_of(page, one)).to_contain_text("2 of 3", timeout=15_000)

    late.end()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#stamp")).to_be_empty()
    expect(page.locator("#f-here")).to_have_text("1 of 1")


def test_by_keyboard_alone_to_a_student_s_answers_and_back(open_window: Opener, exam: Exam) -> None:
    one, two = exam.student(16), exam.student(17)
    two.answer(exam.choice, "b")
    page = follow(open_window(who=TEACHER_EMAIL), exam)
    expect(row_of(page, two)).to_contain_text("1 of 3")
    row_of(page, one).locator(".dash-open").focus()
    page.keyboard.press("ArrowDown")
    expect(row_of(page, two).locator(".dash-open")).to_be_focused()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text(two.name)
    answers = drawer.locator(".dash-answers li")
    expect(answers.nth(0)).to_contain_text(re.compile(r"Q1\s*B\s*Saved"))
    expect(answers.nth(1)).to_contain_text("Empty")
    two.answer(exam.true_false, True)
    expect(answers.nth(1)).to_contain_text("True")
    page.keyboard.press("Escape")
    expect(row_of(page, two).locator(".dash-open")).to_be_focused()
    page.keyboard.press("Home")
    expect(row_of(page, one).locator(".dash-open")).to_be_focused()


def test_filters_and_names_narrow_and_live_in_the_address(open_window: Opener, exam: Exam) -> None:
    one, two = exam.student(18), exam.student(19)
    two.tell("attempt.page", state="hidden")
    window = open_window(who=TEACHER_EMAIL)
    page = follow(window, exam)
    expect(page.locator('[data-count="flagged"]')).to_have_text("1")
    page.get_by_role("button", name=re.compile("^Flagged")).click()
    assert names(page) == [two.name]
    expect(page).to_have_url(re.compile("filter=flagged"))
    page.reload()
    expect(page.locator("#rows .dash-open")).to_have_count(1)
    page.get_by_role("button", name=re.compile("^All")).click()
    page.get_by_label("Find by name").fill(one.name.upper())
    expect(page.locator("#rows .dash-open")).to_have_count(1)
    assert names(page) == [one.name]
    page.get_by_label("Find by name").fill("nobody of this name")
    expect(page.get_by_text("No student matches.")).to_be_visible()


def test_the_key_is_fetched_when_asked_for_and_bars_become_a_table(open_window: Opener, exam: Exam) -> None:
    exam.student(20).answer(exam.choice, "b")
    page = follow(open_window(who=TEACHER_EMAIL), exam)
    right = page.locator(f'[data-question="{exam.choice}"] [data-option="b"]')
    expect(right.locator(".dash-number-of")).to_have_text("1")
    expect(right.locator(".dash-key")).to_be_hidden()
    page.get_by_role("button", name="Show key").click()
    expect(right.locator(".dash-key")).to_be_visible()
    expect(page.get_by_text("Key: 3.14 ± 0.005")).to_be_visible()
    near = [
        {"value": "200", "tolerance": "0.07", "tolerance_type": "relative"},
        {"value": "3.14159", "tolerance": "3", "tolerance_type": "significant_figures"},
    ]
    path = page.evaluate("document.querySelector('link[href*=\"/static/\"]').href.replace(/[^/]*$/, '')")
    assert page.evaluate(KEYS, [path, near]) == ["200 ± 7%", "\u20663.14159\u2069 to 3 significant figures"]
    page.get_by_role("button", name="As table").click()
    expect(page.locator("#question-table tbody tr").nth(0)).to_contain_text(re.compile(r"Q1.*B 1"))
    expect(page.locator("#question-list")).to_be_hidden()


def test_a_question_corrected_meanwhile_is_shown_with_its_new_words_and_key(open_window: Opener, exam: Exam) -> None:
    exam.student(20).answer(exam.choice, "b")
    window = open_window(who=TEACHER_EMAIL)
    page = follow(window, exam)
    question = page.locator(f'[data-question="{exam.choice}"]')
    page.get_by_role("button", name="Show key").click()
    expect(question.locator('[data-option="b"] .dash-key')).to_be_visible()
    wall = window.new_page()
    wall.goto(f"{exam.path.replace('/live', '/screen')}?question={exam.choice}")
    expect(wall.locator("#screen-question")).to_contain_text("Q1")
    options = [{"id": one, "text": f"**New** {one}"} for one in "abc"]
    fixed = {"question_text": "Pick one", "options": options, "correct_answer": {"option_id": "a"}}
    exam.correct(exam.choice, action="fix", question=fixed, reason="Clearer")
    expect(question).to_contain_text("Pick one")
    expect(question.locator('[data-option="a"]')).to_contain_text("New a")
    expect(question.locator('[data-option="a"] .dash-key')).to_be_visible()
    expect(question.locator('[data-option="b"] .dash-key')).to_be_hidden()
    expect(question.locator('[data-option="b"] .dash-number-of')).to_have_text("1")
    expect(wall.locator("#screen-title")).to_have_text("Pick one")
    page.get_by_role("button", name="As table").click()
    expect(page.locator("#question-table tbody tr").nth(0)).to_contain_text(re.compile(r"Q1.*B 1"))


def test_the_key_of_what_is_put_together_is_in_plain_words(open_window: Opener, demo_school: DemoSchool) -> None:
    """The short quiz has a matching whose items are written with marks, and are a picture."""
    window = open_window(who=TEACHER_EMAIL)
    page = window.page
    page.goto(f"/teach/quizzes/{demo_school.short_quiz['id']}/live")
    page.get_by_role("button", name="Show key").click()
    expect(page.get_by_text("Key: triangle – three, square – a drawing of four")).to_be_visible()


def test_offline_the_figures_are_dated_and_on_return_nothing_is_missing(open_window: Opener, exam: Exam) -> None:
    one = exam.student(21)
    window = open_window(who=TEACHER_EMAIL)
    page = window.page
    lines: list[Any] = []
    is_cut = False

    def on_line(route: Any) -> None:
        if is_cut:
            route.close(code=1001)
            return
        route.connect_to_server()
        lines.append(route)

    page.route_web_socket(re.compile(r"/ws"), on_line)
    follow(window, exam)
    expect(row_of(page, one)).to_contain_text("0 of 3")
    is_cut = True
    lines[-1].close(code=1001)
    expect(page.locator("#stamp")).to_contain_text("Offline, as of")
    pause = page.locator('#controls [data-order="pause"]')
    expect(pause).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#controls-why")).to_have_text("Offline: the controls work again once the line is back.")
    pause.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    one.answer(exam.choice, "a")
    one.answer(exam.true_false, True)
    expect(row_of(page, one)).to_contain_text("0 of 3")
    is_cut = False
    expect(row_of(page, one)).to_contain_text("2 of 3", timeout=30_000)
    expect(page.locator("#stamp")).to_be_empty()
    expect(pause).to_have_attribute("aria-disabled", "false")


@pytest.mark.parametrize("look", [("en", "dark", 1280), ("ar", "light", 320)], ids=str)
def test_late_live_events_move_nothing(open_window: Opener, exam: Exam, look: tuple[str, str, int]) -> None:
    language, theme, width = look
    one = exam.student(24)
    window = open_window(who=TEACHER_EMAIL, width=width)
    late = LateEvents(window)
    page = follow(window, exam, f"?lang={language}&theme={theme}")
    expect(row_of(page, one)).to_be_visible()
    places = [page.locator(".dash-figures"), row_of(page, one)]
    before = [place.bounding_box() for place in places]
    late.begin()
    expect(page.locator("#stamp")).to_contain_text({"en": "Late, as of", "ar": "متأخر، الحال عند"}[language])
    assert [place.bounding_box() for place in places] == before
    assert window.look_over() == []
    late.end()
    expect(page.locator("#stamp")).to_be_empty()
    assert [place.bounding_box() for place in places] == before
    assert window.look_over(has_axe=False) == []


LOOKS = (("en", "light", 1280), ("ar", "dark", 1024), ("ar", "light", 320), ("en", "dark", 640))


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_it_looks_right(open_window: Opener, exam: Exam, look: tuple[str, str, int]) -> None:
    language, theme, width = look
    one, two = exam.student(22), exam.student(23)
    one.answer(exam.choice, "a")
    two.tell("attempt.page", state="hidden")
    window = open_window(who=TEACHER_EMAIL, width=width)
    page = follow(window, exam, f"?lang={language}&theme={theme}")
    expect(page.locator('[data-where="hidden"]')).to_have_count(1)
    assert window.look_over() == []
    if width < 1024:
        page.locator("[data-tab-choice=questions]").click()
    page.locator("#show-key").click()
    expect(page.locator(".dash-key:visible")).to_have_count(2)
    page.locator("#as-table").click()
    assert window.look_over() == []
    if width < 1024:
        page.locator("[data-tab-choice=students]").click()
    row_of(page, one).locator(".dash-open").click()
    expect(page.locator(".dash-answers li")).to_have_count(3)
    assert window.look_over() == []


def test_without_a_student_and_without_scripts(open_window: Opener, exam: Exam) -> None:
    window = open_window(who=TEACHER_EMAIL)
    follow(window, exam)
    assert window.look_over() == []
    plain = open_window(who=TEACHER_EMAIL, has_scripts=False)
    student = exam.student(24)
    plain.page.goto(exam.path)
    expect(plain.page.locator("#rows")).to_contain_text(student.name)


@pytest.mark.parametrize("who", [STUDENT_EMAILS[25], None])
def test_others_do_not_see_it(open_window: Opener, exam: Exam, who: str | None) -> None:
    page = open_window(who=who).page
    page.goto(exam.path)
    expect(page.locator("#rows")).to_have_count(0)
