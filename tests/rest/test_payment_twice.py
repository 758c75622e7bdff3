"""Whoever would pay once and have it twice, and whoever would pay twice and have it once: coupons that come back, courses sold before."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from documents.coupon import CouponUse
from documents.enums import Role
from documents.order import Order
from documents.payment import Payment
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.gateways import GatewayName, Money
from lms_rt.contracts.payments import CourseOrderDraft
from tests.clients import Visitor
from tests.house import House
from tests.rest.test_payments import Shop, findings, has_access, state_of
from tests.services.small_gateway import SmallGateway, word

pytestmark = pytest.mark.parametrize("house", ["embedded"], indirect=True)


class OpenPage(SmallGateway):
    """A gateway whose checkouts cannot be closed, as two of the real ones: whoever has the page can pay."""

    async def cancel_checkout(self, intent_id: str) -> None:
        """It goes on."""


@pytest.fixture(scope="module")
async def shop(house: House) -> Shop:
    gateway = OpenPage(GatewayName.STRIPE)
    house.services.payment_gateways.add(gateway)
    return Shop(house, gateway, await house.teacher())


async def coupon(shop: Shop, code: str, **fields: Any) -> str:
    admin = await shop.house.admin()
    made = await admin.ok("POST", "/payments/coupons", json={"code": code, "percent_off": 50, "max_uses": 1, **fields})
    return str(made["id"])


async def uses(shop: Shop, coupon_id: str) -> int:
    return int((await (await shop.house.admin()).ok("GET", f"/payments/coupons/{coupon_id}"))["uses"])


async def paid(shop: Shop, checkout: dict[str, Any], **fields: Any) -> None:
    shop.gateway.move(checkout["intent_id"], **fields)
    await shop.settled(word(f"evt_{checkout['intent_id']}", checkout["intent_id"]))


async def cancel(student: Visitor, checkout: dict[str, Any]) -> None:
    await student.ok("POST", f"/payments/orders/{checkout['order_id']}/cancel")


async def lapse(shop: Shop, order_id: str) -> int:
    """Its time goes by."""
    now = shop.house.services.clock.now()
    await Order.rows().update_one({"_id": order_id}, {"$set": {"expires_at": now}})
    return await asyncio.wait_for(shop.house.services.orders.expire_due(), 10)


async def test_a_coupon_that_was_given_back_pays_late_only_if_nobody_else_has_it(shop: Shop) -> None:
    coupon_id, course_id = await coupon(shop, "ONE"), await shop.course(2_000)
    sara, omar = await shop.house.student(), await shop.house.student()
    hers = await shop.begun(sara, course_id, coupon_code="one")
    await cancel(sara, hers)
    await shop.settled()
    his = await shop.begun(omar, course_id, coupon_code="one")
    await paid(shop, hers)  # her page was open still
    assert await state_of(sara, hers["order_id"]) == ("cancelled", [("completed", "late")])
    assert not await has_access(sara, course_id)
    assert await findings("held_payment", hers["payment_id"]) == 1
    await cancel(omar, his)
    await shop.settled()
    assert await uses(shop, coupon_id) == 0
    await paid(shop, his)
    assert await state_of(omar, his["order_id"]) == ("completed", [("completed", None)])
    assert await uses(shop, coupon_id) == 1, "what is paid late is counted again"
    await shop.house.services.pricing.give_back(his["order_id"])  # a word of the end that comes after that
    assert await uses(shop, coupon_id) == 1


async def test_a_coupon_whose_counting_was_cut_off_makes_nothing_cheaper_nor_free(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    gift, half = await coupon(shop, "ALL-OF-IT", percent_off=100), await coupon(shop, "HALF")
    course_id, other_id = await shop.course(2_000), await shop.course(900)
    sara, omar, lina = [await shop.house.student() for _ in range(3)]

    async def dies(*_: Any, **__: Any) -> bool:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(CouponUse, "add", dies)
        for code in ("ALL-OF-IT", "HALF"):
            wish = {"course_id": course_id if code == "HALF" else other_id, "coupon_code": code}
            assert (await sara.call("POST", "/payments/orders", json=wish)).status_code == 500
    half_off, free = [one["id"] for one in (await sara.ok("GET", "/payments/orders"))["items"]]
    assert (await shop.begun(omar, other_id, coupon_code="all-of-it"))["status"] == "completed"
    await shop.begun(lina, course_id, coupon_code="half")
    problem = await sara.refused(422, "POST", f"/payments/create-intent/{half_off}", json={"gateway": "stripe"})
    assert problem["errors"][0]["code"] == "coupon_used_up"
    assert await state_of(sara, half_off) == ("cancelled", [])
    assert await lapse(shop, free) == 1
    assert (await sara.ok("GET", f"/payments/orders/{free}"))["status"] == "cancelled", "nobody has it for nothing"
    assert not await has_access(sara, other_id)
    assert (await uses(shop, gift), await uses(shop, half)) == (1, 1)


async def test_an_order_of_nothing_needs_no_gateway_and_ends_when_it_cannot_be_completed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    coupon_id = await coupon(shop, "GIFTS", percent_off=100, max_uses=2)
    sara, omar, course_id = await shop.house.student(), await shop.house.student(), await shop.course(900)
    settling = shop.house.services.settling

    async def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError

    for student in (sara, omar):
        with monkeypatch.context() as broken:
            broken.setattr(settling, "settle_free", dies)
            wish = {"course_id": course_id, "coupon_code": "gifts"}
            assert (await student.call("POST", "/payments/orders", json=wish)).status_code == 500
            if student is omar:
                [his] = (await omar.ok("GET", "/payments/orders"))["items"]
                assert await lapse(shop, his["id"]) == 0, "it waits for the next sweep, and holds nothing up"
    [hers] = (await sara.ok("GET", "/payments/orders"))["items"]
    begun = await sara.ok("POST", f"/payments/create-intent/{hers['id']}", json={"gateway": "stripe"})
    assert (begun["status"], begun["amount"], begun["client_secret"]) == ("completed", 0, None)
    assert [one["gateway"] for one in await Payment.find_of_order(hers["id"])] == ["none"]

    async def nothing(row: Any) -> Any:
        return row

    with monkeypatch.context() as broken:
        broken.setattr(settling, "settle_free", nothing)
        assert await lapse(shop, his["id"]) == 1
    await shop.settled()
    assert await state_of(omar, his["id"]) == ("expired", [])
    assert await uses(shop, coupon_id) == 1
    # whoever heard no answer, and asks again by the same request, meets what it made, also when that is completed
    who, orders = Actor((await shop.house.student()).user_id, Role.STUDENT), shop.house.services.orders
    draft = CourseOrderDraft(course_id=course_id, coupon_code="gifts")
    first, again = [await orders.create(who, draft, request_seed="one-request") for _ in range(2)]
    assert (first.view.id, first.view.status) == (again.view.id, "completed")


async def test_two_orders_of_one_course_that_are_both_paid_are_one_purchase(shop: Shop) -> None:
    """The bank took the first one's money before the second was made, and its word comes last."""
    course_id, at_once, sara = await shop.course(), await shop.course(), await shop.house.student()
    now = shop.house.services.clock.now()
    for course, is_at_once in ((course_id, False), (at_once, True)):
        first = await shop.begun(sara, course)
        second = await shop.begun(sara, course, country="DE")
        assert second["order_id"] != first["order_id"]
        shop.gateway.move(first["intent_id"], paid_at=now - timedelta(hours=1))
        shop.gateway.move(second["intent_id"], paid_at=now)
        told = [("stripe", one["intent_id"]) for one in (first, second)]
        settle = shop.house.services.settling.settle
        if is_at_once:
            await asyncio.gather(*(settle(*one) for one in told))
        else:
            await settle(*told[0])
            await settle(*told[1])
        await shop.settled()
        rows = [await Payment.find_row(one["payment_id"]) or {} for one in (first, second)]
        assert sorted(str(row.get("held")) for row in rows) == ["None", "duplicate"]
        assert sum([await findings("duplicate_payment", row["_id"]) for row in rows]) == 1
        assert await has_access(sara, course)


