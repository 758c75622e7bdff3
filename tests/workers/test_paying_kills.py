"""Workers and a node that die by `kill -9` while three gateways tell of money: each order is settled once, and everything agrees.

The gateways are small ones on real sockets, whose words come twice, in any order, or never; who dies when, a seed says
(`paying_main.py`). In the end all are up again, what was lost is looked for once, and then the gateways' own books are held
against ours: payments, refunds, the journal, access, invoices, events and mails.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from config.settings import Settings
from documents.enrollment import PRESENT, Enrollment
from documents.gateway_event import GatewayEvent
from documents.invoice import CREDIT_NOTE, INVOICE, Invoice
from documents.job import Job
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import Payment
from documents.refund import Refund
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.secrets_used import note
from tests.servers import myfatoorah_fake, paymob_fake, stripe_account, stripe_fake
from tests.servers.gateway_desk import Word
from tests.servers.lms_server import LmsServer
from tests.servers.processes import READY_SECONDS, ServerProcess
from tests.working import idle

pytestmark = pytest.mark.real

PRICES = {"stripe": (1_999, "USD"), "paymob": (50_000, "EGP"), "myfatoorah": (10_505, "KWD")}
AT_ONCE, LOST = 4, 0.15
PATIENT = 3
"""So many times as long as others wait is waited here: leases of the dead run out first."""


class Family(LmsServer):
    """`tests/workers/paying_main.py`: a node and workers, each of which dies so many times, and whose successors work on."""

    def __init__(self, settings: Settings, *, seed: str, lives: int, folder: Path) -> None:
        super().__init__(settings, log=folder / "family.log")
        self.seed, self.lives, self.notes = seed, lives, folder / "deaths"

    def start(self) -> Self:
        """Start all of it; returns when the node answers."""
        self._process = ServerProcess(self.command(), env=self._env, log=self.log, is_forked=True)
        self._process.line_with(self.ready, seconds=PATIENT * READY_SECONDS)  # three start at once
        return self

    def command(self) -> list[str]:
        """What is run."""
        return [sys.executable, "-m", "tests.workers.paying_main", self.seed, str(self.lives), str(self.notes)]

    @property
    def deaths(self) -> Counter[str]:
        """Who died how often so far."""
        return Counter(line.split()[0] for line in self.notes.read_text().splitlines())


@dataclass
class Sale:
    """What somebody bought, and what went back of it."""

    gateway: str
    order_id: str
    course_id: str
    user_id: str
    intent_id: str
    back: int = 0
    lost: int = 0
    """What a bank kept."""

    @property
    def price(self) -> tuple[int, str]:
        return PRICES[self.gateway]


@dataclass
class Town:
    """The school, its gateways, and who dies."""

    house: House
    fakes: dict[str, Any]
    family: Family
    chance: random.Random
    sales: list[Sale] = field(default_factory=list)

    async def sell(self, count: int) -> None:
        """So many people buy a course each, and pay there; nothing was told yet."""
        teacher = await self.house.teacher()
        courses = {}
        for gateway, (price, currency) in PRICES.items():
            courses[gateway] = str((await factories.course(teacher, price=price, currency=currency))["id"])
        for number in range(count):
            gateway = list(PRICES)[number % len(PRICES)]
            student = await self.house.student()
            wish = {"course_id": courses[gateway], "gateway": gateway}
            made = await student.ok("POST", "/payments/create-payment-intent", json=wish)
            sale = Sale(gateway, made["order_id"], courses[gateway], student.user_id, made["intent_id"])
            if number % 4 == 0:
                self.fakes[gateway].decline(sale.intent_id)
            self.fakes[gateway].pay(sale.intent_id)
            self.sales.append(sale)

    def words(self) -> list[tuple[str, Word]]:
        """All that the gateways have to say, each twice and in any order; a forged one among them."""
        told = [(name, word) for name, fake in self.fakes.items() for word in fake.words()]
        told += told
        self.chance.shuffle(told)
        return told

    async def deliver(self, told: list[tuple[str, Word]]) -> None:
        """By some senders at once, who try again while nobody answers."""
        left = list(told)

        async def send(http: httpx.AsyncClient) -> None:
            while left:
                await self._tell(http, *left.pop())

        async with self._http() as http:
            await asyncio.gather(*(send(http) for _ in range(AT_ONCE)))

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"{self.family.address}/api/v1", timeout=20)

    async def _tell(self, http: httpx.AsyncClient, gateway: str, word: Word) -> None:
        for _ in range(600):
            try:
                path = f"/payments/webhooks/{gateway}"
                sent = await http.post(path, params=word.query, content=word.body, headers=word.headers)
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # nobody tells
                continue
            assert sent.status_code == 200, sent.text
            return
        raise AssertionError("the node never came back")

    async def forge(self, told: list[tuple[str, Word]]) -> None:
        """What nobody signed changes nothing."""
        async with self._http() as http:
            for gateway, word in told:
                body = word.body.replace(b"0", b"1")
                path = f"/payments/webhooks/{gateway}"
                sent = await http.post(path, params=word.query, content=body, headers=word.headers)
                assert sent.status_code in (400, 401), sent.text

    async def done(self) -> None:
        """All that is to be done now is done."""
        for turn in range(PATIENT):
            try:
                await idle(self.house.services)
            except AssertionError:
                if turn == PATIENT - 1:
                    raise
            else:
                return

    async def pay_back(self, admin: Visitor) -> None:
        """Some by us, in full and in part, some at the gateways' own desks; banks take the rest, and keep half of it."""
        for number, sale in enumerate(self.sales):
            [payment] = await Payment.find_of_order(sale.order_id)
            fake, deed, price = self.fakes[sale.gateway], number // len(PRICES) % 3, sale.price[0]
            amount = price if number % 2 else 500
            if deed == 0 and payment["status"] == "completed":
                body = {"amount": amount, "reason": "The course was cancelled"}
                await admin.ok("POST", f"/payments/{payment['_id']}/refund", json=body)
                sale.back = amount
            elif deed == 1:
                told = f"{amount / 1000:.3f}" if sale.gateway == "myfatoorah" else amount
                fake.refund_outside(sale.intent_id, amount=told)
                sale.back = amount
            elif deed == 2 and sale.gateway == "stripe":
                is_won = bool(number % 4)
                fake.close_dispute(fake.dispute(sale.intent_id), is_won=is_won)
                sale.lost = 0 if is_won else price

    def staff_looks(self) -> None:
        """MyFatoorah's people carry out what waits for them."""
        fake = self.fakes["myfatoorah"]
        for refund_id, row in list(fake.refunds.items()):
            if row["RefundStatus"] == "Pending":
                fake.finish_refund(refund_id)

    async def look_again(self) -> None:
        """An hour goes by, and what nobody told is looked for."""
        past = self.house.services.clock.now() - timedelta(minutes=1)
        await Payment.rows().update_many({"check_at": {"$exists": True}}, {"$set": {"check_at": past}})
        await self.house.services.open_payments.look()
        await self.done()


