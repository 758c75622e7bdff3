"""The words of each gateway in every order: doubled, late, lost, forged, settled by workers that die. In the end the money is there once.

Each gateway is the real one, over a socket to its small counterpart, whose words are signed as the vendor's are. What nodes do at the same time
is `test_payment_machine.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from config.settings import Settings
from documents.base import Row
from documents.gateway_event import GatewayEvent
from documents.order import Order
from documents.payment import PAID, Payment
from lms_rt.contracts.gateways import Charged, Checkout, Money
from lms_rt.errors import Code, Refused
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.myfatoorah import MyFatoorah
from lms_rt.gateways.payments.paymob import Paymob
from lms_rt.services.payments.incoming import Incoming
from lms_rt.storage.mongo import OpenDatabase
from tests.contracts.stripe_samples import PAYER, PLACES, gateway_to
from tests.servers.gateway_desk import Word
from tests.servers.myfatoorah_fake import myfatoorah_running
from tests.servers.paymob_fake import paymob_running
from tests.servers.stripe_fake import StripeFake, stripe_running
from tests.services.test_payment_myfatoorah import account as at_myfatoorah
from tests.services.test_payment_paymob import account as at_paymob
from tests.services.till import Till

pytestmark = pytest.mark.parametrize("engine", ["embedded"])
MOVES = st.sampled_from(
    ["pay", "pay", "decline", "refund", "dispute", "end", "deliver", "deliver", "lose", "forge", "settle", "time"]
)
NAMES = ("stripe", "paymob", "myfatoorah")
CURRENCIES = {"stripe": "USD", "paymob": "EGP", "myfatoorah": "KWD"}
PRICE = 12_500


@dataclass
class Line:
    """One gateway, its counterpart, and the services behind the door."""

    till: Till
    incoming: Incoming
    gateway: PaymentGateway
    fake: Any
    heard: list[Word] = field(default_factory=list)
    dispute_id: str = ""

    @property
    def name(self) -> str:
        return self.gateway.name.value

    async def begun(self) -> Row:
        """A payment whose checkout was begun at the gateway."""
        money = Money(PRICE, CURRENCIES[self.name])
        row = await self.till.begun(money.amount, currency=money.currency)
        ends = self.till.clock.now() + timedelta(hours=1)
        method = "hosted" if self.name == "stripe" else None
        asked = Checkout(row["key"], row["order_id"], money, "Algebra", PAYER, PLACES, ends, method)
        started = await self.gateway.start_checkout(asked)
        fields = {
            "gateway": self.name,
            "intent_id": started.intent_id,
            "intent_key": f"{self.name}:{started.intent_id}",
        }
        await Order.rows().update_one({"_id": row["order_id"]}, {"$set": {"gateway": self.name}})
        await Payment.rows().update_one({"_id": row["_id"]}, {"$set": fields})
        return await self.till.payment(row["_id"])

    async def move(self, what: str, intent_id: str) -> None:
        """Something happens, if it can."""
        read = await self.gateway.read_payment(intent_id)
        is_paid = read.state is Charged.COMPLETED
        if what == "pay" and not is_paid:
            self.fake.pay(intent_id)
        elif what == "decline" and not is_paid:
            self.fake.decline(intent_id)
        elif what == "refund" and is_paid and read.refunded + 1_000 <= PRICE:
            self._pay_back(intent_id)
        elif what in {"dispute", "end"} and is_paid and isinstance(self.fake, StripeFake):
            self._dispute(intent_id, is_end=what == "end")

    def _pay_back(self, intent_id: str) -> None:
        if self.name == "myfatoorah":
            self.fake.finish_refund(self.fake.refund_outside(intent_id, amount="1.000"))
        else:
            self.fake.refund_outside(intent_id, amount=1_000)

    def _dispute(self, intent_id: str, *, is_end: bool) -> None:
        if not is_end and not self.dispute_id:
            self.dispute_id = self.fake.dispute(intent_id)
        elif is_end and self.dispute_id:
            self.fake.close_dispute(self.dispute_id, is_won=True)

    async def deliver(self, word: Word) -> None:
        await self.incoming.receive(self.name, headers=word.headers, query=word.query, body=word.body)

    async def forge(self, word: Word) -> None:
        """A word that was cut, and one without its signature."""
        held = await GatewayEvent.rows().count_documents({})
        for headers, query, body in ((word.headers, word.query, word.body[:-1]), ({}, {}, word.body)):
            with pytest.raises(Refused) as refused:
                await self.incoming.receive(self.name, headers=headers, query=query, body=body)
            assert refused.value.code is Code.INVALID_SIGNATURE
        assert await GatewayEvent.rows().count_documents({}) == held

    async def settle(self, *, most: int = 100) -> None:
        """Workers see to some of the words that were kept, the newest first."""
        for row in await GatewayEvent.rows().find({"settled_at": {"$exists": False}}).sort("_id", -1).to_list(most):
            await self.incoming.settle(row["_id"])


@pytest.fixture
async def lines(database: OpenDatabase, settings: Settings) -> AsyncIterator[dict[str, Line]]:
    till = Till(settings)
    incoming = Incoming(
        clock=till.clock,
        relay=till.relay,
        gateways=till.gateways,
        settling=till.settling,
        findings=till.findings,
    )
    async with AsyncExitStack() as stack:
        stripe = await stack.enter_async_context(stripe_running(now=lambda: till.clock.now().timestamp()))
        paymob = await stack.enter_async_context(paymob_running())
        myfatoorah = await stack.enter_async_context(myfatoorah_running())
        gateways: list[tuple[PaymentGateway, Any]] = [
            (gateway_to(stripe.address, clock=till.clock), stripe),
            (Paymob(at_paymob(paymob), till.clock), paymob),
            (MyFatoorah(at_myfatoorah(myfatoorah), till.clock), myfatoorah),
        ]
        for gateway, _ in gateways:
            till.gateways.add(gateway)
        stack.push_async_callback(till.gateways.close)
        yield {gateway.name.value: Line(till, incoming, gateway, fake) for gateway, fake in gateways}


@pytest.mark.parametrize("name", NAMES)
@profile(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(moves=st.lists(MOVES, min_size=6, max_size=16), order=st.randoms(use_true_random=False))
async def test_whatever_comes_in_whatever_order(
    lines: dict[str, Line], name: str, moves: list[str], order: Any
) -> None:
    line, till = lines[name], lines[name].till
    line.dispute_id, line.heard = "", []
    row = await line.begun()
    for what in moves:
        line.heard += line.fake.words()
        if what == "deliver" and line.heard:
            await line.deliver(order.choice(line.heard))  # so some come twice, some late, some never
        elif what == "lose":
            line.heard = []
        elif what == "forge" and line.heard:
            await line.forge(order.choice(line.heard))
        elif what == "settle":
            await line.settle(most=1)
        elif what == "time":
            till.clock.advance(100)
        else:
            await line.move(what, row["intent_id"])
    await line.settle()
    read = await line.gateway.read_payment(row["intent_id"])
    till.clock.advance(9 * 86_400)
    await till.settling.look(await till.payment(row["_id"]))  # what reconciling does
    await till.relay.sweep(minimum_age_ms=0)
    after = await till.payment(row["_id"])
    assert (after["status"] in PAID) == (read.state is Charged.COMPLETED)
    assert after["refunded_amount"] == read.refunded
    assert after.get("held") is None
    assert after.get("dispute") == (read.disputes[0].state.value if read.disputes else None)
    assert await till.journal.imbalance(row["_id"]) is None
    assert set((await till.journal.totals()).values()) <= {0}
    line.fake.words()
