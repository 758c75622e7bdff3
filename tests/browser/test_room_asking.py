"""What a student chooses while the room still asks what the server holds: no reply may take for stored what it was not asked about."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, WebSocketRoute

from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.room import RoomPage, make_quiz
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
EARLY = STUDENT_EMAILS[20]


class SlowLine:
    """Stands in the way of a page: its socket says nothing, and its question what is stored waits, until `release`."""

    def __init__(self, window: Window) -> None:
        self._page, self._sockets, self._questions = window.page, list[WebSocketRoute](), list[Route]()
        self._is_held = True
        self._page.route_web_socket(re.compile(r"/ws\?"), self._opened)
        self._page.route("**/attempts/*/sync", self._asked)

    def wait_until_asked(self) -> None:
        """The page has asked what the server holds."""
        for _ in range(200):
            if self._questions:
                return
            self._page.wait_for_timeout(100)
        raise AssertionError("the page did not ask")

    def release(self) -> None:
        """What was asked before is answered now, and the socket may be opened again."""
        self._is_held = False
        for question in self._questions:
            question.continue_()
        for socket in self._sockets:
            socket.close(code=1012)

    def _opened(self, socket: WebSocketRoute) -> None:
        if self._is_held:
            self._sockets.append(socket)
        else:
            socket.connect_to_server()

    def _asked(self, question: Route) -> None:
        if self._is_held:
            self._questions.append(question)
        else:
            question.continue_()


def test_a_choice_made_while_the_room_asks_is_saved(open_window: Opener, demo_school: DemoSchool) -> None:
    window = open_window(who=EARLY)
    line = SlowLine(window)
    room = RoomPage.start(window, EARLY, make_quiz(demo_school))
    line.wait_until_asked()
    room.choose("y = 3")
    line.release()
    room.expect_state("saved")
    assert room.stored() == {1: "c"}
