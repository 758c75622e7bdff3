"""Growth: does a delivery, a command or a request cost more when many are connected? What they cost at rest is told apart.

A server for each size, all up at once and asked by turns a second apart: what the machine does meanwhile meets all alike.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tests.perf.arena import Arena, Running
from tests.perf.contestants import OURS, Contestant
from tests.perf.load import Load
from tests.perf.programs import LOAD_CORE, cpu_seconds, pinned
from tests.perf.requests import asked
from tests.perf.tables import Goal, Sample, Table

_CLASS = 100
_SIZES = (100, 1_000, 10_000)
_ALL_SIZES = (1, 10, 100, 1_000, 10_000)
_DELIVERIES, _MOST_EVENTS, _LEAST_EVENTS = 100_000, 2_000, 20
_COMMANDS_EACH, _REQUESTS = 40, 300
"""A member may send so many at once without being told to slow down; between two turns of a server it rests."""
_WINDOW = 20
_TURNS_EACH = 3
"""So many turns for each run that is asked for: they are short."""
_FLAT = 1.2
_REST_SECONDS, _IDLE_SECONDS = 1.0, 8.0
_UNIT = "server CPU, µs, by connections"

GOALS = (
    Goal("growth-all", "must", _FLAT, "100", row="10,000"),
    Goal("growth-own", "must", _FLAT, "100", row="10,000"),
    Goal("growth-class", "must", _FLAT, "100", row="10,000"),
    Goal("growth-command", "must", _FLAT, "100", row="10,000"),
    Goal("growth-request", "must", _FLAT, "1", row="10,000"),
)


@dataclass(frozen=True, slots=True)
class _Place:
    """A server that is up with so many connected, of whom so many listen, and how busy it is when nobody wants anything."""

    running: Running
    listeners: int
    idle_share: float = 0.0


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
    own.note = "What is ours of it: the same turns, less what a bare `send()` costs with as many connections."
    tables["idle"].note = "Pings, pongs and the look at each connection once a second; taken off the figures above."
    with ExitStack() as stack:
        listening = _at_rest(arena, _all_listen(arena, stack))
        among = listening | _at_rest(arena, _among_others(arena, stack))
        for turn in range(arena.repeat * _TURNS_EACH + 1):
            taken = tables if turn else {key: replace(table, rows={}) for key, table in tables.items()}
            for name, place in listening.items():
                taken["all"].add(name, _delivered(arena, place))
            for size in (1, *_sizes(arena, _SIZES)):
                _take_turn(arena, taken, size, _place_of_class(among, size))
    _add_own(tables["all"], own)
    return [*tables.values(), own]


def _all_listen(arena: Arena, stack: ExitStack) -> dict[str, _Place]:
    """Servers, ours and the floor's, with so many clients who listen all."""
    places = {}
    for size in _sizes(arena, _ALL_SIZES):
        arena.say(f"Growth: all {size:,} listen")
        places[f"{size:,}"] = _Place(_started(arena, stack, arena.ours(), size), size)
        for peer in arena.find_peers(("floor",)) if size in _SIZES else ():
            places[f"{size:,}, {peer.name}"] = _Place(_started(arena, stack, peer, size), size)
    return places


def _among_others(arena: Arena, stack: ExitStack) -> dict[str, _Place]:
    """Servers with a class that listens, and others who do not."""
    places = {}
    for size in _sizes(arena, _SIZES):
        if size > _CLASS:
            arena.say(f"Growth: a class among {size:,}")
            running = _started(arena, stack, arena.ours(), _CLASS)
            opening = arena.ours(is_listening=False).opening
            others = stack.enter_context(Load(running.port, running.program, opening, log=arena.log))
            others.open(running.paths[_CLASS:size], arena.new_file())
            places[_among(size)] = _Place(running, _CLASS)
    return places


def _among(size: int) -> str:
    return f"a class among {size:,}"


def _place_of_class(places: Mapping[str, _Place], size: int) -> _Place:
    """Where nobody is beside the class, all listen."""
    return places.get(_among(size)) or places[f"{size:,}"]


def _take_turn(arena: Arena, tables: Mapping[str, Table], size: int, place: _Place) -> None:
    name = f"{size:,}"
    tables["request"].add(name, _requested(arena, place))
    if size >= _CLASS:
        tables["class"].add(name, _delivered(arena, place))
        tables["command"].add(name, _answered(arena, place))
        tables["idle"].add(name, Sample(place.idle_share * 100))


def _add_own(all_listen: Table, own: Table) -> None:
    """Ours less the floor's of the same turn; nothing where there is no floor."""
    for name in list(all_listen.rows):
        size, _, peer = name.partition(", ")
        for ours, floor in zip(all_listen.rows[size], all_listen.rows[name] if peer else (), strict=False):
            own.add(size, Sample(ours.value - floor.value))


def _started(arena: Arena, stack: ExitStack, contestant: Contestant, clients: int) -> Running:
    """A server with its clients; ours each with a school of its own, since only one process may have a school open."""
    if contestant.key == OURS:
        data = arena.new_file()
        shutil.copytree(arena.school, data)
        contestant = arena.ours(lms_data_dir=str(data))
    return arena.start(stack, contestant, clients=clients)


def _at_rest(arena: Arena, places: Mapping[str, _Place]) -> dict[str, _Place]:
    """The places, and how busy each of their cores is while nobody wants anything."""
    arena.settle(_REST_SECONDS)
    began = time.monotonic()
    before = {name: cpu_seconds(place.running.program.pid) for name, place in places.items()}
    arena.settle(_IDLE_SECONDS)
    seconds = time.monotonic() - began
    spent = {name: cpu_seconds(place.running.program.pid) - before[name] for name, place in places.items()}
    return {name: _Place(place.running, place.listeners, spent[name] / seconds) for name, place in places.items()}


def _sizes(arena: Arena, sizes: tuple[int, ...]) -> list[int]:
    """Those of them that the school has people for."""
    return [size for size in sizes if size <= len(arena.people)]


def _delivered(arena: Arena, place: _Place) -> Sample:
    events = max(_LEAST_EVENTS, min(arena.scaled(_MOST_EVENTS), arena.scaled(_DELIVERIES) // place.listeners))
    return place.running.run(lambda load: load.rounds(events), idle_share=place.idle_share)


def _answered(arena: Arena, place: _Place) -> Sample:
    total = place.listeners * arena.scaled(_COMMANDS_EACH, least=5)
    ping = place.running.contestant.ping
    return place.running.run(lambda load: load.ask(total, _WINDOW, ping), idle_share=place.idle_share)


def _requested(arena: Arena, place: _Place) -> Sample:
    running, number, path = place.running, arena.scaled(_REQUESTS), f"/api/v1/courses/{arena.course_id}"
    token = running.paths[0].partition("token=")[2]
    with pinned(LOAD_CORE):
        asked(running.port, path, token, number=10)
        before, began = cpu_seconds(running.program.pid), time.monotonic()
        asked(running.port, path, token, number=number)
    rest = place.idle_share * (time.monotonic() - began)
    return Sample((cpu_seconds(running.program.pid) - before - rest) / number * 1e6)
