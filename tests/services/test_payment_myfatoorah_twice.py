"""Money back of an invoice of MyFatoorah's that was paid twice: what its number is, and one refund of both payments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from lms_rt.contracts.gateways import GatewayRefused
from lms_rt.gateways.payments.myfatoorah import MyFatoorah
from tests.servers.myfatoorah_fake import MyFatoorahFake, myfatoorah_running
from tests.services.paying_there import CLOCK, wish
from tests.services.test_payment_myfatoorah import account, paid


@pytest.fixture
async def fake() -> AsyncIterator[MyFatoorahFake]:
    async with myfatoorah_running() as running:
        yield running


@pytest.fixture
async def gateway(fake: MyFatoorahFake) -> AsyncIterator[MyFatoorah]:
    opened = MyFatoorah(account(fake), CLOCK)
    yield opened
    await opened.close()


async def test_what_was_written_down_as_one_payment_is_paid_back_of_both(
    gateway: MyFatoorah, fake: MyFatoorahFake
) -> None:
    payment = await paid(gateway, fake)
    second = fake.pay(payment.intent_id, is_again=True)
    with suppress(GatewayRefused):  # whether it takes that is for it to say
        await gateway.refund(replace(wish(payment, 21_010), paid_amount=21_010))
    for before in (0, 10_505):
        asked = await gateway.refund(replace(wish(payment, 10_505, before=before), paid_amount=21_010))
        fake.finish_refund(asked.refund_id)
    keys = [(one.body["KeyType"], one.body["Key"]) for one in fake.of("MakeRefund")]
    assert keys == [("InvoiceId", payment.intent_id), ("PaymentId", payment.transaction_id), ("PaymentId", second)]


async def test_one_refund_of_more_than_one_payment_is_read_as_all_of_it(
    gateway: MyFatoorah, fake: MyFatoorahFake
) -> None:
    payment = await paid(gateway, fake)
    second = fake.pay(payment.intent_id, is_again=True)
    name = fake.refund_outside(payment.intent_id, payment_id=second)
    fake.refunds[int(name)]["Amount"] = "15.505"
    read = await gateway.read_payment(payment.intent_id)
    assert [one.amount for one in read.refunds] == [15_505]
    rest = replace(wish(payment, 5_505, before=5_000), of_others=frozenset({name}))
    assert (await gateway.refund(rest)).amount == 5_505, "5.000 of the other one are of this payment"
    fake.refunds[int(name)]["Amount"] = "99"
    assert (await gateway.read_payment(payment.intent_id)).refunds[0].amount == 21_010
