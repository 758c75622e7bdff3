"""A quiz room as a student uses it, a quiz with every kind of question, and a school that can be killed and comes back."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser.window import DemoSchool, Window
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess

expect.set_options(timeout=10_000)  # two busy cores: waiting ends as soon as it is so
ROOT = Path(__file__).parents[2]
QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "question_type": "multiple_choice",
        "question_text": "Which line is parallel to `y = 2x`?",
        "points": 2,
        "options": [{"id": "a", "text": "y = x + 2"}, {"id": "b", "text": "y = 2x − 1"}, {"id": "c", "text": "y = 3"}],
        "correct_answer": {"option_id": "b"},
    },
    {
        "question_type": "multiple_select",
        "question_text": "ما الأعداد الأوّلية؟",
        "points": 2,
        "options": [{"id": "a", "text": "2"}, {"id": "b", "text": "4"}, {"id": "c", "text": "7"}],
        "correct_answer": {"option_ids": ["a", "c"]},
    },
    {"question_type": "true_false", "question_text": "Zero is even.", "points": 1, "correct_answer": {"value": True}},
    {
        "question_type": "short_answer",
        "question_text": "What is *m* called?",
        "points": 1,
        "correct_answer": {"accepted": [{"text": "slope", "weight": 100, "feedback": ""}], "ignore_case": True},
    },
    {
        "question_type": "numeric",
        "question_text": "π to two places?",
        "points": 1,
        "correct_answer": {"value": "3.14", "tolerance": "0", "tolerance_type": "absolute"},
    },
    {
        "question_type": "matching",
        "question_text": "Which belongs to which?",
        "points": 1,
        "options": {
            "left": [{"id": "l1", "text": "triangle"}, {"id": "l2", "text": "square"}],
            "right": [{"id": "r1", "text": "three"}, {"id": "r2", "text": "four"}],
        },
        "correct_answer": {"pairs": {"l1": "r1", "l2": "r2"}},
    },
    {
        "question_type": "ordering",
        "question_text": "From small to large.",
        "points": 1,
        "options": [{"id": "s1", "text": "one"}, {"id": "s2", "text": "two"}, {"id": "s3", "text": "three"}],
        "correct_answer": {"sequence": ["s1", "s2", "s3"]},
    },
    {"question_type": "essay", "question_text": "Why?", "points": 3},
    {"question_type": "description", "question_text": "You have reached the end.", "points": 0},
)
"""One of each kind; their places are their order."""


class OwnSchool(DemoSchool):
    """A school whose server a test may kill; it comes back with the same data at the same address."""

    def __init__(self, data: Path) -> None:
        self._data, self._process = data, self._start(str(free_port()), data)
        super().__init__(self._ready())
        self._port = self.address.rpartition(":")[2]

    def _start(self, port: str, data: Path) -> ServerProcess:
        command = [sys.executable, str(ROOT / "run.py"), "serve", "--port", port, "--data", str(data)]
        env = {**os.environ, "LOG_LEVEL": "WARNING", "PASSWORD_HASH_COST": "4"}
        return ServerProcess(command, env=env, is_forked=True)

    def _ready(self) -> str:
        return self._process.line_with("lms_rt ready on http").rpartition(" ")[2].strip()

    def kill(self) -> None:
        """SIGKILL: nothing is said or written any more."""
        self._process.kill()

    def come_back(self) -> None:
        """Start again."""
        self._process = self._start(self._port, self._data)
        self._ready()

    def stop(self) -> None:
        """The end of the test."""
        self._process.stop()


def make_quiz(school: DemoSchool, *, closes_in_seconds: float | None = None, **fields: Any) -> str:
    """A published quiz with one question of each kind; its id."""
    draft: dict[str, Any] = {"course_id": school.course["id"], "title": "Every kind", "time_limit_minutes": 30}
    with school.at_rest() as teacher:
        made = teacher.post("/quizzes", json=draft | fields).raise_for_status().json()
        for question in QUESTIONS:
            teacher.post(f"/quizzes/{made['id']}/questions", json=question).raise_for_status()
        teacher.post(f"/quizzes/{made['id']}/publish").raise_for_status()
        if closes_in_seconds is not None:  # last: to make it takes a busy machine some of that time
            closes_at = datetime.now(UTC) + timedelta(seconds=closes_in_seconds)
            teacher.patch(f"/quizzes/{made['id']}", json={"closes_at": closes_at.isoformat()}).raise_for_status()
    return str(made["id"])


class RoomPage:
    """The room in one tab."""

    def __init__(self, school: DemoSchool, who: str, page: Page) -> None:
        self.school, self.who, self.page = school, who, page

    @classmethod
    def start(cls, window: Window, who: str, quiz_id: str) -> RoomPage:
        """By the quiz's page and its button."""
        window.page.goto(f"/quizzes/{quiz_id}")
        window.page.get_by_role("button", name="Start").click()
        window.page.wait_for_url("**/attempts/*")
        room = cls(window.school, who, window.page)
        room.is_ready()
        return room

    @property
    def attempt_id(self) -> str:
        """Which attempt the page shows."""
        return self.page.url.partition("/attempts/")[2].partition("#")[0].partition("?")[0].partition("/")[0]

    @property
    def line(self) -> Locator:
        """The status line."""
        return self.page.locator("#status-line")

    @property
    def state(self) -> Locator:
        """The state of the answer that is looked at."""
        return self.page.locator("#answer-state")

    def is_ready(self) -> None:
        """The room has come to life and the server has answered."""
        expect(self.line).to_contain_text(re.compile("saved|Choosing is saving"))

    def to(self, place: int) -> None:
        """By its address, as the navigator does."""
        self.page.evaluate("place => { location.hash = `#q${place}`; }", place)
        expect(self.page.locator("#question-heading")).to_have_text(re.compile(rf"^\D*{place}\D"))

    def choose(self, text: str) -> None:
        """A choice, by its words."""
        self.page.locator(".option", has_text=text).click()

    def write(self, text: str) -> None:
        """Into the field, key by key as far as the page can tell."""
        self.page.locator("#answer-text").fill(text)

    def expect_state(self, kind: str) -> None:
        """Wait for the state of the answer."""
        expect(self.state).to_have_attribute("data-state", kind)

    def stored(self) -> dict[int, Any]:
        """What the server holds, by the question's place."""
        with self.school.at_rest(self.who) as student:
            attempt = self._read(student)
        places = {question["id"]: question["order"] for question in attempt["questions"]}
        return {places[key]: answer["value"] for key, answer in attempt["answers"].items()}

    def wait_until_closed(self) -> None:
        """Ask until the server has closed the attempt."""
        with self.school.at_rest(self.who) as student:
            for _ in range(200):
                if self._read(student)["status"] != "in_progress":
                    return
                self.page.wait_for_timeout(100)
        raise AssertionError("the attempt stayed open")

    def status(self) -> str:
        """How the attempt stands."""
        with self.school.at_rest(self.who) as student:
            return str(self._read(student)["status"])

    def _read(self, student: httpx.Client) -> Mapping[str, Any]:
        found: Mapping[str, Any] = student.get(f"/attempts/{self.attempt_id}").raise_for_status().json()
        return found

    def answer_all(self) -> dict[int, Any]:
        """An answer to everything; what the server must hold then."""
        self.choose("y = 2x − 1")
        self.to(2)
        self.choose("2")
        self.choose("7")
        self.to(3)
        self.choose("True")
        self.to(4)
        self.write("slope")
        self.to(5)
        self.write("٣٫١٤")
        expect(self.page.locator("#read-as")).to_contain_text("3.14")
        self.to(6)
        self.page.get_by_label("triangle").select_option("three")
        self.page.get_by_label("square").select_option("four")
        self.to(7)
        order = self.sort()
        self.to(8)
        self.write("Because.\nReally.")
        self.to(9)
        expect(self.line).to_contain_text("All answers saved (8)")
        return {1: "b", 2: ["a", "c"], 3: True, 4: "slope", 5: "٣٫١٤", 6: {"l1": "r1", "l2": "r2"}, 7: order} | {
            8: "Because.\nReally."
        }

    def sort(self) -> list[str]:
        """Put the sequence in order by the buttons, then give what it says."""
        for wanted in ("three", "two", "one"):
            while self.page.locator(".sequence-item").first.locator(".option-text").inner_text() != wanted:
                self.page.get_by_role("button", name=f"Move up: {wanted}").click()
        self.expect_state("saved")
        return ["s1", "s2", "s3"]


