"""Prices with coupons and taxes; and coupons that many use at the same instant."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.coupon import Coupon, CouponUse
from documents.course import CourseHead
from documents.order import Order
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import CouponChange, CouponDraft, PriceQuery, TaxRateDraft
from lms_rt.contracts.plans import PlanChange, PlanDraft, PlanQuery
from lms_rt.errors import Code, Refused
from lms_rt.services.payments.coupon_uses import CouponUses
from lms_rt.services.payments.coupons import Coupons
from lms_rt.services.payments.plans import Plans
from lms_rt.services.payments.pricing import Priced, Pricing
from lms_rt.services.payments.quotes import Quotes
from lms_rt.services.payments.tax_rates import TaxRates
from tests.services.school import ADMIN, STUDENT, TEACHER, School

EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])


class Shop:
    """The services of prices."""

    def __init__(self, school: School, settings: Settings) -> None:
        self.clock: FakeClock = school.clock
        self.uses = CouponUses(clock=school.clock)
        self.pricing = Pricing(settings=settings, clock=school.clock, uses=self.uses)
        self.quotes = Quotes(pricing=self.pricing)
        self.coupons = Coupons(clock=school.clock, relay=school.relay)
        self.rates = TaxRates(clock=school.clock, relay=school.relay)
        self.plans = Plans(clock=school.clock, relay=school.relay)
        self.school = school

    async def coupon(self, code: str, **fields: Any) -> str:
        """A new coupon."""
        draft = {"code": code, **({"percent_off": "10"} if "amounts_off" not in fields else {}), **fields}
        return (await self.coupons.create(ADMIN, read_model(CouponDraft, draft))).id

    async def course(self, price: int, currency: str = "USD") -> CourseHead:
        """A course that is for sale."""
        from documents.course import Course

        made = await self.school.course(price=price, currency=currency)
        head = await Course.find_head(made.id)
        assert head is not None
        return head

    async def price(self, course: CourseHead, code: str | None = None, country: str | None = None) -> Priced:
        """What it costs Sara."""
        return await self.pricing.of_course(course, user_id=STUDENT.user_id, coupon_code=code, country=country)

    async def taken(self, coupon_id: str, takes: Sequence[tuple[str, str]]) -> list[str]:
        """What came of uses at the same instant: "taken", or the code of the refusal."""
        done = await asyncio.gather(
            *(self.pricing.take(coupon_id, user_id, order_id) for user_id, order_id in takes), return_exceptions=True
        )
        return sorted(one.fields[0].code if isinstance(one, Refused) else str(one or "taken") for one in done)


@pytest.fixture
def shop(school: School, settings: Settings) -> Shop:
    return Shop(school, settings)


async def refusal(asking: Any) -> str:
    with pytest.raises(Refused) as caught:
        await asking
    return caught.value.fields[0].code if caught.value.fields else caught.value.code.code


async def test_of_many_at_the_same_instant_as_many_use_a_coupon_as_may(shop: Shop) -> None:
    coupon_id = await shop.coupon("LAST", max_uses=3, max_uses_per_user=2)
    first = await shop.taken(coupon_id, [(f"usr_{number}", f"ord_{number}") for number in range(8)])
    assert first == ["coupon_used_up"] * 5 + ["taken"] * 3
    assert (await shop.coupons.show(ADMIN, coupon_id)).uses == 3
    again = await shop.coupon("TWICE", max_uses_per_user=2)
    assert await shop.taken(again, [("usr_sara", f"ord_s{number}") for number in range(5)]) == [
        "coupon_used_before",
        "coupon_used_before",
        "coupon_used_before",
        "taken",
        "taken",
    ]
    assert await shop.taken(again, [("usr_omar", "ord_same")] * 4) == ["taken"] * 4, "one order counts once"
    assert (await shop.coupons.show(ADMIN, again)).uses == 3
    assert await CouponUse.count_of_user(again, "usr_omar") == 1
    used = (await CouponUse.rows().find_one({"coupon_id": coupon_id}) or {})["order_id"]
    await asyncio.gather(*(shop.pricing.give_back(used) for _ in range(3)))
    assert (await shop.coupons.show(ADMIN, coupon_id)).uses == 2
    assert await shop.taken(coupon_id, [("usr_9", "ord_9"), ("usr_10", "ord_10")]) == ["coupon_used_up", "taken"]


@EMBEDDED
async def test_a_use_that_was_cut_off_is_counted_once_or_given_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    coupon_id = await shop.coupon("CUT", max_uses=5)

    async def dies(*_: str) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(CouponUse, "note_counted", dies)
        for number in range(3):
            with pytest.raises(ConnectionError):
                await shop.pricing.take(coupon_id, f"usr_{number}", f"ord_{number}")
    assert (await shop.coupons.show(ADMIN, coupon_id)).uses == 3
    await shop.pricing.take(coupon_id, "usr_0", "ord_0")
    for number in range(2):
        await Order.rows().insert_one({"_id": f"ord_{number}", "user_id": f"usr_{number}", "status": "pending"})
    assert await shop.uses.forget_lost(shop.clock.now()) == 0, "somebody may be in the middle of it"
    shop.clock.advance(700)
    assert await shop.uses.forget_lost(shop.clock.now()) == 2
    assert await shop.uses.forget_lost(shop.clock.now()) == 0
    assert (await shop.coupons.show(ADMIN, coupon_id)).uses == 2
    assert {row["order_id"] async for row in CouponUse.rows().find({})} == {"ord_0", "ord_1"}
    with monkeypatch.context() as broken:
        broken.setattr(CouponUse, "remove", dies)
        with pytest.raises(ConnectionError):
            await shop.pricing.give_back("ord_0")
    await shop.pricing.give_back("ord_0")
    assert (await shop.coupons.show(ADMIN, coupon_id)).uses == 1, "given back once"


@EMBEDDED
async def test_as_many_uses_are_left_as_the_orders_say_that_came_to_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many were counted since, whatever ended before it was counted, and whoever had the last one meanwhile."""
    monkeypatch.setattr("documents.coupon.COUNTED", 2)
    many = await shop.coupon("MANY", max_uses=6)
    for number in range(6):
        await shop.pricing.take(many, f"usr_{number}", f"ord_{number}")
    for number in range(6):
        await shop.pricing.give_back(f"ord_{number}")
        await shop.pricing.give_back(f"ord_{number}")
    assert (await shop.coupons.show(ADMIN, many)).uses == 0
    await shop.pricing.take(many, "usr_0", "ord_0")
    await shop.pricing.give_back("ord_0")
    assert (await shop.coupons.show(ADMIN, many)).uses == 0, "what was taken again is given back again"
    one = await shop.coupon("ONLY", max_uses=1)
    for number, status in enumerate(("expired", "pending")):
        await Order.rows().insert_one({"_id": f"ord_{status}", "user_id": f"usr_{number}", "status": status})
    await shop.pricing.take(one, "usr_0", "ord_expired")  # it ended while it was being made ready
    with pytest.raises(Refused):
        await shop.pricing.take(one, "usr_1", "ord_pending")
    shop.clock.advance(1)
    cut = {"coupon_id": one, "user_id": "usr_1", "order_id": "ord_pending", "token": "cpu_1", "is_counted": False}
    await CouponUse.rows().insert_one(
        {"_id": "cut", **cut, "is_kept": False, "is_going": False, "created_at": shop.clock.now()}
    )
    shop.clock.advance(700)
    while await shop.uses.forget_lost(shop.clock.now()):
        pass
    assert (await shop.coupons.show(ADMIN, one)).uses == 1
    assert [row["order_id"] async for row in CouponUse.rows().find({"coupon_id": one})] == ["ord_pending"]
    assert await shop.taken(one, [("usr_1", "ord_pending"), ("usr_2", "ord_2")]) == ["coupon_used_up", "taken"]


