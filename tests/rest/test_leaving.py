"""Leaving a course in the middle of an exam, and coming back to one: what is open is handed in, and what was completed counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from config.settings import Settings
from documents.attempt import Attempt
from documents.base import Row
from documents.event_record import EventRecord
from lms_rt.clock import to_ms
from lms_rt.services.enrollment_edits import Left
from tests import factories
from tests.clients import Visitor
from tests.house import House, open_house
from tests.rest.test_assignments import JumpingClock
from tests.working import idle, working

EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])
"""Where the database has no say in it."""


@dataclass
class Class:
    """A course with a quiz that runs, and those who sit it."""

    house: House
    clock: JumpingClock
    teacher: Visitor
    course: dict[str, Any]
    quiz: dict[str, Any]

    async def sitting(self) -> tuple[Visitor, dict[str, Any], dict[str, Any]]:
        """A student, their enrolment, and their attempt with the first answer saved."""
        student = await self.house.student()
        enrollment = await factories.enrolled(student, self.course["id"])
        begun = await student.ok("POST", "/attempts", json={"quiz_id": self.quiz["id"], "device_id": "laptop"})
        await student.ok("PATCH", f"/attempts/{begun['id']}/answers", json=_answer(begun, 0, "b"))
        return student, enrollment, begun

    async def facts(self, reader: Visitor, begun: dict[str, Any]) -> list[dict[str, Any]]:
        """What is noted of answers that came late."""
        page = await reader.ok("GET", f"/attempts/{begun['id']}/integrity", params={"kind": "late_message"})
        return [row["data"] for row in page["items"]]


def _answer(begun: dict[str, Any], place: int, value: Any) -> dict[str, Any]:
    row = {"question_id": begun["questions"][place]["id"], "value": value, "seq": place + 1, "base_revision": 0}
    return {"answers": [row | {"op_id": f"op-{place}-{value}"}], "device_id": "laptop", "lease": begun["lease"]}


@pytest.fixture
async def hall(settings: Settings) -> AsyncIterator[Class]:
    clock = JumpingClock()
    for_days = settings.model_copy(update={"access_token_expire_minutes": 20_000})
    async with open_house(for_days, clock=clock) as house:
        teacher = await house.teacher()
        course = await factories.course(teacher)
        quiz = await factories.quiz(teacher, course["id"], time_limit_minutes=60)
        yield Class(house, clock, teacher, course, quiz)


async def test_who_leaves_hands_in_what_is_open_and_begins_anew_when_they_are_back(hall: Class) -> None:
    student, enrollment, begun = await hall.sitting()
    assert (await student.call("DELETE", f"/enrollments/{enrollment['id']}")).status_code == 204
    closed = await student.ok("GET", f"/attempts/{begun['id']}")
    assert (closed["status"], closed["submitted_by"], closed["score"]) == ("graded", "student", "2.00")
    hall.clock.jump(seconds=5)
    refused = await student.refused(409, "PATCH", f"/attempts/{begun['id']}/answers", json=_answer(begun, 1, True))
    assert (refused["code"], await hall.facts(student, begun)) == ("attempt_closed", [])
    (summary,) = (await student.ok("GET", f"/enrollments/{enrollment['id']}"))["attempts"]
    assert (summary["status"], summary["percentage"]) == ("graded", closed["percentage"])
    await student.ok("PATCH", f"/enrollments/{enrollment['id']}", json={"status": "active"})
    again = await student.ok("POST", "/attempts", json={"quiz_id": hall.quiz["id"]})
    assert (again["attempt_number"], again["status"]) == (2, "in_progress")
    left_ms = to_ms(datetime.fromisoformat(closed["submitted_at"]))
    left = Left(student.user_id, hall.course["id"], at_ms=left_ms, is_put_out=False)
    await hall.house.services.attempt_clock.closing.close_left(left)  # as after a crash: once more
    assert (await student.ok("GET", f"/attempts/{again['id']}"))["status"] == "in_progress"


@EMBEDDED
async def test_who_leaves_while_they_begin_has_nothing_open_either(
    hall: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, add = await hall.house.student(), Attempt.add
    enrollment = await factories.enrolled(student, hall.course["id"])

    async def too_late(row: Row) -> bool:
        await student.ok("DELETE", f"/enrollments/{enrollment['id']}")
        return await add(row)

    monkeypatch.setattr(Attempt, "add", too_late)
    begun = await student.ok("POST", "/attempts", json={"quiz_id": hall.quiz["id"]})
    assert (begun["status"], begun["submitted_by"], begun["lease"]) == ("graded", "student", None)


@EMBEDDED
async def test_who_is_put_out_in_a_pause_hands_in_too_and_another_goes_on(hall: Class) -> None:
    student, enrollment, begun = await hall.sitting()
    other, _, others = await hall.sitting()
    live = f"/quizzes/{hall.quiz['id']}/live"
    await hall.teacher.ok("POST", f"{live}/pause", json={"reason": "A knock at the door"})
    await hall.teacher.ok("PATCH", f"/enrollments/{enrollment['id']}", json={"status": "dropped"})
    closed = await student.ok("GET", f"/attempts/{begun['id']}")
    assert (closed["status"], closed["submitted_by"], closed["score"]) == ("graded", "instructor", "2.00")
    hall.clock.jump(seconds=5)
    await student.refused(409, "PATCH", f"/attempts/{begun['id']}/answers", json=_answer(begun, 1, True))
    (late,) = await hall.facts(student, begun)
    assert (late["answers"], late["late_ms"] >= 5_000) == (1, True)
    assert (await other.ok("GET", f"/attempts/{others['id']}"))["status"] == "paused"


@EMBEDDED
async def test_an_answer_that_comes_after_the_teachers_end_is_noted_as_a_late_one(hall: Class) -> None:
    student, _, begun = await hall.sitting()
    await hall.teacher.ok("POST", f"/quizzes/{hall.quiz['id']}/live/end", json={"reason": "Fire drill"})
    hall.clock.jump(seconds=5)
    path, late = f"/attempts/{begun['id']}", _answer(begun, 1, True)
    for method, where, body in (("PATCH", f"{path}/answers", late), ("POST", f"{path}/submit", late)):
        assert (await student.refused(409, method, where, json=body))["code"] == "attempt_closed"
    asked = [begun["questions"][1]["id"]]
    for reader in (student, hall.teacher):
        facts = await hall.facts(reader, begun)
        assert [(one["question_ids"], one["late_ms"] >= 5_000) for one in facts] == [(asked, True)] * 2


@EMBEDDED
async def test_who_had_completed_the_course_comes_back_as_such_with_the_one_certificate(hall: Class) -> None:
    student = await hall.house.student()
    enrollment = await factories.enrolled(student, hall.course["id"])
    path, lesson_id = f"/enrollments/{enrollment['id']}", enrollment["progress"][0]["lesson_id"]
    done = await student.ok("POST", f"{path}/lessons/{lesson_id}/complete")
    hall.clock.jump(days=1)
    await student.ok("PATCH", path, json={"status": "dropped"})
    back = await student.call("POST", "/enrollments", json={"course_id": hall.course["id"]})
    shown = (back.status_code, back.json()["status"], back.json()["completed_at"])
    assert shown == (200, "completed", done["completed_at"])
    # A lesson that came while they were away is to be done: then it is completed anew.
    await student.ok("PATCH", path, json={"status": "dropped"})
    lesson = {"title": "Slopes again", "content": "More.", "is_published": True}
    made = await hall.teacher.ok("POST", f"/courses/{hall.course['id']}/lessons", json=lesson)
    again = await student.ok("PATCH", path, json={"status": "active"})
    assert (again["status"], again["progress_percentage"], again["completed_at"]) == ("active", "50.00", None)
    assert (await student.ok("POST", f"/lessons/{made['id']}/complete"))["status"] == "completed"
    await hall.house.services.relay.sweep(minimum_age_ms=0)
    async with working(hall.house):
        await idle(hall.house.services)
    assert len((await student.ok("GET", "/certificates"))["items"]) == 1
    told = {"type": "enrollment.completed", "data.id": enrollment["id"]}
    assert await EventRecord.rows().count_documents(told) == 2


@EMBEDDED
async def test_what_the_course_asks_no_more_completes_who_comes_back(hall: Class) -> None:
    student = await hall.house.student()
    lesson = {"title": "Slopes again", "content": "More.", "is_published": True}
    made = await hall.teacher.ok("POST", f"/courses/{hall.course['id']}/lessons", json=lesson)
    enrollment = await factories.enrolled(student, hall.course["id"])
    await student.ok("POST", f"/lessons/{enrollment['progress'][0]['lesson_id']}/complete")
    await student.call("DELETE", f"/enrollments/{enrollment['id']}")
    await hall.teacher.ok("PATCH", f"/lessons/{made['id']}", json={"is_published": False})
    back = await student.ok("POST", "/enrollments", json={"course_id": hall.course["id"]})
    assert (back["status"], back["completed_at"] is not None) == ("completed", True)
    told = {"type": "enrollment.completed", "data.id": enrollment["id"]}
    await hall.house.services.relay.sweep(minimum_age_ms=0)
    assert await EventRecord.rows().count_documents(told) == 1
