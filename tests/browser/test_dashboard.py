"""The live dashboard in a browser while students answer over their sockets: rows change in place and say what REST says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.exam import Background, Exam, Student
from tests.browser.late_events import LateEvents
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
PATIENCE_SECONDS = 30
CROWD = 2_000
FRAMES = 12
KEEP_SOCKET = """
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) { super(...given); window.kept = this; }
};
"""
HEAR = """async (frames) => {
  for (const data of frames) {
    window.kept.onmessage({ data });
    await new Promise((done) => setTimeout(done, 250));
  }
}"""


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.stop()


@pytest.fixture
def exam(background: Background, demo_school: DemoSchool) -> Iterator[Exam]:
    made = Exam(background, demo_school)
    yield made
    for student in made.students:
        student.leave()


def row_of(page: Page, student: Student) -> Any:
    return page.locator(f'tr[data-attempt="{student.attempt["id"]}"]')


def names(page: Page) -> list[str]:
    return page.locator("#rows .dash-name").all_inner_texts()


def follow(window: Window, exam: Exam, query: str = "") -> Page:
    """Open the dashboard and wait until its line stands."""
    window.page.goto(exam.path + query)
    expect(window.page.locator("#connection")).to_have_attribute("data-line", "live")
    return window.page


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
    expect(page.locator("#say")).to_have_text("Live updates are late. Everything you do is still saved.")
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
    page.get_by_role("button", name="As table").click()
    expect(page.locator("#question-table tbody tr").nth(0)).to_contain_text(re.compile(r"Q1.*B 1"))
    expect(page.locator("#question-list")).to_be_hidden()


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
    one.answer(exam.choice, "a")
    one.answer(exam.true_false, True)
    expect(row_of(page, one)).to_contain_text("0 of 3")
    is_cut = False
    expect(row_of(page, one)).to_contain_text("2 of 3", timeout=30_000)
    expect(page.locator("#stamp")).to_be_empty()


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


LOOKS = (("en", "light", 1280), ("ar", "dark", 1280), ("ar", "light", 320), ("en", "dark", 640))


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


def _crowd(revision: int) -> list[dict[str, Any]]:
    """Rows of 2,000 students, all different from those of the revision before."""
    return [
        {
            "attempt_id": f"att_{number:04}",
            "student_id": f"usr_{number:04}",
            "full_name": f"Student {number * 7919 % CROWD}",
            "attempt_number": 1,
            "started_at": f"2026-01-01T00:{number // 60:02}:{number % 60:02}.000Z",
            "last_saved_at": "2026-01-01T01:00:00.000Z",
            "is_connected": (number + revision) % 17 > 0,
            "away_since": None,
            "devices": 1,
            "question_id": None,
            "answered_count": (number + revision) % 4,
            "deadline_at": "2126-01-01T00:00:00.000Z",
            "remaining_ms": 1000,
            "status": "in_progress",
            "score": None,
            "max_score": None,
            "flags": [],
            "revision": revision,
        }
        for number in range(CROWD)
    ]


def test_two_thousand_changing_rows_move_nothing_under_a_hand(open_window: Opener, exam: Exam) -> None:
    window = open_window(who=TEACHER_EMAIL)
    page, stored = window.page, exam.stored()
    totals = stored["totals"] | {"students": CROWD, "in_progress": CROWD}
    page.add_init_script(KEEP_SOCKET)
    snapshot = stored | {"version": 1, "students": _crowd(1), "totals": totals}
    page.route(re.compile(r"/api/v1/quizzes/[^/]+/live$"), lambda route: route.fulfill(json=snapshot))
    follow(window, exam, "?sort=name")
    expect(page.locator("#range")).to_have_text("1–50 of 2,000")
    tenth = page.locator("#rows tr").nth(9)
    tenth.hover()
    before = (tenth.get_attribute("data-attempt"), tenth.bounding_box())
    frames = [
        {"version": n, "follows": n - 1, "students": _crowd(n), "questions": [], "totals": totals, "removed": []}
        for n in range(2, 2 + FRAMES)
    ]
    state = {"type": "state", "channel": f"quiz:{exam.quiz['id']}:live", "event": "dashboard"}
    page.evaluate(HEAR, [json.dumps({**state, "data": data}) for data in frames])
    number = int((before[0] or "").removeprefix("att_"))
    expect(tenth).to_contain_text(f"{(number + FRAMES + 1) % 4} of 3")
    assert (tenth.get_attribute("data-attempt"), tenth.bounding_box()) == before


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
