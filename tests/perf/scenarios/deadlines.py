"""Two thousand deadlines in one second: how long after its closing moment the last attempt was closed, and graded.

One node; nobody is connected. Every attempt has twenty answers. Here the clock is the question, not CPU time.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from tests.perf.arena import Arena
from tests.perf.exam_place import DATABASE, ExamPlace, exam_place, sitters
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, Program, cpu_seconds
from tests.perf.tables import Goal, Sample, Table

_ATTEMPTS = 2_000
_MOST_TURNS = 3
_LEAST_SECONDS, _EACH_SECONDS = 3.5, 0.005
"""So long before the last closing moment, so that all deadlines are set by then."""
CLOSED, GRADED = "s until the last was closed", "s until the last was graded"
_NOT_GRADED, _NOT_ONCE = "attempts without a grade", "attempts graded more than once"

GOALS = (
    Goal("deadlines", "must", 2, row=CLOSED),
    Goal("deadlines", "must", 10, row=GRADED),
    Goal("deadlines", "must", 0, row=_NOT_GRADED),
    Goal("deadlines", "must", 0, row=_NOT_ONCE),
)


def deadlines(arena: Arena) -> list[Table]:
    """Turn by turn, each time with new attempts of all students."""
    number = arena.scaled(_ATTEMPTS, least=10)
    table = Table("deadlines", f"{number:,} deadlines in one second", "after the closing moment, as named")
    cost = Table("deadlines-cost", f"{number:,} deadlines in one second: the node", "CPU, µs for each attempt")
    with exam_place(arena, [table, cost], people=number + 1) as place:
        if place is not None:
            _turns(arena, place, number, (table, cost))
    return [table, cost]


def _turns(arena: Arena, place: ExamPlace, number: int, tables: tuple[Table, Table]) -> None:
    table, cost = tables
    with ExitStack() as stack:
        sitters(arena, stack, place, 1)
        command = [sys.executable, "-m", "tests.perf.due_exams", place.mongodb_url, DATABASE]
        hall = stack.enter_context(Program(command, core=LOAD_CORE, log=arena.log, cwd=ROOT))
        hall.line()
        for turn in range(min(arena.repeat, _MOST_TURNS)):
            arena.say(f"{table.title}: {turn + 1}")
            hall.answer(f"sit {number}")
            before = cpu_seconds(place.node.program.pid)
            told = hall.answer(f"due {_LEAST_SECONDS + number * _EACH_SECONDS}")
            cost.add("closing, grading, and what follows", Sample(
                (cpu_seconds(place.node.program.pid) - before) / number * 1e6
            ))  # fmt: skip
            for row, name in (
                (CLOSED, "closed_s"),
                (GRADED, "graded_s"),
                (_NOT_GRADED, "not_graded"),
                (_NOT_ONCE, "not_once"),
            ):
                table.add(row, Sample(told[name]))