@asynccontextmanager
async def open_town(request: pytest.FixtureRequest, path: Path, *, seed: str, lives: int) -> AsyncIterator[Town]:
    """Gateways, and a school: one node here, and a mortal node and its workers beside it on one database."""
    async with AsyncExitStack() as stack:
        fakes: dict[str, Any] = {
            "stripe": await stack.enter_async_context(stripe_fake.stripe_running()),
            "paymob": await stack.enter_async_context(paymob_fake.paymob_running()),
            "myfatoorah": await stack.enter_async_context(myfatoorah_fake.myfatoorah_running()),
        }
        keys: dict[str, Any] = {
            "stripe_secret_key": stripe_fake.API_KEY,
            "stripe_publishable_key": "pk_test_fake",
            "stripe_webhook_secret": stripe_account.WEBHOOK_SECRET,
            "stripe_api_base": fakes["stripe"].address,
            "paymob_secret_key": paymob_fake.SECRET_KEY,
            "paymob_public_key": paymob_fake.PUBLIC_KEY,
            "paymob_api_key": paymob_fake.API_KEY,
            "paymob_hmac_secret": paymob_fake.HMAC_SECRET,
            "paymob_integration_id_card": paymob_fake.CARD,
            "paymob_base_url": fakes["paymob"].address,
            "myfatoorah_api_key": myfatoorah_fake.API_KEY,
            "myfatoorah_webhook_secret": myfatoorah_fake.WEBHOOK_SECRET,
            "myfatoorah_base_url": fakes["myfatoorah"].address,
        }
        for name in ("stripe_secret_key", "stripe_webhook_secret", "paymob_secret_key", "myfatoorah_api_key"):
            note(keys[name])
        settings = settings_on("real", request, path, **keys)
        house = await stack.enter_async_context(open_house(settings))
        family = Family(settings, seed=seed, lives=lives, folder=path)
        stack.push_async_callback(asyncio.to_thread, family.stop)
        await asyncio.to_thread(family.start)
        yield Town(house, fakes, family, random.Random(seed))  # noqa: S311 - goes the same way again


