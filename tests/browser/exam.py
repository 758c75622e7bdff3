"""An exam for the browser tests of the dashboard: a quiz of its own, and students who answer it over their sockets."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import httpx

from lms_rt.client.live import LiveClient
from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.window import DemoSchool
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
            async with httpx.AsyncClient(base_url=f"{self._school.address}/api/v1", headers=headers) as http:
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
