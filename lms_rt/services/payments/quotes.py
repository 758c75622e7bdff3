"""What something would cost, for who asks before buying. Nothing is kept or counted."""

from __future__ import annotations

from documents.plan import Plan
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.coupons import PriceQuery, PriceView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.courses import require_course
from lms_rt.services.payments.plan_subscriptions import require_subscription
from lms_rt.services.payments.pricing import Priced, Pricing


class Quotes:
    """Prices, asked for."""

    def __init__(self, *, pricing: Pricing) -> None:
        self._pricing = pricing

    async def show(self, actor: Actor, query: PriceQuery) -> PriceView:
        """The price of a course or a plan for the actor now."""
        if (query.course_id is None) == (query.plan_id is None):
            raise invalid("course_id", "Name a course or a plan.", "required")
        if query.course_id is not None:
            course = await require_course(actor, query.course_id)
            priced = await self._pricing.of_course(
                course, user_id=actor.user_id, coupon_code=query.coupon_code, country=query.country
            )
            return _view(priced, course_id=course.id)
        if query.coupon_code is not None:
            raise invalid("coupon_code", "Coupons are for courses.", "coupon_course")
        return await self._of_plan(query.plan_id or "", query.country)

    async def of_change(self, actor: Actor, subscription_id: str, plan_id: str) -> PriceView:
        """What a subscription would cost each time with another plan: with the tax that it has now."""
        row = await require_subscription(actor, subscription_id)
        return await self._of_plan(plan_id, row.get("country") or row.get("tax_country"))

    async def _of_plan(self, plan_id: str, country: str | None) -> PriceView:
        plan = await Plan.find_row(plan_id)
        if plan is None or not plan["is_active"]:
            raise Refused(Code.NOT_FOUND)
        return _view(await self._pricing.of_plan(plan, country=country), plan_id=plan["_id"])


def _view(priced: Priced, *, course_id: str | None = None, plan_id: str | None = None) -> PriceView:
    return PriceView(
        course_id=course_id,
        plan_id=plan_id,
        list_amount=priced.list_amount,
        discount_amount=priced.discount_amount,
        coupon_code=priced.coupon_code,
        tax_name=priced.tax_name,
        tax_rate=priced.tax_basis_points,
        tax_country=priced.tax_country,
        tax_amount=priced.tax_amount,
        is_tax_included=priced.is_tax_included,
        amount=priced.amount,
        currency=priced.currency,
    )
