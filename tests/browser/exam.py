"""An exam for the browser tests of the dashboard: a quiz of its own, and students who answer it over their sockets."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import uuid
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
from playwright.sync_api import Page, expect

from lms_rt.client.faults import CommandRefusedError
from lms_rt.client.live import LiveClient
from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.window import DemoSchool, Window
from tests.clients import AUTHORITIES
from tests.factories import CHOICE, NUMERIC, TRUE_FALSE

T = TypeVar("T")
PATIENCE_SECONDS = 30


class Background:
    """An event loop in a thread, for students who act while the browser looks."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it there, and wait for it."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(PATIENCE_SECONDS)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Student:
    """Somebody of the demo school in the quiz room."""

    def __init__(self, background: Background, school: DemoSchool, email: str, quiz: dict[str, Any]) -> None:
        self._background, self._school = background, school
        with school.at_rest(email) as http:
            http.post("/enrollments", json={"course_id": quiz["course_id"]})
            self.name = http.get("/users/me").raise_for_status().json()["full_name"]
            self._token = http.headers["Authorization"].partition(" ")[2]
        self._sent = 0
        self._live: LiveClient | None = None
        self.attempt = background.run(self._begin(quiz["id"]))

    async def _begin(self, quiz_id: str) -> dict[str, Any]:
        async def ticket() -> str:
            headers = {"Authorization": f"Bearer {self._token}"}
            base_url = f"{self._school.address}/api/v1"
            async with httpx.AsyncClient(base_url=base_url, headers=headers, verify=AUTHORITIES) as http:
                return str((await http.post("/auth/ws-ticket")).json()["ticket"])

        self._live = LiveClient(self._school.address.replace("http", "ws", 1) + "/ws", ticket=ticket)
        await self._live.__aenter__()
        attempt: dict[str, Any] = await self._live.command("attempt.start", quiz_id=quiz_id, device_id="laptop")
        return attempt

    def tell(self, command: str, **fields: Any) -> None:
        assert self._live is not None
        self._background.run(self._live.insist(command, attempt_id=self.attempt["id"], **fields))

    def answer(self, question_id: str, value: Any) -> None:
        self._sent += 1
        fields = {"question_id": question_id, "value": value, "op_id": str(uuid.uuid4()), "seq": self._sent}
        device = {"device_id": "laptop", "lease": self.attempt["lease"], "base_revision": 10_000}
        self.tell("answer.save", **fields, **device)

    def answer_elsewhere(self, question_id: str, value: Any) -> None:
        """Another device with the same lease, which has not seen what is stored: the server keeps that, and says so."""
        fields = {"question_id": question_id, "value": value, "op_id": str(uuid.uuid4()), "seq": 1}
        device = {"device_id": "phone", "lease": self.attempt["lease"], "base_revision": 0}
        with contextlib.suppress(CommandRefusedError):
            self.tell("answer.save", **fields, **device)

    def leave(self) -> None:
        if self._live is not None:
            self._background.run(self._live.close())
            self._live = None


class Exam:
    """A quiz of the demo teacher with nobody in it yet."""

    def __init__(self, background: Background, school: DemoSchool) -> None:
        self._background, self._school = background, school
        with school.at_rest() as http:
            body = {"course_id": school.course["id"], "title": f"Exam {uuid.uuid4().hex[:6]}", "time_limit_minutes": 30}
            self.quiz = http.post("/quizzes", json=body).raise_for_status().json()
            for question in (CHOICE, TRUE_FALSE, NUMERIC):
                http.post(f"/quizzes/{self.quiz['id']}/questions", json=question).raise_for_status()
            http.post(f"/quizzes/{self.quiz['id']}/publish").raise_for_status()
            listed = http.get("/questions", params={"quiz_id": self.quiz["id"]}).json()["items"]
        self.choice, self.true_false, self.numeric = (row["id"] for row in listed)
        self.path = f"/teach/quizzes/{self.quiz['id']}/live"
        self.students: list[Student] = []

    def student(self, number: int) -> Student:
        self.students.append(Student(self._background, self._school, STUDENT_EMAILS[number], self.quiz))
        return self.students[-1]

    def stored(self) -> dict[str, Any]:
        with self._school.at_rest() as http:
            shown: dict[str, Any] = http.get(f"/quizzes/{self.quiz['id']}/live").raise_for_status().json()
            return shown

    def close_in(self, minutes: int) -> None:
        """The quiz closes so many minutes from now: said before anybody begins."""
        closes_at = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        with self._school.at_rest() as http:
            path = f"/quizzes/{self.quiz['id']}"
            version = http.get(path).raise_for_status().json()["version"]
            http.patch(path, json={"closes_at": closes_at}, headers={"If-Match": f'"{version}"'}).raise_for_status()

    def correct(self, question_id: str, **correction: Any) -> None:
        """As from another window of the teacher's."""
        with self._school.at_rest() as http:
            path = f"/quizzes/{self.quiz['id']}/questions/{question_id}/correct"
            http.post(path, json=correction).raise_for_status()

    def announce(self, text: str) -> None:
        """To all who sit it, as from another window of the teacher's."""
        with self._school.at_rest() as http:
            body = {"text": text}
            http.post(f"/quizzes/{self.quiz['id']}/live/announce", json=body).raise_for_status()

    def controls(self) -> list[dict[str, Any]]:
        """What was ordered, newest first."""
        with self._school.at_rest() as http:
            listed: list[dict[str, Any]] = (
                http.get(f"/quizzes/{self.quiz['id']}/live/controls").raise_for_status().json()["items"]
            )
            return listed


def row_of(page: Page, student: Student) -> Any:
    """A student's row on the dashboard."""
    return page.locator(f'tr[data-attempt="{student.attempt["id"]}"]')


def names(page: Page) -> list[str]:
    """The names on the dashboard's page, in their order."""
    return page.locator("#rows .dash-name").all_inner_texts()


def follow(window: Window, exam: Exam, query: str = "") -> Page:
    """Open the dashboard and wait until its line stands, and until it shows what it has read itself."""
    window.page.goto(exam.path + query)
    expect(window.page.locator("#connection")).to_have_attribute("data-line", "live")
    expect(window.page.locator("#dash")).to_have_attribute("data-running", re.compile("."))
    return window.page
