"""Five hundred who complete a course at once: what a certificate costs, beside the sheet of paper alone, and whether the row of numbers holds."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import pytest

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, cpu_seconds, pinned
from tests.perf.tables import Goal, Sample, Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

SHEET = "the PDF alone"
MISSING, DOUBLE = "numbers missing", "numbers given twice"
_COUNT = 500

GOALS = (
    Goal("certificates", "must", 2, SHEET),
    Goal("certificates-numbers", "must", 0, row=MISSING),
    Goal("certificates-numbers", "must", 0, row=DOUBLE),
)


def certificates(arena: Arena) -> list[Table]:
    """By turns: all of it, and the drawing of as many sheets."""
    count = arena.scaled(_COUNT, least=8)
    title = f"{count:,} complete a course at once"
    cost = Table("certificates", title, "CPU of the process, seconds for each certificate")
    cost.note = (
        "Ours is number, signatures, PDF, the file in GridFS, and the event; four writers share the store alone."
    )
    numbers = Table("certificates-numbers", f"{title}: their numbers", "numbers")
    with ExitStack() as stack:
        try:
            with pinned(LOAD_CORE):
                urls = stack.enter_context(running_mongo()), stack.enter_context(running_redis())
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in (cost, numbers):
                table.absent[OURS] = str(missing)
            return [cost, numbers]
        command = [sys.executable, "-m", "tests.perf.certifying", *urls, str(arena.new_file().parent)]
        office = stack.enter_context(Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT))
        office.line()
        for turn in range(arena.repeat + 1):
            arena.say(f"{title}: {turn}")
            for name, order in ((OURS, "issue"), (SHEET, "print")):
                before = cpu_seconds(office.pid)
                told = office.answer(f"{order} {count}")
                if turn:
                    cost.add(name, Sample((cpu_seconds(office.pid) - before) / count))
                if order == "issue":
                    numbers.add(MISSING, Sample(told["missing"]))
                    numbers.add(DOUBLE, Sample(told["double"]))
    return [cost, numbers]
