"""Growth: does a delivery, a command or a request cost more when many are connected?"""

from __future__ import annotations

from contextlib import ExitStack

from tests.perf.arena import Arena, Running
from tests.perf.load import Load
from tests.perf.programs import LOAD_CORE, cpu_seconds, pinned
from tests.perf.requests import asked
from tests.perf.tables import Goal, Sample, Table

_CLASS = 100
_SIZES = (100, 1_000, 10_000)
_ALL_SIZES = (1, 10, 100, 1_000, 10_000)
_DELIVERIES, _COMMANDS_EACH, _REQUESTS = 20_000, 40, 400
_WINDOW = 20
_MOST_TURNS = 3
_FLAT = 1.2
_REST_SECONDS = 1.5

GOALS = (
    Goal("growth-all", "must", _FLAT, "100", row="10,000"),
    Goal("growth-class", "must", _FLAT, "100", row="10,000"),
    Goal("growth-command", "must", _FLAT, "100", row="10,000"),
    Goal("growth-request", "must", _FLAT, "1", row="10,000"),
)


def growth(arena: Arena) -> list[Table]:
    """A class of a hundred among ever more others, and a course that all listen to."""
    tables = {
        "all": Table("growth-all", "Growth: a delivery, when all are listening", "server CPU, µs, by connections"),
        "class": Table("growth-class", f"Growth: a delivery to a class of {_CLASS}", "server CPU, µs, by connections"),
        "command": Table("growth-command", "Growth: a command of one of them", "server CPU, µs, by connections"),
        "request": Table(
            "growth-request", "Growth: an authenticated GET of a course", "server CPU, µs, by connections"
        ),
    }
    tables[
        "all"
    ].note = "With few listeners, an event's own cost (its place, its history, its encoding) is shared by few."
    for _ in range(min(arena.repeat, _MOST_TURNS)):
        with ExitStack() as stack:
            arena.say("Growth: all listen")
            _all_listen(arena, arena.start(stack, arena.ours(), clients=0), tables["all"])
        with ExitStack() as stack:
            arena.say("Growth: a class among others")
            _class_among_others(arena, stack, tables)
    return list(tables.values())


def _all_listen(arena: Arena, running: Running, table: Table) -> None:
    for size in _sizes(arena, _ALL_SIZES):
        arena.open(running, size)
        arena.settle()
        rounds = max(20, arena.scaled(_DELIVERIES) // size)
        table.add(f"{size:,}", running.run(lambda load, rounds=rounds: load.rounds(rounds)))  # type: ignore[misc]
        running.load.close()


def _class_among_others(arena: Arena, stack: ExitStack, tables: dict[str, Table]) -> None:
    members = min(_CLASS, len(arena.people) // 2)
    running = arena.start(stack, arena.ours(), clients=0)
    idle = arena.ours(is_listening=False).opening
    arena.open(running, 1)
    tables["request"].add("1", _requests(arena, running))
    running.load.close()
    arena.open(running, members)
    before = members
    for size in _sizes(arena, _SIZES):
        others = stack.enter_context(Load(running.port, running.program, idle, log=arena.log))
        if size > before:
            others.open(running.paths[before:size], arena.new_file())
        before = max(before, size)
        arena.settle(_REST_SECONDS)
        rounds = max(20, arena.scaled(_DELIVERIES) // members)
        label = f"{size:,}"
        tables["class"].add(label, running.run(lambda load, rounds=rounds: load.rounds(rounds)))  # type: ignore[misc]
        tables["command"].add(
            label, running.run(lambda load: load.ask(members * _COMMANDS_EACH, _WINDOW, _ping(running)))
        )
        tables["request"].add(label, _requests(arena, running))


def _sizes(arena: Arena, sizes: tuple[int, ...]) -> list[int]:
    """Those of them that the school has people for."""
    return [size for size in sizes if size <= len(arena.people)]


def _ping(running: Running) -> str:
    return running.contestant.ping


def _requests(arena: Arena, running: Running) -> Sample:
    number, token = arena.scaled(_REQUESTS), running.paths[0].partition("token=")[2]
    with pinned(LOAD_CORE):
        asked(running.port, f"/api/v1/courses/{arena.course_id}", token, number=10)
        before = cpu_seconds(running.program.pid)
        asked(running.port, f"/api/v1/courses/{arena.course_id}", token, number=number)
    return Sample((cpu_seconds(running.program.pid) - before) / number * 1e6)
