"""Prices over HTTP, and what they come from: coupons and tax rates."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.coupons import (
    CouponChange,
    CouponDraft,
    CouponQuery,
    CouponView,
    PriceQuery,
    PriceView,
    TaxRateDraft,
    TaxRateQuery,
    TaxRateView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def show_price(call: Call) -> Reply:
    """What something costs the caller now."""
    return Reply(await call.services.quotes.show(call.actor, call.query))


async def list_coupons(call: Call) -> Reply:
    """All coupons."""
    return Reply(await call.services.coupons.list(call.actor, call.query))


async def create_coupon(call: Call) -> Reply:
    """A new coupon."""
    coupon = await call.services.coupons.create(call.actor, call.body, request_seed=call.idempotency_seed)
    return Reply(coupon, made={"coupon_id": coupon.id})


async def show_coupon(call: Call) -> Reply:
    """One coupon."""
    return Reply(await call.services.coupons.show(call.actor, call.path["coupon_id"]))


async def change_coupon(call: Call) -> Reply:
    """Change a coupon."""
    coupons, coupon_id = call.services.coupons, call.path["coupon_id"]
    return Reply(await coupons.change(call.actor, coupon_id, call.body, expected_version=call.expected_version))


async def list_tax_rates(call: Call) -> Reply:
    """All tax rates."""
    return Reply(await call.services.tax_rates.list(call.actor, call.query))


async def show_tax_rate(call: Call) -> Reply:
    """The tax rate of a country."""
    return Reply(await call.services.tax_rates.show(call.actor, call.path["country"]))


async def put_tax_rate(call: Call) -> Reply:
    """Set the tax rate of a country."""
    rates, country = call.services.tax_rates, call.path["country"]
    rate, is_new = await rates.put(call.actor, country, call.body, expected_version=call.expected_version)
    return Reply(rate, status=201 if is_new else None, made={"country": country} if is_new else None)


_MONEY = needs("payments:manage")
_COUPON, _RATE = "/payments/coupons/{coupon_id}", "/payments/tax-rates/{country}"

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/payments/price",
        show_price,
        SIGNED_IN,
        reach=Reach.VISIBLE,
        query=PriceQuery,
        reply=PriceView,
        codes=(Code.NOT_FOUND,),
        summary="What a course or a plan costs the caller now",
        description="`course_id` (with `coupon_code?`) or `plan_id`; `country` says whose tax holds. Nothing is kept or counted. "
        "A coupon that does not hold is 422 with a code that says why.",
    ),
    Operation(
        "GET",
        "/payments/coupons",
        list_coupons,
        _MONEY,
        reach=Reach.ALL,
        query=CouponQuery,
        reply=Page[CouponView],
        summary="Coupons, newest first",
    ),
    Operation(
        "POST",
        "/payments/coupons",
        create_coupon,
        _MONEY,
        reach=Reach.ALL,
        body=CouponDraft,
        reply=CouponView,
        status=201,
        location=_COUPON,
        is_idempotent=True,
        audit="coupon.create",
        summary="Make a coupon",
        description="`percent_off`, or `amounts_off` by currency. Without `max_uses_per_user` everybody may use it once.",
    ),
    Operation("GET", _COUPON, show_coupon, _MONEY, reach=Reach.ALL, reply=CouponView, summary="One coupon"),
    Operation(
        ("PATCH", "PUT"),
        _COUPON,
        change_coupon,
        _MONEY,
        reach=Reach.ALL,
        body=CouponChange,
        reply=CouponView,
        codes=(Code.VERSION_MISMATCH,),
        audit="coupon.change",
        summary="Change for whom and until when a coupon holds",
        description="What it takes off stays: make another one. Orders that have it are not touched.",
    ),
    Operation(
        "GET",
        "/payments/tax-rates",
        list_tax_rates,
        _MONEY,
        reach=Reach.ALL,
        query=TaxRateQuery,
        reply=Page[TaxRateView],
        summary="Tax rates, by country",
    ),
    Operation("GET", _RATE, show_tax_rate, _MONEY, reach=Reach.ALL, reply=TaxRateView, summary="A country's tax rate"),
    Operation(
        "PUT",
        _RATE,
        put_tax_rate,
        _MONEY,
        reach=Reach.ALL,
        body=TaxRateDraft,
        reply=TaxRateView,
        more_statuses=(201,),
        location=_RATE,
        codes=(Code.VERSION_MISMATCH,),
        audit="tax_rate.set",
        summary="Set a country's tax rate",
        description="By its code (ISO 3166-1 alpha-2). `is_included: false` puts it on top of prices. Orders keep the rate that "
        "they were made with.",
    ),
)