@EMBEDDED
async def test_a_price_is_the_lists_less_the_coupon_with_the_tax_of_the_country(shop: Shop, settings: Settings) -> None:
    algebra, kuwaiti, yen = await shop.course(1_999), await shop.course(12_340, "KWD"), await shop.course(1_001, "JPY")
    await shop.rates.put(ADMIN, "EG", read_model(TaxRateDraft, {"tax_name": "VAT", "rate": "14"}))
    on_top = {"tax_name": "MwSt", "rate": "19", "is_included": False}
    await shop.rates.put(ADMIN, "DE", read_model(TaxRateDraft, on_top))
    await shop.coupon("third", percent_off="33.33")
    await shop.coupon("OFF", amounts_off=[{"currency": "USD", "amount": 500}, {"currency": "KWD", "amount": 99_999}])

    def sums(priced: Priced) -> tuple[int, int, int, bool]:
        return priced.discount_amount, priced.tax_amount, priced.amount, priced.is_tax_included

    assert sums(await shop.price(algebra)) == (0, 0, 1_999, True)
    assert sums(await shop.price(algebra, "THIRD")) == (666, 0, 1_333, True)
    assert sums(await shop.price(algebra, " off ", "EG")) == (500, 184, 1_499, True), "the tax is of what is left"
    assert sums(await shop.price(algebra, "OFF", "DE")) == (500, 285, 1_784, False)
    assert sums(await shop.price(kuwaiti, "THIRD", "DE")) == (4_113, 1_563, 9_790, False), (
        "19% of what the discount leaves"
    )
    assert sums(await shop.price(kuwaiti, "OFF", "DE")) == (12_340, 0, 0, False), "never less than nothing"
    assert sums(await shop.price(yen, "THIRD", "EG")) == (334, 82, 667, True)
    assert await refusal(shop.price(yen, "OFF")) == "coupon_currency"
    at_home = Pricing(settings=settings.model_copy(update={"tax_country": "DE"}), clock=shop.clock, uses=shop.uses)
    told = await at_home.of_course(algebra, user_id=STUDENT.user_id)
    assert (told.tax_name, told.tax_basis_points, told.tax_country, told.amount) == ("MwSt", 1_900, "DE", 2_379)
    elsewhere = await at_home.of_course(algebra, user_id=STUDENT.user_id, country="AQ")
    assert (elsewhere.tax_country, elsewhere.amount) == ("DE", 2_379), "no rate is no way out of the tax"
    await shop.rates.put(ADMIN, "CH", read_model(TaxRateDraft, {"tax_name": "MWST", "rate": "0"}))
    assert (await at_home.of_course(algebra, user_id=STUDENT.user_id, country="CH")).amount == 1_999
    off = read_model(TaxRateDraft, on_top | {"is_active": False})
    assert (await shop.rates.put(ADMIN, "DE", off))[1] is False
    assert (await at_home.of_course(algebra, user_id=STUDENT.user_id)).amount == 1_999
    assert await refusal(shop.rates.put(ADMIN, "XX", off)) == "not_found"
    asked = read_model(PriceQuery, {"course_id": algebra.slug, "coupon_code": "third"})
    assert (await shop.quotes.show(TEACHER, asked)).amount == 1_333
    assert await refusal(shop.quotes.show(STUDENT, asked)) == "not_found", "a draft is nobody else's business"
    assert await refusal(shop.quotes.show(STUDENT, read_model(PriceQuery, {}))) == "required"
    of_plan = read_model(PriceQuery, {"plan_id": "pln_any", "coupon_code": "third"})
    assert await refusal(shop.quotes.show(STUDENT, of_plan)) == "coupon_course", "no coupon is left out in silence"


