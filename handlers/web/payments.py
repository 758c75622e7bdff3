"""/payments and what lies below it: one's orders, payments and subscriptions, and one order while its money moves.

Gateways send their payers back to an order's page, which believes nothing that an address says: it shows what is kept.
"""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.web.base import Screen, shape
from handlers.web.checkout import order_path
from handlers.web.money import SHEETS, Errors, MoneyPage
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import PriceView
from lms_rt.contracts.invoices import InvoicesQuery
from lms_rt.contracts.payments import CheckoutDraft, OrderQuery, OrderView, OwnPaymentQuery, PaymentView
from lms_rt.contracts.plans import OwnSubscriptionQuery, PlanQuery, SubscriptionMove, SubscriptionResume
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

PAGE_SIZE = 20
MOST_SUBSCRIPTIONS = 50
POLL_MS = 5_000
_SAID = frozenset({"cancelled", "resumed", "changed"})
_DONE = {"cancel": "cancelled", "resume": "resumed", "change": "changed"}
_PAID = frozenset({"completed", "refund_pending", "partially_refunded", "refunded"})
TONES = {
    "completed": ("ok", "saved"), "active": ("ok", "saved"), "pending": ("info", "clock"), "failed": ("bad", "refused"),
    "past_due": ("warn", "alert"), "refund_pending": ("hold", "refresh"), "refunded": ("hold", "refresh"),
    "partially_refunded": ("hold", "refresh"), "cancelled": ("", "close"), "expired": ("", "late"),
}  # fmt: skip
"""Tone and icon of each state of orders, payments and subscriptions."""


class PaymentsPage(MoneyPage):
    """/payments: the reader's own. Its forms are `SubscriptionAct`'s."""

    access = SIGNED_IN
    reach = Reach.SELF
    is_form_own_alone = True

    async def get(self) -> None:
        """Subscriptions, open orders, and payments, the newest first."""
        await self.show_all()

    async def show_all(self, errors: Errors | None = None) -> None:
        """The page, with what is wrong above it."""
        services, page = self.services, self.page_number()
        listed = await services.own_payments.list(self.actor, OwnPaymentQuery(page=page, page_size=PAGE_SIZE))
        waiting = await services.orders.list(self.actor, OrderQuery(status="pending", page_size=PAGE_SIZE))
        query = OwnSubscriptionQuery(page_size=MOST_SUBSCRIPTIONS)
        subscriptions = await services.plan_subscriptions.list_own(self.actor, query)
        plans = await services.plans.list(self.actor, PlanQuery(is_active=True, page_size=MOST_SUBSCRIPTIONS))
        done = self.get_query_argument("done", "")
        title, now = self.t("payments.title"), services.clock.now()
        self.show(
            Screen("payments.html", title=(self.titled(title, errors or ()),), sheets=SHEETS),
            listed=shape(listed),
            waiting=shape(waiting)["items"],
            subscriptions=shape(subscriptions)["items"],
            keepable={
                one.id for one in subscriptions.items if one.may_be_resumed and one.end_date and one.end_date > now
            },
            plans=shape(plans)["items"],
            paid=_PAID,
            tones=TONES,
            done=done if done in _SAID else "",
            errors=errors or [],
        )


class SubscriptionAct(PaymentsPage):
    """What is done with a subscription: it ends with what is paid for, goes on after all, or another plan takes its place."""

    reach = Reach.LEARNING

    async def get(self, subscription_id: str, act: str) -> None:  # type: ignore[override]  # the address has more parts
        """What another plan will cost, before it is asked for; an address that is left of a form leads back to the list."""
        plan_id = self.get_query_argument("plan_id", "")
        if act != "change" or not plan_id:
            self.redirect("/payments", status=303)
            return
        price = await self.services.quotes.of_change(self.actor, subscription_id, plan_id)
        await self._show_change(subscription_id, price)

    async def post(self, subscription_id: str, act: str) -> None:
        """Do it, and back to the list."""
        changes = self.services.subscription_changes
        try:
            if act == "cancel":
                await changes.cancel(self.actor, subscription_id)
            elif act == "resume":
                await changes.resume(self.actor, subscription_id, SubscriptionResume())
            elif act == "change":
                move = read_model(SubscriptionMove, {"plan_id": self.field("plan_id")})
                price = await self.services.quotes.of_change(self.actor, subscription_id, move.plan_id)
                if self.typed_amount() != price.amount:  # nobody goes over to a price that was not shown
                    await self._show_change(subscription_id, price, is_other=self.typed_amount() is not None)
                    return
                await changes.change(self.actor, subscription_id, move)
            else:
                raise Refused(Code.NOT_FOUND)
        except Refused as refused:
            await self.show_all(self.refused(refused, field=subscription_id, own=()))
            return
        self.redirect(f"/payments?done={_DONE[act]}", status=303)

    async def _show_change(self, subscription_id: str, price: PriceView, *, is_other: bool = False) -> None:
        """The new plan with its price, to be said yes to."""
        services = self.services
        plan = await services.plans.show(self.actor, price.plan_id or "")
        subscription = await services.plan_subscriptions.show(self.actor, subscription_id)
        self.set_status(409 if is_other else 200)
        self.show(
            Screen("subscription_change.html", title=(self.t("payments.change_plan"), plan.plan_name), sheets=SHEETS),
            subscription=shape(subscription),
            plan=shape(plan),
            price=shape(price),
            is_other=is_other,
        )


