"""/checkout/{slug}: what a course costs somebody, with a coupon and the tax, and the gateways by which it can be paid.

No field for a card is ours: who pays is led to the gateway by a link. Works without scripts.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from handlers.exchange import this_exchange
from handlers.rest.access import SIGNED_IN
from handlers.web.base import Screen, shape
from handlers.web.catalogue import present_enrollment
from handlers.web.money import SHEETS, Errors, MoneyPage, countries_of, typed_country
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import PriceQuery, PriceView
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.payments import CourseCheckoutDraft, MethodQuery
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import teaches
from lms_rt.security.rights import Reach

_NOT_BY_LINK = frozenset({("stripe", "card")})
"""Ways to pay that a client's own page is needed for; the same gateway has another, which is a link."""
_BETWEEN = ":"
_FIELDS = ("by", "coupon_code", "country")
"""Places of the page that a fault can be said at."""


class CheckoutPage(MoneyPage):
    """The price of a course, and how to pay it."""

    access = SIGNED_IN
    reach = Reach.VISIBLE
    is_form_own_alone = True

    async def get(self, slug: str) -> None:
        """What it costs, for the coupon and the country of the address."""
        course = await self.services.courses.show(self.actor, slug)
        if (elsewhere := await self._elsewhere(course)) is not None:
            self.redirect(elsewhere, status=303)
            return
        await self._show(course, self._asked(self.get_query_argument))

    async def post(self, slug: str) -> None:
        """Make the order, and go on to the gateway; one that costs nothing is there already."""
        course = await self.services.courses.show(self.actor, slug)
        asked = self._asked(self.get_body_argument)
        gateway, _, method = self.field("by").partition(_BETWEEN)
        typed = {"course_id": course.id, "gateway": gateway, "method": method, **asked}
        try:
            draft = read_model(CourseCheckoutDraft, {name: value for name, value in typed.items() if value})
            seen = this_exchange().country
            begun = await self.services.checkouts.begin_for_course(self.actor, draft, seen_country=seen)
        except Refused as refused:
            if refused.code is Code.ALREADY_ENROLLED:
                self.redirect(f"/learn/{course.slug}", status=303)
                return
            await self._show(course, asked, self.refused(refused, field="by", own=_FIELDS))
            return
        if begun.status == "pending" and self.typed_amount() not in (None, begun.amount):
            self.redirect(f"{order_path(begun.order_id)}?price=other", status=303)  # an order that was open already
            return
        self.go_on(shape(begun), order_path=order_path(begun.order_id))

    async def _elsewhere(self, course: CourseDetailView) -> str | None:
        """Where somebody is sent who has nothing to pay here."""
        if course.is_free or teaches(self.actor, course):
            return f"/courses/{course.slug}"
        return None if await present_enrollment(self, course) is None else f"/learn/{course.slug}"

    @staticmethod
    def _asked(argument: Any) -> dict[str, str]:
        """The coupon and the country that were typed; a country that is none is as if there were none."""
        return {
            "coupon_code": str(argument("coupon_code", "")).strip()[:40],
            "country": typed_country(str(argument("country", ""))),
        }

    async def _show(self, course: CourseDetailView, asked: dict[str, str], errors: Errors | None = None) -> None:
        price, faults = await self._price(course, asked)
        errors = [*(errors or []), *(fault for fault in faults if fault not in (errors or []))]
        country = asked["country"] or None
        query = MethodQuery(course_id=course.id, country=country, page_size=100)
        methods = await self.services.checkouts.methods(self.actor, query, amount=price.amount)
        title = self.t("payments.checkout")
        self.show(
            Screen("checkout.html", title=(self.titled(title, errors), course.title), sheets=SHEETS),
            course=shape(course),
            price=shape(price),
            asked=asked,
            methods=[
                {**shape(one), "name": one.names.get(self.language, one.name)}
                for one in methods.items
                if (one.gateway, one.method) not in _NOT_BY_LINK
            ],
            countries=countries_of(self.language),
            errors=errors,
        )

    async def _price(self, course: CourseDetailView, asked: dict[str, str]) -> tuple[PriceView, Errors]:
        """What it costs; a coupon that does not hold is said, and the price is the one without it."""
        wished = {name: value for name, value in asked.items() if value}
        try:
            query = PriceQuery.model_validate({"course_id": course.id, **wished})
            return await self.services.quotes.show(self.actor, query), []
        except ValidationError:
            return await self._plain_price(course), []
        except Refused as refused:
            if refused.code is not Code.VALIDATION_FAILED:
                raise
            return await self._plain_price(course), self.refused(refused, field="coupon_code")

    async def _plain_price(self, course: CourseDetailView) -> PriceView:
        return await self.services.quotes.show(self.actor, PriceQuery(course_id=course.id))


def order_path(order_id: str) -> str:
    """Where an order is looked at, and where gateways send their payers back to."""
    return f"/payments/orders/{quote(order_id, safe='')}"


PAGES = [(r"/checkout/([^/]+)/?", CheckoutPage)]
"""The rows of this page."""