@EMBEDDED
async def test_a_tax_in_three_places_is_the_rate_that_is_printed(shop: Shop) -> None:
    await shop.rates.put(ADMIN, "BH", read_model(TaxRateDraft, {"tax_name": "VAT", "rate": "10", "is_included": False}))
    await shop.coupon("FILS", amounts_off=[{"currency": "BHD", "amount": 5}])
    for list_amount, code in ((1_230, None), (1_230, "FILS"), (90, None), (1_235, None), (99_990, "FILS")):
        priced = await shop.price(await shop.course(list_amount, "BHD"), code, "BH")
        net = list_amount - priced.discount_amount
        assert priced.amount == net + priced.tax_amount
        assert 2 * abs(10 * priced.tax_amount - net) <= 11, "10% to the unit"
        assert list_amount % 10 or priced.amount % 10 == 0, "a bank can draw it"
        assert priced.discount_amount <= (15 if code else 10)


@EMBEDDED
@pytest.mark.parametrize(
    ("listed", "percent", "discount"),
    [
        ((1_001, "JPY"), "33.33", 334),  # 333.6333
        ((1, "JPY"), "50", 1),
        ((1, "JPY"), "49.99", 0),
        ((3, "ISK"), "16.67", 1),  # 0.5001
        ((12_345, "KWD"), "10", 1_235),  # 1234.5, and the thousandth counts
        ((12_340, "KWD"), "10", 1_230),  # 1234: to the hundredths that a bank knows
        ((12_350, "KWD"), "10", 1_240),
        ((1_500, "IQD"), "33.33", 500),
        ((5, "KWD"), "10", 1),
        ((150_050, "LBP"), "0.01", 15),
        ((999, "USD"), "100", 999),
    ],
)
async def test_a_percentage_is_rounded_half_up_to_what_the_currency_has(
    shop: Shop, listed: tuple[int, str], percent: str, discount: int
) -> None:
    list_amount, currency = listed
    await shop.coupon("PART", percent_off=percent)
    priced = await shop.price(await shop.course(list_amount, currency), "PART")
    assert (priced.discount_amount, priced.amount) == (discount, list_amount - discount)


@EMBEDDED
@pytest.mark.parametrize(
    ("between", "inside", "outside"),
    [
        # the night in which 02:00 to 03:00 comes twice, in Berlin: an hour later by the clock on the wall is two
        (
            ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),
            ("2026-10-25T00:30:00Z", "2026-10-25T01:29:59Z"),
            ("2026-10-25T00:29:59Z", "2026-10-25T01:30:00Z"),
        ),
        # the one in which it does not come at all
        (
            ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
            ("2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z"),
            ("2026-03-28T22:59:59Z", "2026-03-29T22:00:00Z"),
        ),
    ],
    ids=["twice", "never"],
)
async def test_a_coupon_begins_and_ends_to_the_second_where_clocks_are_put(
    shop: Shop, between: tuple[str, str], inside: tuple[str, str], outside: tuple[str, str]
) -> None:
    starts_at, ends_at = between
    course = await shop.course(1_000)
    await shop.coupon("NIGHT", starts_at=starts_at, ends_at=ends_at)

    async def at(moment: str) -> str:
        try:
            await shop.uses.check("NIGHT", course, user_id=STUDENT.user_id, now=datetime.fromisoformat(moment))
        except Refused as refused:
            return refused.fields[0].code
        return "holds"

    assert [await at(moment) for moment in inside] == ["holds", "holds"]
    assert [await at(moment) for moment in outside] == ["coupon_early", "coupon_over"]


