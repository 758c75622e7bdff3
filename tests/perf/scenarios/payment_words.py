"""Ten thousand words of a gateway, a third of them told twice, to two nodes in any order: how long each is answered, and what came of all."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

import httpx
import pytest

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, cpu_seconds, pinned
from tests.perf.tables import Goal, Sample, Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis
from tests.services.small_gateway import Word, word

MEDIAN, LATE = "answered: half of them within", "answered: 99 of 100 within"
LOST, TWICE = "payments not settled", "payments counted twice"
_WORDS, _AT_ONCE = 10_000, 4
_PATIENCE_SECONDS = 900.0

GOALS = (
    Goal("payment-words", "aim", 50, row=LATE),
    Goal("payment-words-once", "must", 0, row=LOST),
    Goal("payment-words-once", "must", 0, row=TWICE),
)


def payment_words(arena: Arena) -> list[Table]:
    """One run: it is long, and counts what must not be."""
    count = arena.scaled(_WORDS, least=12)
    title = f"{count:,} words of a gateway over two nodes, a third of them repeats"
    wait, cost = Table("payment-words", title, "ms"), Table("payment-words-cost", title, "per word")
    wait.note = "Two nodes take them, and two workers settle what was told before, all on one core; MongoDB's stand-in, Redis and the one who tells share the other."
    once = Table("payment-words-once", f"{title}: what came of them", "payments")
    with ExitStack() as stack:
        try:
            with pinned(LOAD_CORE):
                urls = stack.enter_context(running_mongo()), stack.enter_context(running_redis())
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in (wait, cost, once):
                table.absent[OURS] = str(missing)
            return [wait, cost, once]
        for _ in range(2):
            stack.enter_context(_program(arena, urls, "worker")).line()
        nodes = [stack.enter_context(_program(arena, urls)) for _ in range(2)]
        _measure(arena, nodes, count, (wait, cost, once))
    return [wait, cost, once]


def _program(arena: Arena, urls: Sequence[str], *worker: str) -> Program:
    folder = arena.new_file()
    folder.mkdir()
    command = [sys.executable, "-m", "tests.perf.paying", *urls, str(folder), *worker]
    return Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT)


def _measure(arena: Arena, nodes: Sequence[Program], count: int, tables: tuple[Table, Table, Table]) -> None:
    wait, cost, once = tables
    arena.say(f"{wait.title}")
    ports = [int(json.loads(node.line())["port"]) for node in nodes]
    distinct = count * 2 // 3
    nodes[0].answer(f"sell {distinct}")
    words = [word(f"evt_{n}", f"pi_ord_{n}-1") for n in range(distinct)]
    told = [*words, *words[: count - distinct]]
    random.Random(9).shuffle(told)  # noqa: S311 - the same order each time
    before, began = sum(cpu_seconds(node.pid) for node in nodes), time.monotonic()
    taken = sorted(asyncio.run(_tell_all(ports, told)))
    while (found := nodes[0].answer("count"))["settled"] < distinct and time.monotonic() - began < _PATIENCE_SECONDS:
        time.sleep(0.2)
    seconds, spent = time.monotonic() - began, sum(cpu_seconds(node.pid) for node in nodes) - before
    wait.add(MEDIAN, Sample(taken[len(taken) // 2] * 1e3))
    wait.add(LATE, Sample(taken[len(taken) * 99 // 100] * 1e3))
    cost.add("ms until all were settled", Sample(seconds / count * 1e3))
    cost.add("ms of CPU, both nodes", Sample(spent / count * 1e3))
    once.add(LOST, Sample(distinct - found["completed"]))
    once.add(TWICE, Sample(found["twice"] + max(0, found["entries"] - distinct)))


async def _tell_all(ports: Sequence[int], told: Sequence[Word]) -> list[float]:
    """Tell them all, a few at once, to each node in turn; how long each took to be answered."""
    queue, taken = list(enumerate(told)), list[float]()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:

        async def go_on() -> None:
            while queue:
                place, one = queue.pop()
                url = f"http://127.0.0.1:{ports[place % len(ports)]}/api/v1/payments/webhook"
                began = time.perf_counter()
                response = await client.post(url, content=one.body, headers=one.headers)
                taken.append(time.perf_counter() - began)
                assert response.status_code == 200, response.text

        await asyncio.gather(*(go_on() for _ in range(_AT_ONCE)))
    return taken
