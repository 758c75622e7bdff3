"""A table of 10,000 new addresses brought into a course, beside putting the same documents into the store one by one."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.exam_place import KEY, SIGNING_KEY
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, pinned
from tests.perf.tables import Goal, Sample, Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

_ROWS = 10_000
_PATIENCE_SECONDS = 3_600
_PREVIEW, BARE = "what it would do, told beforehand", "the same documents put in one by one"
_EMBEDDED = "the embedded store"
LEFT_OUT = "left out"

GOALS = (
    Goal("bulk-enrol", "must", 40, BARE),
    Goal("bulk-enrol-lost", "must", 0, row=LEFT_OUT),
)


def bulk_enrol(arena: Arena) -> list[Table]:
    """On the shared server, and once on the embedded store."""
    rows = arena.scaled(_ROWS, least=20)
    what = f"{rows} people into a course by a table"
    cost = Table("bulk-enrol", what, "CPU of a row, ms")
    wall = Table("bulk-enrol-wall", what, "on the clock for a row, ms")
    lost = Table("bulk-enrol-lost", f"Of {rows} rows of a table", "people")
    keys = {"secret_key": KEY, "password_pepper": KEY[::-1], "signing_key": SIGNING_KEY}
    with ExitStack() as stack:
        alone = {**keys, "lms_data_dir": str(arena.scratch / "office-alone")}
        told = _office(stack, arena, alone).answer(f"invite {rows}", seconds=_PATIENCE_SECONDS)
        for table, figure in ((cost, "cpu_ms"), (wall, "wall_ms")):
            table.add(_EMBEDDED, Sample(told["run"][figure] / rows))
        try:
            with pinned(LOAD_CORE):
                places = {
                    "mongodb_url": stack.enter_context(running_mongo()),
                    "redis_url": stack.enter_context(running_redis()),
                }
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in (cost, wall, lost):
                table.absent[OURS] = str(missing)
            return [cost, wall, lost]
        shared = {**keys, **places, "mongodb_database": "office", "lms_data_dir": str(arena.scratch / "office")}
        office = _office(stack, arena, shared)
        for turn in range(arena.repeat):
            arena.say(f"{what}: {turn}")
            _note(
                office.answer(f"invite {rows}", seconds=_PATIENCE_SECONDS),
                rows,
                {"cpu_ms": cost, "wall_ms": wall},
                lost,
            )
    return [cost, wall, lost]


def _note(told: Mapping[str, Any], rows: int, tables: Mapping[str, Table], lost: Table) -> None:
    for figure, table in tables.items():
        table.add(OURS, Sample((told["begin"][figure] + told["run"][figure]) / rows))
        table.add(_PREVIEW, Sample(told["preview"][figure] / rows))
        table.add(BARE, Sample(told["bare"][figure] / rows))
    lost.add(LEFT_OUT, Sample(told["left_out"]))


def _office(stack: ExitStack, arena: Arena, settings: Mapping[str, str]) -> Program:
    command = [sys.executable, "-m", "tests.perf.bulk_desk", json.dumps(settings)]
    office = stack.enter_context(Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT))
    office.line()
    return office
