"""Between nodes: what a node pays for each message that Redis brings, and how long an event takes from one to the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.load import ROOT, Load
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, cpu_seconds, pinned
from tests.perf.tables import Goal, Sample, Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

_NAMES = {"hiredis": "hiredis alone", "redis-py": "redis-py + hiredis", "ours": OURS}
_MESSAGES, _WARM = 20_000, 1_000
_PACE, _PACED_SECONDS, _LISTENERS = 1_000, 3, 10

BRIDGE_GOALS = (
    Goal("bridge", "must", 1.0, "redis-py + hiredis"),
    Goal("bridge", "aim", 0.45, "redis-py + hiredis"),
)
TWO_NODES_GOALS = (
    Goal("two-nodes", "must", 25, row="99 of 100"),
    Goal("two-nodes", "aim", 5, row="99 of 100"),
)


def bridge(arena: Arena) -> list[Table]:
    """One channel's messages, published by our script, as fast as it can, and a thousand a second."""
    fast = Table("bridge", "Redis bridge, messages on end", "CPU of the subscriber, µs per message")
    paced = Table("bridge-paced", f"Redis bridge, {_PACE:,} messages a second", "CPU of the subscriber, µs per message")
    paced.note = "One wake-up for each message: most of this is the event loop's."
    tables = [fast, paced]
    with _servers(tables, running_redis()) as urls, ExitStack() as stack:
        if urls is None:
            return tables
        publisher = stack.enter_context(_end(arena, "publisher", urls[0], core=LOAD_CORE))
        for _ in range(arena.repeat):
            for kind, name in _NAMES.items():
                arena.say(f"{fast.title}: {name}")
                with _end(arena, kind, urls[0], core=SERVER_CORE) as subscriber:
                    _heard(subscriber, publisher, arena.scaled(_WARM), 0)
                    fast.add(name, _heard(subscriber, publisher, arena.scaled(_MESSAGES), 0))
                    paced.add(name, _heard(subscriber, publisher, arena.scaled(_PACE, least=20), _PACE))
    return tables


def _end(arena: Arena, kind: str, url: str, *, core: int) -> Program:
    program = Program([sys.executable, "-m", "tests.perf.bridge", kind, url], core=core, log=arena.log, cwd=ROOT)
    program.line()
    return program


def _heard(subscriber: Program, publisher: Program, count: int, rate: int) -> Sample:
    subscriber.answer(f"hear {count}")
    before = cpu_seconds(subscriber.pid)
    publisher.answer(f"publish {count} {rate}")
    subscriber.line()
    return Sample((cpu_seconds(subscriber.pid) - before) / count * 1e6)


def two_nodes(arena: Arena) -> list[Table]:
    """Published on one node, delivered by the other; both on one core, Redis and the clients on the other."""
    table = Table(
        "two-nodes", f"From node to node, {_PACE:,} events a second", "ms from the order to publish to arrival"
    )
    table.note = f"{_LISTENERS} clients on the second node; on memory, not on the network between machines."
    with _servers([table], running_mongo(), running_redis()) as urls:
        if urls is None:
            return [table]
        arena.say(table.title)
        given: dict[str, Any] = {"mongodb_url": urls[0], "redis_url": urls[1], "mongodb_database": "bench"}
        given |= {
            "secret_key": "0123456789abcdefghijklmnopqrstuv",
            "password_pepper": "vutsrqponmlkjihgfedcba9876543210",
            "signing_key": "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
        }
        with arena.school_on_two_nodes(given, people=_LISTENERS) as (first, second):
            with Load(second.port, first.program, second.contestant.opening, log=arena.log) as load:
                load.open(second.paths, arena.new_file())
                events = arena.scaled(_PACE * _PACED_SECONDS, least=20)
                load.pace(events, _PACE)
                for _ in range(arena.repeat):
                    report = load.pace(events, _PACE)
                    table.add("half", Sample(report.p50_us / 1000, report.load_share))
                    table.add("99 of 100", Sample(report.p99_us / 1000, report.load_share))
                    table.add("the latest", Sample(report.max_us / 1000, report.load_share))
    return [table]


@contextmanager
def _servers(tables: list[Table], *servers: Any) -> Iterator[list[str] | None]:
    """Their URLs, on the load's core; None, and the reason in the tables: one of them cannot run here."""
    with ExitStack() as stack:
        try:
            with pinned(LOAD_CORE):
                urls = [stack.enter_context(server) for server in servers]
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in tables:
                table.absent[OURS] = str(missing)
            yield None
            return
        yield urls
