"""Where exams are measured: a store and a Redis of their own, one node, a quiz, and the students of its course."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.perf.arena import Arena, Running
from tests.perf.contestants import OURS
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, Program, pinned
from tests.perf.tables import Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

QUESTIONS = 20
DATABASE = "bench"
KEY = "0123456789abcdefghijklmnopqrstuv"  # of no use outside the benchmarks
SIGNING_KEY = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="


@dataclass(frozen=True, slots=True)
class ExamPlace:
    """A node with a quiz, and the paths by which its students open the socket."""

    node: Running
    mongodb_url: str
    quiz_id: str

    @property
    def people(self) -> Sequence[str]:
        """One path for each student."""
        return self.node.paths


@contextmanager
def exam_place(arena: Arena, tables: Sequence[Table], *, people: int) -> Iterator[ExamPlace | None]:
    """The place; None, and the reason in the tables: this machine lacks a server."""
    with ExitStack() as stack:
        try:
            with pinned(LOAD_CORE):
                mongodb_url = stack.enter_context(running_mongo())
                redis_url = stack.enter_context(running_redis())
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in tables:
                table.absent[OURS] = str(missing)
            yield None
            return
        given: dict[str, Any] = {"mongodb_url": mongodb_url, "redis_url": redis_url, "mongodb_database": DATABASE}
        given |= {"secret_key": KEY, "password_pepper": KEY[::-1], "signing_key": SIGNING_KEY}
        node = stack.enter_context(arena.school_on_a_node(given, people=people))
        quiz_id = node.program.answer(f"exam {QUESTIONS}")["quiz_id"]
        yield ExamPlace(node, mongodb_url, quiz_id)


def sitters(arena: Arena, stack: ExitStack, place: ExamPlace, students: int) -> Program:
    """The students, each with an attempt that has begun."""
    file = arena.new_file()
    file.write_text("".join(f"{path}\n" for path in place.people[:students]))
    command = [sys.executable, "-m", "tests.perf.answering", str(place.node.port), str(file), place.quiz_id]
    room = stack.enter_context(Program(command, core=LOAD_CORE, log=arena.log, cwd=ROOT))
    room.line()
    return room
