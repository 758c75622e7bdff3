"""A regrade whose process dies, before any step of the request or of the worker: the next one finishes it, and does nothing twice.

And one that meets somebody who begins at that moment: whoever is first between any two steps, it counts for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.base import Row
from documents.job import Job
from documents.quiz import Quiz
from documents.regrade import Regrade, RegradeRow
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.regrades import CorrectionDraft, UndoDraft
from lms_rt.services.leases import Device
from tests.conftest import settings_on
from tests.services.exam import QUESTIONS, Exam, submitted
from tests.services.stepping import Handler, done, open_stepping

EXTRA_MINUTES = 5


class Hall(Exam):
    """An exam in which every run has a quiz of its own: one has sat it and was right, another one sits it."""

    quiz_id: str
    closed: HandedOutView
    open: HandedOutView

    def furnish(self) -> None:
        """A quiz, an attempt that is graded, and an open one."""
        self.quiz_id = done(self.quiz(questions=QUESTIONS[:1]))
        first, second = done(self.student()), done(self.student())
        self.closed = done(self.begun(first, self.quiz_id))
        answers = [{"question_id": self.question_ids[0], "value": "b"}]
        done(self.attempts.submit(first, self.closed.id, submitted(answers=answers, lease=self.closed.lease)))
        self.open = done(self.begun(second, self.quiz_id))
        self.effects.clear()

    def correct(self) -> Any:
        """The teacher's request: A is right, and who still sits gets five minutes."""
        fix = {"action": "fix", "question": {"correct_answer": {"option_id": "a"}}, "extra_minutes": EXTRA_MINUTES}
        draft = read_model(CorrectionDraft, fix)
        return self.regrades.correct(self.teacher, self.quiz_id, self.question_ids[0], draft)

    def recover(self) -> str | None:
        """What others do when a process is gone: outboxes, controls, the job. The regrade, if it was written."""
        done(self.relay.sweep(minimum_age_ms=0))
        self.clock.advance(3)
        done(self.controls.take_up())
        found = done(Regrade.rows().find_one({"quiz_id": self.quiz_id}))
        if found is None:
            return None
        jobs = done(jobs_of(found["_id"]))
        assert jobs, "a regrade that nobody would carry out"
        for _ in range(2):  # the job, and a late repeat of it
            done(self.another_regrading().carry_out(found["_id"]))
        done(self.relay.sweep(minimum_age_ms=0))
        return str(found["_id"])

    def check(self, regrade_id: str, at: str) -> None:
        """All of it, once."""
        row = done(Attempt.rows().find_one({"_id": self.closed.id}))
        assert (row["score"], row["grading"], row["version"], row["key_version"]) == (0, "done", 3, 1), at
        told = [event.event.data["score"] for event in done(self.events(self.closed, "attempt_graded"))]
        assert told == ["2.00", "0.00"], at
        told_to_enrollment = {(effect["intent_id"], effect["version"]) for effect in self.effects}
        assert [version for _, version in told_to_enrollment] == [3], at  # again by the same id changes nothing
        kept = done(rows_of(regrade_id))
        assert [(one["old"]["score"], one["new"]["score"], one["passing"]) for one in kept] == [(200, 0, "fails")], at
        sitting = done(Attempt.rows().find_one({"_id": self.open.id}))
        deadline = self.open.deadline_at
        assert deadline is not None
        assert sitting["deadline_ms"] - deadline.timestamp() * 1000 == EXTRA_MINUTES * 60_000, at
        assert (sitting["key_version"], sitting["status"]) == (1, "in_progress"), at
        assert len(done(self.events(self.open, "question_corrected"))) == 1, at
        quiz = done(Quiz.rows().find_one({"_id": self.quiz_id}))
        asked = quiz["questions"][self.question_ids[0]]
        assert (quiz["key_version"], asked["correct_answer"], asked["version"]) == (1, {"option_id": "a"}, 2), at
        regrade = done(Regrade.rows().find_one({"_id": regrade_id}))
        assert (regrade["status"], regrade["counts"]["loses"], regrade["counts"]["attempts"]) == ("applied", 1, 1), at


async def jobs_of(regrade_id: str) -> list[Row]:
    """What workers are asked to do about it."""
    return await Job.rows().find({"task": "regrades.apply", "args.regrade_id": regrade_id}).to_list(None)


