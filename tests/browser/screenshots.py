"""`python3 -m tests.browser.screenshots [NAME …]`: the pictures of the README, from the real pages of a demo school.

Needs Chromium, in the environment that `python3 run.py test` makes. Not a test: it only looks.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from handlers.web.translation import Language, Translator
from lms_rt.console.simulate.answers import answer, can_be_answered
from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.sitting import SittingClass
from tests.browser.window import DemoSchool, Window
from tests.servers.processes import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "screenshots"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--hide-scrollbars"]
_CLASS = slice(4, 22)
"""Which students of the demo school sit the quiz while the dashboard is looked at."""


class Photographer:
    """Goes through the school and keeps what it sees."""

    def __init__(self, browser: Browser, school: DemoSchool) -> None:
        self._browser, self._school = browser, school

    def catalogue(self) -> None:
        self._take("catalogue", "/", height=670)

    def catalogue_arabic(self) -> None:
        self._take("catalogue-arabic", "/?lang=ar", height=670)

    def course(self) -> None:
        self._take("course", "/courses/{slug}", who=STUDENT_EMAILS[0])

    def lesson(self) -> None:
        self._take("lesson", "/learn/{slug}/{lesson_slug}", who=STUDENT_EMAILS[0])

    def results(self) -> None:
        self._take("results", "/attempts/{attempt}/results", who=STUDENT_EMAILS[2])

    def quiz_room(self) -> None:
        """In the middle of the quiz, some answers given."""
        window = self._room(STUDENT_EMAILS[0], "en", answers=5)
        self._keep(window, "quiz-room")

    def quiz_room_phone(self) -> None:
        """On a phone, in Arabic."""
        window = self._room(STUDENT_EMAILS[1], "ar", answers=3, width=390)
        self._keep(window, "quiz-room-phone")

    def dashboard(self) -> None:
        """With a class in the room, each as far as they are."""
        with SittingClass(self._school, STUDENT_EMAILS[_CLASS], seed=11):
            window = self._at("/teach/quizzes/{quiz}/live", who=TEACHER_EMAIL, width=1360)
            window.page.wait_for_selector("main table tbody tr")
            self._keep(window, "dashboard")

    def import_report(self) -> None:
        """The report of a question file in which much is wrong."""
        window = self._at("/teach/quizzes/{quiz}/import", who=TEACHER_EMAIL)
        window.page.set_input_files("input[type=file]", ROOT / "tests" / "data" / "gift" / "broken.gift")
        window.page.click("main form button[type=submit]")
        window.page.wait_for_selector("#report table tbody tr")
        window.page.evaluate("document.querySelector('#report').scrollIntoView()")
        self._keep(window, "import")

    def _take(self, name: str, path: str, *, who: str | None = None, height: int = 800) -> None:
        """One page as it comes."""
        window = self._at(path, who=who)
        window.page.set_viewport_size({"width": 1280, "height": height})
        self._keep(window, name)

    def _at(self, path: str, *, who: str | None, width: int = 1280) -> Window:
        """A window that has opened this page."""
        window = Window(self._browser, self._school, who=who, width=width)
        window.page.goto(self._school.path(path))
        window.page.wait_for_selector("main")
        return window

    def _keep(self, window: Window, name: str) -> None:
        page = window.page
        page.evaluate("document.fonts.ready")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", caret="hide")
        window.close()

    def _room(self, email: str, language: Language, *, answers: int, width: int = 1280) -> Window:
        """The quiz room at the first question without an answer; the earlier ones were answered elsewhere."""
        attempt = self._begun(email, answers)
        window = self._at(f"/attempts/{attempt['id']}?lang={language}#q{answers + 1}", who=email, width=width)
        continue_here = window.page.get_by_role("button", name=Translator(language, "latn")("room.continue_here"))
        continue_here.click()
        continue_here.wait_for(state="hidden")
        window.page.mouse.move(0, 400)
        return window

    def _begun(self, email: str, answers: int) -> dict[str, Any]:
        """An attempt at the demo quiz with so many answers, by REST."""
        draw = random.Random(7)  # noqa: S311 - the same picture each time
        with self._school.at_rest(email) as student:
            started = student.post("/attempts", json={"quiz_id": self._school.quiz["id"], "device_id": "elsewhere"})
            attempt: dict[str, Any] = started.raise_for_status().json()
            asked = [question for question in attempt["questions"] if can_be_answered(question)][:answers]
            rows = [
                {
                    "question_id": question["id"],
                    "value": answer(question, draw),
                    "op_id": f"op-{place}",
                    "seq": place,
                    "base_revision": 0,
                }
                for place, question in enumerate(asked, 1)
            ]
            body = {"answers": rows, "device_id": "elsewhere", "lease": attempt["lease"]}
            student.patch(f"/attempts/{attempt['id']}/answers", json=body).raise_for_status()
            return attempt


def pictures(photographer: Photographer) -> Mapping[str, Callable[[], None]]:
    """Every picture by its name."""
    return {
        "catalogue": photographer.catalogue,
        "catalogue-arabic": photographer.catalogue_arabic,
        "course": photographer.course,
        "lesson": photographer.lesson,
        "quiz-room": photographer.quiz_room,
        "quiz-room-phone": photographer.quiz_room_phone,
        "dashboard": photographer.dashboard,
        "results": photographer.results,
        "import": photographer.import_report,
    }


def main(names: list[str]) -> int:
    """Take all pictures, or those that are named."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("chromium is missing: sudo apt install chromium\n")
        return 1
    with ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory())
        command = [sys.executable, str(ROOT / "run.py"), "serve", "--port", "0", "--data", f"{data}/school"]
        env = {**os.environ, "LOG_LEVEL": "WARNING", "PASSWORD_HASH_COST": "4"}
        server = stack.enter_context(ServerProcess(command, env=env))
        school = DemoSchool(server.line_with("lms_rt ready on http").rpartition(" ")[2].strip())
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, take in pictures(Photographer(browser, school)).items():
            if not names or name in names:
                take()
                sys.stdout.write(f"{name}.png {(FOLDER / f'{name}.png').stat().st_size} bytes\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
