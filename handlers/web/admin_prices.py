"""/admin/payments/plans, …/coupons and …/taxes: what things cost. Changes hold for who buys from now on. Works without scripts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

from handlers.rest.access import needs
from handlers.web.base import Screen, shape
from handlers.web.money import ADMIN_SHEETS, Errors, MoneyPage, countries_of, minor_units
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import CouponChange, CouponDraft, CouponQuery, TaxRateDraft, TaxRateQuery
from lms_rt.contracts.money import amount_text, is_known
from lms_rt.contracts.numbers import read_number
from lms_rt.contracts.plans import PlanChange, PlanDraft, PlanQuery
from lms_rt.errors import Refused, invalid
from lms_rt.ids import random_token
from lms_rt.security.rights import Reach

PAGE_SIZE = 20
MOST_COURSES = 200
_DAY = timedelta(days=1)
_BETWEEN = ","
_MOST_ONCE = 64


class PricesPage(MoneyPage, ABC):
    """What the three pages share: a list, and a form that makes one or changes the one that `edit` of the address names."""

    access = needs("payments:manage")
    reach = Reach.ALL
    section: ClassVar[str] = ""
    fields: ClassVar[tuple[str, ...]] = ()

    async def get(self) -> None:
        """The list, and the form."""
        edited = self.get_query_argument("edit", "")
        await self._show(await self.typed_of(edited) if edited else self.blank())

    async def post(self) -> None:
        """Make or change one, and back to the list."""
        typed = {name: self.field(name).strip() for name in (*self.fields, "edit", "version")}
        try:
            await self.keep_one(typed)
        except Refused as refused:
            await self._show(typed, self.refused(refused, field=self.fields[0]))
            return
        self.redirect(f"/admin/payments/{self.section}?done=kept", status=303)

    async def _show(self, typed: Mapping[str, Any], errors: Errors | None = None) -> None:
        title = self.titled(self.t(f"money.{self.section}"), errors or ())
        self.show(
            Screen(f"admin_{self.section}.html", title=(title, self.t("admin.payments")), sheets=ADMIN_SHEETS),
            tab="payments",
            section=self.section,
            typed=typed,
            errors=errors or [],
            is_done=self.get_query_argument("done", "") == "kept",
            once=random_token(),
            **await self.listed(),
        )

    def blank(self) -> dict[str, Any]:
        """The empty form."""
        return {**dict.fromkeys((*self.fields, "edit", "version"), ""), "is_active": "yes"}

    @abstractmethod
    async def typed_of(self, edited: str) -> dict[str, Any]:
        """The form of one that there is."""

    @abstractmethod
    async def keep_one(self, typed: dict[str, str]) -> None:
        """Make or change it."""

    @abstractmethod
    async def listed(self) -> dict[str, Any]:
        """What the page lists."""

    async def others(self, typed: Mapping[str, str]) -> set[str]:
        """The fields of a form that are not as it was given out: nothing else of what it is about is written."""
        given = await self.typed_of(typed["edit"])
        return {name for name in self.fields if typed[name] != str(given.get(name, "")).strip()}

    async def course_ids(self, typed: str) -> list[str]:
        """The courses whose addresses or ids were typed, by commas."""
        found = []
        words = [part.strip().rpartition("/")[2] for part in typed.split(_BETWEEN) if part.strip()]
        if len(words) > MOST_COURSES:
            raise invalid("course_ids", f"Name {MOST_COURSES} courses at most.", "too_long")
        for word in words:
            try:
                found.append((await self.services.courses.show(self.actor, word)).id)
            except Refused:
                raise invalid("course_ids", "There is no such course.", "unknown") from None
        return found


class PlansDesk(PricesPage):
    """…/plans."""

    section = "plans"
    fields = ("plan_name", "description", "amount", "currency", "interval", "course_ids", "is_for_all", "is_active")

    async def listed(self) -> dict[str, Any]:
        """All plans, those too that are over."""
        query = PlanQuery(page=self.page_number(), page_size=PAGE_SIZE)
        return {"listed": shape(await self.services.plans.list(self.actor, query))}

    async def typed_of(self, edited: str) -> dict[str, Any]:
        """The form of a plan."""
        plan = await self.services.plans.show(self.actor, edited)
        same = {name: getattr(plan, name) for name in ("plan_name", "description", "currency", "interval", "version")}
        courses = "" if plan.course_ids == "all" else f"{_BETWEEN} ".join(plan.course_ids)
        return {
            **same,
            "amount": amount_text(plan.amount, plan.currency),
            "course_ids": courses,
            "is_for_all": _yes(plan.course_ids == "all"),
            "is_active": _yes(plan.is_active),
            "edit": plan.id,
        }

    async def keep_one(self, typed: dict[str, str]) -> None:
        """Make or change a plan. A double click makes one."""
        plans, others = self.services.plans, set(self.fields)
        if typed["edit"]:
            others = await self.others(typed)
        currency = _currency(typed["currency"])
        fields: dict[str, Any] = {
            **{name: typed[name] for name in ("plan_name", "description", "interval")},
            "currency": currency,
            "amount": minor_units(typed["amount"], currency, field="amount"),
            "is_active": bool(typed["is_active"]),
        }
        fields = {name: value for name, value in fields.items() if name in others}
        if others & {"course_ids", "is_for_all"}:
            fields["course_ids"] = await self._courses(typed)
        if not typed["edit"]:
            once = self.field("once")[:_MOST_ONCE]
            seed = f"page:{self.actor.user_id}:{once}" if once else None
            await plans.create(self.actor, read_model(PlanDraft, fields), request_seed=seed)
            return
        if "currency" in fields:  # the same number is another amount there
            fields["amount"] = minor_units(typed["amount"], currency, field="amount")
        change = read_model(PlanChange, fields)
        await plans.change(self.actor, typed["edit"], change, expected_version=self.typed_version())

    async def _courses(self, typed: Mapping[str, str]) -> list[str] | str:
        """Every course only where that was ticked: it cannot be taken back from who has subscribed."""
        if typed["is_for_all"]:
            return "all"
        if not (found := await self.course_ids(typed["course_ids"])):
            raise invalid("course_ids", "Name courses, or tick every course.", "no_courses")
        return found


class CouponsDesk(PricesPage):
    """…/coupons."""

    section = "coupons"
    fields = (
        "code", "description", "off", "currency", "course_ids", "starts_on", "ends_on", "max_uses", "max_uses_per_user",
        "is_active",
    )  # fmt: skip

    def blank(self) -> dict[str, Any]:
        """The empty form: once for each person, unless somebody says otherwise."""
        return {**super().blank(), "max_uses_per_user": "1"}

    async def listed(self) -> dict[str, Any]:
        """All coupons, the newest first."""
        query = CouponQuery(page=self.page_number(), page_size=PAGE_SIZE)
        return {"listed": shape(await self.services.coupons.list(self.actor, query))}

    async def typed_of(self, edited: str) -> dict[str, Any]:
        """The form of a coupon. What it takes off cannot be changed."""
        coupon = await self.services.coupons.show(self.actor, edited)
        return {
            **dict.fromkeys(self.fields, ""),
            **{name: getattr(coupon, name) for name in ("code", "description", "version")},
            "course_ids": f"{_BETWEEN} ".join(coupon.course_ids),
            "starts_on": ""
            if coupon.starts_at is None
            else coupon.starts_at.astimezone(self.zone()).date().isoformat(),
            "ends_on": "" if coupon.ends_at is None else self._last_day(coupon.ends_at),
            "max_uses": coupon.max_uses or "",
            "max_uses_per_user": coupon.max_uses_per_user or "",
            "is_active": _yes(coupon.is_active),
            "edit": coupon.id,
        }

    async def keep_one(self, typed: dict[str, str]) -> None:
        """Make or change a coupon."""
        last = self._day(typed["ends_on"], "ends_on")
        fields: dict[str, Any] = {
            "description": typed["description"],
            "course_ids": await self.course_ids(typed["course_ids"]),
            "starts_at": self._begins(self._day(typed["starts_on"], "starts_on")),
            "ends_at": None if last is None else self._begins(last + _DAY),
            "max_uses": _count(typed["max_uses"]),
            "max_uses_per_user": _count(typed["max_uses_per_user"]),
            "is_active": bool(typed["is_active"]),
        }
        coupons = self.services.coupons
        if typed["edit"]:
            others = {_KEPT_AS.get(name, name) for name in await self.others(typed)}
            change = read_model(CouponChange, {name: value for name, value in fields.items() if name in others})
            await coupons.change(self.actor, typed["edit"], change, expected_version=self.typed_version())
            return
        await coupons.create(self.actor, read_model(CouponDraft, {**fields, "code": typed["code"], **_off(typed)}))

    def _day(self, typed: str, field: str) -> date | None:
        try:
            return date.fromisoformat(typed) if typed else None
        except ValueError:
            raise invalid(field, "This is not a day.", "instant") from None

    def _begins(self, day: date | None) -> str | None:
        """When a day begins for who made the coupon."""
        if day is None:
            return None
        return datetime.combine(day, time(), tzinfo=self.zone()).astimezone(UTC).isoformat()

    def _last_day(self, ends_at: datetime) -> str:
        return (ends_at.astimezone(self.zone()) - timedelta(seconds=1)).date().isoformat()


class TaxesDesk(PricesPage):
    """…/taxes."""

    section = "taxes"
    fields = ("country", "tax_name", "rate", "is_included", "is_active")

    def blank(self) -> dict[str, Any]:
        """The empty form."""
        return {**super().blank(), "is_included": "yes"}

    async def listed(self) -> dict[str, Any]:
        """All rates, with the names of their countries."""
        query = TaxRateQuery(page=self.page_number(), page_size=PAGE_SIZE)
        countries = countries_of(self.language)
        listed = await self.services.tax_rates.list(self.actor, query)
        return {"listed": shape(listed), "countries": countries, "names": dict(countries)}

    async def typed_of(self, edited: str) -> dict[str, Any]:
        """The form of a country's rate."""
        rate = shape(await self.services.tax_rates.show(self.actor, edited))
        words = {name: _yes(rate[name]) for name in ("is_included", "is_active")}
        return {**rate, **words, "edit": rate["country"]}

    async def keep_one(self, typed: dict[str, str]) -> None:
        """Set the rate of a country."""
        number = read_number(typed["rate"])
        fields = {
            "tax_name": typed["tax_name"],
            "rate": typed["rate"] if number is None else str(number),
            "is_included": bool(typed["is_included"]),
            "is_active": bool(typed["is_active"]),
        }
        country = typed["edit"] or typed["country"]
        version = self.typed_version() if typed["edit"] else None
        await self.services.tax_rates.put(
            self.actor, country, read_model(TaxRateDraft, fields), expected_version=version
        )