async def rows_of(regrade_id: str) -> list[Row]:
    """What it did to whom."""
    return await RegradeRow.rows().find({"regrade_id": regrade_id}).to_list(None)


@pytest.fixture
def hall(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hall]:
    settings = settings_on("embedded", request, tmp_path)
    with open_stepping(settings, Quiz, Regrade, RegradeRow):
        made = Hall(settings)
        done(made.open_course())
        yield made


def crashes(hall: Hall, work: Any, *, stride: int = 1) -> Iterator[int]:
    """The numbers of steps after which a handler is cut off, until one comes to its end."""
    steps = 0
    while True:
        hall.furnish()
        handler = Handler(work())
        for _ in range(steps):
            if not handler.is_over:
                handler.step()
        is_over = handler.is_over
        handler.crash()
        yield steps
        if is_over:
            return
        steps += stride


def test_a_request_that_dies_before_any_of_its_steps_corrects_everything_or_nothing(hall: Hall) -> None:
    began = set[bool]()
    for steps in crashes(hall, hall.correct, stride=2):
        regrade_id = hall.recover()
        began.add(regrade_id is not None)
        if regrade_id is not None:
            hall.check(regrade_id, f"died before step {steps}")
            continue
        row = done(Attempt.rows().find_one({"_id": hall.closed.id}))
        assert (row["score"], row["key_version"]) == (200, 0)
    assert began == {True, False}


def test_a_worker_that_dies_before_any_of_its_steps_leaves_the_rest_to_the_next(hall: Hall) -> None:
    def work() -> Any:
        view = done(hall.correct())
        return hall.another_regrading().carry_out(view.id)

    for steps in crashes(hall, work):
        regrade_id = hall.recover()
        assert regrade_id is not None
        hall.check(regrade_id, f"died before step {steps}")


def test_an_undo_that_dies_before_any_of_its_steps_is_undone_by_the_next(hall: Hall) -> None:
    def work() -> Any:
        view = done(hall.correct())
        done(hall.another_regrading().carry_out(view.id))
        done(hall.regrades.undo(hall.teacher, hall.quiz_id, view.id, UndoDraft()))
        return hall.another_regrading().carry_out(view.id)

    for steps in crashes(hall, work, stride=3):
        regrade_id = hall.recover()
        at = f"died before step {steps}"
        row = done(Attempt.rows().find_one({"_id": hall.closed.id}))
        assert (row["score"], row["version"], row["key_version"]) == (200, 4, 2), at
        assert regrade_id is not None
        kept = done(rows_of(regrade_id))
        assert [(one["undone"]["score"], one["kept"]) for one in kept] == [(200, [])], at
        assert done(Regrade.rows().find_one({"_id": regrade_id}))["status"] == "undone", at


@pytest.mark.parametrize(("who_waits", "stride"), [("the start", 1), ("the correction", 3)])
def test_who_begins_while_a_question_is_corrected_is_graded_by_the_corrected_key(
    hall: Hall, who_waits: str, stride: int
) -> None:
    steps, is_over = 0, False
    while not is_over:
        hall.furnish()
        student = done(hall.student())
        start = Handler(hall.attempts.start(student, hall.quiz_id, Device("laptop")))
        correction = Handler(hall.correct())
        first, other = (start, correction) if who_waits == "the start" else (correction, start)
        for _ in range(steps):
            if not first.is_over:
                first.step()
        is_over = first.is_over
        other.run()
        first.run()
        view, _ = start.result
        done(hall.another_regrading().carry_out(correction.result.id))
        now = done(hall.attempts.show(student, view.id))
        answers = [{"question_id": hall.question_ids[0], "value": "a"}]
        graded = done(hall.attempts.submit(student, now.id, submitted(answers=answers, lease=view.lease)))
        at = f"{who_waits} stopped before step {steps}"
        assert (graded.score, graded.percentage) == (200, 10_000), at
        row = done(Attempt.rows().find_one({"_id": view.id}))
        assert (row["key_version"], row["graded_key_version"]) == (1, 1), at
        extra = row["deadline_ms"] - row["started_at"].timestamp() * 1000 - 30 * 60_000
        assert extra in {0, EXTRA_MINUTES * 60_000}, at
        steps += stride