class Interjector:
    """Stands in the live line of a window and says what no service says yet: time, pause, announcements."""

    def __init__(self, window: Window) -> None:
        self._place: dict[str, Any] = {}
        self._socket: WebSocketRoute | None = None
        self._deadline_at = ""
        self._page = window.page
        self.is_bus_away = False
        """Nobody can subscribe, neither by a command nor along with an attempt."""
        window.page.route_web_socket(re.compile("/ws\\?"), self._connected)

    def _connected(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        self._socket = socket
        socket.on_message(lambda message: self._asked(socket, server, message))
        server.on_message(lambda message: self._passed(socket, message))

    def _asked(self, socket: WebSocketRoute, server: WebSocketRoute, message: str | bytes) -> None:
        command = json.loads(message)
        if not self.is_bus_away or command["type"] != "subscribe":
            server.send(message)
            return
        error = {"code": "unavailable", "message": "", "fields": [], "data": {}}
        socket.send(json.dumps({"id": command["id"], "ok": False, "error": error}))

    def _passed(self, socket: WebSocketRoute, message: str | bytes) -> None:
        frame = json.loads(message)
        result = frame.get("result") or {}
        if "subscription" in result:
            self._place, self._deadline_at = dict(result["subscription"]), result["deadline_at"]
            if self.is_bus_away:
                result["subscription"] = None
                message = json.dumps(frame)
        elif frame.get("type") == "event" and frame["channel"] == self._place.get("channel"):
            self._place["offset"] = frame["offset"]
        if frame.get("type") != "state":  # the true time would contradict
            socket.send(message)

    def deadline(self) -> datetime:
        """When the attempt ends, as the server has said. A page shows its time before its line has heard of it."""
        while not self._deadline_at:
            self._page.wait_for_timeout(20)
        return datetime.fromisoformat(self._deadline_at)

    def times(self, deadline: datetime, *, reason: str) -> dict[str, Any]:
        """What events about time carry."""
        now = datetime.now(UTC)
        left_ms = int((deadline - now).total_seconds() * 1000)
        return {"deadline_at": deadline.isoformat(), "server_time": now.isoformat(), "remaining_ms": left_ms} | {
            "reason": reason
        }

    def notice(self, kind: str) -> None:
        """What the server says of its own state."""
        assert self._socket is not None
        self._socket.send(json.dumps({"type": kind}))

    def cut(self) -> None:
        """The line goes."""
        assert self._socket is not None
        self._socket.close()

    def tell_state(self, name: str, data: Mapping[str, Any]) -> None:
        """One state on the attempt's channel."""
        assert self._socket is not None
        frame = {"type": "state", "channel": self._place["channel"], "event": name, "data": data}
        self._socket.send(json.dumps(frame))

    def say(self, name: str, data: Mapping[str, Any]) -> None:
        """One event on the attempt's channel, in its order."""
        assert self._socket is not None
        self._place["offset"] += 1
        at = datetime.now(UTC).isoformat()
        frame = {"type": "event", **self._place, "event": name, "id": f"evt_{name}", "at": at, "data": data}
        self._socket.send(json.dumps(frame))
