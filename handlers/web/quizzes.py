"""Before and after a quiz: the start page with *your* minutes, and the results as far as the quiz allows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.shown_answers import ShownQuestion, shown_question
from lms_rt.clock import rfc3339
from lms_rt.contracts.attempts import AttemptQuery
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.quizzes import QuizView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import teaches
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css",)


class QuizStart(PageHandler):
    """/quizzes/{id}."""

    access = SIGNED_IN
    reach = Reach.INSIDE

    async def get(self, quiz_id: str) -> None:
        """Your minutes and why, attempts left, window, rules, line check, Start or Resume."""
        quiz = await self.services.quizzes.show(self.actor, quiz_id)
        course = await self.services.courses.show(self.actor, quiz.course_id)
        is_teacher = teaches(self.actor, course)
        attempts = await self._attempts(quiz_id)
        shown = shape(quiz)
        screen = Screen(
            "quiz.html",
            title=(quiz.title, course.title),
            data={"quiz_id": quiz.id, "opens_at": shown["opens_at"]},
            groups=("errors", "quiz"),
            scripts=("shell.js", "quiz-start.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            quiz=shown,
            course=shape(course),
            attempts=attempts,
            is_teacher=is_teacher,
            time=_your_time(quiz, self.services.clock.now()),
            profile=shown["your_time"]["accommodation"] if shown["your_time"] else None,
            closes_at=shape(quiz.your_time)["closes_at"] if quiz.your_time else shown["closes_at"],
            open_attempt_id=quiz.open_attempt_id or _open_one(attempts),
            is_paused=any(row["status"] == "paused" for row in attempts),
            state=self._state_of(quiz, attempts, course, is_teacher=is_teacher),
        )

    async def _attempts(self, quiz_id: str) -> list[dict[str, Any]]:
        query = AttemptQuery(quiz_id=quiz_id, student_id=self.actor.user_id, page_size=20)
        listed = await self.services.attempts.list(self.actor, query)
        rows: list[dict[str, Any]] = shape(listed)["items"]
        return rows

    def _state_of(
        self, quiz: QuizView, attempts: list[dict[str, Any]], course: CourseDetailView, *, is_teacher: bool
    ) -> str:
        """What may be done now: resume, start, preview; or why not: locked, waiting, closed, ended, paused, used_up."""
        if quiz.open_attempt_id or _open_one(attempts):
            return "resume"
        if is_teacher:
            return "preview"
        if any(lesson.id == quiz.lesson_id and lesson.is_locked for lesson in course.lessons):
            return "locked"
        held = _held(quiz, self.services.clock.now())
        if held:
            return held
        used = quiz.attempts_used or 0
        return "used_up" if quiz.max_attempts is not None and used >= quiz.max_attempts else "start"


def _held(quiz: QuizView, now: datetime) -> str:
    """Why nobody may begin now, whatever attempts they have left; "": they may."""
    closes_at = _closes_at(quiz)
    if quiz.opens_at and now < quiz.opens_at:
        return "waiting"
    if closes_at and now >= closes_at:
        return "closed"
    return quiz.live_state if quiz.live_state in {"ended", "paused"} else ""


def _closes_at(quiz: QuizView) -> datetime | None:
    """When it closes for who looks at it."""
    return quiz.your_time.closes_at if quiz.your_time else quiz.closes_at


def _open_one(attempts: list[dict[str, Any]]) -> str | None:
    return next((row["id"] for row in attempts if row["status"] in {"in_progress", "paused"}), None)


def _your_time(quiz: QuizView, now: datetime) -> dict[str, Any]:
    """What somebody who started now would have, in seconds (None: no limit), and why: limit or close."""
    everybodys = None if quiz.time_limit_minutes is None else quiz.time_limit_minutes * 60
    limit = quiz.your_time.limit_seconds if quiz.your_time else everybodys
    closes_at = _closes_at(quiz)
    begins = max(now, quiz.opens_at) if quiz.opens_at else now
    left = None if closes_at is None else max(0, int((closes_at - begins).total_seconds()))
    if left is not None and (limit is None or left < limit):
        return {"seconds": left, "why": "close"}
    return {"seconds": limit, "why": "limit"}


class ResultsPage(PageHandler):
    """/attempts/{id}/results."""

    access = SIGNED_IN
    reach = Reach.SHARED

    async def get(self, attempt_id: str) -> None:
        """Score, and each question as allowed; before the grade, a page that waits for it."""
        try:
            results = await self.services.results.show(self.actor, attempt_id)
        except Refused as refused:
            if refused.code is not Code.NOT_GRADED:
                raise
            await self._wait(attempt_id)
            return
        shown = shape(results)
        course = await self._course(results.course_id)
        screen = Screen(
            "results.html",
            title=(self.t("results.title"), results.quiz_title, course.title if course else ""),
            data={"attempt_id": attempt_id, "percentage": shown["percentage"], "score": shown["score"]},
            groups=("results",),
            scripts=("shell.js", "results.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            results=shown,
            course=shape(course) if course else None,
            questions=self._questions(shown),
            is_own=results.student_id == self.actor.user_id,
            may_mark=course is not None and teaches(self.actor, course, Permission.QUIZZES_MANAGE),
        )

    async def _course(self, course_id: str) -> CourseDetailView | None:
        """The course; what was done in one stays also where it can no longer be seen."""
        try:
            course: CourseDetailView = await self.services.courses.show(self.actor, course_id)
        except Refused as refused:
            if refused.code is not Code.NOT_FOUND:
                raise
            return None
        return course

    def _questions(self, shown: dict[str, Any]) -> list[ShownQuestion]:
        return [shown_question(row, self.t) for row in shown["questions"]]

    async def _wait(self, attempt_id: str) -> None:
        """Not graded yet. While it is open, the room is the place to be."""
        attempt = await self.services.attempts.show(self.actor, attempt_id)
        if attempt.status in {"in_progress", "paused"} and attempt.student_id == self.actor.user_id:
            self.redirect(f"/attempts/{attempt_id}", status=303)
            return
        screen = Screen(
            "results_waiting.html",
            title=(self.t("results.title"), attempt.quiz_title),
            data={"attempt_id": attempt_id, "is_waiting": True, "now": rfc3339(self.services.clock.now())},
            groups=("results",),
            scripts=("shell.js", "results.js"),
            sheets=_SHEETS,
        )
        self.show(screen, attempt=shape(attempt))


PAGES = [(r"/quizzes/([^/]+)/?", QuizStart), (r"/attempts/([^/]+)/results", ResultsPage)]
