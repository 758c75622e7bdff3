"""Every page with a shell, in both languages and themes, wide and narrow: nothing for axe, the policy or the eye."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser

from handlers.web.presentation import Reader, local_text
from handlers.web.translation import Translator
from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.window import DemoSchool, Window, opening

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
# Language, theme, width, and whether axe looks too: it is slow, and sees each language and each theme once.
LOOKS = (
    ("en", "light", 1280, True),
    ("ar", "dark", 320, True),
    ("ar", "dark", 640, False),
    ("en", "dark", 320, False),
)
MAX_FIRST_PAGE_BYTES = 100_000
MOMENTS = """
async ([path, at, kinds]) => {
  const { moment } = await import(`${path}i18n.js`);
  return kinds.map((kind) => moment(at, kind));
}
"""

OPEN = {
    "catalogue": "/",
    "nothing found": "/?q=zzzzzz",
    "course": "/courses/{slug}",
    "grades": "/courses/{slug}/grades",
    "calendar": "/me/calendar",
    "reviews": "/courses/{slug}/reviews",
    "sign in": "/signin?next=/home",
    "register": "/register",
    "forgotten password": "/forgot",
    "mail sent": "/forgot?sent=1",
    "link that is over": "/reset?token=over",
    "address to confirm": "/verify-email",
    "checking a receipt": "/receipt",
    "unknown certificate": "/verify/CERT-2000-000001",
    "no page": "/nothing/here",
}
OF_STUDENTS = {
    "home": "/home",
    "course": "/courses/{slug}",
    "lesson": "/learn/{slug}/{lesson_slug}",
    "chat": "/courses/{slug}/chat",
    "quiz": "/quizzes/{quiz}",
    "results": "/attempts/{attempt}/results",
    "receipt": "/attempts/{attempt}/receipt",
    "what was noted": "/attempts/{attempt}/log",
    "certificates": "/certificates",
    "notifications": "/notifications",
    "wishes": "/notifications/preferences",
    "files": "/files",
    "profile": "/me",
    "security": "/me/security",
}
OF_TEACHERS = {
    "teach": "/teach",
    "details": "/teach/courses/{course}/details",
    "lessons": "/teach/courses/{course}/lessons",
    "lesson": "/teach/courses/{course}/lessons?lesson={lesson}",
    "quizzes": "/teach/courses/{course}/quizzes",
    "students": "/teach/courses/{course}/students",
    "bulk": "/teach/courses/{course}/bulk",
    "course from a file": "/teach/import",
    "more time": "/teach/courses/{course}/accommodations?quiz={quiz}",
    "certificates": "/teach/courses/{course}/certificates",
    "gradebook": "/teach/courses/{course}/gradebook",
    "rules of grading": "/teach/courses/{course}/gradebook/settings",
    "grading": "/teach/grading",
    "quiz": "/teach/quizzes/{quiz}",
    "import": "/teach/quizzes/{quiz}/import",
    "correcting": "/teach/quizzes/{quiz}/regrade",
}
TYPES = (
    "multiple_choice",
    "multiple_select",
    "true_false",
    "short_answer",
    "numeric",
    "matching",
    "ordering",
    "essay",
    "description",
)


def looked_at(window: Window, path: str, *, asks_for_more: bool = True) -> list[str]:
    """What is wrong with a page in all its looks. Some ask for more when they are there, and are drawn by it."""
    wrong: list[str] = []
    shown = ""
    for language, theme, width, has_axe in LOOKS:
        window.page.set_viewport_size({"width": width, "height": 800})
        address = f"{path}{'&' if '?' in path else '?'}lang={language}&theme={theme}"
        if address != shown:
            window.page.goto(address)
        shown = address
        if has_axe and asks_for_more:
            window.page.wait_for_load_state("networkidle")
        assert window.page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
        assert window.page.locator("h1").count() == 1
        wrong += [f"{path} {language} {theme} {width}: {what}" for what in window.look_over(has_axe=has_axe)]
    return wrong


@pytest.fixture(scope="module")
def stranger(chromium: Browser, demo_school: DemoSchool) -> Iterator[Window]:
    with opening(chromium, demo_school) as opened:
        yield opened()


@pytest.fixture(scope="module")
def student(chromium: Browser, demo_school: DemoSchool) -> Iterator[Window]:
    with opening(chromium, demo_school) as opened:
        yield opened(who=STUDENT_EMAILS[2])


@pytest.fixture(scope="module")
def teacher(chromium: Browser, demo_school: DemoSchool) -> Iterator[Window]:
    with opening(chromium, demo_school) as opened:
        yield opened(who=TEACHER_EMAIL)


@pytest.mark.parametrize("name", OPEN)
def test_pages_for_everybody(name: str, stranger: Window, demo_school: DemoSchool) -> None:
    wrong = looked_at(stranger.at_first_sight(), demo_school.path(OPEN[name]))
    assert not wrong + stranger.faults_since()


@pytest.mark.parametrize("name", OF_STUDENTS)
def test_pages_of_students(name: str, student: Window, demo_school: DemoSchool) -> None:
    wrong = looked_at(student.at_first_sight(), demo_school.path(OF_STUDENTS[name]))
    assert not wrong + student.faults_since()


@pytest.mark.parametrize("name", OF_TEACHERS)
def test_pages_of_teachers(name: str, teacher: Window, demo_school: DemoSchool) -> None:
    wrong = looked_at(teacher.at_first_sight(), demo_school.path(OF_TEACHERS[name]))
    assert not wrong + teacher.faults_since()


def test_the_editor_of_every_type(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=TEACHER_EMAIL)
    wrong = []
    for place, kind in enumerate(TYPES):
        language, theme, width, _ = LOOKS[place % len(LOOKS)]
        window.page.set_viewport_size({"width": width, "height": 800})
        path = f"/teach/quizzes/{demo_school.quiz['id']}?question=new&type={kind}&lang={language}&theme={theme}"
        window.page.goto(path)
        window.page.wait_for_selector("#question-form [type=submit]")
        wrong += [f"{kind}: {what}" for what in window.look_over(has_axe=True)]
    assert not wrong


def test_a_moment_is_written_alike_by_the_server_and_by_scripts(open_window: Opener) -> None:
    page, at = open_window().page, "2026-03-07T21:05:09.000Z"
    kinds = ["time", "date", "date-time", "date-time-seconds"]
    for words in (Translator("en"), Translator("ar"), Translator("ar", "arab")):
        page.goto(f"/?lang={words.language}")
        page.evaluate("digits => { document.cookie = `lms_digits=${digits}; path=/`; }", words.digits)
        page.reload()
        path = page.evaluate("document.querySelector('link[href*=\"/static/\"]').href.replace(/[^/]*$/, '')")
        reader = Reader(words, ZoneInfo("Africa/Cairo"))
        assert page.evaluate(MOMENTS, [path, at, kinds]) == [local_text(at, kind, reader) for kind in kinds]


@pytest.mark.parametrize("path", ["/", "/signin"])
def test_the_first_page_is_small(path: str, open_window: Opener) -> None:
    """Everything that comes over the wire for a browser that was never here."""
    window = open_window()
    sizes: list[int] = []
    wire = window.page.context.new_cdp_session(window.page)
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    window.page.goto(path)
    window.page.wait_for_load_state("networkidle")
    assert 10_000 < sum(sizes) <= MAX_FIRST_PAGE_BYTES


def test_what_is_kept_for_ever_has_a_release_in_its_address(open_window: Opener) -> None:
    page = open_window().page
    with page.expect_response(lambda reply: "/app.css" in reply.url) as found:
        page.goto("/")
    assert found.value.headers["cache-control"] == "public, max-age=31536000, immutable"
    old = page.request.get("/static/000000000000/app.css")
    assert (old.status, old.headers["cache-control"]) == (200, "no-cache")
    assert page.request.get("/static/000000000000/../app.py").status == 404
