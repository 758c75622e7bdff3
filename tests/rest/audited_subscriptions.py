"""Changes of plans, subscriptions, coupons and tax rates that are recorded, as an administrator makes them."""

from __future__ import annotations

from lms_rt.contracts.gateways import GatewaySubscription, Renewing
from tests.rest.audited_world import NUMBERS, Asked, Change, World
from tests.rest.rights.subscribing import PLAN, pending_subscription
from tests.services.subscribing import MONTH, RenewingGateway


async def _plan(world: World, **fields: object) -> str:
    return str((await world.admin.ok("POST", "/payments/plans", json={**PLAN, **fields}))["id"])


async def _coupon(world: World) -> str:
    body = {"code": f"AUDIT-{next(NUMBERS)}", "percent_off": 10}
    return str((await world.admin.ok("POST", "/payments/coupons", json=body))["id"])


async def create_plan(world: World) -> Asked:
    del world
    return Asked("/payments/plans", None, PLAN)


async def change_plan(world: World) -> Asked:
    plan_id = await _plan(world)
    return Asked(f"/payments/plans/{plan_id}", plan_id, {"amount": 1_000})


async def create_coupon(world: World) -> Asked:
    del world
    return Asked("/payments/coupons", None, {"code": f"AUDIT-{next(NUMBERS)}", "percent_off": 10})


async def change_coupon(world: World) -> Asked:
    coupon_id = await _coupon(world)
    return Asked(f"/payments/coupons/{coupon_id}", coupon_id, {"max_uses": 5})


async def put_tax_rate(world: World) -> Asked:
    del world
    rate = {"tax_name": f"VAT {next(NUMBERS)}", "rate": 14}
    return Asked("/payments/tax-rates/EG", "EG", {**rate, "is_included": False})


async def cancel_subscription(world: World) -> Asked:
    subscription_id = await pending_subscription(world.house, world.teacher.user_id, await _plan(world))
    return Asked(f"/payments/subscriptions/{subscription_id}/cancel", subscription_id)


async def _active(world: World, plan_id: str, **fields: object) -> str:
    """One that goes on at its gateway."""
    now, gateway = world.house.services.clock.now(), RenewingGateway()
    ends = now + MONTH
    gateway.subscriptions["gs_audited"] = GatewaySubscription("gs_audited", Renewing.ACTIVE, None, now, ends)
    world.house.services.payment_gateways.add(gateway)
    facts = {"status": "active", "gateway_subscription_id": "gs_audited", "start_date": now, "end_date": ends}
    return await pending_subscription(world.house, world.teacher.user_id, plan_id, **{**facts, **fields})


async def resume_subscription(world: World) -> Asked:
    ending = {"cancel_at_period_end": True, "cancelled_at": world.house.services.clock.now()}
    subscription_id = await _active(world, await _plan(world), **ending)
    return Asked(f"/payments/subscriptions/{subscription_id}/resume", subscription_id, {"reason": "They wrote to us."})


async def change_subscription(world: World) -> Asked:
    here, there = await _plan(world), await _plan(world, amount=1_500)
    subscription_id = await _active(world, here)
    return Asked(f"/payments/subscriptions/{subscription_id}/change", subscription_id, {"plan_id": there})


SUBSCRIPTION_CHANGES: dict[str, Change] = {
    "POST /payments/plans": create_plan,
    "PATCH /payments/plans/{plan_id}": change_plan,
    "POST /payments/coupons": create_coupon,
    "PATCH /payments/coupons/{coupon_id}": change_coupon,
    "PUT /payments/tax-rates/{country}": put_tax_rate,
    "POST /payments/subscriptions/{subscription_id}/cancel": cancel_subscription,
    "POST /payments/subscriptions/{subscription_id}/resume": resume_subscription,
    "POST /payments/subscriptions/{subscription_id}/change": change_subscription,
}
