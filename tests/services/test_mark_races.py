"""Two who mark one attempt, a correction that comes between, a process that dies: each as one order of atomic steps."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.enums import Role
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.grading import MarkDraft
from lms_rt.errors import Code
from lms_rt.services.manual_grading import ManualGrading
from tests.conftest import settings_on
from tests.services.exam import ESSAY, Exam, person, submitted
from tests.services.stepping import Handler, done, open_stepping
from tests.services.test_attempt_races import interrupted

Work = Coroutine[Any, Any, Any]


@dataclass
class Desk:
    """An attempt of two essays that was handed in, and two who mark it."""

    exam: Exam
    attempt: HandedOutView
    colleague: Actor

    def mark(self, question: int, points: int, *, by_colleague: bool = False, **fields: Any) -> Work:
        exam = self.exam
        manual = ManualGrading(clock=exam.clock, relay=exam.relay, grading=exam.attempt_clock.grading)
        body = {"question_id": exam.question_ids[question], "points": points, **fields}
        actor = self.colleague if by_colleague else exam.teacher
        return manual.mark(actor, self.attempt.id, read_model(MarkDraft, body))

    def stored(self) -> dict[str, Any]:
        row: dict[str, Any] = done(self.exam.stored(self.attempt.id))
        return row

    def graded_events(self) -> int:
        return len(done(self.exam.events(self.attempt, "attempt_graded")))


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    settings = settings_on("embedded", request, tmp_path)
    with open_stepping(settings):
        exam = Exam(settings)
        done(exam.open_course())
        student = done(exam.student())
        quiz_id = done(exam.quiz(questions=(ESSAY, {**ESSAY, "question_text": "Why?"})))
        attempt = done(exam.begun(student, quiz_id))
        for question_id in exam.question_ids:
            done(exam.save(student, attempt, "Because.", question_id=question_id))
        done(exam.attempts.submit(student, attempt.id, submitted()))
        yield Desk(exam, attempt, person(Role.ADMIN, "Colleague"))


def test_of_two_marks_of_one_answer_the_second_is_told_of_the_first(desk: Desk) -> None:
    first = desk.mark(0, 3, by_colleague=True)
    late = interrupted(desk.mark(0, 1), before="update_one", meanwhile=lambda: done(first))
    assert late.refused is not None
    assert (late.refused.code, late.refused.data["stored"].points) == (Code.CONFLICT, 300)
    assert desk.stored()["marks"][desk.exam.question_ids[0]]["points"] == 300


def test_two_marks_of_two_answers_both_count(desk: Desk) -> None:
    other = desk.mark(1, 2, by_colleague=True)
    late = interrupted(desk.mark(0, 1), before="update_one", meanwhile=lambda: done(other))
    assert late.result.score == 300
    stored = desk.stored()
    assert (stored["grading"], stored["score"], stored["waiting"]) == ("done", 300, [])
    assert desk.graded_events() == 1


def test_a_mark_goes_by_the_key_that_came_between(desk: Desk) -> None:
    done(desk.mark(0, 1))

    def correct() -> None:
        moved = {"$set": {"grading": "pending"}, "$inc": {"key_version": 1}}
        done(Attempt.rows().update_one({"_id": desk.attempt.id}, moved))

    late = interrupted(desk.mark(1, 2), before="update_one", meanwhile=correct)
    assert late.result.score == 300
    stored = desk.stored()
    assert (stored["grading"], stored["graded_key_version"]) == ("done", stored["key_version"])
    assert desk.graded_events() == 1


def test_whoever_dies_while_marking_has_marked_wholly_or_not_at_all(desk: Desk) -> None:
    done(desk.mark(0, 1))
    steps = 0
    while True:
        handler = Handler(desk.mark(1, 2))
        for _ in range(steps):
            if not handler.is_over:
                handler.step()
        if handler.is_over:
            break
        handler.crash()
        stored = desk.stored()
        is_marked = desk.exam.question_ids[1] in stored["marks"]
        assert (stored["grading"], stored.get("score")) == (("done", 300) if is_marked else ("manual", None))
        steps += 1
    assert steps > 3
    done(desk.exam.relay.sweep(minimum_age_ms=0))
    assert desk.graded_events() == 1
    assert desk.exam.effects[-1]["percentage"] == 3750
