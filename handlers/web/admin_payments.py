"""/admin/payments: revenue, everybody's payments, one order from what was bought to what it opened, and what was found wrong.

What is paid back is typed as an amount. The same services as REST; works without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, get_args

from pydantic import ValidationError

from handlers.rest.access import Access, needs
from handlers.web import plots
from handlers.web.base import Screen, shape
from handlers.web.money import ADMIN_SHEETS, Errors, MoneyPage, minor_units
from handlers.web.payments import TONES
from lms_rt.contracts.base import read_model
from lms_rt.contracts.gateways import GatewayName
from lms_rt.contracts.money import amount_text, is_known
from lms_rt.contracts.payment_desk import PaymentQuery
from lms_rt.contracts.payment_findings import FindingKind, FindingQuery, FindingResolution
from lms_rt.contracts.refunds import RefundDraft, ReleaseDraft
from lms_rt.contracts.revenue import RevenueQuery, RevenueView
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
_SAID = frozenset({"refund", "release", "resolved"})
_MOST_ONCE = 64
_MOST_PLOTTED = 92
"""So many days a plot shows one by one; a longer time is told by weeks."""


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
        query, days = self._query()
        revenue = await self.services.revenue.summary(self.actor, query)
        if (revenue.to - revenue.from_).days > _MOST_PLOTTED:
            revenue = await self.services.revenue.summary(self.actor, query.model_copy(update={"interval": "week"}))
        currencies = [one.currency for one in revenue.totals]
        currency = self.chosen("currency", currencies) or (currencies[0] if currencies else "")
        open_ = await self.services.findings.list(self.actor, FindingQuery(status="open", page_size=1))
        self.show(
            self.screen("admin_revenue.html", self.t("money.revenue")),
            tab="payments",
            section="revenue",
            revenue=shape(revenue),
            currency=currency,
            currencies=currencies,
            days=days,
            plot=self._plot(revenue, currency),
            open_findings=open_.total,
        )

    def _query(self) -> tuple[RevenueQuery, dict[str, str]]:
        """The time of the address, and what stands in its fields."""
        days = {name: self.get_query_argument(name, "") for name in ("from", "to")}
        given = {name: value for name, value in days.items() if _is_day(value)}
        try:
            return RevenueQuery.model_validate(given), days
        except ValidationError:
            return RevenueQuery.model_validate({}), days

    def _plot(self, revenue: RevenueView, currency: str) -> dict[str, Any]:
        """Bars of what is left of each day, or week; one in which more went back than came has none."""
        left = {one.date: max(0, one.revenue) for one in revenue.by_day if one.currency == currency}
        days = (revenue.from_ + timedelta(days=n) for n in range((revenue.to - revenue.from_).days + 1))
        dates = list(days) if revenue.interval == "day" else sorted(left)
        place = plots.frame(is_mirrored=self.language == "ar")
        bars = plots.bars([left.get(day, 0) for day in dates], place)
        marked = sorted({0, len(dates) // 2, len(dates) - 1}) if dates else []
        return {"place": place, "bars": bars, "dates": dates, "marked": marked}


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

    async def get(self, order_id: str) -> None:
        """The whole way of it."""
        await self.show_trace(order_id)

    async def post(self, order_id: str) -> None:
        """Pay back what was typed, or let a payment count that was held; the same form sent twice does it once."""
        typed = {name: self.field(name).strip() for name in ("payment_id", "amount", "reason", "act")}
        try:
            await (self._release(typed) if typed["act"] == "release" else self._refund(typed))
        except Refused as refused:
            errors = [(f"{name}-{typed['payment_id']}", words) for name, words in self.refused(refused, field="amount")]
            await self.show_trace(order_id, typed=typed, errors=errors)
            return
        done = "release" if typed["act"] == "release" else "refund"
        self.redirect(f"{PATH}/orders/{order_id}?done={done}", status=303)

    async def _release(self, typed: Mapping[str, str]) -> None:
        draft = read_model(ReleaseDraft, {"reason": typed["reason"]})
        await self.services.releasing.release(self.actor, typed["payment_id"], draft)

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
        left = {
            one.payment.id: await self.services.refunds.list_of(self.actor, one.payment.id) for one in trace.payments
        }
        self.show(
            self.screen("admin_order.html", trace.order.title, errors=errors or ()),
            tab="payments",
            section="all",
            trace=shape(trace),
            left={name: view.refundable_amount for name, view in left.items()},
            typed_left={
                name: amount_text(view.refundable_amount, view.currency)
                for name, view in left.items()
                if is_known(view.currency)
            },
            typed=typed or {},
            once=random_token(),
            errors=errors or [],
            done=self.done(),
            tones=TONES,
        )


class FindingsPage(DeskPage):
    """/admin/payments/findings: what is not as it should be, and the form by which somebody says what came of it."""

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
            asked={"status": status or "open", "kind": kind},
            kinds=KINDS,
            errors=errors or [],
            done=self.done(),
        )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


PAGES = [
    (r"/admin/payments/?", RevenuePage),
    (r"/admin/payments/all/?", AllPayments),
    (r"/admin/payments/findings/?", FindingsPage),
    (r"/admin/payments/orders/([^/]+)/?", TracePage),
]
"""The rows of these pages."""
