"""What becomes of subscriptions when the person who pays is erased: they end, at the gateway too; what they cost stays."""

from __future__ import annotations

from documents.plan_subscription import PlanSubscription
from lms_rt.services.erasure_steps import Ground


async def subscriptions(ground: Ground) -> None:
    """Nobody may be charged any more: the sweep ends each at its gateway, and asks again until that is done."""
    await PlanSubscription.forget_person(ground.leaving.user_id, ground.clock.now())
