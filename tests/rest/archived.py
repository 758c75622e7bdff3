"""A course with everything that a course may have, and what is done to it by runs in the background."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from documents.assignment import Assignment
from documents.course import Course
from documents.quiz import Quiz
from documents.stored_file import StoredFile
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.working import idle, working

NOTES = b"WEBVTT\n\n00:00.000 --> 00:02.000\nA line.\n"
MATCHING: dict[str, Any] = {
    "question_type": "matching",
    "question_text": "Who wrote it? \u0645\u0646 \u0643\u062a\u0628\u0647\u061f",
    "options": {
        "left": [{"text": "Elements"}, {"text": "Almagest"}],
        "right": [{"text": "Euclid"}, {"text": "Ptolemy"}],
    },
}


@pytest.fixture
async def worker(house: House) -> AsyncIterator[None]:
    """Somebody does what the house has to do."""
    async with working(house):
        yield


@pytest.fixture(scope="module")
async def teacher(house: House) -> Visitor:
    return await house.teacher("Tariq Aziz")


@pytest.fixture(scope="module")
async def course(house: House, teacher: Visitor) -> dict[str, Any]:
    """A course with everything that a course may have, and somebody in it."""
    made = await factories.course(teacher, title="Geometry", category="Maths", tags=["lines"], metadata={"k": [1, "x"]})
    course_id, first = made["id"], made["lessons"][0]["id"]
    sent = await teacher.call("POST", "/files/upload", files={"file": ("notes.vtt", NOTES)})
    file_id = sent.json()["id"]
    shared = {"course_id": course_id, "is_public": "true"}
    await teacher.ok("POST", "/files/upload", files={"file": ("spare.vtt", NOTES)}, data=shared)
    await teacher.ok("PATCH", f"/courses/{course_id}/lessons/{first}", json={"title": "Renamed since"})
    lesson = {
        "title": "Video", "content_type": "video", "content": f"[notes](/api/v1/files/{file_id}/download)",
        "file_id": file_id, "prerequisite_lesson_ids": [first], "release_at": "2026-03-28T07:00:00Z",
        "release_after_days": 3, "is_published": True, "duration_seconds": 90,
    }  # fmt: skip
    await teacher.ok("POST", f"/courses/{course_id}/lessons", json=lesson)
    questions = (factories.CHOICE, factories.NUMERIC, factories.SHORT, factories.ESSAY, MATCHING)
    window = {"opens_at": "2026-03-28T07:00:00Z", "closes_at": "2026-03-30T07:00:00Z"}
    quiz = await factories.quiz(teacher, course_id, questions, lesson_id=first, passing_score="62.50", **window)
    rubric = {
        "criteria": [{"title": "Proof", "levels": [{"title": "Whole", "points": 5}, {"title": "None", "points": 0}]}]
    }
    assignment = {
        "course_id": course_id, "title": "Prove it", "due_date": "2026-03-28T21:30:00Z", "points": "5.00",
        "late_penalty_percentage": "10", "allow_late_submission": True, "lesson_id": first, "rubric": rubric,
        "timezone": "Europe/Berlin",
    }  # fmt: skip
    assigned = await teacher.ok("POST", "/assignments", json=assignment)
    settings = {
        "categories": [{"id": "tests", "name": "Tests", "weight": "60", "takes": "quizzes", "drop_lowest": 1}],
        "placed": [{"item_id": assigned["id"], "category_id": "tests"}, {"item_id": quiz["id"], "category_id": None}],
        "scale": [{"letter": "A", "minimum": "90.5"}, {"letter": "F", "minimum": "0"}],
    }
    await teacher.ok("PUT", f"/courses/{course_id}/gradebook", json=settings)
    student = await house.student()
    await factories.enrolled(student, course_id)
    shown: dict[str, Any] = await teacher.ok("GET", f"/courses/{course_id}")
    asked = await teacher.ok("GET", f"/quizzes/{quiz['id']}/questions")
    return shown | {"file_id": file_id, "quiz": quiz, "question_ids": [one["id"] for one in asked["items"]]}


async def done(house: House, who: Visitor, method: str, path: str, **body: Any) -> dict[str, Any]:
    """A run, begun and done."""
    begun = await who.call(method, path, **body)
    assert begun.status_code == 202, begun.text
    await idle(house.services)
    run: dict[str, Any] = await who.ok("GET", f"/imports/{begun.json()['id']}")
    return run


async def archive_of(house: House, who: Visitor, course_id: str) -> bytes:
    run = await done(house, who, "POST", f"/courses/{course_id}/export")
    assert run["status"] == "finished", run
    reply = await who.call("GET", f"/imports/{run['id']}/result")
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/zip")
    assert len(reply.content) == run["size_bytes"]
    return reply.content


async def uploaded(who: Visitor, raw: bytes) -> str:
    sent = await who.call("POST", "/files/upload", files={"file": ("course.zip", raw)})
    assert sent.status_code == 201, sent.text
    return str(sent.json()["id"])


def parts_of(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


async def leftovers(course_id: str) -> list[int]:
    """How many parts there are of a course that is not there."""
    which = {"course_id": course_id}
    assert await Course.find_row(course_id) is None
    return [await one.rows().count_documents(which) for one in (Quiz, Assignment, StoredFile)]


def zipped(parts: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as packing:
        for name, content in parts.items():
            packing.writestr(name, content)
    return packed.getvalue()
