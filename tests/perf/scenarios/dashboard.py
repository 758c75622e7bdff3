"""What a change costs the live dashboard among 20 students and among 2,000: the picture, the frame, and its encoding.

Counted in this process, by its CPU time: reading the one row that changed is the same work for the database either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lms_rt.clock import from_ms
from lms_rt.contracts.base import encode
from lms_rt.services.live_picture import LivePicture, Presence
from tests.perf.arena import Arena
from tests.perf.tables import Goal, Sample, Table

START_MS = 1_790_000_000_000
SIZES = (20, 200, 2_000)
_CHANGES = 400
_FLAT = 1.2
_TURNS_EACH = 3
_QUESTIONS = [{"id": f"q{n}", "question_text": "Which?", "question_type": "multiple_choice"} for n in range(20)]

GOALS = tuple(Goal(f"dashboard-{name}", "must", _FLAT, "20", row="2,000") for name in ("answers", "looks"))


def dashboard(arena: Arena) -> list[Table]:
    """By turns: an answer, and a turn to another question."""
    tables = []
    for name, step, words in (
        ("answers", answers, "an answer is saved"),
        ("looks", looks, "somebody turns to another question"),
    ):
        arena.say(f"dashboard: {words}")
        table = Table(f"dashboard-{name}", f"The live dashboard: {words}", "CPU, µs for each change, by students")
        pictures = {size: picture_of(size) for size in SIZES}
        for turn in range(arena.repeat * _TURNS_EACH + 1):
            for size, picture in pictures.items():
                spent = cost(step, picture, size, turn, changes=arena.scaled(_CHANGES, least=20))
                if turn:
                    table.add(f"{size:,}", Sample(spent * 1e6))
        tables.append(table)
    return tables


def picture_of(students: int) -> LivePicture:
    """A running quiz with so many, who are all there."""
    picture = LivePicture(_QUESTIONS)
    picture.take([_row(number, 1) for number in range(students)])
    picture.see({f"att_{number}": Presence(1, "q0") for number in range(students)})
    return picture


def answers(picture: LivePicture, students: int, turn: int, changes: int) -> None:
    """One student after the other saves an answer, and each time the difference is told."""
    for n in range(changes):
        before = picture.step
        row = _row(n % students, 2 + turn * changes + n)
        assert picture.differing([row]) == [row["_id"]]
        picture.take([row])
        _told(picture, before)


def looks(picture: LivePicture, students: int, turn: int, changes: int) -> None:
    """One student after the other turns to another question."""
    for n in range(changes):
        before = picture.step
        place = f"q{1 + (n // students + turn * (changes // students + 1)) % 19}"
        picture.see({f"att_{n % students}": Presence(1, place, is_hidden=bool(n % 2))})
        _told(picture, before)


def _told(picture: LivePicture, before: int) -> None:
    rows = picture.students(before, START_MS)
    assert len(rows) == 1
    encode({"students": rows, "questions": picture.questions(before), "totals": picture.totals(), "removed": []})


def cost(
    step: Callable[[LivePicture, int, int, int], None], picture: LivePicture, students: int, turn: int, *, changes: int
) -> float:
    """CPU seconds for each change."""
    began = time.process_time()
    step(picture, students, turn, changes)
    return (time.process_time() - began) / changes


def _row(number: int, revision: int) -> dict[str, Any]:
    saved = {
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
        "answers": saved,
        "updated_ms": START_MS + revision,
        "revision": revision,
        "version": 1,
    }