async def test_what_is_paid_is_not_sold_again_before_it_opens_nor_after_it_was_left(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    course_id, sara = await shop.course(), await shop.house.student()
    checkout, wish = await shop.begun(sara, course_id), {"course_id": course_id}
    other = await shop.begun(sara, course_id, country="DE")
    shop.gateway.move(checkout["intent_id"])
    settling = shop.house.services.settling

    async def dies(*_: Any, **__: Any) -> None:
        raise ConnectionError

    async def none(_: str) -> None:
        """The other order has not been called off yet."""

    with monkeypatch.context() as broken:  # killed between the order and its payment
        broken.setattr(settling, "_written", dies)
        broken.setattr(Order, "find_open", none)
        with pytest.raises(ConnectionError):
            await settling.settle("stripe", checkout["intent_id"])
    path = f"/payments/create-intent/{other['order_id']}"
    assert (await sara.refused(409, "POST", path, json={"gateway": "stripe"}))["code"] == "conflict"
    await cancel(sara, other)
    assert await state_of(sara, checkout["order_id"]) == ("completed", [("pending", None)])
    assert (await sara.refused(409, "POST", "/payments/orders", json=wish))["code"] == "conflict"
    await settling.settle("stripe", checkout["intent_id"])  # and no worker is there to open it
    assert (await sara.refused(409, "POST", "/payments/orders", json=wish))["code"] == "conflict"
    await shop.settled()
    [mine] = (await sara.ok("GET", "/enrollments"))["items"]
    await sara.ok("DELETE", f"/enrollments/{mine['id']}")
    assert (await sara.refused(409, "POST", "/payments/orders", json=wish))["code"] == "conflict"
    # all of it is paid back: it is for sale again
    shop.gateway.pays_back(checkout["intent_id"], 1_999)
    await shop.settled(word("evt_back", checkout["intent_id"]))
    again = await shop.begun(sara, course_id)
    await paid(shop, again)
    assert await state_of(sara, again["order_id"]) == ("completed", [("completed", None)])


async def test_who_orders_again_when_it_has_become_cheaper_pays_what_they_are_told(shop: Shop) -> None:
    await coupon(shop, "TENTH", percent_off=10)
    course_id, sara, omar = await shop.course(2_000), await shop.house.student(), await shop.house.student()
    wish, by_coupon = {"course_id": course_id}, {"course_id": course_id, "coupon_code": "TENTH"}
    dear, off = [await one.ok("POST", "/payments/orders", json=body) for one, body in ((sara, wish), (omar, by_coupon))]
    for price, amounts in ((3_000, (2_000, 1_800)), (1_000, (1_000, 900))):
        await shop.teacher.ok("PATCH", f"/courses/{course_id}", json={"price": price})
        told = (
            await sara.ok("POST", "/payments/orders", json=wish),
            await omar.ok("POST", "/payments/orders", json=by_coupon),
        )
        assert (told[0]["amount"], told[1]["amount"]) == amounts
    for student, order in ((sara, dear), (omar, off)):
        assert (await state_of(student, order["id"]))[0] == "cancelled"


async def test_a_held_payment_that_is_let_go_is_completed_with_its_order_or_not_at_all(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    course_id, sara, admin = await shop.course(), await shop.house.student(), await shop.house.admin()
    first = await shop.begun(sara, course_id)
    await paid(shop, first, money=Money(1_998, "USD"))
    path, why = f"/payments/{first['payment_id']}/release", {"reason": "A unit less is fine."}
    settling = shop.house.services.settling

    async def dies(*_: Any, **__: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(settling, "change", dies)
        assert (await admin.call("POST", path, json=why)).status_code >= 500
    assert (await state_of(sara, first["order_id"]))[1] == [("completed", "amount_mismatch")]
    await admin.ok("POST", path, json=why)
    await shop.settled()
    assert await state_of(sara, first["order_id"]) == ("completed", [("completed", None)])
    assert await has_access(sara, course_id)
    # one that another payment of the course came before is paid back instead
    omar = await shop.house.student()
    wrong = await shop.begun(omar, course_id)
    await paid(shop, wrong, money=Money(1_998, "USD"))
    await cancel(omar, wrong)
    await shop.bought(omar, course_id)
    path = f"/payments/{wrong['payment_id']}/release"
    assert (await admin.refused(409, "POST", path, json=why))["code"] == "conflict"
    assert (await state_of(omar, wrong["order_id"]))[1] == [("completed", "amount_mismatch")]
