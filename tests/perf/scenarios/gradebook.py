"""A gradebook of 500 students by 40 items in one response, beside reading the same rows and adding them up.

And what one look costs in a large course beside a small one: one's own grades, a page of the table, one student whose grade moved.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
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
_LARGE, _SMALL, _ONE_PAGE = 2_000, 20, 50
_BARE = "the same rows read and added up"
_WAYS = {f"{OURS}, JSON": "json", f"{OURS}, CSV": "csv", f"{OURS}, XLSX": "xlsx", _BARE: "bare"}
_OF_LARGE, _OF_SMALL, _OF_ONE_PAGE = "in a large course", "in a course of 20", "in a course of 50"

GOALS = (
    Goal("gradebook-wall", "must", 2_000, row=f"{OURS}, JSON"),
    Goal("gradebook-memory", "must", 64, row=f"{OURS}, JSON"),
    Goal("gradebook-own", "must", 1.5, _OF_SMALL, row=_OF_LARGE),
    Goal("gradebook-moved", "must", 1.5, _OF_SMALL, row=_OF_LARGE),
    Goal("gradebook-page", "must", 2, _OF_ONE_PAGE, row=_OF_LARGE),
)


def gradebook(arena: Arena) -> list[Table]:
    """Each way by turns, after one turn that does not count."""
    students, large = arena.scaled(_STUDENTS, least=10), arena.scaled(_LARGE, least=_ONE_PAGE)
    what = f"A gradebook of {students} students by {_ITEMS} items"
    whole = {
        "cpu_ms": Table("gradebook", what, "CPU, ms"),
        "wall_ms": Table("gradebook-wall", what, "on the clock, ms"),
        "peak_mib": Table("gradebook-memory", what, "memory meanwhile, MiB"),
    }
    looks = {
        "own": Table("gradebook-own", f"One's own grades, {large} students in the large course", "CPU of five, ms"),
        "moved": Table("gradebook-moved", f"One row anew, {large} students in the large course", "CPU of five, ms"),
        "page": Table("gradebook-page", f"A page of 50, {large} students in the large course", "CPU of five, ms"),
    }
    tables = [*whole.values(), *looks.values()]
    with ExitStack() as stack:
        try:
            with pinned(LOAD_CORE):
                places = {
                    "mongodb_url": stack.enter_context(running_mongo()),
                    "redis_url": stack.enter_context(running_redis()),
                }
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in tables:
                table.absent[OURS] = str(missing)
            return tables
        _whole(arena, _desk(stack, arena, places, students), whole)
        sizes = {_OF_LARGE: large, _OF_SMALL: _SMALL, _OF_ONE_PAGE: _ONE_PAGE}
        _looks(arena, {name: _desk(stack, arena, places, size) for name, size in sizes.items()}, looks)
    return tables


def _whole(arena: Arena, desk: Program, tables: Mapping[str, Table]) -> None:
    for turn in range(arena.repeat + 1):
        arena.say(f"the whole of it: {turn}")
        for name, order in _WAYS.items():
            told = desk.answer(order)
            for figure, table in tables.items() if turn else ():
                table.add(name, Sample(told[figure]))


def _looks(arena: Arena, desks: Mapping[str, Program], tables: Mapping[str, Table]) -> None:
    for turn in range(arena.repeat + 1):
        arena.say(f"one look: {turn}")
        for order, table in tables.items():
            for name in (_OF_LARGE, _OF_ONE_PAGE if order == "page" else _OF_SMALL):
                told = desks[name].answer(order, seconds=1_800)
                if turn:
                    table.add(name, Sample(told["cpu_ms"]))


def _desk(stack: ExitStack, arena: Arena, places: Mapping[str, str], students: int) -> Program:
    """A process with a course of so many, in a database of its own."""
    keys = {"secret_key": KEY, "password_pepper": KEY[::-1], "signing_key": SIGNING_KEY}
    own = {"mongodb_database": f"bench{students}", "lms_data_dir": str(arena.scratch / f"desk{students}")}
    settings = json.dumps({**places, **keys, **own})
    command = [sys.executable, "-m", "tests.perf.gradebook_desk", settings, str(students), str(_ITEMS)]
    desk = stack.enter_context(Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT))
    desk.line(seconds=600)
    return desk
