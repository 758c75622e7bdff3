"""Two requests at once on one attempt: one is stopped after each of its steps while the other goes on, in every way.

What must hold is said for each pair; the filters of the writes are what makes it hold. Random lives of more requests are
in `test_attempt_machine.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.base import Row
from documents.paper import AttemptPaper
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView, SubmitDraft
from lms_rt.errors import Code
from lms_rt.services.leases import Device
from lms_rt.storage.mongo import open_database
from tests.conftest import settings_on
from tests.services.exam import Exam
from tests.services.stepping import Handler, done, stop_before_every_step

MOST_STEPS = 10
FEW_STEPS = 5
IDLE_SECONDS = 16
OVER_SECONDS = 30 * 60 + 3


@dataclass
class Seat:
    """A student whose writer is the laptop, with nobody connected."""

    exam: Hall
    student: Actor
    attempt: HandedOutView

    def resume(self, device_id: str) -> Coroutine[Any, Any, Any]:
        """Another screen asks."""
        return self.exam.attempts.resume(self.student, self.attempt.id, Device(device_id))

    def save(self) -> Coroutine[Any, Any, Any]:
        """The laptop saves."""
        return self.exam.save(self.student, self.attempt, "b")

    def submit(self, revision: int | None) -> Coroutine[Any, Any, Any]:
        """Some screen submits."""
        return self.exam.attempts.submit(self.student, self.attempt.id, SubmitDraft(revision=revision))

    def start(self, device_id: str) -> Coroutine[Any, Any, Any]:
        """Some screen starts."""
        return self.exam.attempts.start(self.student, self.attempt.quiz_id, Device(device_id))

    def sweep(self) -> Coroutine[Any, Any, Any]:
        """Some node closes and grades what is due."""
        exam = self.exam
        return exam.another_clock().sweep()

    @property
    def row(self) -> Row:
        """The attempt as it is stored."""
        stored: Row = done(self.exam.stored(self.attempt.id))
        return stored


class Hall(Exam):
    """An exam with one quiz, in which every run gets a student of its own."""

    quiz_id: str

    def seat(self, *, after_seconds: float) -> Seat:
        """Somebody who began so long ago."""
        for document in (Attempt, AttemptPaper):
            done(document.rows().delete_many({}))
        self.effects.clear()
        student = done(self.student())
        seat = Seat(self, student, done(self.begun(student, self.quiz_id)))
        self.clock.advance(after_seconds)
        return seat


@pytest.fixture
def hall(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hall]:
    settings = settings_on("embedded", request, tmp_path)
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        store = open_database(settings)
        runner.run(store.__aenter__())
        stop_before_every_step(patch)
        made = Hall(settings)
        done(made.open_course())
        made.quiz_id = done(made.quiz())
        try:
            yield made
        finally:
            runner.run(store.__aexit__(None, None, None))


def meetings(most: int = MOST_STEPS) -> Iterator[tuple[int, int, int]]:
    """Who begins, how many steps it does, how many the other does before the first one ends."""
    for first in (0, 1):
        for steps in range(1, most):
            for others in range(1, most):
                yield first, steps, others


def met(one: Coroutine[Any, Any, Any], two: Coroutine[Any, Any, Any], meeting: tuple[int, int, int]) -> list[Handler]:
    """Both to their ends, in that order of their steps."""
    handlers = [Handler(one), Handler(two)]
    first, steps, others = meeting
    for which, count in ((first, steps), (1 - first, others), (first, 1_000), (1 - first, 1_000)):
        for _ in range(count):
            if not handlers[which].is_over:
                handlers[which].step()
    return handlers


def codes(handlers: list[Handler]) -> list[Code | None]:
    """What each was refused with."""
    return [None if handler.refused is None else handler.refused.code for handler in handlers]


def test_two_screens_that_ask_for_an_idle_lease_do_not_both_get_it(hall: Hall) -> None:
    for meeting in meetings(FEW_STEPS):
        seat = hall.seat(after_seconds=IDLE_SECONDS)
        handlers = met(seat.resume("phone"), seat.resume("tablet"), meeting)
        leases = [handler.result.lease for handler in handlers if handler.result.lease is not None]
        assert leases == [seat.row["writer"]["lease"]], meeting


def test_a_lease_is_not_taken_from_a_screen_that_saves_at_that_moment(hall: Hall) -> None:
    for meeting in meetings(FEW_STEPS):
        seat = hall.seat(after_seconds=IDLE_SECONDS)
        resumed, saved = met(seat.resume("phone"), seat.save(), meeting)
        has_lease, is_saved = resumed.result.lease is not None, saved.refused is None
        assert has_lease != is_saved, meeting
        assert is_saved or codes([saved]) == [Code.NOT_WRITER], meeting


def test_what_is_saved_after_the_revision_of_a_submission_keeps_it_open(hall: Hall) -> None:
    for meeting in meetings(FEW_STEPS):
        seat = hall.seat(after_seconds=1)
        submitted, saved = met(seat.submit(0), seat.save(), meeting)
        assert codes([submitted, saved]) in ([None, Code.ATTEMPT_CLOSED], [Code.CONFLICT, None]), meeting
        assert (seat.row["status"] == "in_progress") == (saved.refused is None), meeting


def test_a_submission_without_a_revision_grades_what_was_saved(hall: Hall) -> None:
    for meeting in meetings():
        seat = hall.seat(after_seconds=1)
        submitted, saved = met(seat.submit(None), seat.save(), meeting)
        assert codes([submitted]) == [None], meeting
        row = seat.row
        assert (row["score"] > 0) == (saved.refused is None) == bool(row["answers"]), meeting


@pytest.mark.parametrize("pair", ["two submissions", "two nodes", "a submission and a node"])
def test_an_attempt_is_closed_once_and_graded_once(hall: Hall, pair: str) -> None:
    for meeting in meetings():
        is_over = pair != "two submissions"
        seat = hall.seat(after_seconds=OVER_SECONDS if is_over else 1)
        one = seat.sweep() if pair == "two nodes" else seat.submit(None)
        two = seat.sweep() if is_over else seat.submit(None)
        handlers = met(one, two, meeting)
        done(seat.sweep())
        assert codes(handlers) == [None, None], meeting
        row = seat.row
        assert (row["status"], row["version"], row["revision"]) == ("graded", 2, 2), meeting
        assert len(hall.effects) == 2, "one start, one grade"
        assert len(done(hall.events(seat.attempt, "attempt_graded"))) == 1, meeting
        told = [event.event.data["attempt_id"] for event in done(hall.events(seat.attempt, "attempt_submitted"))]
        assert told.count(seat.attempt.id) == 1, meeting


def test_two_starts_make_one_attempt(hall: Hall) -> None:
    """It is the last one that is allowed: who comes second is handed it, and not told that none is left."""
    hall.quiz_id = done(hall.quiz(max_attempts=2))
    for meeting in meetings():
        seat = hall.seat(after_seconds=1)
        done(seat.submit(None))
        handlers = met(seat.start("phone"), seat.start("tablet"), meeting)
        started = [handler.result for handler in handlers]
        assert len({view.id for view, _ in started}) == 1, meeting
        assert sorted(is_new for _, is_new in started) == [False, True], meeting
        assert [view.lease is not None for view, is_new in started if is_new] == [True], meeting
        assert sum(view.lease is not None for view, _ in started) == 1, meeting
