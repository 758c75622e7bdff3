"""`python -m tests.perf.bulk_desk SETTINGS`: many people brought into a course by a table, in one process.

Orders come on standard input, each answered by a line of JSON:

    invite ROWS    a table of so many new addresses: `cpu_ms` and `wall_ms` of telling what it would do (`preview`), of taking it
                   (`begin`) and of doing it (`run`), and of putting the same documents into the store one after the other (`bare`);
                   `left_out`: rows of which nobody came into the course
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from config.settings import Settings
from documents.base import Record
from documents.enrollment import Enrollment
from documents.user import User
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.bulk import PeopleImportQuery
from lms_rt.contracts.courses import CourseDraft
from lms_rt.ids import new_id
from lms_rt.services.jobs import NotYet


class Office:
    """A school whose people come by tables."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def invite(self, count: int) -> dict[str, Any]:
        """Each time by somebody new: what one person may bring in within a day is limited."""
        actor, bulk, query = await self._somebody(), self._services.bulk_enrollment, PeopleImportQuery()
        course = await self._services.courses.create(actor, read_model(CourseDraft, {"title": "Large"}))
        lines = (f"{course.id}.{number:05}@example.org,Student {number:05},en" for number in range(count))
        raw = "\n".join(["email,full_name,language", *lines]).encode()
        told: dict[str, Any] = {"preview": await _timed(lambda: bulk.preview(actor, course.id, raw, query))}
        begun: list[str] = []

        async def begin() -> None:
            begun.append((await bulk.begin(actor, course.id, raw, query)).id)

        told["begin"] = await _timed(begin)
        told["run"] = await _timed(lambda: self._run(begun[0]))
        came = await Enrollment.rows().find({"course_id": course.id}).to_list(None)
        people = await User.rows().find({"_id": {"$in": [row["student_id"] for row in came]}}).to_list(None)
        told["left_out"] = count - len(came)
        told["bare"] = await _timed(lambda: _put(people, came))
        return told

    async def _run(self, run_id: str) -> None:
        while True:
            try:
                return await self._services.import_runs.run(run_id)
            except NotYet:
                continue

    async def _somebody(self) -> Actor:
        accounts = self._services.accounts
        user = await accounts.create_admin(f"{new_id('usr')}@example.org", "correct horse battery staple", "Ada")
        return Actor(user.id, user.role, self._services.console_actor.permissions, full_name=user.full_name)


async def _put(people: list[dict[str, Any]], came: list[dict[str, Any]]) -> None:
    """One after the other into collections without indexes."""
    for document, rows in ((User, people), (Enrollment, came)):
        await _put_into(document, rows)


async def _put_into(document: type[Record], rows: list[dict[str, Any]]) -> None:
    bare = document.rows().database[f"bare_{document.rows().name}"]
    for row in rows:
        await bare.insert_one(row)


async def _timed(work: Callable[[], Awaitable[object]]) -> dict[str, float]:
    began, cpu = time.perf_counter(), time.process_time()
    await work()
    return {"wall_ms": (time.perf_counter() - began) * 1000, "cpu_ms": (time.process_time() - cpu) * 1000}


async def _obey(settings: Settings) -> None:
    async with open_services(settings) as services:
        office = Office(services)
        orders = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        print("ready", flush=True)  # noqa: T201 - whoever gave the order reads it
        while words := (await orders.readline()).decode().split():
            print(json.dumps(await office.invite(int(words[1]))), flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    asyncio.run(_obey(Settings(_env_file=None, **json.loads(sys.argv[1]))))
