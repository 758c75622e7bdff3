"""Results: the score, and question by question as much as the quiz's policy allows at this moment."""

from __future__ import annotations

from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.enums import Grading, ShowAnswers
from documents.paper import AttemptPaper
from documents.quiz import Quiz
from lms_rt.clock import Clock, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import ResultQuestionView, ResultsView, StandingView
from lms_rt.contracts.questions import attempt_question_view, is_counted
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import require_attempt, sees_attempts
from lms_rt.services.attempt_grading import graded_answers
from lms_rt.services.attempt_views import answer_views, summary_fields
from lms_rt.services.grading import Graded, counted_percentage, round_half_up
from lms_rt.services.rendering import render


class Results:
    """Shows how an attempt went."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def show(self, actor: Actor, attempt_id: str) -> ResultsView:
        """The results of a graded attempt; those of one that waits for a person come without scores."""
        attempt = await require_attempt(actor, attempt_id)
        if attempt.get("grading") not in (Grading.DONE, Grading.MANUAL):
            raise Refused(Code.NOT_GRADED)
        paper = await AttemptPaper.find_row(attempt_id)
        if paper is None:
            raise LookupError(f"attempt {attempt_id} has no paper")
        now_ms = self._clock.now_ms()
        is_shown = await self._may_see_answers(actor, attempt, paper, now_ms)
        graded = graded_answers(paper, attempt)
        return ResultsView(
            **summary_fields(attempt, now_ms, is_me=False),
            quiz_title=paper["title"],
            passing_score=paper["passing_score"],
            has_answers_shown=is_shown,
            answers=answer_views(attempt),
            standing=await self._standing(attempt, paper),
            questions=[
                _question(attempt, paper["questions"][one], order, graded[one] if is_shown else None)
                for order, one in enumerate(paper["question_ids"], 1)
            ],
        )

    async def _may_see_answers(self, actor: Actor, attempt: Row, paper: Row, now_ms: int) -> bool:
        """Those who teach always may; a student as the quiz says now, which may have changed since the start."""
        if await sees_attempts(actor, attempt["course_id"]):
            return True
        quiz = await Quiz.find_head(attempt["quiz_id"]) or {**paper, "is_published": False}
        return may_see_answers(quiz, attempt, now_ms)

    async def _standing(self, attempt: Row, paper: Row) -> StandingView:
        """What all attempts of this student come to under the grading policy."""
        percentages = await Attempt.find_percentages(attempt["student_id"], attempt["quiz_id"])
        counted = counted_percentage(paper["grading_policy"], [percentages[number] for number in sorted(percentages)])
        return StandingView(
            grading_policy=paper["grading_policy"],
            attempts_count=len(percentages),
            percentage=None if counted is None else round_half_up(counted),
            is_passed=None if counted is None else counted >= paper["passing_score"],
        )


def may_see_answers(quiz: Row, attempt: Row, now_ms: int) -> bool:
    """The policy of correct answers. Without a closing time a quiz is over once it is taken back from view."""
    match ShowAnswers(quiz["show_correct_answers"]):
        case ShowAnswers.AFTER_SUBMIT:
            return True
        case ShowAnswers.AFTER_CLOSE:
            closes_at = quiz.get("closes_at")
            return not quiz["is_published"] if closes_at is None else now_ms >= to_ms(closes_at)
        case ShowAnswers.AFTER_PASS:
            return bool(attempt.get("is_passed"))
        case ShowAnswers.NEVER:
            return False


def _question(attempt: Row, question: Any, order: int, graded: Graded | None) -> ResultQuestionView:
    """One question; without `graded` only what was asked and answered."""
    shown = attempt_question_view(question, order=order, render=render)
    allowed: dict[str, Any] = {}
    if graded is not None:
        explanation = question.get("explanation")
        allowed = {
            "correct_answer": question.get("correct_answer"),
            "explanation": explanation,
            "explanation_html": None if explanation is None else render(explanation),
        }
    return ResultQuestionView(
        question_id=shown.id,
        order=order,
        question_type=shown.question_type,
        question_text=shown.question_text,
        question_html=shown.question_html,
        options=shown.options,
        value=attempt.get("answers", {}).get(shown.id, {}).get("value"),
        points=shown.points,
        points_awarded=_awarded(attempt, question) if graded is not None else None,
        is_correct=graded.is_correct if graded is not None else None,
        feedback=graded.feedback if graded is not None else None,
        **allowed,
    )


def _awarded(attempt: Row, question: Any) -> int | None:
    """The points as they were stored with the grade."""
    awarded: dict[str, int] = attempt.get("awarded") or {}
    return awarded.get(question["id"]) if is_counted(question) else None
