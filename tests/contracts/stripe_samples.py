"""What tests ask of Stripe: a gateway to one address, checkouts, subscriptions, and a walk through all that is ever asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    Checkout,
    Money,
    Payer,
    Places,
    RecurringPrice,
    RefundWish,
    SubscriptionWish,
)
from lms_rt.gateways.payments.stripe import StripeGateway
from lms_rt.gateways.payments.stripe_calls import StripeCalls
from tests.servers.stripe_fake import API_KEY, StripeFake

PLACES = Places("https://lms.example/back", "https://lms.example/cancel", "https://lms.example/hook")
PAYER = Payer("usr_1", "Salma Payer", "payer@private.example", language="ar", phone="+20100200300")
PRICE_OF_COURSE = Money(1999, "USD")
PRICE = RecurringPrice("pln_1", "All courses", Money(9900, "EGP"), "month")


def gateway_to(address: str, *, clock: Clock | None = None, one_try_seconds: float = 5.0) -> StripeGateway:
    """An account at this address."""
    return StripeGateway(
        StripeCalls(API_KEY, base=address, one_try_seconds=one_try_seconds, all_tries_seconds=20.0),
        clock=clock or Clock(),
        publishable_key="pk_test_fake",
        secrets=("whsec_new", "whsec_test_secret"),
        is_live=False,
    )


def checkout(
    order: str = "ord_1", *, money: Money = PRICE_OF_COURSE, method: str | None = None, attempt: int = 1
) -> Checkout:
    """One try to pay an order."""
    ends = datetime.now(UTC) + timedelta(minutes=60)
    return Checkout(f"{order}-{attempt}", order, money, "دورة Arabic", PAYER, PLACES, ends, method)


def wish_to_subscribe(key: str = "sub_1-1") -> SubscriptionWish:
    """One try to subscribe."""
    return SubscriptionWish(key, key.partition("-")[0], PRICE, PAYER, PLACES)


def wish_to_refund(intent_id: str, amount: int, refund_id: str = "rfd_1", currency: str = "USD") -> RefundWish:
    """A refund that is to be made."""
    return RefundWish(refund_id, intent_id, None, Money(amount, currency), "told on the phone by Salma")


async def walk_through(gateway: StripeGateway, fake: StripeFake) -> None:
    """Ask everything that the product ever asks of Stripe."""
    plain = await gateway.start_checkout(checkout("ord_a"))
    hosted = await gateway.start_checkout(checkout("ord_b", method="hosted"))
    fake.pay(plain.intent_id)
    fake.pay(hosted.intent_id)
    await gateway.refund(wish_to_refund(hosted.intent_id, 500))
    fake.dispute(plain.intent_id)
    await gateway.find_payment("ord_a-1")
    for intent_id in (plain.intent_id, hosted.intent_id, fake.intent_id_of(hosted.intent_id)):
        await gateway.read_payment(intent_id)
    for method in ("card", "hosted"):
        begun = await gateway.start_checkout(checkout(f"ord_{method}", method=method))
        await gateway.cancel_checkout(begun.intent_id)
    known = replace(checkout("ord_c", method="hosted"), payer=replace(PAYER, customer_id="cus_fake"))
    await gateway.start_checkout(known)
    session = await gateway.start_subscription(wish_to_subscribe())
    fake.pay(session.intent_id)
    found = await gateway.find_subscription("sub_1-1", session.intent_id)
    assert found is not None
    await gateway.read_payment(found.intent_ids[0])
    other = RecurringPrice("pln_2", "Everything", Money(99_000, "EGP"), "year")
    await gateway.change_subscription(found.subscription_id, other, key="sub_1-change-1")
    await gateway.cancel_subscription(found.subscription_id, at_period_end=True, key="sub_1-end")
    await gateway.cancel_subscription(found.subscription_id, at_period_end=False, key="sub_1-end")
    now = datetime.now(UTC)
    async for _ in gateway.payments_between(now - timedelta(days=1), now + timedelta(days=1)):
        pass
