"""`python -m tests.perf.paying URL REDIS FOLDER`: a node that takes words of a gateway over HTTP, and tells its port.

With a fourth word it is a worker, which settles them, and takes none. Orders come on standard input, each answered by a line of JSON:

    sell N    so many orders of a course stand about to be paid, and their gateway says that all of them were
    count     how many words are settled, payments completed, enrolled by them, entries in the journal, and payments with two
    spent     how long this node had each request, from its head to the end of its answer, in seconds; and how much of it was
              the database's, as its driver counts commands
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from pymongo.monitoring import CommandListener, CommandStartedEvent, CommandSucceededEvent, register
from taskiq import AsyncBroker
from tornado.netutil import bind_sockets

from config.logging import current_request_id
from config.settings import Settings
from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Role
from documents.gateway_event import GatewayEvent
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import Payment
from documents.user import User
from handlers.door import BACKLOG
from handlers.observing import HttpFigures
from handlers.serve import serving
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.gateways import Charged, GatewayPayment, Money
from lms_rt.services.background import running
from lms_rt.services.payments.claims import open_key_of
from lms_rt.services.payments.settling import pending_payment
from tests.perf.exam_place import DATABASE, KEY, SIGNING_KEY
from tests.services.small_gateway import SmallGateway
from workers.app import Bell, TaskiqWakeUps, brokers_on_redis, listening
from workers.command import give_way
from workers.worker import Worker

_PRICE, _COURSE, _AT_ONCE = 1999, "crs_bench", 500


class PaidGateway(SmallGateway):
    """Every payment of an order of ours came."""

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """As it stands at a gateway that answers at once."""
        return GatewayPayment(intent_id, Charged.COMPLETED, Money(_PRICE, "USD"), key=intent_id.removeprefix("pi_"))


async def sell(services: Services, count: int) -> dict[str, Any]:
    """Orders for a course, each with its payment, by as many people."""
    at = services.clock.now()
    made: Row = {"version": 1, "created_at": at, "updated_at": at, "outbox": []}
    named = {"title": "Algebra", "title_key": "algebra", "slug": "algebra", "instructor_id": "usr_teacher"}
    await Course(id=_COURSE, **named, price=_PRICE, is_published=True, created_at=at, updated_at=at).insert()
    base: Row = {**made, "revision": 1, "kind": "course", "course_id": _COURSE, "title": "Algebra", "currency": "USD"}
    base |= {"amount": _PRICE, "list_amount": _PRICE, "status": "pending", "attempt": 1, "purchase": 0}
    base |= {"discount_amount": 0, "tax_amount": 0, "tax_basis_points": 0, "is_tax_included": False}
    base["expires_at"] = at + timedelta(hours=1)
    for begin in range(0, count, _AT_ONCE):
        user_ids = [f"usr_{n}" for n in range(begin, min(begin + _AT_ONCE, count))]
        orders = [
            {**base, "_id": f"ord_{one[4:]}", "user_id": one, "open_key": open_key_of(one, _COURSE)} for one in user_ids
        ]
        payments = [pending_payment(one, f"{one['_id']}-1", "stripe", at=at, check_at=None) for one in orders]
        await User.rows().insert_many([_person(made, user_id) for user_id in user_ids])
        await Order.rows().insert_many(orders)
        await Payment.rows().insert_many(payments)
    return {}


def _person(made: Row, user_id: str) -> Row:
    named = {"email": f"{user_id}@example.org", "email_key": f"{user_id}@example.org", "full_name": "A Student"}
    return {**made, **named, "_id": user_id, "password_hash": "-", "role": Role.STUDENT.value, "is_active": True}


class Commands(CommandListener):
    """How long the database had the commands of each request, by the request's id; those of nobody's are left out."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def take(self, request_id: str) -> float:
        """Seconds so far, of a request that is over."""
        return self._seconds.pop(request_id, 0.0)

    def started(self, event: CommandStartedEvent) -> None:
        """It is counted when it is over."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Motor runs a command in a thread, in the context of who asked for it."""
        if request_id := current_request_id.get():
            self._seconds[request_id] += event.duration_micros / 1e6

    failed = cast("Any", succeeded)


def timed() -> list[tuple[float, float]]:
    """Of each request that is counted from now on how long it took, as `/metrics` is told, and how long the database had it."""
    spent, commands, count = list[tuple[float, float]](), Commands(), HttpFigures.count
    register(commands)

    def noted(figures: HttpFigures, *told: Any) -> None:
        spent.append((told[-1], commands.take(current_request_id.get())))
        count(figures, *told)

    HttpFigures.count = cast("Any", noted)  # type: ignore[method-assign]
    return spent


async def counted() -> dict[str, Any]:
    """What came of it all."""
    entries = JournalEntry.rows().aggregate([{"$match": {}}, {"$group": {"_id": "$payment_id", "n": {"$sum": 1}}}])
    twice = [row async for row in entries if row["n"] > 1]
    return {
        "settled": await GatewayEvent.rows().count_documents({"settled_at": {"$exists": True}}),
        "completed": await Payment.rows().count_documents({"status": "completed", "held": {"$exists": False}}),
        "enrolled": await Enrollment.rows().count_documents({"course_id": _COURSE, "status": "active"}),
        "entries": await JournalEntry.rows().count_documents({}),
        "twice": len(twice),
    }


def _tell(told: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


async def main(mongodb_url: str, redis_url: str, folder: str, *worker: str) -> None:
    if worker:
        give_way()  # before there are threads
    settings = Settings(
        _env_file=None, mongodb_url=mongodb_url, redis_url=redis_url, mongodb_database=DATABASE, secret_key=KEY,
        password_pepper=KEY[::-1], signing_key=SIGNING_KEY, lms_data_dir=Path(folder), log_level="ERROR",
    )  # fmt: skip
    spent = timed()
    bell, sockets = Bell(), bind_sockets(0, "127.0.0.1", backlog=BACKLOG)
    async with brokers_on_redis(settings, bell.ring) as brokers:
        wake_ups = TaskiqWakeUps(brokers)
        async with (
            running({"wake-ups": wake_ups.run}),
            open_services(settings, wake_ups=wake_ups, is_worker=bool(worker)) as services,
        ):
            services.payment_gateways.add(PaidGateway())
            part = _working(services, bell, brokers["payments"]) if worker else serving(services, sockets)
            async with part:
                gc.collect()
                gc.freeze()  # as `handlers/serve.py` does
                gc.set_threshold(10_000, 50, 1000)
                _tell({"port": sockets[0].getsockname()[1]})
                await _obey(services, spent)


async def _obey(services: Services, spent: list[tuple[float, float]]) -> None:
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        match line:
            case ["sell", count]:
                _tell(await sell(services, int(count)))
            case ["count"]:
                _tell(await counted())
            case ["spent"]:
                _tell({"seconds": spent})


@asynccontextmanager
async def _working(services: Services, bell: Bell, broker: AsyncBroker) -> AsyncIterator[None]:
    """A worker of payments alone, as `workers/run.py` makes it."""
    worker = Worker(services, ["payments"])
    bell.listener = worker.wake
    async with running({**worker.tasks, "hearing payments": listening(broker)}):
        try:
            yield
        finally:
            await worker.close(patience_seconds=1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
