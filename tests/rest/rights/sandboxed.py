"""A checkout and a subscription of the sandbox, whose pages are their payer's alone."""

from __future__ import annotations

from datetime import timedelta

from lms_rt.contracts.gateways import Checkout, Money, Payer, Places
from tests.clients import Visitor
from tests.house import House


async def sandbox_checkout(house: House, user_id: str) -> str:
    """The id of one that is to be paid by this person."""
    gateway = house.services.payment_gateways.named("sandbox")
    back = f"{house.address}/payments"
    ends = house.services.clock.now() + timedelta(hours=1)
    payer = Payer(user_id, "Olwen Owner", "olwen@example.org")
    begun = await gateway.start_checkout(
        Checkout("ord_looked-1", "ord_looked", Money(1999, "USD"), "Chords", payer, Places(back, back, back), ends)
    )
    return begun.intent_id


async def sandbox_subscription(house: House, payer: Visitor) -> str:
    """The id of one that this person is about to pay for."""
    plan = {"plan_name": "Everything", "amount": 900, "currency": "USD", "interval": "month"}
    made = await (await house.admin()).ok("POST", "/payments/plans", json=plan)
    wish = {"plan_id": made["id"], "gateway": "sandbox"}
    return str((await payer.ok("POST", "/payments/create-subscription", json=wish))["subscription_id"])
