"""/admin/payments: revenue, everybody's payments, one order from what was bought to what it opened, and what was found wrong.

What is paid back is typed as an amount. The same services as REST; works without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from handlers.rest.access import Access, needs
from handlers.web.base import Screen, shape
from handlers.web.money import ADMIN_SHEETS, Errors, MoneyPage, minor_units
from handlers.web.payments import TONES
from handlers.web.revenue import asked_time, chosen_currency, drawn, is_long
from lms_rt.contracts.base import read_model
from lms_rt.contracts.gateways import GatewayName
from lms_rt.contracts.money import amount_text, is_known
from lms_rt.contracts.payment_desk import DisputeDraft, PaymentQuery
from lms_rt.contracts.payment_findings import FindingKind, FindingQuery, FindingResolution
from lms_rt.contracts.payments import OrderView
from lms_rt.contracts.plans import SubscriptionResume, SubscriptionView
from lms_rt.contracts.refunds import RefundCancelDraft, RefundDraft, ReleaseDraft
from lms_rt.contracts.revenue import RevenueQuery
from lms_rt.errors import Code, Refused
from lms_rt.ids import random_token
from lms_rt.security.rights import Reach

PAGE_SIZE = 20
PATH = "/admin/payments"
KINDS: tuple[str, ...] = get_args(FindingKind)
STATUSES = (
    "pending", "completed", "failed", "refund_pending", "refunded", "partially_refunded", "cancelled", "expired",
)  # fmt: skip
GATEWAYS = tuple(name.value for name in GatewayName)
_TREASURERS: Access = needs("payments:manage")
_SAID = frozenset({"refund", "release", "dispute", "cancel", "resume", "resolved"})
_FIRST_FIELD = {"refund": "amount", "release": "reason", "dispute": "state", "cancel": "reason", "resume": "reason"}
_OWN_FIELDS = {
    "refund": ("amount", "reason"),
    "release": ("reason",),
    "dispute": ("state", "amount", "reason"),
    "cancel": ("reason",),
    "resume": ("reason",),
}
"""Of the forms of an order's page: where a fault is said that names no field, and which fields each has."""
_ABOUT = {"cancel": "refund_id", "resume": "subscription_id"}
"""What a form is about, where that is not a payment."""
DISPUTES = ("open", "won", "lost")
_MOST_ONCE = 64


class DeskPage(MoneyPage):
    """What these pages share."""

    access = _TREASURERS
    reach = Reach.ALL

    def screen(self, template: str, *title: str, errors: Sequence[object] = ()) -> Screen:
        """A page with this template."""
        parts = (self.titled(title[0], errors), *title[1:], self.t("admin.payments"))
        return Screen(template, title=parts, sheets=ADMIN_SHEETS)

    def done(self) -> str:
        """What was just done, if the address says so."""
        said = self.get_query_argument("done", "")
        return said if said in _SAID else ""

    def chosen(self, name: str, words: Sequence[str]) -> str:
        """A filter of the address; what it cannot be counts as not said."""
        value = self.get_query_argument(name, "")
        return value if value in words else ""


class RevenuePage(DeskPage):
    """/admin/payments: what came and what went back, by day, gateway, course and currency."""

    async def get(self) -> None:
        """The time and the currency stand in the address."""
        query, days = asked_time(self, RevenueQuery)
        revenue = await self.services.revenue.summary(self.actor, query)
        if is_long(revenue):
            revenue = await self.services.revenue.summary(self.actor, query.model_copy(update={"interval": "week"}))
        currency, currencies = chosen_currency(self, revenue)
        open_ = await self.services.findings.list(self.actor, FindingQuery(status="open", page_size=1))
        self.show(
            self.screen("admin_revenue.html", self.t("money.revenue")),
            tab="payments",
            section="revenue",
            revenue=shape(revenue),
            currency=currency,
            currencies=currencies,
            days=days,
            plot=drawn(revenue, currency, is_mirrored=self.language == "ar"),
            open_findings=open_.total,
        )


class AllPayments(DeskPage):
    """/admin/payments/all: everybody's payments, by filters of the address."""

    async def get(self) -> None:
        """A page of those that fit."""
        asked = {
            "status": self.chosen("status", STATUSES),
            "gateway": self.chosen("gateway", GATEWAYS),
            "held": self.chosen("held", ("yes",)),
            **{name: self.get_query_argument(name, "").strip()[:200] for name in ("user_id", "course_id", "order_id")},
        }
        wished: dict[str, Any] = {name: value for name, value in asked.items() if value and name != "held"}
        wished |= {"is_held": True} if asked["held"] else {}
        query = PaymentQuery.model_validate({**wished, "page": self.page_number(), "page_size": PAGE_SIZE})
        self.show(
            self.screen("admin_payments.html", self.t("money.all")),
            tab="payments",
            section="all",
            listed=shape(await self.services.payment_desk.list(self.actor, query)),
            asked=asked,
            statuses=STATUSES,
            gateways=GATEWAYS,
            tones=TONES,
        )


