"""Checkouts: by what an order is to be paid, which attempt that is, and its end. How one is begun is `checkout_starting.py`.

An order is paid by one attempt at a time: another gateway or method, or a checkout that failed, makes a new one, and the former
is closed. The same again meets the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from documents.base import Row
from documents.course import Course
from documents.enums import OrderKind, OrderStatus, PaymentStatus
from documents.order import Order
from documents.payment import Payment
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import page_of
from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable, Method, Money
from lms_rt.contracts.outbox import Intent, Write, job
from lms_rt.contracts.payments import (
    CheckoutDraft,
    CheckoutView,
    CourseCheckoutDraft,
    CourseOrderDraft,
    MethodQuery,
    PaymentMethodsView,
    PaymentMethodView,
)
from lms_rt.errors import Code, Refused, invalid
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.services.contended import until_written
from lms_rt.services.notification_texts import language_of
from lms_rt.services.payments.checkout_starting import Starting, key_of
from lms_rt.services.payments.claims import CLOSE_TASK, is_bought_by_another, is_for_sale
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.orders import Orders
from lms_rt.services.payments.payment_views import checkout_view
from lms_rt.services.relay import Relay

MAX_ATTEMPTS = 20
"""So often one order may be begun to be paid; whoever needs more makes another."""
METHODS_SECONDS = 4.0
"""So long a gateway is waited for that is to tell by what one can pay: somebody looks at the page meanwhile."""
_ROUNDS = 3
"""So often one request asks a gateway at most."""

_log = logging.getLogger(__name__)


class Checkouts:
    """Begins and ends checkouts."""

    def __init__(self, *, clock: Clock, relay: Relay, gateways: Gateways, orders: Orders, starting: Starting) -> None:
        self._clock, self._relay = clock, relay
        self._gateways, self._orders, self._starting = gateways, orders, starting

    async def begin_for_course(
        self,
        actor: Actor,
        draft: CourseCheckoutDraft,
        *,
        request_seed: str | None = None,
        seen_country: str | None = None,
    ) -> CheckoutView:
        """Order a course and begin to pay for it."""
        if draft.gateway is not None:
            self._gateways.named(draft.gateway)  # before there is an order
        wish = CourseOrderDraft(**draft.model_dump(exclude={"gateway", "method"}))
        ordered = await self._orders.create(actor, wish, request_seed=request_seed, seen_country=seen_country)
        return await self.begin(actor, ordered.row["_id"], CheckoutDraft(gateway=draft.gateway, method=draft.method))

    async def begin(self, actor: Actor, order_id: str, draft: CheckoutDraft) -> CheckoutView:
        """What the browser needs to pay an order; the same again, while it is meant to be paid by the same."""
        for _ in range(_ROUNDS):  # each round but the last begins another attempt, and those are counted
            order = await until_written(lambda: self._ready(actor, order_id, draft))
            if order.get("completed_at") is not None:
                return checkout_view(order, {}, payment_id=order.get("payment_id"))
            key = key_of(order)
            client = self._starting.unsealed(order)
            if client is None and (client := await self._starting.start(actor.user_id, order, key)) is None:
                continue
            payment, order = await Payment.find_by_key(key), await self._orders.require_own(actor, order_id)
            return checkout_view(order, client, payment_id=None if payment is None else payment["_id"])
        raise Refused(Code.UNAVAILABLE, "The gateway does not take this payment at the moment.")

    async def _ready(self, actor: Actor, order_id: str, draft: CheckoutDraft) -> Row | None:
        """The order with the attempt that is to be gone on with; None: somebody wrote meanwhile."""
        order = await self._orders.require_own(actor, order_id)
        if order.get("completed_at") is not None and order["amount"] == 0:
            return order
        if (
            not self._orders.can_be_paid(order)
            or order["kind"] != OrderKind.COURSE
            or not await is_for_sale(order["course_id"])
            or await is_bought_by_another(order)
        ):
            raise Refused(Code.CONFLICT, "This order cannot be paid any more.")
        gateway = None if order["amount"] == 0 else self._chosen(order, draft)
        order = await self._orders.ready(order)
        if gateway is None and order.get("completed_at") is not None:
            return order
        if gateway is None or order["status"] != OrderStatus.PENDING:
            raise Refused(Code.CONFLICT, "This order cannot be paid any more.")
        return await self._attempted(order, gateway, draft)

    async def methods(self, actor: Actor, query: MethodQuery, *, amount: int | None = None) -> PaymentMethodsView:
        """By what a course, or an order of one's own, can be paid. A gateway that does not answer, or not soon, is left out.

        All are asked at once. Of a course it is its list price, or the `amount` that it comes to with a coupon and the tax.
        """
        money, country = await self._due(actor, query)
        money = money if amount is None else Money(amount, money.currency)
        language = await _language_of(actor)
        offered = self._gateways.for_checkout(money, country)
        found = await asyncio.gather(*(_methods_of(gateway, money) for gateway in offered))
        items = [
            PaymentMethodView(
                gateway=gateway.name.value,
                method=one.method,
                name=one.name.get(language) or one.name.get("en") or one.method,
                names=dict(one.name),
                fee=one.fee,
                currency=money.currency,
            )
            for gateway, methods in zip(offered, found, strict=True)
            for one in methods
        ]
        shown = page_of(items[query.skip : query.skip + query.page_size], query, len(items))
        return PaymentMethodsView(**dict(shown), amount=money.amount, currency=money.currency)

    async def close(self, payment_id: str) -> None:
        """Let a checkout not be paid any more, and settle it by what its gateway says then.

        For a job: raises `GatewayUnavailable`. What the gateway will not close, time does.
        """
        payment = await Payment.find_row(payment_id)
        gateway = None if payment is None else self._gateways.find(payment["gateway"])
        if payment is None or gateway is None or payment["status"] != PaymentStatus.PENDING:
            return
        try:
            if payment.get("intent_id"):
                await gateway.cancel_checkout(payment["intent_id"])
            await self._starting.look(payment)
        except GatewayRefused as error:
            _log.warning("payment %s was not closed: %s", payment_id, error.code)

    # --- step by step ---

    def _chosen(self, order: Row, draft: CheckoutDraft) -> PaymentGateway:
        """The gateway by which it is to be paid: the one named, the one of before, or the first that takes the currency."""
        money, country = Money(order["amount"], order["currency"]), order.get("country")
        named = draft.gateway or order.get("gateway")
        if named is not None:
            gateway = self._gateways.named(named)
            if not self._gateways.takes(gateway, money.currency, country):
                raise invalid("gateway", "This gateway does not take this currency, or not there.", "gateway")
            return gateway
        offered = self._gateways.for_checkout(money, country)
        if not offered:
            raise invalid("gateway", "No gateway here takes this currency.", "gateway")
        return offered[0]

    async def _attempted(self, order: Row, gateway: PaymentGateway, draft: CheckoutDraft) -> Row | None:
        """The order with the checkout that is to be gone on with, or a new one; None: somebody wrote meanwhile."""
        name, key = gateway.name.value, key_of(order)
        if order["attempt"] and order.get("gateway") == name and draft.method in (None, order.get("method")):
            payment = await Payment.find_by_key(key)
            if payment is None or payment["status"] == PaymentStatus.PENDING:
                return order
        await _refuse_unknown(gateway, Money(order["amount"], order["currency"]), draft.method)
        if order["attempt"] >= MAX_ATTEMPTS:
            raise Refused(Code.CONFLICT, "This order was begun to be paid too often: call it off, and order anew.")
        at, former = self._clock.now(), await Payment.find_by_key(key)
        write, closing = Write(order["version"] + 1, at), list[Intent]()
        if former is not None and former["status"] == PaymentStatus.PENDING:
            closing.append(job(write, CLOSE_TASK, {"payment_id": former["_id"]}))
        method: Row = {"method": draft.method} if draft.method else {}
        gone = dict.fromkeys(("checkout", "gateway_intent_id", *(() if method else ("method",))), "")
        update = {"$set": {"attempt": order["attempt"] + 1, "gateway": name, **method}, "$unset": gone}
        if not await Order.change(order, update, intents=closing, at=at):
            return None
        await self._relay.hand_over(Order, order["_id"])
        return await Order.find_row(order["_id"])

    async def _due(self, actor: Actor, query: MethodQuery) -> tuple[Money, str | None]:
        if query.order_id is not None:
            order = await self._orders.require_own(actor, query.order_id)
            return Money(order["amount"], order["currency"]), query.country or order.get("country")
        course = None if query.course_id is None else await Course.find_head(query.course_id)
        if query.course_id is None:
            raise invalid("course_id", "Name a course, or an order.", "required")
        if course is None or not course.is_published or course.is_archived:
            raise Refused(Code.NOT_FOUND)
        return Money(course.price, course.currency), query.country


async def _methods_of(gateway: PaymentGateway, money: Money) -> Sequence[Method]:
    """What one offers; none when it does not answer in time."""
    try:
        async with asyncio.timeout(METHODS_SECONDS):
            return await gateway.methods(money)
    except (GatewayRefused, GatewayUnavailable, TimeoutError) as error:
        _log.warning("%s tells no methods: %s", gateway.name.value, type(error).__name__)
        return ()


async def _refuse_unknown(gateway: PaymentGateway, money: Money, method: str | None) -> None:
    """Before anything is begun by a method that there is not. A gateway that tells none now is asked with the checkout."""
    offered = () if method is None else await _methods_of(gateway, money)
    if offered and method not in {one.method for one in offered}:
        raise invalid("method", "The gateway does not offer this method here.", "method")


async def _language_of(actor: Actor) -> str:
    user = await User.find_by_id(actor.user_id)
    return language_of("" if user is None else user.locale)
