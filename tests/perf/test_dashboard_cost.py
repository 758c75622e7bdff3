"""A change on the dashboard costs the same among 2,000 students as among 20: a ratio of CPU time in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from lms_rt.clock import from_ms
from lms_rt.services.live_picture import LivePicture, Presence

START_MS = 1_790_000_000_000
_FEW, _MANY, _CHANGES, _ROUNDS = 20, 2_000, 400, 7
_MOST = 1.6
"""The product's goal is 1.2; the rest is room for neighbours of the test. One look at every row would make it some 20."""
_QUESTIONS = [{"id": f"q{n}", "question_text": "Which?", "question_type": "multiple_choice"} for n in range(20)]


def _row(number: int, revision: int) -> dict[str, Any]:
    answers = {
        f"q{n}": {
            "value": "abcd"[(number + n + revision) % 4],
            "saved_at_ms": START_MS + 1_000 * (n + 1) + number % 997,
        }
        for n in range(10)
    }
    return {
        "_id": f"att_{number}",
        "student_id": f"usr_{number}",
        "student_name": f"Student {number}",
        "attempt_number": 1,
        "status": "in_progress",
        "started_at": from_ms(START_MS),
        "deadline_ms": START_MS + 3_600_000,
        "answers": answers,
        "updated_ms": START_MS + revision,
        "revision": revision,
        "version": 1,
    }


def _picture(students: int) -> LivePicture:
    picture = LivePicture(_QUESTIONS)
    picture.take([_row(number, 1) for number in range(students)])
    picture.see({f"att_{number}": Presence(1, "q0") for number in range(students)})
    return picture


def _answers(picture: LivePicture, students: int, round_: int) -> None:
    """One student after the other saves an answer, and each time the difference is told."""
    for n in range(_CHANGES):
        before = picture.step
        row = _row(n % students, 2 + round_ * _CHANGES + n)
        assert picture.differing([row]) == [row["_id"]]
        picture.take([row])
        assert len(picture.students(before, START_MS)) == 1
        picture.questions(before)
        picture.totals()


def _looks(picture: LivePicture, students: int, round_: int) -> None:
    """One student after the other turns to another question."""
    for n in range(_CHANGES):
        before = picture.step
        picture.see(
            {f"att_{n % students}": Presence(1, f"q{1 + (n // students + round_) % 19}", is_hidden=bool(n % 2))}
        )
        picture.students(before, START_MS)
        picture.questions(before)
        picture.totals()


def _cost(step: Callable[[LivePicture, int, int], None], picture: LivePicture, students: int, round_: int) -> float:
    began = time.process_time()
    step(picture, students, round_)
    return time.process_time() - began


@pytest.mark.parametrize("step", [_answers, _looks], ids=["answers", "looks"])
def test_a_change_costs_the_same_among_many(step: Callable[[LivePicture, int, int], None]) -> None:
    few, many = _picture(_FEW), _picture(_MANY)
    ratios = [_cost(step, many, _MANY, round_) / _cost(step, few, _FEW, round_) for round_ in range(_ROUNDS)]
    assert median(ratios) < _MOST, ratios