class TracePage(DeskPage):
    """/admin/payments/orders/{id}: one order, from what was bought to what it opened, and the form that pays back."""

    is_form_own_alone = True

    async def get(self, order_id: str) -> None:
        """The whole way of it."""
        await self.show_trace(order_id)

    async def post(self, order_id: str) -> None:
        """Pay back, or call that off; let a held payment count, or a subscription go on; note a dispute. Sent twice it does it once."""
        names = ("payment_id", "refund_id", "subscription_id", "amount", "reason", "act", "state")
        typed = {name: self.field(name).strip() for name in names}
        acts = {"release": self._release, "dispute": self._dispute, "cancel": self._cancel, "resume": self._resume}
        done = typed["act"] if typed["act"] in acts else "refund"
        try:
            await acts.get(done, self._refund)(typed)
        except Refused as refused:
            faults = self.refused(refused, field=_FIRST_FIELD[done], own=_OWN_FIELDS[done])
            about = typed[_ABOUT.get(done, "payment_id")]
            errors = [(f"{done}-{name}-{about}", words) for name, words in faults]
            await self.show_trace(order_id, typed=typed, errors=errors)
            return
        self.redirect(f"{PATH}/orders/{order_id}?done={done}", status=303)

    async def _release(self, typed: Mapping[str, str]) -> None:
        draft = read_model(ReleaseDraft, {"reason": typed["reason"]})
        await self.services.releasing.release(self.actor, typed["payment_id"], draft)

    async def _cancel(self, typed: Mapping[str, str]) -> None:
        draft = read_model(RefundCancelDraft, {"reason": typed["reason"]})
        await self.services.refund_cancelling.cancel(self.actor, typed["payment_id"], typed["refund_id"], draft)

    async def _resume(self, typed: Mapping[str, str]) -> None:
        draft = read_model(SubscriptionResume, {"reason": typed["reason"]})
        await self.services.subscription_changes.resume(self.actor, typed["subscription_id"], draft)

    async def _dispute(self, typed: Mapping[str, str]) -> None:
        payment_id = typed["payment_id"]
        wish: dict[str, Any] = {"state": typed["state"], "reason": typed["reason"]}
        if typed["amount"]:
            currency = (await self.services.refunds.list_of(self.actor, payment_id)).currency
            wish |= {"amount": minor_units(typed["amount"], currency, field="amount")}
        await self.services.disputing.note(self.actor, payment_id, read_model(DisputeDraft, wish))

    async def _refund(self, typed: Mapping[str, str]) -> None:
        refunds, payment_id, once = self.services.refunds, typed["payment_id"], self.field("once")[:_MOST_ONCE]
        currency = (await refunds.list_of(self.actor, payment_id)).currency
        wish = {"amount": minor_units(typed["amount"], currency, field="amount"), "reason": typed["reason"]}
        seed = f"page:{once}" if once else None
        await refunds.request(self.actor, payment_id, read_model(RefundDraft, wish), seed=seed)

    async def show_trace(
        self, order_id: str, *, typed: Mapping[str, str] | None = None, errors: Errors | None = None
    ) -> None:
        """The page; a form that was refused stands as it was typed."""
        trace = await self.services.order_traces.show(self.actor, order_id)
        subscription = await self._subscription_of(trace.order)
        left = {
            one.payment.id: await self.services.refunds.list_of(self.actor, one.payment.id) for one in trace.payments
        }
        self.show(
            self.screen("admin_order.html", trace.order.title, errors=errors or ()),
            tab="payments",
            section="all",
            trace=shape(trace),
            subscription=None if subscription is None else shape(subscription),
            may_resume=subscription is not None and self._may_resume(subscription),
            left={name: view.refundable_amount for name, view in left.items()},
            typed_left={
                name: amount_text(view.refundable_amount, view.currency)
                for name, view in left.items()
                if is_known(view.currency)
            },
            may_note={one.payment.id: self.services.disputing.may_note(one.payment) for one in trace.payments},
            disputes=DISPUTES,
            typed=typed or {},
            once=random_token(),
            errors=errors or [],
            done=self.done(),
            tones=TONES,
        )

    async def _subscription_of(self, order: OrderView) -> SubscriptionView | None:
        if order.subscription_id is None:
            return None
        return await self.services.plan_subscriptions.show(self.actor, order.subscription_id)

    def _may_resume(self, one: SubscriptionView) -> bool:
        """Can it be taken back that it ends, as long as what is paid for lasts?"""
        return bool(one.may_be_resumed and one.end_date and one.end_date > self.services.clock.now())


class FindingsPage(DeskPage):
    """/admin/payments/findings: what is not as it should be, and the form by which somebody says what came of it."""

    is_form_own_alone = True

    async def get(self) -> None:
        """Those that are open, unless the address asks for others."""
        await self.show_findings()

    async def post(self) -> None:
        """Say what came of looking into one."""
        finding_id = self.field("finding_id")
        try:
            note = read_model(FindingResolution, {"note": self.field("note")})
            await self.services.findings.resolve(self.actor, finding_id, note)
        except Refused as refused:
            if refused.code is Code.NOT_FOUND:
                raise
            errors = [(f"note-{finding_id}", words) for _, words in self.refused(refused, field="note")]
            await self.show_findings(errors)
            return
        self.redirect(f"{PATH}/findings?done=resolved", status=303)

    async def show_findings(self, errors: Errors | None = None) -> None:
        """The page."""
        status, kind = self.chosen("status", ("open", "mended", "resolved")), self.chosen("kind", KINDS)
        wished = {name: value for name, value in (("kind", kind), ("status", status or "open")) if value}
        query = FindingQuery.model_validate({**wished, "page": self.page_number(), "page_size": PAGE_SIZE})
        self.show(
            self.screen("admin_findings.html", self.t("money.findings"), errors=errors or ()),
            tab="payments",
            section="findings",
            listed=shape(await self.services.findings.list(self.actor, query)),
            compared=shape(await self.services.comparison_state.list(self.actor)),
            asked={"status": status or "open", "kind": kind},
            kinds=KINDS,
            errors=errors or [],
            done=self.done(),
        )


PAGES = [
    (r"/admin/payments/?", RevenuePage),
    (r"/admin/payments/all/?", AllPayments),
    (r"/admin/payments/findings/?", FindingsPage),
    (r"/admin/payments/orders/([^/]+)/?", TracePage),
]
"""The rows of these pages."""
