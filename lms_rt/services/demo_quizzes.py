"""The demo school's quizzes: made by the services like any others, for the courses that were made just now."""

from __future__ import annotations

from collections.abc import Sequence

from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionDraft
from lms_rt.contracts.quizzes import QuizDraft
from lms_rt.services.demo_courses import MadeCourse
from lms_rt.services.demo_quiz_texts import DEMO_QUIZZES, DemoQuiz
from lms_rt.services.questions import Questions
from lms_rt.services.quizzes import Quizzes


class DemoQuizzes:
    """Makes the quizzes of the demo school."""

    def __init__(self, *, quizzes: Quizzes, questions: Questions) -> None:
        self._quizzes, self._questions = quizzes, questions

    async def add(self, teacher: Actor, courses: Sequence[MadeCourse]) -> None:
        """Add the quizzes of these courses, published."""
        by_key = {course.key: course for course in courses}
        for planned in DEMO_QUIZZES:
            if (course := by_key.get(planned.course_key)) is not None:
                await self._make(teacher, course, planned)

    async def _make(self, teacher: Actor, course: MadeCourse, planned: DemoQuiz) -> None:
        fields = {**planned.fields, "course_id": course.course_id}
        if planned.is_for_lesson and course.quiz_lesson_id is not None:
            fields["lesson_id"] = course.quiz_lesson_id
        quiz = await self._quizzes.create(teacher, read_model(QuizDraft, fields))
        drafts = [read_model(QuestionDraft, dict(question)) for question in planned.questions]
        await self._questions.add_all(teacher, quiz.id, drafts)
        await self._quizzes.publish(teacher, quiz.id)
