"""Results: the score, and question by question as much as the quiz's policy allows at this moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents import attempt_figures
from documents.accommodation import Accommodation
from documents.base import Row
from documents.enums import Grading, ShowAnswers
from documents.quiz import Quiz
from documents.regrade import Regrade, RegradeRow
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.corrected import corrections_in, corrections_without_keys
from lms_rt.contracts.grading import ChangeView, MarkView
from lms_rt.contracts.questions import attempt_question_view, is_counted
from lms_rt.contracts.results import ResultQuestionView, ResultsView, StandingView
from lms_rt.contracts.rubrics import criterion_marks
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import require_attempt, sees_attempts
from lms_rt.services.accommodations import times_of_quiz
from lms_rt.services.attempt_grading import exact_percentages
from lms_rt.services.attempt_views import answer_views, summary_fields
from lms_rt.services.file_mentions import mentions_of
from lms_rt.services.grading import Graded, counted_percentage, round_half_up
from lms_rt.services.manual_grading import mark_view
from lms_rt.services.paper_grading import graded_answers
from lms_rt.services.papers import corrected_paper
from lms_rt.services.picture_sizes import rendering_with, sizes_of
from lms_rt.services.quiz_controls import has_ended
from lms_rt.services.regraded import has_result, moved_points


class Results:
    """Shows how an attempt went."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def show(self, actor: Actor, attempt_id: str) -> ResultsView:
        """The results of a graded attempt; those of one that waits for a person come without scores."""
        attempt = await require_attempt(actor, attempt_id)
        if attempt.get("grading") not in (Grading.DONE, Grading.MANUAL) and not has_result(attempt):
            raise Refused(Code.NOT_GRADED)
        # One that is about to be graded anew is shown by the key that its points were given by.
        paper = await corrected_paper(attempt | {"key_version": attempt["graded_key_version"]})
        now_ms = self._clock.now_ms()
        is_taught = await sees_attempts(actor, attempt["course_id"])
        is_shown = is_taught or await may_see_answers(attempt, paper, now_ms)
        graded = graded_answers(paper, attempt)
        named = {one for question in paper["questions"].values() for one in mentions_of(question)}
        marks, sizes = await _mark_views(attempt) if is_taught else {}, await sizes_of(named)
        around = _Around(marks, await _regraded(attempt), rendering_with(sizes))
        return ResultsView(
            **summary_fields(attempt, now_ms, is_me=False),
            quiz_title=paper["title"],
            passing_score=paper["passing_score"],
            has_answers_shown=is_shown,
            answers=answer_views(attempt),
            standing=await self._standing(attempt, paper),
            questions=[
                _question(attempt, paper["questions"][one], order, graded[one] if is_shown else None, around=around)
                for order, one in enumerate(paper["question_ids"], 1)
            ],
        )

    async def _standing(self, attempt: Row, paper: Row) -> StandingView:
        """What all attempts of this student come to under the grading policy."""
        percentages = await exact_percentages(attempt)
        counted = counted_percentage(paper["grading_policy"], percentages)
        return StandingView(
            grading_policy=paper["grading_policy"],
            attempts_count=len(percentages),
            percentage=None if counted is None else round_half_up(counted),
            is_passed=None if counted is None else counted >= paper["passing_score"],
        )


async def may_see_answers(attempt: Row, paper: Row, now_ms: int) -> bool:
    """As the quiz says now, which may have changed since the start."""
    quiz = await Quiz.find_head(attempt["quiz_id"]) or {**paper, "is_published": False}
    match ShowAnswers(quiz["show_correct_answers"]):
        case ShowAnswers.AFTER_SUBMIT:
            return True
        case ShowAnswers.AFTER_CLOSE:
            return await _is_over(quiz, attempt, now_ms) and not await attempt_figures.has_open(attempt["quiz_id"])
        case ShowAnswers.AFTER_PASS:
            return bool(attempt.get("is_passed"))
        case ShowAnswers.NEVER:
            return False


