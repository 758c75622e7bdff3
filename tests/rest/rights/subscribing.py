"""Plans, a subscription that waits for its first payment, a coupon and a tax rate, in the school of the table of rights."""

from __future__ import annotations

from documents.base import Row
from documents.plan_subscription import PlanSubscription
from lms_rt.ids import new_id
from tests.clients import Visitor
from tests.house import House

PLAN = {"plan_name": "Everything", "amount": 900, "currency": "USD", "interval": "month"}


async def pending_subscription(house: House, user_id: str, plan_id: str, **fields: object) -> str:
    """One that somebody has begun and not paid for; no gateway knows of it."""
    at, subscription_id = house.services.clock.now(), new_id("sub")
    row: Row = {"_id": subscription_id, "user_id": user_id, "plan_id": plan_id, "plan_name": "Everything"}
    row |= {"interval": "month", "is_for_all": True, "list_amount": 900, "amount": 900, "currency": "USD"}
    row |= {"status": "pending", "gateway": "stripe", "attempt": 1, "revision": 1, "version": 1, "outbox": []}
    await PlanSubscription.add(row | {"created_at": at, "updated_at": at} | fields)
    return subscription_id


async def subscribing(house: House, admin: Visitor, owner: Visitor) -> dict[str, str]:
    """What hangs on no course."""
    plan = await admin.ok("POST", "/payments/plans", json=PLAN)
    coupon = await admin.ok("POST", "/payments/coupons", json={"code": "WALKED", "percent_off": 10})
    await admin.ok("PUT", "/payments/tax-rates/EG", json={"tax_name": "VAT", "rate": 14})
    subscription_id = await pending_subscription(house, owner.user_id, plan["id"])
    return {"plan_id": plan["id"], "coupon_id": coupon["id"], "country": "EG", "subscription_id": subscription_id}