async def told_once(town: Town) -> None:
    """Everything agrees with the gateways' own books, and nobody was told twice."""
    payments = [row for sale in town.sales for row in await Payment.find_of_order(sale.order_id)]
    assert len(payments) == len(town.sales)
    for sale, payment in zip(town.sales, payments, strict=True):
        await settled_once(sale, payment)
    assert set((await town.house.services.journal.totals()).values()) <= {0}
    await papers_agree(town, payments)
    admin = await town.house.admin()
    listed = (await admin.ok("GET", "/events", params={"type": "payment.completed", "page_size": 100}))["items"]
    if len(town.sales) <= 100:
        assert Counter(one["data"]["id"] for one in listed) == Counter(row["_id"] for row in payments)
    mails = await Job.rows().find({"task": "mail.send", "args.template": "payment_confirmation"}).to_list(1_000)
    assert Counter(one["args"]["user_id"] for one in mails) == Counter(sale.user_id for sale in town.sales)
    unsettled = await GatewayEvent.rows().find({"settled_at": None}).to_list(10)
    assert unsettled == [], "words that nobody saw to"


async def settled_once(sale: Sale, payment: dict[str, Any]) -> None:
    """One payment, its book, and the course that it opened."""
    amount, currency = sale.price
    order = await Order.find_row(sale.order_id)
    assert order is not None
    assert (payment["paid_amount"], payment.get("held"), payment["refunded_amount"]) == (amount, None, sale.back), sale
    assert (order["payment_id"], order["status"]) == (
        payment["_id"],
        "refunded" if sale.back == amount else "completed",
    )
    balance = (await JournalEntry.balances([payment["_id"]]))[payment["_id"]]
    assert balance.get((currency, f"receivable:{sale.gateway}"), 0) == amount - sale.back - sale.lost
    refunds = await Refund.find_of_payment(payment["_id"])
    assert [one["amount"] for one in refunds if one["status"] == "completed"] == ([sale.back] if sale.back else [])
    enrollment = await Enrollment.find_of(sale.user_id, sale.course_id)
    is_in = enrollment is not None and enrollment.status in PRESENT
    assert is_in == (sale.back + sale.lost < amount), (sale, enrollment and enrollment.status)


async def papers_agree(town: Town, payments: list[dict[str, Any]]) -> None:
    """One invoice for each payment, one note for each refund, numbered without a gap, each with its file."""
    papers = await Invoice.rows().find({}).to_list(2_000)
    for kind, count in (
        (INVOICE, len(town.sales)),
        (CREDIT_NOTE, sum(sale.back + sale.lost > 0 for sale in town.sales)),
    ):
        numbers = sorted(one["sequence"] for one in papers if one["kind"] == kind)
        assert numbers == list(range(1, count + 1))
    assert {one["payment_id"] for one in papers} == {row["_id"] for row in payments}
    assert [one["number"] for one in papers if one.get("file_id") is None] == []


def gateways_agree(town: Town) -> None:
    """Nothing was taken, or paid back, twice."""
    asked = Counter[tuple[str, str]]()
    for name in ("paymob", "myfatoorah"):
        asked.update((name, json.dumps(one.body, sort_keys=True)) for one in town.fakes[name].of("/refund"))
    stripe = town.fakes["stripe"]
    for sale in [sale for sale in town.sales if sale.gateway == "stripe"]:
        made = stripe.all("refund", payment_intent=stripe.intent_id_of(sale.intent_id))
        assert sum(one["amount"] for one in made) == sale.back


async def live_through(town: Town, count: int) -> None:
    """People pay and are paid back, words come as they come, and whoever is up dies."""
    await town.sell(count)
    told = town.words()
    await town.forge(told[:3])
    lost = {word.body for _, word in town.chance.sample(told, int(len(told) * LOST))}
    kept = [one for one in told if one[1].body not in lost]
    await town.deliver(kept)
    await town.done()
    await town.pay_back(await town.house.admin())
    await town.done()
    town.staff_looks()
    await town.deliver(town.words())
    await town.done()
    await town.look_again()


async def test_money_is_settled_once_whoever_is_killed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async with open_town(request, tmp_path, seed="paying", lives=5) as town:
        await live_through(town, 9)
        await told_once(town)
        gateways_agree(town)
        assert town.family.deaths["node"] >= 1
        assert town.family.deaths.total() >= 8


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", [f"soak{number}" for number in range(4)])
async def test_much_money_is_settled_once_whoever_is_killed(
    request: pytest.FixtureRequest, tmp_path: Path, seed: str
) -> None:
    async with open_town(request, tmp_path, seed=seed, lives=30) as town:
        await live_through(town, 90)
        await told_once(town)
        gateways_agree(town)
        assert town.family.deaths.total() >= 50
