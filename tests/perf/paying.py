"""`python -m tests.perf.paying URL REDIS FOLDER`: a node that takes words of a gateway over HTTP, and tells its port.

With a fourth word it is a worker, which settles them, and takes none. Orders come on standard input, each answered by a line of JSON:

    sell N    so many orders stand about to be paid, and their gateway says that all of them were
    count     how many words are settled, payments completed, entries in the journal, and payments that it tells otherwise
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from tornado.netutil import bind_sockets

from config.settings import Settings
from documents.base import Row
from documents.gateway_event import GatewayEvent
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import Payment
from handlers.serve import serving
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.gateways import Charged, GatewayPayment, Money
from lms_rt.services.payments.settling import pending_payment
from tests.perf.exam_place import DATABASE, KEY, SIGNING_KEY
from tests.services.small_gateway import SmallGateway
from tests.working import HouseBell, working_on

_PRICE = 1999


class PaidGateway(SmallGateway):
    """Every payment of an order of ours came."""

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """As it stands at a gateway that answers at once."""
        return GatewayPayment(intent_id, Charged.COMPLETED, Money(_PRICE, "USD"), key=intent_id.removeprefix("pi_"))


async def sell(services: Services, count: int) -> dict[str, Any]:
    """Orders for a plan, each with its payment, by as many people."""
    at = services.clock.now()
    base: Row = {"version": 1, "revision": 1, "created_at": at, "updated_at": at, "outbox": [], "kind": "subscription"}
    base |= {"plan_id": "pln_bench", "title": "Algebra", "amount": _PRICE, "list_amount": _PRICE, "currency": "USD"}
    base |= {"status": "pending", "attempt": 1, "expires_at": at + timedelta(hours=1)}
    for begin in range(0, count, 500):
        orders = [{**base, "_id": f"ord_{n}", "user_id": f"usr_{n}"} for n in range(begin, min(begin + 500, count))]
        payments = [pending_payment(one, f"{one['_id']}-1", "stripe", at=at, check_at=None) for one in orders]
        await Order.rows().insert_many(orders)
        await Payment.rows().insert_many(payments)
    return {}


async def counted() -> dict[str, Any]:
    """What came of it all."""
    entries = JournalEntry.rows().aggregate([{"$match": {}}, {"$group": {"_id": "$payment_id", "n": {"$sum": 1}}}])
    twice = [row async for row in entries if row["n"] > 1]
    return {
        "settled": await GatewayEvent.rows().count_documents({"settled_at": {"$exists": True}}),
        "completed": await Payment.rows().count_documents({"status": "completed", "held": {"$exists": False}}),
        "entries": await JournalEntry.rows().count_documents({}),
        "twice": len(twice),
    }


def _tell(told: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


async def main(mongodb_url: str, redis_url: str, folder: str, *worker: str) -> None:
    settings = Settings(
        _env_file=None, mongodb_url=mongodb_url, redis_url=redis_url, mongodb_database=DATABASE, secret_key=KEY,
        password_pepper=KEY[::-1], signing_key=SIGNING_KEY, lms_data_dir=Path(folder), log_level="ERROR",
    )  # fmt: skip
    bell, sockets = HouseBell(), bind_sockets(0, "127.0.0.1")
    async with open_services(settings, wake_ups=bell, is_worker=bool(worker)) as services:
        services.payment_gateways.add(PaidGateway())
        part = working_on(services, bell, "payments") if worker else serving(services, sockets)
        async with part:
            _tell({"port": sockets[0].getsockname()[1]})
            while line := (await asyncio.to_thread(sys.stdin.readline)).split():
                _tell(await sell(services, int(line[1])) if line[0] == "sell" else await counted())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
