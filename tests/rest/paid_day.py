"""Money in a school day: a subscription that is paid, renewed and cancelled, a payment that fails, and one that is paid back."""

from __future__ import annotations

from documents.base import Row
from documents.order import Order
from documents.payment import Payment
from lms_rt.contracts.gateways import Charged, GatewayPayment, Money
from lms_rt.ids import new_id
from lms_rt.services.payments.settling import pending_payment
from tests.clients import Visitor
from tests.house import House
from tests.rest.rights.subscribing import PLAN
from tests.services.subscribing import RenewingGateway


async def money_moves(house: House, student: Visitor) -> None:
    """One of everything that happens to money."""
    services, gateway = house.services, RenewingGateway()
    services.payment_gateways.add(gateway)
    admin = await house.admin()
    plan = await admin.ok("POST", "/payments/plans", json=PLAN)
    wish = {"plan_id": plan["id"], "gateway": "stripe"}
    started = await student.ok("POST", "/payments/create-subscription", json=wish)
    gateway_id = gateway.goes_through(f"cs_{started['subscription_id']}-1", services)
    await services.plan_subscriptions.settle("stripe", gateway_id)
    gateway.renews(gateway_id, services)
    await services.plan_subscriptions.settle("stripe", gateway_id)
    for act in ("cancel", "resume", "cancel"):
        await student.ok("POST", f"/payments/subscriptions/{started['subscription_id']}/{act}")
    payment = await Payment.find_by_intent("stripe", "pi_0")
    assert payment is not None
    if payment["status"] == "completed":  # another day of this house may have paid it back
        refund = await admin.ok("POST", f"/payments/{payment['_id']}/refund", json={"amount": 100})
        await admin.ok("POST", f"/payments/{payment['_id']}/refunds/{refund['id']}/cancel", json={})
    gateway.pays_back("pi_0", plan["amount"])
    await services.settling.settle("stripe", "pi_0")
    await fails(house, student, gateway)
    await services.relay.sweep(minimum_age_ms=0)


async def fails(house: House, student: Visitor, gateway: RenewingGateway) -> None:
    """A payment whose money will not come."""
    at, order_id = house.services.clock.now(), new_id("ord")
    order: Row = {"_id": order_id, "user_id": student.user_id, "kind": "subscription", "title": "All", "outbox": []}
    order |= {"list_amount": 900, "amount": 900, "currency": "USD", "status": "pending", "expires_at": at}
    await Order.add(order | {"version": 1, "revision": 1, "created_at": at, "updated_at": at})
    row = pending_payment(order, f"{order_id}-1", "stripe", at=at, check_at=None)
    await Payment.add(row | {"intent_id": "pi_failed", "intent_key": "stripe:pi_failed"})
    gateway.payments["pi_failed"] = GatewayPayment("pi_failed", Charged.FAILED, Money(900, "USD"), key=row["key"])
    await house.services.settling.settle("stripe", "pi_failed")