_KEPT_AS = {"starts_on": "starts_at", "ends_on": "ends_at"}
"""Fields that have another name in the form: a moment that is shown as a day stays that moment until another day is typed."""


def _off(typed: Mapping[str, str]) -> dict[str, Any]:
    """What a new coupon takes off: percent, unless a currency is named."""
    if typed["currency"]:
        currency = _currency(typed["currency"])
        amount = minor_units(typed["off"], currency, field="off")
        return {"amounts_off": [{"currency": currency, "amount": amount}]}
    number = read_number(typed["off"])
    if number is None:
        raise invalid("off", "Write a number.", "decimal_type")
    return {"percent_off": str(number)}


def _currency(typed: str) -> str:
    code = typed.strip().upper()
    if not is_known(code):
        raise invalid("currency", "There is no such currency.", "currency")
    return code


def _count(typed: str) -> int | str | None:
    """A limit; none, where nothing was typed. What is no number stays text, and is refused with the others."""
    number = read_number(typed)
    if not typed:
        return None
    return int(number) if number is not None and number == number.to_integral_value() else typed


def _yes(value: object) -> str:
    return "yes" if value else ""


PAGES = [
    (r"/admin/payments/plans/?", PlansDesk),
    (r"/admin/payments/coupons/?", CouponsDesk),
    (r"/admin/payments/taxes/?", TaxesDesk),
]
"""The rows of these pages."""
