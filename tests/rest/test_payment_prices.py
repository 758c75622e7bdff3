"""Prices over HTTP: the last use of a coupon that many want at once, and orders that no later change touches."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests import factories
from tests.house import House
from tests.services.small_gateway import SmallGateway

pytestmark = pytest.mark.parametrize("house", ["embedded"], indirect=True)


async def test_the_last_use_of_a_coupon_is_had_by_one_of_all_who_want_it_and_comes_back_unpaid(house: House) -> None:
    admin, buyers = await house.admin(), [await house.student() for _ in range(5)]
    course = await factories.course(await house.teacher(), price=2_000)
    coupon = await admin.ok("POST", "/payments/coupons", json={"code": "LAST-ONE", "percent_off": 50, "max_uses": 1})
    body = {"course_id": course["id"], "coupon_code": "last-one"}
    told = await asyncio.gather(*(one.call("POST", "/payments/orders", json=body) for one in buyers * 2))
    made = [one.json() for one in told if one.status_code in (200, 201)]
    assert {one["id"] for one in made} == {made[0]["id"]}, "a double click meets the first order"
    assert (made[0]["list_amount"], made[0]["discount_amount"], made[0]["amount"]) == (2_000, 1_000, 1_000)
    refused = [one.json()["errors"][0] for one in told if one.status_code == 422]
    assert len(refused) + len(made) == len(told)
    assert {(one["field"], one["code"]) for one in refused} == {("coupon_code", "coupon_used_up")}
    path = f"/payments/coupons/{coupon['id']}"
    assert (await admin.ok("GET", path))["uses"] == 1
    owner = next(one for one in buyers if one.user_id == made[0]["user_id"])
    await owner.ok("POST", f"/payments/orders/{made[0]['id']}/cancel")
    assert (await admin.ok("GET", path))["uses"] == 0, "what came to nothing is given back"
    other = next(one for one in buyers if one is not owner)
    assert (await other.ok("POST", "/payments/orders", json=body))["amount"] == 1_000


async def test_an_open_order_keeps_its_price_its_tax_and_its_coupon(house: House) -> None:
    house.services.payment_gateways.add(SmallGateway())
    admin, teacher, buyer = await house.admin(), await house.teacher(), await house.student()
    course = await factories.course(teacher, price=1_000)
    tax = {"tax_name": "MwSt", "rate": "19.00", "is_included": False}
    await admin.ok("PUT", "/payments/tax-rates/DE", json=tax)
    coupon = await admin.ok(
        "POST", "/payments/coupons", json={"code": "KEEPS", "amounts_off": [{"currency": "USD", "amount": 100}]}
    )
    asked = {"course_id": course["id"], "coupon_code": "KEEPS", "country": "DE"}
    price = await buyer.ok("GET", "/payments/price", params=asked)
    assert (price["amount"], price["tax_amount"], price["tax_rate"]) == (1_071, 171, "19.00")
    order = await buyer.ok("POST", "/payments/orders", json=asked)
    await admin.ok("PUT", "/payments/tax-rates/DE", json={**tax, "rate": 25})
    await admin.ok("PATCH", f"/payments/coupons/{coupon['id']}", json={"is_active": False})
    await teacher.ok("PATCH", f"/courses/{course['id']}", json={"price": 9_000})
    checkout = await buyer.ok("POST", f"/payments/create-intent/{order['id']}", json={"gateway": "stripe"})
    assert (checkout["amount"], checkout["currency"]) == (1_071, "USD")
    kept = await buyer.ok("GET", f"/payments/orders/{order['id']}")
    assert (kept["amount"], kept["tax_amount"], kept["tax_name"], kept["coupon_code"]) == (1_071, 171, "MwSt", "KEEPS")
    assert (kept["tax_rate"], "tax_basis_points" in kept) == ("19.00", False)
    for change in ({"rate": "-1"}, {"rate": 100.001}, {"rate": 101}):
        assert (await admin.call("PUT", "/payments/tax-rates/DE", json={**tax, **change})).status_code == 422
    faults: tuple[dict[str, Any], ...] = ({"percent_off": 0}, {"percent_off": -5}, {"percent_off": 100.5}, {})
    for fault in (*faults, {"amounts_off": []}):
        assert (await admin.call("POST", "/payments/coupons", json={"code": "FAULT", **fault})).status_code == 422


async def test_no_course_is_sold_in_a_currency_that_there_is_not(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher, price=12_345, currency="KWD")
    for currency in ("QQQ", "XAU", "XXX"):
        asked = {"title": "Algebra", "price": 500, "currency": currency}
        for method, path in (("POST", "/courses"), ("PATCH", f"/courses/{course['id']}")):
            told = await teacher.call(method, path, json=asked)
            assert told.status_code == 422, (method, currency)
            assert [(one["field"], one["code"]) for one in told.json()["errors"]] == [("currency", "currency")]
    assert (await teacher.ok("GET", f"/courses/{course['id']}"))["currency"] == "KWD"
