"""A thousand students save answers at once: what that costs a node, beside a bare loop of the same updates.

Both have the same store, one after the other. The students and the store share the other core, so that the time by the
clock says as much of them as of the node: goals are about the node's CPU time, as everywhere.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.exam_place import QUESTIONS, ExamPlace, exam_place, sitters
from tests.perf.load import ROOT
from tests.perf.programs import SERVER_CORE, Program, cpu_seconds
from tests.perf.tables import Goal, Sample, Table

BARE = "bare Motor update loop"
_STUDENTS, _EACH = 1_000, 5
_PACED, _INTERVAL, _PACED_SECONDS = 300, 2, 10
_SHARE_MUST, _SHARE_AIM = 0.7, 0.85

GOALS = (
    Goal("saving", "must", 1 / _SHARE_MUST, BARE),
    Goal("saving", "aim", 1 / _SHARE_AIM, BARE),
    Goal("saving-refused", "must", 0, row=OURS),
)


def saving(arena: Arena) -> list[Table]:
    """All at once, beside the loop; then fewer of them at their own pace."""
    students, paced = arena.scaled(_STUDENTS, least=10), arena.scaled(_PACED, least=5)
    cost = Table("saving", f"{students:,} students save at once", "CPU of the process, µs per answer stored")
    cost.note = (
        f"{_SHARE_MUST} × the throughput of the loop on the same core is {1 / _SHARE_MUST:.2f} × its CPU time per answer. "
        "Ours includes the socket, the rules of the ledger, the receipt's chain and telling the other screens."
    )
    rate = Table("saving-rate", f"{students:,} students save at once: by the clock", "µs for each answer")
    refused = Table("saving-refused", f"{students:,} students save at once: refused", "answers")
    wait = Table("saving-wait", f"{paced:,} students, each saving every {_INTERVAL} s", "ms until acknowledged")
    tables = [cost, rate, refused, wait]
    with exam_place(arena, tables, people=max(students, paced)) as place:
        if place is not None:
            _all_at_once(arena, place, students, (cost, rate, refused))
            _at_their_pace(arena, place, paced, wait)
    return tables


def _all_at_once(arena: Arena, place: ExamPlace, students: int, tables: tuple[Table, Table, Table]) -> None:
    cost, rate, refused = tables
    with ExitStack() as stack:
        room = sitters(arena, stack, place, students)
        command = [sys.executable, "-m", "tests.perf.bare_updates", place.mongodb_url]
        bare = stack.enter_context(Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT))
        bare.line()
        bare.answer(f"make {students} {QUESTIONS}")
        for turn in range(arena.repeat + 1):
            arena.say(f"{cost.title}: {turn}")
            for name, program, saves in ((BARE, bare, bare), (OURS, place.node.program, room)):
                told, spent = _spent(program, saves, f"save {_EACH}")
                if turn:
                    cost.add(name, Sample(spent / told["count"] * 1e6))
                    rate.add(name, Sample(told["seconds"] / told["count"] * 1e6))
                    if name == OURS:
                        refused.add(name, Sample(told["refused"]))


def _at_their_pace(arena: Arena, place: ExamPlace, students: int, wait: Table) -> None:
    with ExitStack() as stack:
        room = sitters(arena, stack, place, students)
        share = min(1.0, arena.scale * 10)  # a small run is a short one
        for turn in range(arena.repeat + 1):
            arena.say(f"{wait.title}: {turn}")
            told = room.answer(f"pace {_PACED_SECONDS * share} {_INTERVAL * share}")
            if turn:
                wait.add("half", Sample(told["p50_us"] / 1000))
                wait.add("99 of 100", Sample(told["p99_us"] / 1000))


def _spent(program: Program, saves: Program, order: str) -> tuple[dict[str, Any], float]:
    """What those who save tell, and what the program spent meanwhile."""
    before = cpu_seconds(program.pid)
    told = saves.answer(order)
    return told, cpu_seconds(program.pid) - before
