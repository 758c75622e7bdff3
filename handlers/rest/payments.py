"""Orders, checkouts and payments over HTTP. Coming back from a gateway grants nothing: what is paid is seen at the order."""

from __future__ import annotations

from handlers.exchange import this_exchange
from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.payments import (
    CheckoutDraft,
    CheckoutView,
    CourseCheckoutDraft,
    CourseOrderDraft,
    MethodQuery,
    OrderQuery,
    OrderView,
    OwnPaymentQuery,
    PaymentMethodsView,
    PaymentView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def create_order(call: Call) -> Reply:
    """Order a course."""
    ordered = await call.services.orders.create(
        call.actor, call.body, request_seed=call.idempotency_seed, seen_country=this_exchange().country
    )
    made = {"order_id": ordered.view.id} if ordered.is_new else None
    return Reply(ordered.view, status=201 if ordered.is_new else 200, made=made)


async def list_orders(call: Call) -> Reply:
    """The caller's orders."""
    return Reply(await call.services.orders.list(call.actor, call.query))


async def show_order(call: Call) -> Reply:
    """One order."""
    return Reply(await call.services.orders.show(call.actor, call.path["order_id"]))


async def cancel_order(call: Call) -> Reply:
    """Call off an order."""
    return Reply(await call.services.orders.cancel(call.actor, call.path["order_id"]))


async def begin(call: Call) -> Reply:
    """Begin to pay an order."""
    return Reply(await call.services.checkouts.begin(call.actor, call.path["order_id"], call.body))


async def begin_for_course(call: Call) -> Reply:
    """Order a course and begin to pay for it."""
    checkouts, seed = call.services.checkouts, call.idempotency_seed
    seen = this_exchange().country
    return Reply(await checkouts.begin_for_course(call.actor, call.body, request_seed=seed, seen_country=seen))


async def list_methods(call: Call) -> Reply:
    """By what something can be paid."""
    return Reply(await call.services.checkouts.methods(call.actor, call.query))


async def list_payments(call: Call) -> Reply:
    """The caller's payments."""
    return Reply(await call.services.own_payments.list(call.actor, call.query))


async def show_payment(call: Call) -> Reply:
    """One payment."""
    return Reply(await call.services.own_payments.show(call.actor, call.path["payment_id"]))


_ORDER = "/payments/orders/{order_id}"
_REFUSED = (Code.CONFLICT, Code.ALREADY_ENROLLED)

ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/payments/orders",
        create_order,
        SIGNED_IN,
        reach=Reach.PUBLISHED,
        body=CourseOrderDraft,
        reply=OrderView,
        status=201,
        more_statuses=(200,),
        location="/payments/orders/{order_id}",
        is_own_alone=True,
        is_idempotent=True,
        codes=(*_REFUSED, Code.NOT_FOUND, Code.BUSY),
        summary="Order a course",
        description="At what it costs now: no later change of its price touches the order. While it can be paid (`expires_at`) "
        "the same is ordered once: again it is the same order (200), unless another coupon or country is named.",
    ),
    Operation(
        "GET",
        "/payments/orders",
        list_orders,
        SIGNED_IN,
        reach=Reach.OWN,
        query=OrderQuery,
        reply=Page[OrderView],
        summary="My orders",
    ),
    Operation("GET", _ORDER, show_order, SIGNED_IN, reach=Reach.LEARNING, reply=OrderView, summary="One order"),
    Operation(
        "POST",
        f"{_ORDER}/cancel",
        cancel_order,
        SIGNED_IN,
        reach=Reach.OWN,
        reply=OrderView,
        is_own_alone=True,
        codes=(Code.CONFLICT, Code.BUSY),
        summary="Call off an order",
        description="Its checkout is closed. Money that was under way all the same completes it late.",
    ),
    Operation(
        "POST",
        "/payments/create-intent/{order_id}",
        begin,
        SIGNED_IN,
        reach=Reach.OWN,
        body=CheckoutDraft,
        reply=CheckoutView,
        is_secret=True,
        is_own_alone=True,
        is_idempotent=True,
        codes=(Code.CONFLICT, Code.BUSY),
        summary="Begin to pay an order",
        description="The reply holds what the browser needs: `client_secret` with `publishable_key`, `redirect_url`, or "
        "`iframe_url`. Again, by the same gateway, it is the same; by another, the former checkout is closed.",
    ),
    Operation(
        "POST",
        "/payments/create-payment-intent",
        begin_for_course,
        SIGNED_IN,
        reach=Reach.PUBLISHED,
        body=CourseCheckoutDraft,
        reply=CheckoutView,
        is_secret=True,
        is_own_alone=True,
        is_idempotent=True,
        codes=(*_REFUSED, Code.NOT_FOUND, Code.BUSY),
        summary="Order a course and begin to pay for it",
        description="A gateway that is not set up here is 422 `gateway`. 200, also when the order is new: the reply is its checkout, "
        "which has no address of its own.",
    ),
    Operation(
        "GET",
        "/payments/methods",
        list_methods,
        SIGNED_IN,
        reach=Reach.PUBLISHED,
        query=MethodQuery,
        reply=PaymentMethodsView,
        codes=(Code.NOT_FOUND,),
        summary="By what a course, or an order, can be paid",
    ),
    Operation(
        "GET",
        "/payments/my-payments",
        list_payments,
        SIGNED_IN,
        reach=Reach.OWN,
        query=OwnPaymentQuery,
        reply=Page[PaymentView],
        summary="My payments",
    ),
    Operation(
        "GET",
        "/payments/{payment_id}",
        show_payment,
        SIGNED_IN,
        reach=Reach.LEARNING,
        reply=PaymentView,
        summary="One payment",
    ),
)
