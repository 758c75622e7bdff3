"""A gradebook of 500 students by 40 items in one response: what it costs beside reading the same rows and adding them up."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack

import pytest

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.exam_place import KEY, SIGNING_KEY
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, pinned
from tests.perf.tables import Goal, Sample, Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

_STUDENTS, _ITEMS = 500, 40
_BARE = "the same rows read and added up"
_WAYS = {f"{OURS}, JSON": "json", f"{OURS}, CSV": "csv", f"{OURS}, XLSX": "xlsx", _BARE: "bare"}

GOALS = (
    Goal("gradebook-wall", "must", 2_000, row=f"{OURS}, JSON"),
    Goal("gradebook-memory", "must", 64, row=f"{OURS}, JSON"),
)


def gradebook(arena: Arena) -> list[Table]:
    """Each way by turns, after one turn that does not count."""
    students = arena.scaled(_STUDENTS, least=10)
    what = f"A gradebook of {students} students by {_ITEMS} items"
    tables = {
        "cpu_ms": Table("gradebook", what, "CPU, ms"),
        "wall_ms": Table("gradebook-wall", what, "on the clock, ms"),
        "peak_mib": Table("gradebook-memory", what, "memory meanwhile, MiB"),
    }
    with ExitStack() as stack:
        try:
            with pinned(LOAD_CORE):
                places = {
                    "mongodb_url": stack.enter_context(running_mongo()),
                    "redis_url": stack.enter_context(running_redis()),
                }
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in tables.values():
                table.absent[OURS] = str(missing)
            return list(tables.values())
        keys = {"secret_key": KEY, "password_pepper": KEY[::-1], "signing_key": SIGNING_KEY}
        settings = json.dumps(
            {**places, **keys, "mongodb_database": "bench", "lms_data_dir": str(arena.scratch / "desk")}
        )
        command = [sys.executable, "-m", "tests.perf.gradebook_desk", settings, str(students), str(_ITEMS)]
        desk = stack.enter_context(Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT))
        desk.line()
        for turn in range(arena.repeat + 1):
            arena.say(f"{what}: {turn}")
            for name, order in _WAYS.items():
                told = desk.answer(order)
                for figure, table in tables.items() if turn else ():
                    table.add(name, Sample(told[figure]))
    return list(tables.values())
