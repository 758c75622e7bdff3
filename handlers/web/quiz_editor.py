"""The editor of one quiz: its settings, its questions with their preview, and the import of a file."""

from __future__ import annotations

from typing import Any

from handlers.rest.access import needs
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.quizzes import QuestionQuery, QuizView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import teaches
from lms_rt.security.rights import Reach

QUESTION_TYPES = (
    "multiple_choice",
    "multiple_select",
    "true_false",
    "short_answer",
    "numeric",
    "matching",
    "ordering",
    "essay",
    "description",
)
_SHEETS = ("pages.css", "teach.css")


class QuizPage(PageHandler):
    """What the editor's pages share: the quiz and its course, for those who teach it."""

    access = needs("quizzes:manage")
    reach = Reach.TAUGHT

    async def require_own_quiz(self, quiz_id: str) -> tuple[QuizView, CourseDetailView]:
        """The quiz and its course; somebody else's is not there."""
        try:
            quiz = await self.services.quizzes.show(self.actor, quiz_id)
            course = await self.services.courses.show(self.actor, quiz.course_id)
        except Refused as refused:
            if refused.code is not Code.NOT_ENROLLED:
                raise
            raise Refused(Code.NOT_FOUND) from None
        if not teaches(self.actor, course):
            raise Refused(Code.NOT_FOUND)
        return quiz, course

    async def questions_of(self, quiz_id: str) -> list[dict[str, Any]]:
        """All questions in their order, keys included."""
        rows: list[dict[str, Any]] = []
        for page in range(1, 6):
            listed = await self.services.questions.list(self.actor, quiz_id, QuestionQuery(page=page, page_size=100))
            rows += shape(listed)["items"]
            if page >= listed.pages:
                break
        return rows


class QuizEditor(QuizPage):
    """/teach/quizzes/{id}; `?question=<id>` opens a question, `?question=new&type=<type>` a new one."""

    async def get(self, quiz_id: str) -> None:
        """Settings, questions, and the editor of the question that the address names."""
        quiz, course = await self.require_own_quiz(quiz_id)
        questions = await self.questions_of(quiz.id)
        wanted = self.get_query_argument("question", "")
        chosen = next((row for row in questions if row["id"] == wanted), None)
        kind = self.get_query_argument("type", "multiple_choice")
        kind = kind if kind in QUESTION_TYPES else "multiple_choice"
        screen = Screen(
            "teach_question.html" if wanted else "teach_quiz.html",
            title=(quiz.title, course.title),
            data={
                "quiz_id": quiz.id,
                "version": quiz.version,
                "question": chosen,
                "question_type": chosen["question_type"] if chosen else kind,
                "question_ids": [row["id"] for row in questions],
            },
            groups=("errors", "compare", "teach", "question"),
            scripts=("shell.js", "question-editor.js" if wanted else "teach.js"),
            sheets=_SHEETS,
        )
        if wanted and wanted != "new" and chosen is None:
            raise Refused(Code.NOT_FOUND)
        self.show(
            screen,
            quiz=shape(quiz),
            course=shape(course),
            questions=questions,
            chosen=chosen,
            types=QUESTION_TYPES,
            checklist=_checklist(quiz),
        )


def _checklist(quiz: QuizView) -> list[tuple[str, bool]]:
    is_in_order = not (quiz.opens_at and quiz.closes_at) or quiz.opens_at < quiz.closes_at
    return [("title", bool(quiz.title.strip())), ("questions", quiz.questions_count > 0), ("opens_at", is_in_order)]


class ImportPage(QuizPage):
    """/teach/quizzes/{id}/import."""

    async def get(self, quiz_id: str) -> None:
        """A file or pasted text; first what would happen, row by row, then the import."""
        quiz, course = await self.require_own_quiz(quiz_id)
        screen = Screen(
            "teach_import.html",
            title=(self.t("teach.import"), quiz.title),
            data={"quiz_id": quiz.id},
            groups=("errors", "teach", "question"),
            scripts=("shell.js", "teach-import.js"),
            sheets=_SHEETS,
        )
        self.show(screen, quiz=shape(quiz), course=shape(course))


PAGES = [(r"/teach/quizzes/([^/]+)/?", QuizEditor), (r"/teach/quizzes/([^/]+)/import", ImportPage)]
