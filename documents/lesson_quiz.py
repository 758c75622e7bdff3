"""Which published quiz belongs to which lesson of a course. The quiz's `lesson_id` is the truth; no rules here."""

from __future__ import annotations

from dataclasses import dataclass

from documents.enums import QuizType
from documents.quiz import Quiz


@dataclass(frozen=True, slots=True)
class LessonQuiz:
    """The quiz of a lesson, as far as learning needs to know it."""

    quiz_id: str
    is_graded: bool


async def published_quizzes(course_id: str) -> dict[str, LessonQuiz]:
    """The published quiz of each lesson that has one; the oldest, where there are several."""
    wanted = {"course_id": course_id, "is_published": True}
    found = Quiz.rows().find(wanted, {"lesson_id": 1, "quiz_type": 1}).sort([("created_at", -1), ("_id", -1)])
    return {
        row["lesson_id"]: LessonQuiz(row["_id"], row["quiz_type"] == QuizType.GRADED.value)
        async for row in found
        if row.get("lesson_id")
    }
