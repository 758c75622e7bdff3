"""Courses and quizzes to test with, made through the REST API as a teacher would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.clients import Visitor

T = TypeVar("T")

CHOICE: dict[str, Any] = {
    "question_type": "multiple_choice",
    "question_text": "Which is parallel to $y = 2x$?",
    "points": "2.00",
    "options": [{"id": "a", "text": "y = x + 2"}, {"id": "b", "text": "y = 2x - 1"}, {"id": "c", "text": "y = -2x"}],
    "correct_answer": {"option_id": "b"},
}
TRUE_FALSE: dict[str, Any] = {
    "question_type": "true_false",
    "question_text": "A line has a slope.",
    "points": 1,
    "correct_answer": {"value": True},
}
NUMERIC: dict[str, Any] = {
    "question_type": "numeric",
    "question_text": "What is pi to two places?",
    "points": 1,
    "correct_answer": {"value": "3.14", "tolerance": "0.005", "tolerance_type": "absolute"},
}
SHORT: dict[str, Any] = {
    "question_type": "short_answer",
    "question_text": "The capital of Egypt?",
    "points": 1,
    "correct_answer": {"accepted": [{"text": "Cairo", "weight": 100, "feedback": ""}], "ignore_case": True},
}
ESSAY: dict[str, Any] = {"question_type": "essay", "question_text": "Why is a slope steep?", "points": 4}
RIGHT_ANSWERS: dict[str, Any] = {
    "multiple_choice": "b",
    "true_false": True,
    "numeric": "3.14",
    "short_answer": "cairo",
}


async def course(teacher: Visitor, **fields: Any) -> dict[str, Any]:
    """A course with one published lesson, published."""
    made = await teacher.ok("POST", "/courses", json={"title": "Algebra 1", "description": "Lines.", **fields})
    lesson = {"title": "Slopes", "content_type": "text", "content": "A *slope*.", "is_published": True}
    await teacher.ok("POST", f"/courses/{made['id']}/lessons", json=lesson)
    published: dict[str, Any] = await teacher.ok("POST", f"/courses/{made['id']}/publish")
    return published


async def quiz(
    teacher: Visitor,
    course_id: str,
    questions: tuple[dict[str, Any], ...] = (CHOICE, TRUE_FALSE, NUMERIC, SHORT),
    **fields: Any,
) -> dict[str, Any]:
    """A quiz with these questions, published."""
    made = await teacher.ok("POST", "/quizzes", json={"course_id": course_id, "title": "Midterm", **fields})
    for question in questions:
        await teacher.ok("POST", f"/quizzes/{made['id']}/questions", json=question)
    published: dict[str, Any] = await teacher.ok("POST", f"/quizzes/{made['id']}/publish")
    return published


async def closing_in(seconds: float, teacher: Visitor, quiz_id: str) -> datetime:
    """Let a quiz close so soon; when. Done last of all: to make a quiz and its students may take a busy machine longer."""
    closes_at = datetime.now(UTC) + timedelta(seconds=seconds)
    await teacher.ok("PATCH", f"/quizzes/{quiz_id}", json={"closes_at": closes_at.isoformat()})
    return closes_at


async def begun_before_closing(
    seconds: float, teacher: Visitor, quiz_id: str, begin: Callable[[], Awaitable[T | None]]
) -> tuple[datetime, T]:
    """Let a quiz close so soon, and begin it: when it closes, and what `begin` gave.

    `begin` gives None when the quiz was closed by then: it closes later on a machine that is too busy for that.
    """
    for patience in (1, 4, 16):
        closes_at = await closing_in(patience * seconds, teacher, quiz_id)
        if (begun := await begin()) is not None:
            return closes_at, begun
    raise AssertionError(f"it could not be begun before {closes_at}")


async def attempt(student: Visitor, quiz_id: str) -> dict[str, Any] | None:
    """An attempt that this student has just begun; None: the quiz is closed."""
    reply = await student.call("POST", "/attempts", json={"quiz_id": quiz_id})
    if reply.status_code == 409 and reply.json()["code"] == "quiz_closed":
        return None
    assert reply.is_success, reply.text
    begun: dict[str, Any] = reply.json()
    return begun


async def enrolled(student: Visitor, course_id: str) -> dict[str, Any]:
    """The student's enrolment in a course."""
    enrollment: dict[str, Any] = await student.ok("POST", "/enrollments", json={"course_id": course_id})
    return enrollment


async def handed_in(teacher: Visitor, student: Visitor, course_id: str, **fields: Any) -> dict[str, str]:
    """An assignment, and what a student handed in for it: the ids of both."""
    body = {"course_id": course_id, "title": "Essay", **fields}
    assignment = await teacher.ok("POST", "/assignments", json=body)
    work = await student.ok("POST", f"/assignments/{assignment['id']}/submit", json={"content": "It climbs."})
    return {"assignment_id": assignment["id"], "submission_id": work["id"]}


async def waiting(student: Visitor, quiz_id: str, text: str = "Because it climbs.") -> dict[str, str]:
    """An attempt at a quiz that is one essay, handed in: its ids, and that of the answer that waits to be marked."""
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz_id, "device_id": "laptop"})
    question_id = attempt["questions"][0]["id"]
    body = {"answers": [{"question_id": question_id, "value": text}], "device_id": "laptop", "lease": attempt["lease"]}
    await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
    return {"attempt_id": attempt["id"], "question_id": question_id, "item_id": f"{attempt['id']}.{question_id}"}
