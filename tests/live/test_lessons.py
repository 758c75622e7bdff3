"""Learning over the live socket, with the real services behind it: progress, completing, and losing the course."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from websockets.asyncio.client import ClientConnection, connect

from config.settings import Settings
from documents.enums import Role
from handlers.app import make_app, server_options
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.accounts import RegistrationDraft, TokensView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.courses import CourseDraft
from lms_rt.contracts.enrollments import EnrollmentDraft, EnrollmentView
from lms_rt.contracts.lessons import LessonDraft
from lms_rt.security.permissions import permissions_of
from tests.live.live_node import ask, received, subscribed

TEACHER = Actor("usr_tariq", Role.INSTRUCTOR, permissions_of(Role.INSTRUCTOR), full_name="Tariq")


@dataclass
class Class:
    """A running school with a student in a course of two lessons."""

    services: Services
    student: Actor
    tokens: TokensView
    enrollment: EnrollmentView
    port: int

    @property
    def lesson_ids(self) -> list[str]:
        return [row.lesson_id for row in self.enrollment.progress]

    def connect(self) -> connect:
        url = f"ws://127.0.0.1:{self.port}/ws?token={self.tokens.access_token}"
        return connect(url, compression=None, proxy=None)


async def _course(services: Services) -> str:
    course = await services.courses.create(TEACHER, CourseDraft(title="Algebra", description="All of it."))
    for title in ("One", "Two"):
        draft = LessonDraft(title=title, is_published=True, duration_seconds=300)
        await services.lessons.create(TEACHER, course.id, draft)
    await services.courses.publish(TEACHER, course.id)
    return course.id


@asynccontextmanager
async def _listening(services: Services) -> AsyncIterator[int]:
    server = HTTPServer(make_app(services), **server_options())
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        yield port
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[Class]:
    draft = RegistrationDraft(email="sara@example.org", password="river stone 41", full_name="Sara Saleh")
    async with open_services(settings) as services, _listening(services) as port:
        tokens = await services.accounts.register(draft)
        student = await services.sessions.authenticate(tokens.access_token)
        enrolled = await services.enrollments.enroll(student, EnrollmentDraft(course_id=await _course(services)))
        yield Class(services, student, tokens, enrolled.view, port)


async def heard(socket: ClientConnection, name: str) -> dict[str, Any]:
    """The next event of this name."""
    while True:
        frame = await received(socket)
        if frame.get("event") == name:
            return frame


async def test_progress_moves_while_somebody_watches(running: Class) -> None:
    first, _ = running.lesson_ids
    fields = {"enrollment_id": running.enrollment.id, "lesson_id": first}
    async with running.connect() as player, running.connect() as watcher:
        await subscribed(watcher, f"user:{running.student.user_id}")
        told = await ask(player, "lesson.progress", **fields, position_seconds=15, watched=[[0, 9], [6, 15]])
        assert told["ok"], told
        assert told["result"]["last_position_seconds"] == 15
        assert (told["result"]["time_spent_seconds"], told["result"]["completion_percentage"]) == (15, "5.00")
        moved = await heard(watcher, "progress_updated")
        assert moved["data"]["progress"] == told["result"]
        done = await ask(player, "lesson.complete", **fields)
        assert (done["result"]["status"], done["result"]["lesson_id"]) == ("completed", first)
        completed = await heard(watcher, "lesson_completed")
        assert (completed["data"]["lesson_id"], completed["data"]["progress"]) == (first, "50.00")
        assert (await ask(player, "lesson.complete", **fields))["result"] == done["result"]


async def test_what_is_wrong_is_named(running: Class) -> None:
    first, _ = running.lesson_ids
    fields = {"enrollment_id": running.enrollment.id, "lesson_id": first}
    async with running.connect() as player:
        for wrong in ({"watched": [[1]]}, {"watched": [["a", 2]]}, {"watched": [[0, 1]] * 101}, {"seconds": 3}):
            reply = await ask(player, "lesson.progress", **fields, position_seconds=1, **wrong)
            assert (reply["ok"], reply["error"]["code"]) == (False, "invalid_command"), wrong
            assert reply["error"]["fields"]
        for unknown in ({"enrollment_id": "usr_x:crs_x"}, {"lesson_id": "les_x"}):
            reply = await ask(player, "lesson.complete", **fields | unknown)
            assert (reply["ok"], reply["error"]["code"]) == (False, "not_found")


async def test_who_leaves_the_course_leaves_its_channel(running: Class) -> None:
    channel = f"course:{running.enrollment.course_id}"
    async with running.connect() as socket:
        await subscribed(socket, channel)
        await running.services.enrollments.drop(running.student, running.enrollment.id)
        while (frame := await received(socket)).get("type") != "unsubscribed":
            pass
        assert frame["channel"] == channel
        reply = await ask(socket, "subscribe", channel=channel)
        assert (reply["ok"], reply["error"]["code"]) == (False, "not_found")
