"""Who may use a coupon, and the counting of it: in single writes, so that nobody can be one too many. What is off, pricing says.

A use is taken in three writes: its own row, whose id is the limit per person; the coupon's count, whose filter is the limit in
all; and a note that it was counted. Whoever was cut off in between does the same again, or `forget_lost` undoes it. An order
that ended gives its use back; if it is paid late it has to take one again, and what is paid keeps its use for good.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from documents.base import Row
from documents.coupon import Coupon, CouponUse
from documents.course import CourseHead
from documents.enums import OrderStatus
from documents.order import Order
from lms_rt.clock import Clock
from lms_rt.errors import Refused, invalid
from lms_rt.ids import new_id
from lms_rt.services.contended import until_written

_log = logging.getLogger(__name__)

LOST_AFTER = timedelta(minutes=10)
"""So long after it was begun nobody is in the middle of taking a use any more."""
_MOST_OF_ONE = 1_000
"""More uses than anybody has of one coupon without a limit per person."""
_PAGE = 200


def code_key_of(code: str) -> str:
    """How a code is found: small letters and spaces around it make no other one."""
    return code.strip().upper()


class CouponUses:
    """The uses of coupons."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def check(self, code: str, course: CourseHead, *, user_id: str, now: datetime) -> Row:
        """The coupon of this code, if this person may use it for this course now; else the refusal, which says why."""
        coupon = await Coupon.find_by_code(code_key_of(code))
        if coupon is None or not coupon["is_active"]:
            raise _refusal("There is no such coupon.", "coupon_unknown")
        if coupon.get("starts_at") is not None and now < coupon["starts_at"]:
            raise _refusal("This coupon does not hold yet.", "coupon_early")
        if coupon.get("ends_at") is not None and now >= coupon["ends_at"]:
            raise _refusal("This coupon has ended.", "coupon_over")
        if coupon.get("course_ids") and course.id not in coupon["course_ids"]:
            raise _refusal("This coupon is for another course.", "coupon_course")
        if coupon.get("max_uses") is not None and coupon["uses"] >= coupon["max_uses"]:
            raise _used_up()
        of_one = coupon.get("max_uses_per_user")
        if of_one is not None and await CouponUse.count_of_user(coupon["_id"], user_id) >= of_one:
            raise _used_before()
        return coupon

    async def take(self, coupon_id: str, user_id: str, order_id: str, *, is_paid: bool = False) -> None:
        """Count a use for an order, or refuse; again counts once. That of an order that is being paid is kept for good."""
        coupon = await Coupon.find_row(coupon_id)
        if coupon is None:
            raise _refusal("There is no such coupon.", "coupon_unknown")

        async def step() -> bool | None:
            use = await self._use_of(coupon, user_id, order_id)
            if use["is_going"]:
                await self._gone(use)
                return None
            is_counted = use["is_counted"] or await self._counted(coupon, use)
            return (is_counted and (not is_paid or use["is_kept"] or await CouponUse.keep(use))) or None

        await until_written(step)

    async def give_back(self, order_id: str) -> None:
        """Let the use of an order that came to nothing be none, unless it was paid late after all; again changes nothing."""
        use = await CouponUse.find_of_order(order_id)
        if use is not None and await CouponUse.begin_going(use):
            await self._gone(use)

    async def forget_lost(self, now: datetime, *, limit: int = _PAGE) -> int:
        """Give back what nobody bought anything by, finish what was cut off; how many of both."""
        done = 0
        for use in await CouponUse.find_unsettled(now - LOST_AFTER, limit=limit):
            done += await self._settled(use)
        return done

    async def _settled(self, use: Row) -> bool:
        """What an order that is over has left is done; was there anything?"""
        order = await Order.find_row(use["order_id"])
        if order is None or (order["status"] != OrderStatus.PENDING and order.get("completed_at") is None):
            await self.give_back(use["order_id"])
            return True
        is_paid = order.get("completed_at") is not None
        if use["is_counted"] and not is_paid:
            return False
        try:
            await self.take(use["coupon_id"], use["user_id"], use["order_id"], is_paid=is_paid)
        except Refused as error:  # somebody else had the last one: who goes on with the order is refused then
            _log.warning("the use of a coupon by order %s is not counted: %s", use["order_id"], error.code.code)
        return True

    async def _counted(self, coupon: Row, use: Row) -> bool:
        """Is it counted now? False: it was given back meanwhile. Whoever is too late is refused."""
        if not await Coupon.count_use(coupon["_id"], use["token"], limit=coupon.get("max_uses")):
            await CouponUse.remove(use)
            raise _used_up()
        if await CouponUse.note_counted(use):
            return True
        await Coupon.count_back(coupon["_id"], use["token"], is_counted=False)
        return False

    async def _gone(self, use: Row) -> None:
        """Finish giving it back: from here on nobody notes anything on it any more."""
        use = await CouponUse.find_row(use) or {}
        if use:
            await Coupon.count_back(use["coupon_id"], use["token"], is_counted=use["is_counted"])
            await CouponUse.remove(use)

    async def _use_of(self, coupon: Row, user_id: str, order_id: str) -> Row:
        """The row of this use: the one that is there, or the first number that is free."""
        most = coupon.get("max_uses_per_user") or _MOST_OF_ONE
        begin = await CouponUse.count_of_user(coupon["_id"], user_id)
        places = [*range(begin, most), *range(min(begin, most))]
        for place in places:
            if (present := await CouponUse.find_of_order(order_id)) is not None:
                return present
            use = {
                "_id": f"{coupon['_id']}:{user_id}:{place}",
                "coupon_id": coupon["_id"],
                "user_id": user_id,
                "order_id": order_id,
                "token": new_id("cpu"),
                "is_counted": False,
                "is_kept": False,
                "is_going": False,
                "created_at": self._clock.now(),
            }
            if await CouponUse.add(use):
                return use
        if (present := await CouponUse.find_of_order(order_id)) is not None:
            return present
        raise _used_before()


def _refusal(words: str, code: str) -> Refused:
    return invalid("coupon_code", words, code)


def _used_up() -> Refused:
    return _refusal("This coupon was used as often as it may be.", "coupon_used_up")


def _used_before() -> Refused:
    return _refusal("You have used this coupon as often as you may.", "coupon_used_before")
