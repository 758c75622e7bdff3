"""`python -m tests.perf.job_maker`: asks for jobs as a node does, for the benchmarks of what happens after a request.

Settings come from the environment. It prints "ready", then takes orders and answers each by a line of JSON:

- `put COUNT PREFIX ACCOUNTS`: so many jobs of the noting worker's task, counted in so many accounts (0: in none)
- `commit COUNT RATE FILE`: so many writes a second that ask for a job each; FILE gets "job id, nanoseconds of the commit"
- `mails COUNT PREFIX TEMPLATE DATA`: so many mails, to accounts by turns; DATA is JSON without spaces
- `clear`: forget every job
- `states`: how many jobs there are by state
- `totals`: what the accounts have counted
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.logging import set_up_logging
from config.settings import load_settings
from documents.base import with_intents
from documents.enrollment import Enrollment
from documents.enums import Role
from documents.job import Job
from documents.user import User
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.outbox import Write, job
from tests.perf.noting_worker import ACCOUNTS, TASK
from workers.beside import open_beside

_AT_ONCE = 20
_AGGREGATES = 50
_READERS = 500


class Maker:
    """Takes the orders."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def put(self, count: int, prefix: str, accounts: int) -> dict[str, Any]:
        """Ask for jobs, as the relay does."""
        if accounts:
            ledger = self._services.database.motor[ACCOUNTS]
            await ledger.insert_many([{"_id": f"acc_{n}", "total": 0, "done": {}} for n in range(accounts)])

        def args_of(n: int) -> dict[str, Any]:
            return {"enrollment_id": f"{n}", "course_id": f"acc_{n % accounts}" if accounts else None}

        return await self._ask(count, prefix, TASK, args_of)

    async def mails(self, count: int, prefix: str, template: str, data: dict[str, Any]) -> dict[str, Any]:
        """Ask for mails."""
        readers = min(count, _READERS)
        for n in range(readers):
            await User.rows().update_one({"_id": f"usr_{n}"}, {"$setOnInsert": self._reader(n)}, upsert=True)

        def args_of(n: int) -> dict[str, Any]:
            return {"template": template, "user_id": f"usr_{n % readers}", "data": data}

        return await self._ask(count, prefix, "mail.send", args_of)

    async def _ask(
        self, count: int, prefix: str, task: str, args_of: Callable[[int], dict[str, Any]]
    ) -> dict[str, Any]:
        numbers, began = iter(range(count)), time.monotonic()

        async def ask() -> None:
            for n in numbers:
                await self._services.jobs.put(f"job_{prefix}{n}", task, args_of(n))

        await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
        return {"seconds": time.monotonic() - began}

    async def commit(self, count: int, rate: int, file: Path) -> dict[str, Any]:
        """Write and hand over, as a service does; the writes do not wait for one another."""
        await self._found_aggregates()
        asked, lines = itertools.count(), []

        async def write(number: int) -> None:
            now, document_id = self._services.clock.now(), f"enr_{number % _AGGREGATES}"
            intent = job(Write(1, now), TASK, {"enrollment_id": document_id}, job_id=f"job_{file.stem}_{number}")
            await Enrollment.rows().update_one({"_id": document_id}, with_intents({}, [intent], now))
            lines.append(f"{intent['id']} {time.time_ns()}\n")
            await self._services.relay.hand_over(Enrollment, document_id)

        began = time.monotonic()
        async with asyncio.TaskGroup() as writes:
            for number in itertools.islice(asked, count):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                writes.create_task(write(number))
        await asyncio.to_thread(file.write_text, "".join(lines))
        return {"seconds": time.monotonic() - began}

    async def clear(self) -> dict[str, Any]:
        """Forget every job, so that a run meets its own alone."""
        return {"count": (await Job.rows().delete_many({})).deleted_count}

    async def states(self) -> dict[str, int]:
        """Jobs by state."""
        found = Job.rows().aggregate([{"$group": {"_id": "$state", "count": {"$sum": 1}}}])
        return {row["_id"]: row["count"] async for row in found}

    async def totals(self) -> dict[str, int]:
        """What the accounts have counted."""
        found = self._services.database.motor[ACCOUNTS].find({}, {"total": 1})
        return {row["_id"]: row["total"] async for row in found}

    def _reader(self, number: int) -> dict[str, Any]:
        now, email = self._services.clock.now(), f"reader{number}@example.org"
        reader = User(
            id="-",
            email=email,
            email_key=email,
            password_hash="-",
            full_name=f"Reader {number}",
            role=Role.STUDENT,
            timezone="Africa/Cairo",
            created_at=now,
            updated_at=now,
        )
        row: dict[str, Any] = reader.model_dump(exclude={"id"}, exclude_none=True)
        return row

    async def _found_aggregates(self) -> None:
        for number in range(_AGGREGATES):
            fields = {"student_id": f"usr_{number}", "course_id": "crs_1", "version": 1, "outbox": []}
            await Enrollment.rows().update_one({"_id": f"enr_{number}"}, {"$setOnInsert": fields}, upsert=True)


async def _obey(maker: Maker) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while words := (await orders.readline()).decode().split():
        match words:
            case ["put", count, prefix, accounts]:
                answer = await maker.put(int(count), prefix, int(accounts))
            case ["commit", count, rate, file]:
                answer = await maker.commit(int(count), int(rate), Path(file))
            case ["mails", count, prefix, template, data]:
                answer = await maker.mails(int(count), prefix, template, json.loads(data))
            case ["clear"]:
                answer = await maker.clear()
            case ["totals"]:
                answer = await maker.totals()
            case _:
                answer = await maker.states()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


async def _main() -> None:
    settings = load_settings(_env_file=None)
    set_up_logging(settings)
    async with open_beside(settings) as beside:
        async with open_services(settings, wake_ups=beside.wake_ups, is_worker=True) as services:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await _obey(Maker(services))


if __name__ == "__main__":
    asyncio.run(_main())
