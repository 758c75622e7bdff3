"""A quiz room and its dashboard while the server's real Redis falls silent, comes back, and forgets everything."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from pymongo import MongoClient

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.room import RoomPage, make_quiz
from tests.browser.window import DemoSchool, Window
from tests.servers.processes import ServerProcess
from tests.servers.redis_server import RedisServer

pytestmark = [pytest.mark.browser, pytest.mark.real]

ROOT = Path(__file__).parents[2]
STUDENT = STUDENT_EMAILS[5]
PATIENCE_MS = 30_000


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server of this test's own, which it may hurt."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def school(mongodb_url: str, redis: RedisServer) -> Iterator[DemoSchool]:
    """The demo school on MongoDB and that Redis."""
    name = f"test_{uuid.uuid4().hex}"
    keys = {"SECRET_KEY": "k" * 40, "PASSWORD_PEPPER": "p" * 40, "SIGNING_KEY": "c" * 43}
    keys |= {"PASSWORD_HASH_COST": "4", "LOG_LEVEL": "ERROR"}
    servers = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": name, "REDIS_URL": redis.url}
    command = [sys.executable, str(ROOT / "run.py"), "serve", "--port", "0", "--demo"]
    with ServerProcess(command, env={**os.environ, **keys, **servers}, is_forked=True) as server:
        yield DemoSchool(server.line_with("lms_rt ready on http").rpartition(" ")[2].strip())
    with MongoClient[dict[str, object]](mongodb_url) as client:
        client.drop_database(name)


@pytest.fixture
def window_of(chromium: Browser, school: DemoSchool) -> Iterator[Callable[[str], Window]]:
    """Windows of people of that school, in which nothing may go wrong."""
    windows: list[Window] = []

    def opened(who: str) -> Window:
        windows.append(Window(chromium, school, who=who))
        return windows[-1]

    yield opened
    wrong = [what for window in windows for what in window.faults + window.look_over(has_axe=False)]
    for window in windows:
        window.close()
    assert not wrong


def test_answers_are_saved_and_both_pages_say_how_it_stands(
    redis: RedisServer, school: DemoSchool, window_of: Callable[[str], Window]
) -> None:
    quiz_id = make_quiz(school)
    room = RoomPage.start(window_of(STUDENT), STUDENT, quiz_id)
    dashboard = window_of(TEACHER_EMAIL).page
    dashboard.goto(f"/teach/quizzes/{quiz_id}/live")
    row, word = dashboard.locator(f'tr[data-attempt="{room.attempt_id}"]'), dashboard.locator("#connection")
    expect(word).to_have_text("Live")

    redis.freeze()
    expect(room.line).to_contain_text("Live updates are late.", timeout=PATIENCE_MS)
    expect(word).to_have_text("Late", timeout=PATIENCE_MS)
    room.choose("y = 3")
    room.expect_state("saved")
    room.page.reload()
    expect(room.line).to_contain_text("Live updates are late.")
    expect(room.page.get_by_role("radio", checked=True)).to_have_value("c")
    expect(row).to_contain_text("1 of 8", timeout=PATIENCE_MS)

    redis.thaw()
    expect(room.line).to_contain_text("Live updates are in time again.", timeout=PATIENCE_MS)
    expect(word).to_have_text("Live")
    expect(dashboard.locator("#stamp")).to_be_empty()

    redis.restart()
    room.to(3)
    room.choose("True")
    room.expect_state("saved")
    expect(row).to_contain_text("2 of 8", timeout=PATIENCE_MS)
    assert room.stored() == {1: "c", 3: True}
