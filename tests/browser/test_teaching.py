"""Teaching and learning by the pages alone: a course from nothing to its first student, progress that moves while seen."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from handlers.web.translation import Language, Translator
from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.targets import LEAST_PX
from tests.browser.window import PHONE_PX, SHORT_QUESTIONS, DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]

GIFT = """// three questions, one of them broken
::Colour:: The sky is {=blue ~green ~red}
::Sum:: 2 + 2 is {#4}
::Broken:: What {=is
"""


def saved(page: Page) -> None:
    expect(page.locator(".toast")).to_contain_text("Saved")


def add_question(page: Page, kind: str) -> None:
    page.select_option("#type", kind)
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector("#question-form [type=submit]")


def price_it(page: Page, price: str, currency: str) -> None:
    """By the places of the currency that is typed, not of the one that the course had."""
    page.fill("#price", price)
    page.fill("#currency", currency)
    page.get_by_role("button", name="Save").click()
    saved(page)
    page.reload()
    expect(page.locator("#price")).to_have_value(price)


def price_it_in_many_ways(page: Page) -> None:
    """What has more places than its currency is refused in words of money."""
    page.fill("#price", "19.999999")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#price-error")).to_contain_text("Write an amount of this currency")
    for price, currency in (("12.345", "KWD"), ("1500", "JPY"), ("0.00", "USD")):
        price_it(page, price, currency)


def test_a_course_from_nothing_to_its_first_student(open_window: Opener) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    page.goto("/teach")
    page.fill("#title", "Knots")
    page.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("/details$"))

    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".error-summary")).to_be_focused()
    page.fill("#short_description", "Rope and patience.")
    page.fill("#description", "## What you learn\n\nTo tie **knots**.")
    price_it_in_many_ways(page)

    page.get_by_role("link", name="Lessons").click()
    for title in ("Bowline", "Reef knot"):
        page.get_by_role("link", name="New lesson").click()
        page.fill("#title", title)
        page.fill("#content", f"How to tie a {title}.")
        page.get_by_label("Students may see it").check()
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#lesson-order")).to_contain_text(title)
    page.get_by_role("button", name="Move Reef knot up").click()
    expect(page.locator("#say")).to_have_text("Moved to place 1 of 2")
    page.reload()
    expect(page.locator("#lesson-order > li").first).to_contain_text("Reef knot")

    page.get_by_role("link", name="Details").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Students can find this course.")).to_be_visible()

    page.get_by_role("link", name="Students", exact=True).click()
    expect(page.locator("#connection")).to_have_attribute("data-line", "live")
    student = open_window(who=STUDENT_EMAILS[7]).page
    student.goto("/?q=knots")
    student.get_by_role("link", name="Knots").click()
    student.get_by_role("button", name="Enrol for free").click()
    expect(student.locator("h1")).to_have_text("Reef knot")
    expect(page.locator("#new-students")).to_contain_text("1 new student")
    page.get_by_role("link", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_an_edit_of_an_older_version_is_refused(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=TEACHER_EMAIL)
    path = f"/teach/courses/{demo_school.course['id']}/details"
    first, second = window.page, window.new_page()
    first.goto(path)
    second.goto(path)
    second.fill("#tags", "algebra, lines")
    second.get_by_role("button", name="Save").click()
    saved(second)
    first.fill("#tags", "something else")
    first.get_by_role("button", name="Save").click()
    expect(first.locator(".error-summary")).to_contain_text("Somebody else has changed this")
    expect(first.locator("#tags")).to_have_value("something else")


def test_a_quiz_with_questions_of_every_kind(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    page.goto(f"/teach/courses/{demo_school.course['id']}/quizzes")
    page.fill("#title", "Everything")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("h1")).to_have_text("Everything")

    add_one_of_each(page)
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Students can find this quiz.")).to_be_visible()

    quiz_id = page.url.rpartition("/")[2]
    with demo_school.at_rest() as teacher:
        stored = teacher.get("/questions", params={"quiz_id": quiz_id, "page_size": 100}).json()["items"]
    rubrics = {question["question_type"]: question["rubric"] for question in stored}
    levels = [(level["points"], level["title"]) for level in rubrics["essay"]["criteria"][0]["levels"]]
    assert levels == [("4.00", "Excellent"), ("1.50", "Weak")]
    keys = {question["question_type"]: question["correct_answer"] for question in stored}
    texts = {option["id"]: option["text"] for option in stored[0]["options"]}
    assert texts[keys["multiple_choice"]["option_id"]] == "Blue"
    assert keys["true_false"]["value"] is False
    assert keys["numeric"]["accepted"][0]["value"] == "3.14"
    assert len(keys["matching"]["pairs"]) == len(keys["ordering"]["sequence"]) == 3

    page.locator("#question-order a").first.click()
    page.wait_for_selector("#question-form [type=submit]")
    page.fill("#points", "2.5")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#question-order > li").first).to_contain_text("2.5 points")
    with demo_school.at_rest() as teacher:
        again = teacher.get(f"/questions/{stored[0]['id']}").json()
    assert again["correct_answer"] == stored[0]["correct_answer"]


def add_one_of_each(page: Page) -> None:
    """A question of every type by the editor, each seen in the list afterwards."""
    fills: dict[str, Callable[[], None]] = {
        "multiple_choice": lambda: fill_rows(page, "text", ["Red", "Green", "Blue", "Grey"], right=[2]),
        "multiple_select": lambda: fill_rows(page, "text", ["2", "4", "7", "9"], right=[0, 2]),
        "true_false": lambda: page.get_by_label("False", exact=True).check(),
        "short_answer": lambda: fill_rows(page, "text", ["Amman"]),
        "numeric": lambda: fill_rows(page, "value", ["٣٫١٤"]),
        "matching": lambda: fill_pairs(page),
        "ordering": lambda: fill_rows(page, "text", ["One", "Two", "Three"]),
        "essay": lambda: fill_rubric(page),
        "description": lambda: None,
    }
    for kind, answer in fills.items():
        add_question(page, kind)
        page.fill("#question_text", f"Question of the kind {kind}")
        answer()
        expect(page.locator("#preview section[dir=rtl]")).to_contain_text(f"Question of the kind {kind}")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#question-order")).to_contain_text(f"Question of the kind {kind}")


def fill_rows(page: Page, name: str, texts: list[str], right: list[int] | None = None) -> None:
    fields = page.locator(f"#part [data-name={name}]")
    for place, text in enumerate(texts):
        fields.nth(place).fill(text)
    for place in right or []:
        page.locator("#part [data-right]").nth(place).check()


def fill_pairs(page: Page) -> None:
    fill_rows(page, "left", ["A", "B", "C"])
    fill_rows(page, "right", ["1", "2", "3"])


def fill_rubric(page: Page) -> None:
    page.get_by_role("button", name="Add a criterion").click()
    page.locator("#part [data-name=criterion]").fill("Argument")
    page.locator("#part [data-name=levels]").fill("4 Excellent\n١٫٥ Weak")
    page.fill("#points", "4")


def test_more_time_and_groups_are_given_by_pages(open_window: Opener, demo_school: DemoSchool) -> None:
    page, course = open_window(who=TEACHER_EMAIL).page, demo_school.course["id"]
    page.goto(f"/teach/courses/{course}/students")
    page.get_by_text("Groups", exact=True).click()
    page.fill("#group", "Section B")
    page.locator("tbody tr").first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Put the chosen into it").click()
    expect(page.locator("tbody tr").filter(has_text="Section B")).to_have_count(1)

    page.locator("tbody tr").filter(has_text="Section B").get_by_role("link", name="More time").click()
    chosen = page.locator("#student_id option:checked").inner_text()
    page.fill("#factor", "١٫٥")
    page.fill("#break_minutes", "10")
    page.get_by_label("The closing time moves for this student, too").check()
    page.get_by_role("button", name="Save").click()
    row = page.locator("tbody tr").filter(has_text=chosen)
    expect(row).to_contain_text("×1.50")
    expect(row).to_contain_text("Yes")

    page.select_option("#quiz", demo_school.quiz["id"])
    page.get_by_role("button", name="Show").click()
    expect(row).to_contain_text("Course")
    expect(row.get_by_role("button", name="Take away")).to_have_count(0)
    page.goto(f"/teach/courses/{course}/accommodations")
    row.get_by_role("button", name="Take away").click()
    expect(page.get_by_text("Nobody gets more time yet.")).to_be_visible()


def test_a_question_without_its_answer_is_refused_with_its_words_kept(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    page.goto(f"/teach/quizzes/{demo_school.quiz['id']}?question=new&type=multiple_choice")
    page.fill("#question_text", "Nothing is marked")
    fill_rows(page, "text", ["a", "b", "c", "d"])
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".error-summary")).to_be_focused()
    expect(page.locator(".error-summary")).to_contain_text("Mark the option that is right.")
    expect(page.locator("#question_text")).to_have_value("Nothing is marked")
    page.locator("#part [data-right]").nth(1).check()
    page.fill("#question_text", "")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#question_text-error")).to_be_visible()
    expect(page.locator("#question_text")).to_have_attribute("aria-invalid", "true")


def is_one_line(place: Locator) -> bool:
    box = place.bounding_box()
    return box is not None and LEAST_PX <= box["height"] < 2 * LEAST_PX


@pytest.mark.parametrize(("language", "has_scripts"), [("en", False), ("ar", True)])
def test_on_a_phone_a_course_s_tabs_are_one_line_that_opens_to_all_of_them(
    open_window: Opener, demo_school: DemoSchool, language: Language, has_scripts: bool
) -> None:
    window, t = open_window(who=TEACHER_EMAIL, width=PHONE_PX, has_scripts=has_scripts), Translator(language)
    page, course = window.page, f"/teach/courses/{demo_school.course['id']}"
    page.goto(f"{course}/gradebook?lang={language}")
    tabs = page.get_by_role("navigation", name=t("teach.tabs"), exact=True)
    line, links = tabs.locator("summary"), tabs.get_by_role("link")
    expect(line).to_have_accessible_name(f"{t('teach.tabs')}: {t('teach.tab_gradebook')}")
    assert is_one_line(tabs)
    expect(links).to_have_count(0)
    line.press("Enter")
    expect(tabs.locator("[aria-current=page]")).to_be_visible()
    assert window.look_over(has_axe=has_scripts) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{course}/details")
    expect(line).to_contain_text(t("teach.tab_details"))
    expect(links).to_have_count(0)
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(line).to_be_hidden()
    expect(links.last).to_be_visible()
    assert is_one_line(tabs)


def test_saved_options_are_previewed_as_students_see_them(open_window: Opener, demo_school: DemoSchool) -> None:
    texts = ["**two** of `x`", "three"]
    draft = {"question_type": "multiple_choice", "question_text": "# How many?", "points": 1} | {
        "options": [{"id": f"o{place}", "text": text} for place, text in enumerate(texts)],
        "correct_answer": {"option_id": "o0"},
    }
    with demo_school.at_rest() as teacher:
        quiz = teacher.post("/quizzes", json={"course_id": demo_school.course["id"], "title": "Marks"}).json()
        path = f"/quizzes/{quiz['id']}"
        choice, pairs = (teacher.post(f"{path}/questions", json=one).json() for one in (draft, SHORT_QUESTIONS[1]))
    window = open_window(who=TEACHER_EMAIL)
    page = window.page
    page.goto(f"/teach{path}?question={choice['id']}")
    shown, first = page.locator("#preview [dir=rtl] .option-text"), page.locator("#part [data-name=text]").first
    expect(shown.first.locator("strong")).to_have_text("two")
    assert shown.first.inner_html() == choice["options_html"][0]
    expect(page.locator("h1")).to_have_count(1)
    assert window.look_over() == []
    first.fill("**four**")
    expect(shown.first).to_have_text("**four**")
    first.fill(texts[0])
    expect(shown.first.locator("code")).to_have_text("x")
    page.goto(f"/teach{path}?question={pairs['id']}")
    expect(shown.first.locator("strong")).to_have_text("triangle")
    expect(shown.last).to_have_text("a drawing of four")


def test_importing_says_first_what_would_happen(open_window: Opener, demo_school: DemoSchool) -> None:
    with demo_school.at_rest() as teacher:
        quiz = teacher.post("/quizzes", json={"course_id": demo_school.course["id"], "title": "Imported"}).json()
    page = open_window(who=TEACHER_EMAIL).page
    page.goto(f"/teach/quizzes/{quiz['id']}/import")
    page.fill("#text", GIFT)
    page.get_by_role("button", name="Check it").click()
    expect(page.locator("#report h2")).to_be_focused()
    expect(page.locator("#report tbody tr")).to_have_count(3)
    expect(page.locator("#report")).to_contain_text("Left out")
    with demo_school.at_rest() as teacher:
        assert teacher.get(f"/quizzes/{quiz['id']}").json()["questions_count"] == 0
    page.get_by_role("button", name="Import 2 questions").click()
    expect(page.locator("#report h2")).to_have_text("Imported")
    page.get_by_role("link", name="To the questions").click()
    expect(page.locator("#question-order > li")).to_have_count(2)


def test_progress_moves_while_somebody_watches(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=STUDENT_EMAILS[8])
    home, lesson = window.page, window.new_page()
    home.goto("/home")
    expect(home.locator("#connection")).to_have_attribute("data-line", "live")
    before = home.locator("[data-enrollment] progress").first.get_attribute("value")
    lesson.goto(f"/learn/{demo_school.course['slug']}/{demo_school.last_reading['slug']}")
    lesson.get_by_role("button", name="Mark as completed").click()
    expect(lesson.locator("#complete-state")).to_be_visible()
    expect(lesson.locator("[aria-current=page][data-lesson]")).to_have_attribute("data-status", "completed")
    expect(home.locator("[data-enrollment] progress").first).not_to_have_js_property("value", float(before or 0))


def test_what_somebody_else_s_is_not_there(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window(who=STUDENT_EMAILS[9]).page
    reply = page.goto(f"/attempts/{demo_school.graded_attempt['id']}/results")
    assert reply is not None
    assert reply.status == 404


def test_results_show_the_score_and_every_question(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window(who=STUDENT_EMAILS[2]).page
    page.goto(f"/attempts/{demo_school.graded_attempt['id']}/results")
    expect(page.locator(".score-figure")).to_have_text("2 of 3")
    expect(page.locator(".result-question")).to_have_count(2)
    first, second = page.locator(".result-question").all()
    expect(first).to_contain_text("Right")
    expect(first.locator("em")).to_have_text("two")
    expect(second).to_contain_text("Wrong")
    expect(second.get_by_text("Right answer")).to_be_visible()


def test_the_start_page_checks_the_line_and_starts(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window(who=STUDENT_EMAILS[10]).page
    page.goto(f"/quizzes/{demo_school.quiz['id']}")
    expect(page.locator("#line-check")).to_contain_text("Your connection is good")
    with page.expect_response(lambda reply: reply.url.endswith("/api/v1/attempts")) as reply:
        page.get_by_role("button", name="Start").click()
    assert reply.value.status == 201
    page.wait_for_url(re.compile("/attempts/att_"))
