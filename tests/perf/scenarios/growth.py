"""Growth: does a delivery, a command or a request cost more when many are connected? What they cost at rest is told apart."""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.perf.arena import Arena, Running
from tests.perf.contestants import OURS
from tests.perf.load import Load
from tests.perf.programs import LOAD_CORE, cpu_seconds, pinned
from tests.perf.requests import asked
from tests.perf.tables import Goal, Sample, Table

_CLASS = 100
_SIZES = (100, 1_000, 10_000)
_ALL_SIZES = (1, 10, 100, 1_000, 10_000)
_DELIVERIES, _COMMANDS_EACH, _REQUESTS = 50_000, 40, 400
_WINDOW = 20
_MOST_TURNS = 3
_FLAT = 1.2
_REST_SECONDS, _IDLE_SECONDS = 1.0, 3.0
_UNIT = "server CPU, µs, by connections"

GOALS = (
    Goal("growth-all", "must", _FLAT, "100", row="10,000"),
    Goal("growth-own", "must", _FLAT, "100", row="10,000"),
    Goal("growth-class", "must", _FLAT, "100", row="10,000"),
    Goal("growth-command", "must", _FLAT, "100", row="10,000"),
    Goal("growth-request", "must", _FLAT, "1", row="10,000"),
)


def growth(arena: Arena) -> list[Table]:
    """A class of a hundred among ever more others, and a course that all listen to."""
    tables = {
        "all": Table("growth-all", "Growth: a delivery, when all are listening", _UNIT),
        "class": Table("growth-class", f"Growth: a delivery to a class of {_CLASS}", _UNIT),
        "command": Table("growth-command", "Growth: a command of one of them", _UNIT),
        "request": Table("growth-request", "Growth: an authenticated GET of a course", _UNIT),
        "idle": Table("growth-idle", "Growth: connections at rest", "server CPU, % of a core, by connections"),
    }
    tables["all"].note = (
        "With few listeners, an event's own cost (its place, its history, its encoding) is shared by few. What the floor, "
        "which only calls `send()`, costs more with more connections is the kernel's: no server can be flatter."
    )
    own = Table("growth-own", "Growth: a delivery, above the floor's", _UNIT)
    own.note = "What is ours of it: the same runs, less what a bare `send()` costs with as many connections."
    tables["idle"].note = "Pings, pongs and the look at each connection once a second; taken off the figures above."
    for _ in range(min(arena.repeat, _MOST_TURNS)):
        for contestant, sizes in (
            (arena.ours(), _ALL_SIZES),
            *((peer, _SIZES) for peer in arena.find_peers(("floor",))),
        ):
            with ExitStack() as stack:
                arena.say(f"Growth: all listen, {contestant.name}")
                _all_listen(arena, arena.start(stack, contestant, clients=0), tables["all"], sizes)
        with ExitStack() as stack:
            arena.say("Growth: a class among others")
            _class_among_others(arena, stack, tables)
    _add_own(tables["all"], own)
    return [*tables.values(), own]


def _all_listen(arena: Arena, running: Running, table: Table, sizes: tuple[int, ...]) -> None:
    name = "" if running.contestant.key == OURS else f", {running.contestant.name}"
    for size in _sizes(arena, sizes):
        arena.open(running, size)
        arena.settle(_REST_SECONDS)
        table.add(f"{size:,}{name}", _delivered(arena, running, size, _idle_share(arena, running)))
        running.load.close()


def _add_own(all_listen: Table, own: Table) -> None:
    """Ours less the floor's of the same turn; nothing where there is no floor."""
    for name in list(all_listen.rows):
        size, _, peer = name.partition(", ")
        for ours, floor in zip(all_listen.rows[size], all_listen.rows[name] if peer else (), strict=False):
            own.add(size, Sample(ours.value - floor.value))


def _class_among_others(arena: Arena, stack: ExitStack, tables: dict[str, Table]) -> None:
    members = min(_CLASS, len(arena.people) // 2)
    running = arena.start(stack, arena.ours(), clients=0)
    opening = arena.ours(is_listening=False).opening
    arena.open(running, 1)
    tables["request"].add("1", _requested(arena, running, 0.0))
    running.load.close()
    arena.open(running, members)
    before = members
    for size in _sizes(arena, _SIZES):
        others = stack.enter_context(Load(running.port, running.program, opening, log=arena.log))
        if size > before:
            others.open(running.paths[before:size], arena.new_file())
        before, label = max(before, size), f"{size:,}"
        arena.settle(_REST_SECONDS)
        idle_share = _idle_share(arena, running)
        tables["idle"].add(label, Sample(idle_share * 100))
        tables["class"].add(label, _delivered(arena, running, members, idle_share))
        tables["command"].add(label, _answered(running, members, idle_share))
        tables["request"].add(label, _requested(arena, running, idle_share))


def _sizes(arena: Arena, sizes: tuple[int, ...]) -> list[int]:
    """Those of them that the school has people for."""
    return [size for size in sizes if size <= len(arena.people)]


def _idle_share(arena: Arena, running: Running) -> float:
    return running.idle_share(_IDLE_SECONDS * min(1.0, arena.scale * 10))


def _delivered(arena: Arena, running: Running, listeners: int, idle_share: float) -> Sample:
    rounds = max(20, arena.scaled(_DELIVERIES) // listeners)
    return running.run(lambda load: load.rounds(rounds), idle_share=idle_share)


def _answered(running: Running, members: int, idle_share: float) -> Sample:
    total, ping = members * _COMMANDS_EACH, running.contestant.ping
    return running.run(lambda load: load.ask(total, _WINDOW, ping), idle_share=idle_share)


def _requested(arena: Arena, running: Running, idle_share: float) -> Sample:
    number, token = arena.scaled(_REQUESTS), running.paths[0].partition("token=")[2]
    with pinned(LOAD_CORE):
        asked(running.port, f"/api/v1/courses/{arena.course_id}", token, number=10)
        before, began = cpu_seconds(running.program.pid), time.monotonic()
        asked(running.port, f"/api/v1/courses/{arena.course_id}", token, number=number)
    rest = idle_share * (time.monotonic() - began)
    return Sample((cpu_seconds(running.program.pid) - before - rest) / number * 1e6)
