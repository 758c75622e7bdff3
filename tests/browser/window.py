"""A window of the browser as somebody uses it, and the school that it looks at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from lms_rt.services.demo import DEMO_PASSWORD, STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.targets import LEAST_PX, SMALL_TARGETS
from tests.clients import AUTHORITIES, TIMEOUT_SECONDS

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
window.said = [];
if (origin !== "null") document.addEventListener("DOMContentLoaded", () => { // a sandbox runs nothing
  const voice = document.getElementById("say");
  if (voice) new MutationObserver(() => window.said.push(voice.textContent)).observe(voice, { childList: true });
});
"""
AT_REST = "document.getAnimations().forEach((animation) => animation.finish())"
"""A panel that is still fading in is half transparent: its colours are judged as they stay."""
MAX_SHIFT = 0.05
PHONE_PX = 320
"""On pages as wide as that, all that can be pressed is measured: elsewhere it is no smaller."""
_FORM_TOKEN = re.compile('name="csrf" value="([^"]+)"')
DRAWING = '<img src="/static/000000000000/mark.svg" width="16" height="16" alt="drawing of four">'
SHORT_QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "question_type": "multiple_select",
        "question_text": "ما الأعداد الأوّلية؟",
        "points": 2,
        "options": [{"id": "a", "text": "2"}, {"id": "b", "text": "4"}, {"id": "c", "text": "7"}],
        "correct_answer": {"option_ids": ["a", "c"]},
        "explanation": "A prime number has *two* divisors.",
    },
    {
        "question_type": "matching",
        "question_text": "Which belongs to which?",
        "points": 1,
        "options": {
            "left": [{"id": "l1", "text": "**triangle**"}, {"id": "l2", "text": "square"}],
            "right": [{"id": "r1", "text": "three"}, {"id": "r2", "text": f"a {DRAWING}"}],
        },
        "correct_answer": {"pairs": {"l1": "r1", "l2": "r2"}},
    },
)
ANSWERS: dict[str, Any] = {"multiple_select": ["a", "c"], "matching": {"l1": "r2", "l2": "r1"}}


class DemoSchool:
    """The school's address, and its things by REST."""

    def __init__(self, address: str) -> None:
        self.address = address

    @contextmanager
    def at_rest(self, email: str = TEACHER_EMAIL) -> Iterator[httpx.Client]:
        """A client of the API who has signed in."""
        with httpx.Client(base_url=f"{self.address}/api/v1", timeout=TIMEOUT_SECONDS, verify=AUTHORITIES) as http:
            reply = http.post("/auth/login", json={"email": email, "password": DEMO_PASSWORD}).raise_for_status()
            http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
            yield http

    def path(self, pattern: str) -> str:
        """An address with {slug}, {course}, {lesson}, {lesson_slug}, {quiz} and {attempt} filled in."""
        names = {
            "slug": lambda: self.course["slug"],
            "course": lambda: self.course["id"],
            "lesson": lambda: self.course["lessons"][0]["id"],
            "lesson_slug": lambda: self.course["lessons"][0]["slug"],
            "quiz": lambda: self.quiz["id"],
            "attempt": lambda: self.graded_attempt["id"],
        }
        return re.sub(r"\{(\w+)\}", lambda place: str(names[place.group(1)]()), pattern)

    @cached_property
    def course(self) -> dict[str, Any]:
        """The course in English, with its lessons."""
        with self.at_rest() as teacher:
            found: dict[str, Any] = teacher.get("/courses/algebra-1-straight-lines").raise_for_status().json()
            return found

    @property
    def last_reading(self) -> dict[str, Any]:
        """The last lesson that is completed by its button."""
        lessons = [lesson for lesson in self.course["lessons"] if lesson["quiz_id"] is None]
        found: dict[str, Any] = lessons[-1]
        return found

    @cached_property
    def quiz(self) -> dict[str, Any]:
        """The quiz that the demo has in that course, whichever others tests have made there."""
        quiz_id = next(lesson["quiz_id"] for lesson in self.course["lessons"] if lesson["quiz_id"] is not None)
        with self.at_rest() as teacher:
            found: dict[str, Any] = teacher.get(f"/quizzes/{quiz_id}").raise_for_status().json()
            return found

    @cached_property
    def short_quiz(self) -> dict[str, Any]:
        """A quiz of our own with two questions that need nobody to grade them."""
        with self.at_rest() as teacher:
            draft = {"course_id": self.course["id"], "title": "Two questions"}
            made = teacher.post("/quizzes", json=draft).raise_for_status().json()
            for question in SHORT_QUESTIONS:
                teacher.post(f"/quizzes/{made['id']}/questions", json=question).raise_for_status()
            found: dict[str, Any] = teacher.post(f"/quizzes/{made['id']}/publish").raise_for_status().json()
            return found

    @cached_property
    def graded_attempt(self) -> dict[str, Any]:
        """An attempt of the third student at the short quiz: one right, one wrong."""
        with self.at_rest(STUDENT_EMAILS[2]) as student:
            draft = {"quiz_id": self.short_quiz["id"], "device_id": "test"}
            started = student.post("/attempts", json=draft).raise_for_status().json()
            answers = [
                {"question_id": one["id"], "value": ANSWERS[one["question_type"]]} for one in started["questions"]
            ]
            body = {"answers": answers, "device_id": "test", "lease": started["lease"]}
            sent: dict[str, Any] = (
                student.post(f"/attempts/{started['id']}/submit", json=body).raise_for_status().json()
            )
            return sent