async def _is_over(quiz: Row, attempt: Row, now_ms: int) -> bool:
    """Can nobody begin the quiz any more? Without a closing time it is over once it is taken back from view, or ended.

    The closing time is the latest that holds for anybody: who has seen the answers could tell who may still begin.
    """
    quiz_id = attempt["quiz_id"]
    if quiz.get("closes_at") is None:
        return not quiz["is_published"] or await has_ended(quiz_id)
    stretching = await Accommodation.find_stretching(quiz_id, attempt["course_id"])
    closings = [times_of_quiz(quiz, profile).closes_ms for profile in (None, *stretching)]
    return all(closes_ms is not None and now_ms >= closes_ms for closes_ms in closings)


async def _mark_views(attempt: Row) -> dict[str, MarkView]:
    """What people gave, by question."""
    return {question_id: await mark_view(mark) for question_id, mark in (attempt.get("marks") or {}).items()}


async def _regraded(attempt: Row) -> dict[str, list[ChangeView]]:
    """By question, how corrections moved its points."""
    found: dict[str, list[ChangeView]] = {}
    for row in await RegradeRow.of_attempt(attempt["_id"]):
        regrade = await Regrade.find_row(row["regrade_id"]) or {}
        parts = [(row.get("old"), row.get("new"), "reason", row.get("applied_at"))]
        parts.append((row.get("new"), row.get("undone"), "undo_reason", row.get("undone_at")))
        for before, after, reason, at in parts:
            for question_id, was, is_now in moved_points(before, after):
                change = ChangeView(from_points=was, to_points=is_now, reason=regrade.get(reason, ""), at=at)
                found.setdefault(question_id, []).append(change)
    return found


@dataclass(frozen=True, slots=True)
class _Around:
    """What belongs to the questions of an attempt: what people gave, what corrections moved, and how texts are rendered."""

    marks: Mapping[str, MarkView]
    regraded: Mapping[str, Sequence[ChangeView]]
    render: Callable[[str], str]


def _question(attempt: Row, question: Any, order: int, graded: Graded | None, *, around: _Around) -> ResultQuestionView:
    """One question; without `graded` only what was asked and answered."""
    render = around.render
    shown = attempt_question_view(question, order=order, render=render)
    allowed: dict[str, Any] = {}
    if graded is not None:
        explanation = question.get("explanation")
        allowed = {
            "feedback_html": None if graded.feedback is None else render(graded.feedback),
            "correct_answer": question.get("correct_answer"),
            "also_accepted": question.get("also_accepted"),
            "explanation": explanation,
            "explanation_html": None if explanation is None else render(explanation),
            **(marked := _marked(attempt, question, around.marks.get(shown.id))),
            "changes": sorted([*marked["changes"], *around.regraded.get(shown.id, ())], key=lambda change: change.at),
        }
    return ResultQuestionView(
        question_id=shown.id,
        order=order,
        question_type=shown.question_type,
        question_text=shown.question_text,
        question_html=shown.question_html,
        options=shown.options,
        value=attempt.get("answers", {}).get(shown.id, {}).get("value"),
        corrected=corrections_in(question) if graded is not None else corrections_without_keys(question),
        points=shown.points,
        points_awarded=_awarded(attempt, question) if graded is not None else None,
        is_correct=graded.is_correct if graded is not None else None,
        feedback=graded.feedback if graded is not None else None,
        **allowed,
    )


def _marked(attempt: Row, question: Any, view: MarkView | None) -> dict[str, Any]:
    """What the person said who marked it, and how its points changed."""
    mark: Row = (attempt.get("marks") or {}).get(question["id"]) or {}
    return {
        "comment": mark.get("comment"),
        "rubric": criterion_marks(question.get("rubric"), mark.get("rubric")),
        "changes": [
            ChangeView(from_points=one["from"], to_points=one["to"], reason=one["reason"], at=from_ms(one["at_ms"]))
            for one in mark.get("history", ())
        ],
        "mark": view,
    }


def _awarded(attempt: Row, question: Any) -> int | None:
    """The points as they were stored with the grade."""
    awarded: dict[str, int] = attempt.get("awarded") or {}
    return awarded.get(question["id"]) if is_counted(question) else None
