"""Which payment an order is completed by: the one that comes first, and matches. Whoever comes second, or otherwise, is held.

The order decides by one compare-and-set, before the payment is written: of two payments at the same instant one completes it, and
of two orders for the same course one is completed, by a unique key that both would have. Killed in between, the next settling
finds the order completed by this very payment, and goes on.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime

from documents.base import Row
from documents.course import Course
from documents.enums import HeldFor, OrderKind, OrderStatus
from documents.order import Order
from documents.payment import PAID, Payment
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayPayment
from lms_rt.contracts.outbox import Intent, Write, effect, job
from lms_rt.errors import Refused
from lms_rt.services.contended import is_for_now, until_written
from lms_rt.services.payments.coupon_uses import CouponUses
from lms_rt.services.payments.payment_facts import card_of
from lms_rt.services.payments.states import ORDER
from lms_rt.services.relay import EffectHandler, Relay

FOLLOW_EFFECT, CALL_OFF_EFFECT = "orders.follow", "orders.call_off"
CLOSE_TASK = "payments.close"

_log = logging.getLogger(__name__)


class Claims:
    """Completes orders, and follows their payments afterwards."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay, self._uses = clock, relay, CouponUses(clock=clock)

    def effects(self) -> dict[str, EffectHandler]:
        """What the relay carries out in its name."""
        return {FOLLOW_EFFECT: self._on_followed}

    async def claim(self, payment: Row, read: GatewayPayment) -> str | None:
        """Let the order of a payment that came be completed by it. Why it is held, if it is; again it is the same."""
        if payment["status"] in PAID:
            return payment.get("held")
        reason = _mismatch(payment, read)
        if reason is not None:
            return reason.value

        async def step() -> tuple[HeldFor | None] | None:
            order = await Order.find_row(payment["order_id"])
            if order is None:
                return (HeldFor.UNKNOWN_ORDER,)
            reason = await self._why_not(order, payment)
            if reason is not None or order.get("completed_at") is not None:
                return (reason,)
            if not await self._has_coupon(order):
                return (HeldFor.LATE,)
            return (None,) if await self._complete(order, {**payment, **card_of(read)}) else None

        (found,) = await until_written(step)
        return None if found is None else found.value

    async def accept(self, payment: Row) -> bool:
        """Let the order of a payment that somebody lets go be completed by it. False: another one paid for the same; again it is the same."""

        async def step() -> tuple[bool] | None:
            order = await Order.find_row(payment["order_id"])
            if order is not None and await _is_paid_otherwise(order, payment):
                return (False,)
            if order is None or order.get("completed_at") is not None:
                return (True,)
            with suppress(Refused):  # somebody decided: that the coupon is used up holds nothing up
                await self._has_coupon(order)
            return (True,) if await self._complete(order, payment) else None

        (is_accepted,) = await until_written(step)
        return is_accepted

    @staticmethod
    async def is_paid_otherwise(payment: Row) -> bool:
        """Was what it is for paid by another one?"""
        order = await Order.find_row(payment["order_id"])
        return order is not None and await _is_paid_otherwise(order, payment)

    async def _has_coupon(self, order: Row) -> bool:
        """Does its coupon count for it, for good? An order that had ended gave it back, and others may have used it up."""
        if order.get("coupon_id") is None:
            return True
        try:
            await self._uses.take(order["coupon_id"], order["user_id"], order["_id"], is_paid=True)
        except Refused as error:
            if is_for_now(error):
                raise
            return False
        return True

    async def _why_not(self, order: Row, payment: Row) -> HeldFor | None:
        """Why this order cannot be completed by this payment."""
        if order["user_id"] != payment["user_id"]:
            return HeldFor.OWNER_MISMATCH
        if order["amount"] != payment["amount"] or order["currency"] != payment["currency"]:
            return HeldFor.AMOUNT_MISMATCH
        if order["kind"] != OrderKind.COURSE:
            # what is renewed is paid again and again; what came of a second subscription is of none
            return None if payment.get("subscription_id") is not None else HeldFor.DUPLICATE
        if await _is_paid_otherwise(order, payment):
            return HeldFor.DUPLICATE
        if order.get("completed_at") is not None:
            return None
        is_late = order["status"] != OrderStatus.PENDING
        return HeldFor.LATE if is_late and not await is_for_sale(order["course_id"]) else None

    async def _complete(self, order: Row, payment: Row) -> bool:
        status = ORDER.after(order["status"], "pay")
        if status is None:
            _log.error("order %s is %s, and was never completed", order["_id"], order["status"])
            return False
        at = self._clock.now()
        fields: Row = {
            "status": status,
            "payment_id": payment["_id"],
            "completed_at": at,
            "gateway": payment["gateway"],
        }
        if order["kind"] == OrderKind.COURSE:
            fields["bought_key"] = bought_key_of(order)
        if payment.get("intent_id"):
            fields["gateway_intent_id"] = payment["intent_id"]
        if payment.get("card_country"):
            fields["card_country"] = payment["card_country"]
        update = {"$set": fields, "$unset": {"open_key": "", "checkout": ""}}
        intents = await self._others(order, payment, at)
        if not await Order.change(order, update, intents=intents, at=at):
            return False
        if intents:
            await self._relay.hand_over(Order, order["_id"])
        return True

    async def _others(self, order: Row, payment: Row, at: datetime) -> list[Intent]:
        """What else could be paid for the same thing is closed."""
        write, found = Write(order["version"] + 1, at), await Payment.find_of_order(order["_id"])
        open_ = [one["_id"] for one in found if one["_id"] != payment["_id"] and one["status"] not in PAID]
        closing = [job(write, CLOSE_TASK, {"payment_id": payment_id}) for payment_id in open_]
        if order["kind"] != OrderKind.COURSE or order.get("open_key") is not None:
            return closing
        open_key = open_key_of(order["user_id"], order["course_id"])
        return [*closing, effect(write, CALL_OFF_EFFECT, {"open_key": open_key})]

    async def _on_followed(self, _: str, data: dict[str, str]) -> None:
        await self.follow(data["order_id"])

    async def follow(self, order_id: str) -> None:
        """Let a completed order say whether all of it was paid back. Derived from its payment; again changes nothing."""

        async def step() -> bool | None:
            order = await Order.find_row(order_id)
            if order is None or order.get("payment_id") is None:
                return True
            payment = await Payment.find_row(order["payment_id"])
            event = "refund" if payment is not None and payment["status"] == "refunded" else "refund_failed"
            status = ORDER.after(order["status"], event)
            if status is None:
                return True
            gone: Row = {"$unset": {"bought_key": ""}} if event == "refund" else {}
            return await Order.change(order, {"$set": {"status": status}, **gone}, at=self._clock.now()) or None

        await until_written(step)


