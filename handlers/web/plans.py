"""/plans: what can be subscribed to, for everybody, with the tax of the country that is chosen. Works without scripts."""

from __future__ import annotations

from handlers.exchange import this_exchange
from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.web.base import Screen, shape
from handlers.web.money import SHEETS, Errors, MoneyPage, countries_of, typed_country
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import PriceQuery, PriceView
from lms_rt.contracts.plans import PlanQuery, SubscriptionDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

_PAGE_SIZE = 20


class PlansPage(MoneyPage):
    """The plans, each with its price and its courses; a subscription begins here."""

    access, form_access = PUBLIC, SIGNED_IN
    form_reach = Reach.SELF
    is_form_own_alone = True

    async def get(self) -> None:
        """All that can be subscribed to."""
        await self._show(typed_country(self.get_query_argument("country", "")))

    async def post(self) -> None:
        """Begin a subscription at the price that was shown, and go on to where it is paid."""
        country, plan_id = typed_country(self.field("country")), self.field("plan_id")
        typed = {"plan_id": plan_id, "gateway": self.field("gateway")} | ({"country": country} if country else {})
        try:
            draft = read_model(SubscriptionDraft, typed)
            if self.typed_amount() is not None:
                self.refuse_other_price((await self._price(draft.plan_id, country)).amount)
            seen = this_exchange().country
            begun = await self.services.subscription_checkouts.start(self.actor, draft, seen_country=seen)
        except Refused as refused:
            place = "plans" if refused.code is Code.VALIDATION_FAILED else f"plan-{plan_id}"
            await self._show(country, self.refused(refused, field=place, own=()))
            return
        self.go_on(shape(begun.view), order_path="/payments")

    async def _price(self, plan_id: str, country: str) -> PriceView:
        return await self.services.quotes.show(self.actor, PriceQuery(plan_id=plan_id, country=country or None))

    async def _show(self, country: str, errors: Errors | None = None) -> None:
        query = PlanQuery(page=self.page_number(), page_size=_PAGE_SIZE, is_active=True)
        listed = await self.services.plans.list(self.actor, query)
        title = self.t("payments.plans")
        self.show(
            Screen("plans.html", title=(self.titled(title, errors or ()),), sheets=SHEETS),
            listed=shape(listed),
            prices={plan.id: shape(await self._price(plan.id, country)) for plan in listed.items},
            country=country,
            countries=countries_of(self.language),
            gateways=[one.name.value for one in self.services.payment_gateways.all() if one.has_subscriptions],
            errors=errors or [],
        )


PAGES = [(r"/plans/?", PlansPage)]
"""The rows of this page."""
