"""A real browser before a real server: the demo school in a process of its own, and windows that note what goes wrong."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.exam import Background, Exam
from tests.browser.operated_school import ADMIN_EMAIL
from tests.browser.window import DemoSchool, Window, opening
from tests.servers.absence import require_program
from tests.servers.processes import ServerProcess

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


BROWSERS_AT_ONCE = 2
"""As many as there are cores to draw on: one more, and each may be slower than somebody would wait."""


@pytest.fixture(autouse=True)
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Wait until one of the places at the screen is free, of all processes of this run; the system frees it if we die."""
    shared = tmp_path_factory.getbasetemp().parent
    with ExitStack() as stack:
        places = [stack.enter_context((shared / f"browser-{n}").open("w")) for n in range(BROWSERS_AT_ONCE)]
        if not any(_is_taken(place) for place in places):
            fcntl.flock(places[os.getpid() % BROWSERS_AT_ONCE], fcntl.LOCK_EX)
        yield


def _is_taken(place: TextIO) -> bool:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, one for the whole run: without a desktop, it opens a window at a third of the cost."""
    program = require_program("chromium-headless-shell", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo_school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSchool]:
    """The product as a newcomer starts it, on a port of its own. Only warnings are logged: nobody reads its output."""
    data = tmp_path_factory.mktemp("school") / "data"
    command = [sys.executable, str(ROOT / "run.py"), "serve", "--port", "0", "--data", str(data)]
    env = {**os.environ, "LOG_LEVEL": "WARNING", "PASSWORD_HASH_COST": "4", "MAIL_GATHER_SECONDS": "0"}
    with ServerProcess(command, env=env) as server:
        address = server.line_with("lms_rt ready on http").rpartition(" ")[2].strip()
        yield DemoSchool(address)


@pytest.fixture(scope="session")
def operated_school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSchool]:
    """A school for administrators, as `operated_school.py` furnishes it. Each test sees to things of its own there."""
    data = tmp_path_factory.mktemp("operated") / "data"
    with ServerProcess([sys.executable, "-m", "tests.browser.operated_school", str(data)], is_forked=True) as server:
        yield DemoSchool(server.line_with("ready on http").rpartition(" ")[2].strip())


@pytest.fixture(scope="session")
def admin_cookies(chromium: Browser, operated_school: DemoSchool) -> list[Any]:
    """Its administrator has signed in, once for all tests."""
    window = Window(chromium, operated_school, who=ADMIN_EMAIL)
    cookies = window.own_cookies()
    window.close()
    return cookies


@pytest.fixture
def open_admin(
    chromium: Browser, operated_school: DemoSchool, admin_cookies: list[Any]
) -> Iterator[Callable[..., Window]]:
    """Open windows of the administrator; nothing may have gone wrong in them."""
    with opening(chromium, operated_school, cookies=admin_cookies) as opened:
        yield opened


@pytest.fixture
def open_window(chromium: Browser, demo_school: DemoSchool) -> Iterator[Callable[..., Window]]:
    """Open windows; at the end each of them must have seen nothing go wrong."""
    with opening(chromium, demo_school) as opened:
        yield opened


@pytest.fixture
def background() -> Iterator[Background]:
    """A thread in which students act while the browser looks."""
    made = Background()
    yield made
    made.stop()


@pytest.fixture
def exam(background: Background, demo_school: DemoSchool) -> Iterator[Exam]:
    """A quiz of its own with nobody in it yet."""
    made = Exam(background, demo_school)
    yield made
    for student in made.students:
        student.leave()
