"""Random lives of refunds at gateways that keep no idempotency keys: answers get lost, others pay back, and nobody is paid twice.

Whoever asks does what the service of refunds does: reads first, tells what is known to be paid back, and asks again for the
same refund until there is an answer.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    Checkout,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    PaidBack,
    Payer,
    Places,
    RefundWish,
)
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.myfatoorah import MyFatoorah
from lms_rt.gateways.payments.paymob import Paymob
from tests.servers.myfatoorah_fake import MyFatoorahFake, myfatoorah_running
from tests.servers.paymob_fake import PaymobFake, paymob_running
from tests.services.test_payment_myfatoorah import account as at_myfatoorah
from tests.services.test_payment_paymob import account as at_paymob

WHOLE = 10_000
CLOCK = Clock()
PLACES = Places("https://school.example/back", "https://school.example/back", "https://school.example/hook")
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["ask", "lose", "break", "desk", "staff"]), st.sampled_from([1_000, 2_500, 9_000, WHOLE])
    ),
    min_size=1,
    max_size=8,
)
PLACES_OF_REFUNDS = {"paymob": ("void_refund/refund", "void_refund/void"), "myfatoorah": ("MakeRefund",)}


class Desk:
    """One payment, the refunds that were wished for, and what truly was paid back."""

    def __init__(self, gateway: PaymentGateway, fake: PaymobFake | MyFatoorahFake, intent_id: str) -> None:
        self.gateway, self.fake, self.intent_id = gateway, fake, intent_id
        self.done: dict[str, str] = {}
        self.outside = 0

    async def ask(self, number: int, amount: int, fault: Any = None) -> None:
        """One wish, until there is an answer."""
        wish_id = f"rfd_{number:026d}"
        if fault is not None:
            for path in PLACES_OF_REFUNDS[self.gateway.name.value]:
                self.fake.fault_at(path, fault)
        read = await self.gateway.read_payment(self.intent_id)
        wish = RefundWish(
            wish_id, self.intent_id, None, Money(amount, read.money.currency), refunded_before=read.refunded
        )
        for _ in range(6):
            try:
                told = await self.gateway.refund(wish)
            except GatewayUnavailable:
                continue
            except GatewayRefused:
                return
            assert told.amount == amount
            assert told.refund_id not in self.done, "one refund of theirs is one of ours"
            self.done[told.refund_id] = wish_id
            return

    def desk(self, amount: int) -> None:
        """Somebody pays back at the gateway's own desk, if there is so much."""
        if amount > WHOLE - self.standing():
            return
        text = f"{amount // 1000}.{amount % 1000:03d}" if isinstance(self.fake, MyFatoorahFake) else amount
        self.fake.refund_outside(self.intent_id, amount=text)  # type: ignore[arg-type]
        self.outside += 1

    def staff(self) -> None:
        """MyFatoorah's staff looks at one refund."""
        if isinstance(self.fake, MyFatoorahFake):
            pending = [name for name, row in self.fake.refunds.items() if row["RefundStatus"] == "Pending"]
            for name in pending[:1]:
                self.fake.finish_refund(str(name))

    def made(self) -> list[int]:
        """Every refund that the gateway carried out or means to."""
        if isinstance(self.fake, MyFatoorahFake):
            rows = [row for row in self.fake.refunds.values() if row["RefundStatus"] != "Canceled"]
            return [round(float(row["Amount"]) * 1000) for row in rows]
        return [one["amount_cents"] for one in self.fake.tries.values() if one["is_refund"] or one["is_void"]]

    def standing(self) -> int:
        return sum(self.made())


async def lived(name: str, moves: list[tuple[str, int]]) -> None:
    async with AsyncExitStack() as stack:
        fake: PaymobFake | MyFatoorahFake
        gateway: PaymentGateway
        if name == "paymob":
            fake = one = await stack.enter_async_context(paymob_running())
            gateway, money = Paymob(at_paymob(one), CLOCK), Money(WHOLE, "EGP")
        else:
            fake = other = await stack.enter_async_context(myfatoorah_running())
            gateway, money = MyFatoorah(at_myfatoorah(other), CLOCK), Money(WHOLE, "KWD")
        stack.push_async_callback(gateway.close)
        until = CLOCK.now() + timedelta(hours=1)
        payer = Payer("usr_1", "Mona Ali", "mona@school.example")
        started = await gateway.start_checkout(Checkout("ord_1-1", "ord_1", money, "Algebra", payer, PLACES, until))
        fake.pay(started.intent_id)
        desk = Desk(gateway, fake, started.intent_id)
        for number, (move, amount) in enumerate(moves):
            if move in {"ask", "lose", "break"}:
                await desk.ask(number, amount, {"lose": "lost", "break": "down"}.get(move))
            elif move == "desk":
                desk.desk(amount)
            else:
                desk.staff()
            assert desk.standing() <= WHOLE
            assert len(desk.made()) == len(desk.done) + desk.outside, "each refund was wished for once"
        read = await gateway.read_payment(started.intent_id)
        pending = sum(one.amount for one in read.refunds if one.state is PaidBack.PENDING)
        assert read.refunded + pending == desk.standing()


@pytest.mark.parametrize("name", ["paymob", "myfatoorah"])
@settings(max_examples=8, deadline=None)
@given(moves=MOVES)
def test_nobody_is_paid_back_twice(name: str, moves: list[tuple[str, int]]) -> None:
    asyncio.run(lived(name, moves))