@EMBEDDED
async def test_a_coupon_holds_for_whom_and_when_it_says(shop: Shop) -> None:
    algebra, other, now = await shop.course(1_000), await shop.course(1_000), shop.clock.now()
    times = {"starts_at": (now + timedelta(days=1)).isoformat(), "ends_at": (now + timedelta(days=2)).isoformat()}
    coupon_id = await shop.coupon("SPRING", course_ids=[algebra.id], max_uses=1, **times)
    assert await refusal(shop.price(algebra, "nothing")) == "coupon_unknown"
    assert await refusal(shop.price(algebra, "SPRING")) == "coupon_early"
    shop.clock.advance(86_400)
    assert (await shop.price(algebra, "spring")).amount == 900
    assert await refusal(shop.price(other, "SPRING")) == "coupon_course"
    await shop.pricing.take(coupon_id, STUDENT.user_id, "ord_1")
    assert await refusal(shop.price(algebra, "SPRING")) == "coupon_used_up"
    more = await shop.coupons.change(ADMIN, coupon_id, read_model(CouponChange, {"max_uses": None}))
    assert (more.max_uses, more.version, more.uses) == (None, 2, 1)
    assert await refusal(shop.price(algebra, "SPRING")) == "coupon_used_before"
    await shop.coupons.change(ADMIN, coupon_id, read_model(CouponChange, {"max_uses_per_user": 5}))
    shop.clock.advance(86_400)
    assert await refusal(shop.price(algebra, "SPRING")) == "coupon_over"
    await shop.coupons.change(ADMIN, coupon_id, read_model(CouponChange, {"ends_at": None, "is_active": False}))
    assert await refusal(shop.price(algebra, "SPRING")) == "coupon_unknown"
    off = {"currency": "USD", "amount": 1}
    for fault in (
        {"percent_off": 5, "code": "spring"},
        {"percent_off": 5, "code": "x" * 41},
        {"code": "NOTHING"},
        {"code": "BOTH", "percent_off": 5, "amounts_off": [off]},
        {"code": "TWICE", "amounts_off": [off, off]},
    ):
        with pytest.raises(Refused):
            await shop.coupons.create(ADMIN, read_model(CouponDraft, fault))
    with pytest.raises(Refused) as caught:
        await shop.coupons.change(ADMIN, coupon_id, read_model(CouponChange, {"is_active": True}), expected_version=1)
    assert caught.value.code is Code.VERSION_MISMATCH
    assert await Coupon.find_by_code("SPRING") is not None


@EMBEDDED
async def test_plans_are_shown_to_all_and_changed_by_who_sees_to_payments(shop: Shop) -> None:
    course = await shop.course(1_000)
    draft = {"plan_name": "All of it", "amount": 900, "currency": "USD"}
    whole = await shop.plans.create(ADMIN, read_model(PlanDraft, draft), request_seed="again")
    assert (await shop.plans.create(ADMIN, read_model(PlanDraft, draft), request_seed="again")).id == whole.id
    one = await shop.plans.create(ADMIN, read_model(PlanDraft, {**draft, "amount": 500, "course_ids": [course.id]}))
    assert (whole.course_ids, one.course_ids, one.interval) == ("all", [course.id], "month")
    everything = await shop.plans.list(STUDENT, PlanQuery())
    assert [plan.id for plan in everything.items] == [one.id, whole.id], "the cheapest first"
    assert (await shop.plans.list(STUDENT, PlanQuery(course_id="crs_other"))).total == 1
    await shop.plans.change(ADMIN, one.id, read_model(PlanChange, {"is_active": False, "course_ids": "all"}))
    assert (await shop.plans.list(STUDENT, PlanQuery())).total == 1
    assert await refusal(shop.plans.show(STUDENT, one.id)) == "not_found"
    assert (await shop.plans.show(ADMIN, one.id)).course_ids == "all"
    assert await refusal(shop.plans.create(TEACHER, read_model(PlanDraft, draft))) == "forbidden"
    wrong = read_model(PlanDraft, {**draft, "course_ids": ["crs_none"]})
    assert await refusal(shop.plans.create(ADMIN, wrong)) == "unknown"
