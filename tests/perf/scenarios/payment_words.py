"""Ten thousand words of a gateway, a third of them told twice, to two nodes in any order: how long each is answered, and what came of all."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial

import httpx
import pytest

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.job_place import wait_until
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, ProgramError, cpu_seconds, pinned
from tests.perf.tables import Goal, Sample, Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis
from tests.services.small_gateway import Word, word

MEDIAN, LATE = "answered: half of them within", "answered: 99 of 100 within"
IN_NODE_MEDIAN, IN_NODE_LATE = "of that in the node: half of them within", "of that in the node: 99 of 100 within"
OWN_MEDIAN, OWN_LATE = "of that not the store's: half of them within", "of that not the store's: 99 of 100 within"
LOST, TWICE, SHUT = "payments not settled", "payments counted twice", "paid, and not enrolled"
_WORDS, _AT_ONCE = 10_000, 4
_PATIENCE_SECONDS = 900.0

GOALS = (
    Goal("payment-words", "aim", 50, row=OWN_LATE),
    Goal("payment-words-once", "must", 0, row=LOST),
    Goal("payment-words-once", "must", 0, row=TWICE),
    Goal("payment-words-once", "must", 0, row=SHUT),
)

_NOTE = (
    "Two nodes take them, and two workers settle what was told before and enrol who paid, all on one core; MongoDB's stand-in, "
    "Redis and the one who tells share the other. What is answered within is what the one who tells waits; of that in the node: "
    "from the head of the request to the end of the answer (`http_request_duration_seconds`), waits for the store and the core included; "
    "not the store's is what is left of it without the time that the driver waited for its commands."
)


def payment_words(arena: Arena) -> list[Table]:
    """One run: it is long, and counts what must not be."""
    count = arena.scaled(_WORDS, least=12)
    title = f"{count:,} words of a gateway over two nodes, a third of them repeats"
    wait, cost = Table("payment-words", title, "ms"), Table("payment-words-cost", title, "per word")
    wait.note = _NOTE
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
    spent = sum(cpu_seconds(node.pid) for node in nodes) - before  # what asks how far it came costs them, too
    noted = [(whole, of_store) for node in nodes for whole, of_store in node.answer("spent")["seconds"]]
    in_node, own = sorted(whole for whole, _ in noted), sorted(whole - of_store for whole, of_store in noted)
    for name in ("settled", "enrolled"):
        with suppress(ProgramError):  # those that are not by then are counted below
            wait_until(partial(_are, nodes[0], name, distinct), seconds=_PATIENCE_SECONDS)
        cost.add(f"ms until all were {name}", Sample((time.monotonic() - began) / count * 1e3))
    found = nodes[0].answer("count")
    rows = ((MEDIAN, LATE, taken), (IN_NODE_MEDIAN, IN_NODE_LATE, in_node), (OWN_MEDIAN, OWN_LATE, own))
    for row, late_row, seconds in rows:
        wait.add(row, Sample(seconds[len(seconds) // 2] * 1e3))
        wait.add(late_row, Sample(seconds[len(seconds) * 99 // 100] * 1e3))
    cost.add("ms of CPU, both nodes", Sample(spent / count * 1e3))
    once.add(LOST, Sample(distinct - found["completed"]))
    once.add(TWICE, Sample(found["twice"] + max(0, found["entries"] - distinct)))
    once.add(SHUT, Sample(distinct - found["enrolled"]))


def _are(node: Program, name: str, number: int) -> bool:
    """Are so many so by now?"""
    return bool(node.answer("count")[name] >= number)


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