class OrderPage(MoneyPage):
    """/payments/orders/{id}. Its forms, `OrderPay`'s and `OrderAct`'s, are its owner's: nobody else spends their money."""

    access = SIGNED_IN
    reach = Reach.LEARNING
    is_form_own_alone = True

    async def get(self, order_id: str) -> None:
        """How it stands. A script asks again while money is on its way, and hears of it when it came."""
        await self.show_order(await self.services.orders.show(self.actor, order_id))

    async def show_order(self, order: OrderView, errors: Errors | None = None) -> None:
        """The page of this order."""
        course = None if order.course_id is None else await self._course_slug(order.course_id)
        title = self.t("payments.order")
        is_other_price = self.get_query_argument("price", "") == "other" and order.status == "pending"
        screen = Screen(
            "order.html",
            title=(self.titled(title, errors or ()), order.title),
            data={"order_id": order.id, "status": order.status, "version": order.version, "poll_ms": POLL_MS},
            groups=("payments",),
            scripts=("shell.js", "order.js"),
            sheets=SHEETS,
        )
        invoices, payment = await self._invoices(order), await self._payment(order)
        self.show(
            screen,
            order=shape(order),
            payment=None if payment is None else shape(payment),
            course=course,
            invoices=invoices,
            tones=TONES,
            is_other_price=is_other_price,
            errors=errors or [],
        )

    async def show_refused(self, order_id: str, refused: Refused) -> None:
        """The page, with why nothing was done."""
        errors = self.refused(refused, field="state", own=())
        await self.show_order(await self.services.orders.show(self.actor, order_id), errors)

    async def _course_slug(self, course_id: str) -> str | None:
        """Where the course is; it may be gone from view meanwhile."""
        try:
            return (await self.services.courses.show(self.actor, course_id)).slug
        except Refused:
            return None

    async def _payment(self, order: OrderView) -> PaymentView | None:
        """The one that completed it."""
        return None if order.payment_id is None else await self.services.own_payments.show(self.actor, order.payment_id)

    async def _invoices(self, order: OrderView) -> list[dict[str, object]]:
        if order.payment_id is None:
            return []
        listed = await self.services.invoices.list_of_payment(
            self.actor, order.payment_id, InvoicesQuery(page_size=100)
        )
        return [shape(one) for one in listed.items]


class OrderPay(OrderPage):
    """Paying an order that is open."""

    reach = Reach.OWN

    async def get(self, order_id: str) -> None:
        """An address that is left of a form: back to the order."""
        self.redirect(order_path(order_id), status=303)

    async def post(self, order_id: str) -> None:
        """On to its gateway."""
        try:
            order = await self.services.orders.show(self.actor, order_id)
            wished = {"gateway": order.gateway, "method": order.method}
            draft = read_model(CheckoutDraft, {name: value for name, value in wished.items() if value})
            begun = await self.services.checkouts.begin(self.actor, order_id, draft)
        except Refused as refused:
            await self.show_refused(order_id, refused)
            return
        self.go_on(shape(begun), order_path=order_path(order_id))


class OrderAct(OrderPage):
    """What else is done with an order by its owner's own hand: give it up, or ask its gateway again."""

    reach = Reach.OWN

    def get(self, order_id: str, _act: str) -> None:  # type: ignore[override]  # the address has a part more
        """An address that is left of a form: back to the order."""
        self.redirect(order_path(order_id), status=303)

    async def post(self, order_id: str, act: str) -> None:
        """Do it, and back to the order."""
        services = self.services
        try:
            if act == "cancel":
                await services.orders.cancel(self.actor, order_id)
            elif act == "look":
                await services.looking_again.look(self.actor, order_id)
            else:
                raise Refused(Code.NOT_FOUND)
        except Refused as refused:
            await self.show_refused(order_id, refused)
            return
        self.redirect(order_path(order_id), status=303)


PAGES = [
    (r"/payments/?", PaymentsPage),
    (r"/payments/orders/([^/]+)/?", OrderPage),
    (r"/payments/orders/([^/]+)/pay", OrderPay),
    (r"/payments/orders/([^/]+)/([a-z]+)", OrderAct),
    (r"/payments/subscriptions/([^/]+)/([a-z]+)", SubscriptionAct),
]
"""The rows of these pages."""
