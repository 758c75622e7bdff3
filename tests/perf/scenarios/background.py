"""What follows a request: how soon a worker begins, what a long queue costs in memory, and what `kill -9` costs."""

from __future__ import annotations

import time
from statistics import quantiles

from tests.perf.arena import Arena
from tests.perf.job_place import JobPlace, job_place, opened_for, times_in, wait_until
from tests.perf.killing import killed_while_working
from tests.perf.programs import cpu_seconds, forget_peak, resident_kib
from tests.perf.tables import Goal, Sample, Table

_RATE, _RELAY_SECONDS = 50, 10
LEVELS = (1_000, 10_000, 100_000)
_DONE_AT_EACH = 1_000
_TASKS, _ACCOUNTS, _WORKERS, _LIFE_SECONDS = 5_000, 50, 3, 1.0
_FLAT = 1.2

RELAY_GOALS: tuple[Goal, ...] = ()
BACKLOG_GOALS = (
    Goal("backlog-redis", "must", _FLAT, "1,000", row="100,000"),
    Goal("backlog-worker", "must", _FLAT, "1,000", row="100,000"),
)
KILLS_GOALS = (
    Goal("kills", "must", 0, row="tasks that nobody ran"),
    Goal("kills", "must", 0, row="tasks that are not done"),
    Goal("kills", "must", 0, row="accounts that counted wrong"),
)


def relay(arena: Arena) -> list[Table]:
    """From the write that asks for a job to the first line of its task, in another process."""
    table = Table("relay", f"From commit to worker, {_RATE} a second", "ms from the write to the begin of its task")
    with opened_for([table], job_place(arena.scratch / "relay")) as place:
        if place is None:
            return [table]
        worker = place.start_worker()
        worker.line()
        for turn in range(arena.repeat + 1):
            arena.say(f"{table.title}: {turn}")
            waits = _waits_ms(place, arena, turn)
            if turn:
                cuts = quantiles(waits, n=100, method="inclusive")
                table.add("half", Sample(cuts[49]))
                table.add("99 of 100", Sample(cuts[98]))
                table.add("the latest", Sample(waits[-1]))
    return [table]


def _waits_ms(place: JobPlace, arena: Arena, turn: int) -> list[float]:
    """How long each task of one turn took to begin, the shortest first."""
    count, file = arena.scaled(_RATE * _RELAY_SECONDS, least=20), place.folder / f"turn{turn}"
    place.maker.answer(f"commit {count} {_RATE} {file}")
    committed = dict(times_in(file))
    wait_until(lambda: committed.keys() <= dict(place.noted()).keys())
    begun = dict(place.noted())
    return sorted((begun[job_id] - at_ns) / 1e6 for job_id, at_ns in committed.items())


def backlog(arena: Arena) -> list[Table]:
    """Redis and a worker beside ever more tasks that wait."""
    redis = Table("backlog-redis", "A long queue: memory of Redis", "KiB used, by tasks that wait")
    worker = Table("backlog-worker", "A long queue: memory of a worker", "KiB resident at most, by tasks that wait")
    cost = Table("backlog-cost", "A long queue: what a task costs the worker", "CPU, µs per task, by tasks that wait")
    worker.note = f"Each time a new worker that does {_DONE_AT_EACH:,} of them."
    tables = [redis, worker, cost]
    with opened_for(tables, job_place(arena.scratch / "backlog")) as place:
        if place is None:
            return tables
        for level in LEVELS:
            arena.say(f"{redis.title}: {level:,}")
            size, label = arena.scaled(level, least=level // 500), f"{level:,}"
            place.put(size - place.states().get("waiting", 0), f"level{level}_")
            redis.add(label, Sample(int(place.redis.fact("used_memory")) / 1024))
            _work_on(place, min(size, arena.scaled(_DONE_AT_EACH)), (worker, cost), label)
    return tables


def _work_on(place: JobPlace, count: int, tables: tuple[Table, Table], label: str) -> None:
    before = len(place.noted())
    worker = place.start_worker()
    worker.line()
    forget_peak(worker.pid)
    began = cpu_seconds(worker.pid)
    wait_until(lambda: len(place.noted()) >= before + count)
    done = len(place.noted()) - before
    tables[0].add(label, Sample(resident_kib(worker.pid, peak=True)))
    tables[1].add(label, Sample((cpu_seconds(worker.pid) - began) / done * 1e6))
    worker.stop()


def kills(arena: Arena) -> list[Table]:
    """One of the workers dies every second."""
    table = Table("kills", "A worker killed every second", f"of {arena.scaled(_TASKS):,} tasks, as named")
    table.note = (
        f"{_WORKERS} workers; the oldest dies by `kill -9` a second after it was ready, and a new one is started."
    )
    for turn in range(min(arena.repeat, 3)):
        arena.say(table.title)
        with opened_for([table], job_place(arena.scratch / f"kills{turn}")) as place:
            if place is None:
                return [table]
            tasks = arena.scaled(_TASKS // _ACCOUNTS) * _ACCOUNTS
            toll = killed_while_working(
                place, tasks=tasks, workers=_WORKERS, accounts=_ACCOUNTS, wait=lambda: time.sleep(_LIFE_SECONDS)
            )
        table.add("tasks that nobody ran", Sample(toll.missing))
        table.add("tasks that are not done", Sample(toll.undone))
        table.add("accounts that counted wrong", Sample(toll.miscounted))
        table.add("runs that were repeated", Sample(toll.repeats))
        table.add("kills", Sample(toll.kills))
        table.add("s until all were done", Sample(toll.seconds))
    return [table]
