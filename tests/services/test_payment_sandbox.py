"""The sandbox as a gateway: it keeps what it is asked as another company would, and renews subscriptions by the clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from documents.sandbox_payment import SandboxPayment
from lms_rt.clock import FakeClock
from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    Checkout,
    GatewayRefused,
    Money,
    Payer,
    Places,
    RecurringPrice,
    RefundWish,
    Renewing,
    Subject,
    SubscriptionWish,
)
from lms_rt.gateways.payments.sandbox import SandboxGateway
from lms_rt.gateways.payments.sandbox_periods import period_from
from lms_rt.security.keyring import Keyring
from lms_rt.storage.mongo import OpenDatabase

PAYER = Payer("usr_1", "Salma Payer", "payer@private.example")
PLACES = Places("https://lms.example/back", "https://lms.example/cancel", "https://lms.example/hook")
EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])
"""Where the second lane can be no different."""
KEYS = Keyring("k" * 32, ("former" * 6,))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 1, 31, 9, 0, tzinfo=UTC))


@pytest.fixture
def gateway(clock: FakeClock, database: OpenDatabase) -> SandboxGateway:
    return gateway_of(clock, KEYS)


def gateway_of(clock: FakeClock, keys: Keyring) -> SandboxGateway:
    def sign(message: bytes) -> bytes:
        return keys.sign("sandbox", message)

    def is_signed(message: bytes, signature: bytes) -> bool:
        return keys.is_signed("sandbox", message, signature)

    return SandboxGateway(clock=clock, sign=sign, is_signed=is_signed)


def checkout(clock: FakeClock, order: str = "ord_1", *, amount: int = 1999) -> Checkout:
    ends = clock.now() + timedelta(hours=1)
    return Checkout(f"{order}-1", order, Money(amount, "KWD"), "Algebra", PAYER, PLACES, ends)


async def paid(gateway: SandboxGateway, clock: FakeClock, order: str = "ord_1") -> str:
    begun = await gateway.start_checkout(checkout(clock, order))
    row = await SandboxPayment.find_row(begun.intent_id)
    assert row is not None
    fields = {"state": "completed", "facts.paid_at": clock.now()}
    assert await SandboxPayment.change(row, {"$set": fields}, at=clock.now())
    return begun.intent_id


async def test_the_same_checkout_is_one_and_another_under_its_key_is_refused(
    gateway: SandboxGateway, clock: FakeClock
) -> None:
    asked = checkout(clock)
    first, second = await asyncio.gather(gateway.start_checkout(asked), gateway.start_checkout(asked))
    assert first == second
    assert first.client == {"redirect_url": "https://lms.example/sandbox/checkout/sbx_ord_1-1"}
    for other in (replace(asked, money=Money(1, "KWD")), replace(asked, payer=replace(PAYER, user_id="usr_2"))):
        with pytest.raises(GatewayRefused):
            await gateway.start_checkout(other)
    read = await gateway.find_payment(asked.key)
    assert read == await gateway.read_payment(first.intent_id)
    assert (read.state, read.money, read.key) == (Charged.PENDING, asked.money, asked.key)
    await gateway.cancel_checkout(first.intent_id)
    await gateway.cancel_checkout(first.intent_id)
    assert (await gateway.read_payment(first.intent_id)).state is Charged.CANCELLED
    assert await gateway.find_payment("ord_2-1") is None


async def test_no_more_is_paid_back_than_was_paid_however_many_ask_at_once(
    gateway: SandboxGateway, clock: FakeClock
) -> None:
    intent_id = await paid(gateway, clock)
    wishes = [RefundWish(f"rfd_{n % 5}", intent_id, None, Money(600, "KWD")) for n in range(10)]
    made = await asyncio.gather(*(gateway.refund(one) for one in wishes), return_exceptions=True)
    done = {one.reference for one in made if not isinstance(one, BaseException)}
    assert len(done) == 3
    assert all(isinstance(one, GatewayRefused) for one in made if isinstance(one, BaseException))
    for one in done:
        assert (await gateway.refund(RefundWish(str(one), intent_id, None, Money(600, "KWD")))).reference == one
    read = await gateway.read_payment(intent_id)
    assert (read.refunded, {one.reference for one in read.refunds}) == (1800, done)
    await gateway.cancel_checkout(intent_id)
    assert (await gateway.read_payment(intent_id)).state is Charged.COMPLETED


async def subscribed(gateway: SandboxGateway, clock: FakeClock) -> str:
    """A subscription of which the first month is paid; its id."""
    price = RecurringPrice("pln_1", "All courses", Money(5000, "KWD"), "month")
    begun = await gateway.start_subscription(SubscriptionWish("sub_1-1", "sub_1", price, PAYER, PLACES))
    assert await gateway.find_subscription("sub_1-1", begun.intent_id) is None
    row = await SandboxPayment.find_row(begun.intent_id)
    assert row is not None
    fields, payment = period_from(row, clock.now())
    assert await SandboxPayment.add(payment)
    assert await SandboxPayment.change(row, {"$set": fields}, at=clock.now())
    return begun.intent_id


async def test_a_subscription_renews_itself_until_its_end(gateway: SandboxGateway, clock: FakeClock) -> None:
    subscription_id = await subscribed(gateway, clock)
    first = await gateway.find_subscription("sub_1-1", subscription_id)
    assert first is not None
    assert (first.state, first.key, first.period_end) == (
        Renewing.ACTIVE,
        "sub_1-1",
        datetime(2026, 2, 28, 9, 0, tzinfo=UTC),
    )
    clock.advance(60 * 86_400)
    read, again = await asyncio.gather(*(gateway.read_subscription(subscription_id) for _ in range(2)))
    assert read.period_end == again.period_end
    assert read.period_end is not None
    assert clock.now() < read.period_end
    assert len(read.intent_ids) == 3
    renewal = await gateway.read_payment(read.intent_ids[0])
    assert (renewal.state, renewal.key, renewal.subscription_id) == (Charged.COMPLETED, None, subscription_id)
    assert read.older is None
    dearer = RecurringPrice("pln_2", "More", Money(9000, "KWD"), "year")
    assert (await gateway.change_subscription(subscription_id, dearer, key="c")).money == dearer.money
    ending = await gateway.cancel_subscription(subscription_id, at_period_end=True, key="e")
    assert (ending.state, ending.cancel_at_period_end) == (Renewing.ACTIVE, True)
    clock.advance(40 * 86_400)
    over = await gateway.read_subscription(subscription_id)
    assert (over.state, over.intent_ids) == (Renewing.CANCELLED, read.intent_ids)
    told = [one async for one in gateway.payments_between(datetime(2026, 1, 1, tzinfo=UTC), clock.now())]
    assert {one.intent_id for one in told} == set(read.intent_ids)


@EMBEDDED
async def test_all_that_was_drawn_is_named_page_by_page(gateway: SandboxGateway, clock: FakeClock) -> None:
    begun = await subscribed(gateway, clock)
    clock.advance(12 * 31 * 86_400)
    read = await gateway.read_subscription(begun)
    more = await gateway.older_payments(begun, str(read.older))
    assert (len(read.intent_ids), len({*read.intent_ids, *more.intent_ids}), more.older) == (10, 13, None)


@EMBEDDED
async def test_only_what_these_keys_signed_just_now_is_heard(gateway: SandboxGateway, clock: FakeClock) -> None:
    intent_id = await paid(gateway, clock)
    row = await SandboxPayment.find_row(intent_id)
    assert row is not None
    headers, body = gateway.word("evt_1", "payment.paid", row)
    (hint,) = await gateway.read_hints(headers=headers, query={}, body=body)
    assert (hint.event_id, hint.subject, hint.object_id, hint.key) == ("evt_1", Subject.PAYMENT, intent_id, "ord_1-1")
    signature = headers["sandbox-signature"]
    bad = [
        ({}, body),
        (headers, body + b" "),
        ({"sandbox-signature": signature[:-1] + ("0" if signature[-1] != "0" else "1")}, body),
        ({"sandbox-signature": signature.replace("t=", "t=1")}, body),
        ({"sandbox-signature": "t=1,v1=" + "g" * 64}, body),
        (gateway_of(clock, Keyring("another" * 6)).word("evt_1", "payment.paid", row)[0], body),
    ]
    for given, sent in bad:
        with pytest.raises(BadSignature):
            await gateway.read_hints(headers=given, query={}, body=sent)
    clock.advance(301)
    with pytest.raises(BadSignature):
        await gateway.read_hints(headers=headers, query={}, body=body)


@EMBEDDED
async def test_what_cannot_be_is_refused(gateway: SandboxGateway, clock: FakeClock) -> None:
    assert await gateway.methods(Money(0, "USD")) == ()
    with pytest.raises(GatewayRefused):
        await gateway.start_checkout(checkout(clock, amount=0))
    for asking in (gateway.read_payment("sbx_none"), gateway.read_subscription("sbx_none")):
        with pytest.raises(GatewayRefused) as refused:
            await asking
        assert refused.value.code == "not_found"
