"""What something costs somebody: its price, less a coupon, and the tax of a country. The uses of coupons are `coupon_uses.py`.

The discount comes first, the tax is of what is left. A rate that prices include already changes nothing to be paid; one that
does not comes on top. How is rounded says `rounding.py`; what banks know no coin for is taken off, and is part of the discount.
Who makes an order copies all of it: later changes touch it no more.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings
from documents.base import Row
from documents.course import CourseHead
from documents.tax_rate import TaxRate
from lms_rt.clock import Clock
from lms_rt.errors import invalid
from lms_rt.services.payments.coupon_uses import CouponUses
from lms_rt.services.payments.rounding import share_of, step_of, tax_within


@dataclass(frozen=True, slots=True)
class Priced:
    """What is to be paid and how it came about. `amount` is 0 when a coupon takes it all: then nobody is to pay."""

    list_amount: int
    discount_amount: int
    coupon_id: str | None
    coupon_code: str | None
    tax_name: str | None
    tax_basis_points: int
    tax_country: str | None
    tax_amount: int
    is_tax_included: bool
    amount: int
    currency: str


class Pricing:
    """Prices."""

    def __init__(self, *, settings: Settings, clock: Clock, uses: CouponUses) -> None:
        self._settings, self._clock, self._uses = settings, clock, uses

    async def of_course(
        self, course: CourseHead, *, user_id: str, coupon_code: str | None = None, country: str | None = None
    ) -> Priced:
        """What a course costs this person now. 422 `coupon_code` when the coupon does not hold; nothing is counted yet."""
        coupon = None
        if coupon_code is not None:
            coupon = await self._uses.check(coupon_code, course, user_id=user_id, now=self._clock.now())
        return await self._priced(course.price, course.currency, country, coupon)

    async def of_plan(self, plan: Row, *, country: str | None = None) -> Priced:
        """What a plan costs each month or year. Coupons are for courses."""
        return await self._priced(plan["amount"], plan["currency"], country, None)

    async def take(self, coupon_id: str, user_id: str, order_id: str) -> None:
        """Count the use of a coupon for an order, or refuse: of two at the last one, one is too late. Again counts once."""
        await self._uses.take(coupon_id, user_id, order_id)

    async def give_back(self, order_id: str) -> None:
        """The order came to nothing: its coupon may be used again. An order without one, or again: nothing happens."""
        await self._uses.give_back(order_id)

    async def _priced(self, list_amount: int, currency: str, country: str | None, coupon: Row | None) -> Priced:
        step = step_of(list_amount, currency)
        discount = 0 if coupon is None else _discount(coupon, list_amount, currency, step)
        left = list_amount - discount
        rate = await self._rate(country)
        is_included = rate is None or bool(rate["is_included"])
        points = 0 if rate is None else int(rate["basis_points"])
        tax = tax_within(left, points) if is_included else share_of(left, points)
        amount = left if is_included else left + tax
        if amount % step:  # less by what no bank can draw; the tax is then that of what is left, at its rate
            amount -= amount % step
            tax = tax_within(amount, points)
            discount = list_amount - (amount if is_included else amount - tax)
        return Priced(
            list_amount=list_amount,
            discount_amount=discount,
            coupon_id=None if coupon is None else coupon["_id"],
            coupon_code=None if coupon is None else coupon["code"],
            tax_name=None if rate is None else rate["tax_name"],
            tax_basis_points=points,
            tax_country=None if rate is None else rate["_id"],
            tax_amount=tax,
            is_tax_included=is_included,
            amount=amount,
            currency=currency,
        )

    async def _rate(self, country: str | None) -> Row | None:
        """The rate of a country, else the school's own: nobody is rid of a tax by naming a country that has no rate here."""
        for asked in dict.fromkeys((country, self._settings.tax_country)):
            rate = await TaxRate.find_row(asked) if asked else None
            if rate is not None and rate["is_active"]:
                return rate
        return None


def _discount(coupon: Row, amount: int, currency: str, step: int) -> int:
    """What a coupon takes off, never more than there is."""
    if (points := coupon.get("percent_off")) is not None:
        return min(share_of(amount, points, step=step), amount)
    off = (coupon.get("amounts_off") or {}).get(currency)
    if off is None:
        raise invalid("coupon_code", "This coupon is for another currency.", "coupon_currency")
    return min(int(off), amount)
