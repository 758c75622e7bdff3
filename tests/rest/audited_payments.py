"""Changes about money that are recorded, as somebody makes them who looks after payments."""

from __future__ import annotations

from typing import Any

from documents.base import Row
from documents.order import Order
from documents.payment import Payment
from lms_rt.ids import new_id
from lms_rt.services.payments.settling import pending_payment
from tests.rest.audited_world import Asked, Change, World
from tests.rest.rights.paying import waiting_refund


async def paid(world: World, **fields: Any) -> str:
    """A payment that came."""
    at, order_id = world.house.services.clock.now(), new_id("ord")
    order: Row = {
        "_id": order_id,
        "user_id": world.teacher.user_id,
        "kind": "subscription",
        "title": "All",
        "outbox": [],
    }
    order |= {"list_amount": 1000, "amount": 1000, "currency": "USD", "status": "pending", "expires_at": at}
    await Order.add(order | {"version": 1, "revision": 1, "created_at": at, "updated_at": at})
    row = pending_payment(order, f"{order_id}-1", "stripe", at=at, check_at=None)
    await Payment.add(row | {"status": "completed", "completed_at": at, "intent_id": f"pi_{order_id}", **fields})
    return str(row["_id"])


async def refund(world: World) -> Asked:
    payment_id = await paid(world)
    return Asked(f"/payments/{payment_id}/refund", payment_id, {"amount": 500, "reason": "Was ill"})


async def cancel_refund(world: World) -> Asked:
    payment_id = await paid(world)
    refund_id = await waiting_refund(world.house, payment_id)
    return Asked(f"/payments/{payment_id}/refunds/{refund_id}/cancel", payment_id, {"reason": "By mistake"})


async def release(world: World) -> Asked:
    payment_id = await paid(world, held="amount_mismatch")
    return Asked(f"/payments/{payment_id}/release", payment_id, {"reason": "A discount by mail"})


async def note_dispute(world: World) -> Asked:
    payment_id = await paid(world, gateway="paymob", paid_amount=1000)
    return Asked(
        f"/payments/{payment_id}/dispute", payment_id, {"state": "lost", "amount": 500, "reason": "The bank wrote so"}
    )


async def resolve_finding(world: World) -> Asked:
    payment_id = new_id("pay")
    await world.house.services.findings.found("dispute", payment_id, refs={"payment_id": payment_id}, facts={})
    return Asked(f"/payments/findings/dispute:{payment_id}/resolve", f"dispute:{payment_id}", {"note": "Answered"})


PAYMENT_CHANGES: dict[str, Change] = {
    "POST /payments/{payment_id}/refund": refund,
    "POST /payments/{payment_id}/refunds/{refund_id}/cancel": cancel_refund,
    "POST /payments/{payment_id}/release": release,
    "POST /payments/{payment_id}/dispute": note_dispute,
    "POST /payments/findings/{finding_id}/resolve": resolve_finding,
}