_REACHES = """() => fetch("/api/v1/health", { cache: "no-store", signal: AbortSignal.timeout(1000) }).then(() => true, () => false)"""


class Window:
    """One person's browser. `who` is an address of the demo school, or None for a stranger, or for who brings `cookies`."""

    def __init__(
        self,
        browser: Browser,
        school: DemoSchool,
        *,
        who: str | None = None,
        width: int = 1280,
        has_scripts: bool = True,
        cookies: list[Any] | None = None,
    ) -> None:
        self.school, self.faults = school, list[str]()
        self._context = browser.new_context(
            base_url=school.address,
            viewport={"width": width, "height": 800},
            java_script_enabled=has_scripts,
            locale="en-GB",
            timezone_id="Africa/Cairo",
        )
        self._context.add_init_script(WATCH)
        if cookies:
            self._context.add_cookies(cookies)
        self.page = self.new_page()
        if who is not None:
            self.sign_in(who)

    def new_page(self) -> Page:
        """Another tab of the same person."""
        page = self._context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("request", self._asked)
        return page

    def at_first_sight(self) -> Window:
        """The same person, whose browser keeps nothing that it has loaded: a new one takes as long to open as ten pages."""
        wire = self._context.new_cdp_session(self.page)
        wire.send("Network.clearBrowserCache")
        wire.detach()
        return self

    def faults_since(self) -> list[str]:
        """What has gone wrong since this was asked last."""
        faults, self.faults = self.faults, []
        return faults

    def before_pages(self, script: str) -> None:
        """Run a script before those of every page that comes."""
        self._context.add_init_script(script)

    def cut_off(self) -> None:
        """No call of the API gets out, hence no ticket and no socket either."""
        self._context.route("**/api/**", lambda route: route.abort())
        for page in self._context.pages:
            # the browser knows at once, its pages a moment later
            while page.evaluate(_REACHES):
                page.wait_for_timeout(20)

    def let_through(self) -> None:
        """The way is open again."""
        self._context.unroute("**/api/**")

    def as_somebody(self, email: str) -> Window:
        """The same browser, after somebody else has signed in."""
        self._context.clear_cookies()
        return self.sign_in_by_hand(email)

    def sign_in(self, email: str, password: str = DEMO_PASSWORD) -> None:
        """By the form, as a browser sends it that has no scripts and draws nothing. The page stays where it is."""
        wire = self._context.request
        token = _FORM_TOKEN.search(wire.get("/signin").text())
        assert token is not None
        fields: dict[str, str | float | bool] = {"csrf": token[1], "email": email, "password": password}
        reply = wire.post("/signin", form=fields, max_redirects=0)
        assert reply.status == 303, f"{email} was not let in: {reply.status}"

    def sign_in_by_hand(self, email: str, password: str = DEMO_PASSWORD) -> Window:
        """In the page that people see, which then goes on."""
        self.page.goto("/signin")
        self.page.fill("#email", email)
        self.page.fill("#password", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(lambda url: "/signin" not in url)
        return self

    def cookies(self) -> dict[str, dict[str, Any]]:
        """The cookies by name."""
        return {cookie["name"]: dict(cookie) for cookie in self._context.cookies()}

    def own_cookies(self) -> list[Any]:
        """What another window of the same person begins with: signing in once is enough for many."""
        return list(self._context.cookies())

    def forget_cookie(self, name: str) -> None:
        """As if it had run out."""
        self._context.clear_cookies(name=name)

    def look_over(self, *, has_axe: bool = True) -> list[str]:
        """What is wrong with the page as it stands: axe, the policy, sideways scrolling, things that jump, what no thumb hits."""
        page = self.page
        page.evaluate(AT_REST)
        wrong = [f"policy: {what}" for what in page.evaluate("window.violations")]
        wrong += self.axe() if has_axe else []
        if (over := page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")) > 0:
            wrong.append(f"scrolls sideways by {over} px")
        if (shift := page.evaluate("window.shift")) > MAX_SHIFT:
            wrong.append(f"layout shift {shift}")
        if page.evaluate("innerWidth") <= PHONE_PX:
            wrong += [f"smaller than a thumb: {what}" for what in page.evaluate(SMALL_TARGETS, LEAST_PX)]
        return wrong

    def axe(self) -> list[str]:
        """What axe finds (WCAG 2.2 AA and good practice)."""
        only = {
            "runOnly": {"type": "tag", "values": RULES},
            "resultTypes": ["violations"],
        }  # a page has thousands of others
        results = Axe().run(self.page, options=only)
        found = results.response["violations"]
        return [f"axe: {one['id']} {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]

    def close(self) -> None:
        """Close everything of this person."""
        self.page.unroute_all(
            behavior="wait"
        )  # what stands in a line still reads: cut off, it would fail the next test
        self._context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.school.address, "data:", "blob:", "ws://127.0.0.1")):
            self.faults.append(f"asked another host: {request.url}")


def spoken(page: Page, words: str) -> None:
    """Wait until the page has said this: its voice keeps nothing that something else follows."""
    page.wait_for_function("(words) => window.said.some((one) => one.includes(words))", arg=words)


@contextmanager
def opening(browser: Browser, school: DemoSchool, **always: Any) -> Iterator[Callable[..., Window]]:
    """Open windows on a school while the body runs; at its end each of them must have seen nothing go wrong."""
    windows: list[Window] = []

    def opened(**wishes: Any) -> Window:
        windows.append(Window(browser, school, **always | wishes))
        return windows[-1]

    yield opened
    faults = [fault for window in windows for fault in window.faults]
    for window in windows:
        window.close()
    assert not faults, "\n".join(faults)