def followed(write: Write, order_id: str) -> Intent:
    """The order of a payment looks at it once more."""
    return effect(write, FOLLOW_EFFECT, {"order_id": order_id})


async def is_for_sale(course_id: str) -> bool:
    """Can the course be bought now?"""
    course = await Course.find_head(course_id)
    return course is not None and course.is_published and not course.is_archived


async def is_bought_by_another(order: Row) -> bool:
    """Was another order completed that means the same purchase?"""
    other = await Order.find_bought(bought_key_of(order))
    return other is not None and other["_id"] != order["_id"]


def open_key_of(user_id: str, course_id: str) -> str:
    """What an order holds while it can be paid: nobody has two open ones for a course."""
    return f"{user_id}:{course_id}"


def bought_key_of(order: Row) -> str:
    """What of all orders that mean the same purchase one has: the one that was completed."""
    return f"{open_key_of(order['user_id'], order['course_id'])}:{order.get('purchase', 0)}"


def _mismatch(payment: Row, read: GatewayPayment) -> HeldFor | None:
    """What came is not what was asked for. Renewals are found by their subscription, and carry no key of ours, or its first."""
    key = payment["key"].partition(":")[0]
    is_drawn = payment.get("plan_id") is not None and _subject_of(read.key or "") == _subject_of(key)
    is_other = read.key not in (None, key) and not is_drawn
    if is_other and payment.get("subscription_id") is None:
        return HeldFor.OWNER_MISMATCH
    if read.money.currency != payment["currency"]:
        return HeldFor.CURRENCY_MISMATCH
    return HeldFor.AMOUNT_MISMATCH if read.money.amount != payment["amount"] else None


def _subject_of(key: str) -> str:
    """The order or subscription that a key is of."""
    return key.rpartition("-")[0]


async def _is_paid_otherwise(order: Row, payment: Row) -> bool:
    """Is the order, or another one that means the same purchase, completed by another payment?"""
    if order["kind"] != OrderKind.COURSE:
        return False
    if order.get("completed_at") is not None:
        return bool(order["payment_id"] != payment["_id"])
    return await is_bought_by_another(order)
