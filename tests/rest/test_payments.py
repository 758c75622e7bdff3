"""Buying a course: order, checkout, the gateway's word, and what is open then; and everybody who tries to have it for less."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from documents.gateway_event import GatewayEvent
from documents.idempotency import IdempotencyRecord
from documents.order import Order
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from lms_rt.contracts.gateways import Charged, GatewayName, GatewayPayment, Money
from lms_rt.services.jobs import NotYet
from lms_rt.services.payments.checkout_starting import Starting
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.services.small_gateway import SmallGateway, Word, signed, word
from tests.working import idle, working

HOOK = "/payments/webhook"


@dataclass
class Shop:
    """A house that sells, by a gateway in memory that stands where Stripe does."""

    house: House
    gateway: SmallGateway
    teacher: Visitor

    async def course(self, price: int = 1999, currency: str = "USD", **fields: Any) -> str:
        made = await factories.course(self.teacher, price=price, currency=currency, **fields)
        return str(made["id"])

    async def begun(self, student: Visitor, course_id: str, **body: Any) -> dict[str, Any]:
        wish = {"course_id": course_id, "gateway": "stripe", **body}
        found: dict[str, Any] = await student.ok("POST", "/payments/create-payment-intent", json=wish)
        return found

    async def tell(self, told: Word, path: str = HOOK) -> int:
        visitor = await self.house.visitor()
        return (await visitor.call("POST", path, content=told.body, headers=told.headers)).status_code

    async def settled(self, *words: Word) -> None:
        """All words delivered, and all work done."""
        for one in words:
            assert await self.tell(one) == 200
        async with working(self.house):
            await idle(self.house.services)

    async def bought(self, student: Visitor, course_id: str) -> dict[str, Any]:
        checkout = await self.begun(student, course_id)
        self.gateway.move(checkout["intent_id"])
        await self.settled(word(f"evt_{checkout['intent_id']}", checkout["intent_id"]))
        return checkout


@pytest.fixture(scope="module")
async def shop(house: House) -> Shop:
    gateway = SmallGateway()
    house.services.payment_gateways.add(gateway)
    return Shop(house, gateway, await house.teacher())


EMBEDDED = pytest.mark.parametrize("house", ["embedded"], indirect=True)
"""Where the second lane can be no different."""


async def state_of(student: Visitor, order_id: str) -> tuple[str, list[tuple[str, str | None]]]:
    order = await student.ok("GET", f"/payments/orders/{order_id}")
    payments = await Payment.find_of_order(order_id)
    return order["status"], [(one["status"], one.get("held")) for one in payments]


async def has_access(student: Visitor, course_id: str) -> bool:
    course = await student.ok("GET", f"/courses/{course_id}")
    return any(lesson["content"] for lesson in course["lessons"])


async def findings(kind: str, payment_id: str) -> int:
    return await PaymentFinding.rows().count_documents({"kind": kind, "refs.payment_id": payment_id, "status": "open"})


async def clicked(shop: Shop, student: Visitor, path: str, *, times: int) -> list[dict[str, Any]]:
    """So many clicks at once; the gateway answers the first when another one waits for the same."""
    waited = Starting._waited

    async def watched(self: Starting, order_id: str, key: str) -> Any:
        shop.gateway.may_answer.set()
        return await waited(self, order_id, key)

    shop.gateway.faults = ["slow"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Starting, "_waited", watched)
        clicks = (student.ok("POST", path, json={"gateway": "stripe"}) for _ in range(times))
        return list(await asyncio.gather(*clicks))


async def test_a_course_is_bought_and_opens_by_what_the_gateway_says_alone(shop: Shop) -> None:
    student, other, course_id = await shop.house.student(), await shop.house.student(), await shop.course()
    wish = {"course_id": course_id}
    order = await student.ok("POST", "/payments/orders", json=wish)
    assert (order["status"], order["amount"], order["currency"]) == ("pending", 1999, "USD")
    tabs = await asyncio.gather(*(student.call("POST", "/payments/orders", json=wish) for _ in range(3)))
    assert {(tab.status_code, tab.json()["id"]) for tab in tabs} == {(200, order["id"])}, "more tabs"
    await shop.teacher.ok("PATCH", f"/courses/{course_id}", json={"price": 999_999})
    path = f"/payments/create-intent/{order['id']}"
    clicks = await clicked(shop, student, path, times=4)
    assert len({str(one) for one in clicks}) == 1
    intent_id = str(clicks[0]["intent_id"])
    assert (clicks[0]["client_secret"], clicks[0]["amount"]) == (f"secret_{intent_id}", 1999)
    assert shop.gateway.begun.count(f"{order['id']}-1") == 1, "four clicks, one checkout"
    asked = shop.gateway.checkouts[intent_id]
    assert (asked.money, asked.order_id, asked.payer.user_id) == (Money(1999, "USD"), order["id"], student.user_id)
    stored = await Order.find_row(order["id"])
    assert "client_secret" not in str(stored), "sealed"
    assert f"secret_{intent_id}" not in str(stored), "sealed"
    await nothing_is_open_before_it_is_paid(shop, student, order, intent_id)
    # the same word thrice, in between one that is old
    shop.gateway.move(intent_id)
    paid = word("evt_paid", intent_id)
    await shop.settled(paid, paid, word("evt_early", intent_id), paid)
    assert await state_of(student, order["id"]) == ("completed", [("completed", None)])
    assert await has_access(student, course_id)
    [payment] = (await student.ok("GET", "/payments/my-payments"))["items"]
    assert (payment["amount"], payment["gateway"], payment["transaction_id"]) == (1999, "stripe", f"ch_{intent_id}")
    assert payment == await student.ok("GET", f"/payments/{payment['id']}")
    assert payment == await (await shop.house.admin()).ok("GET", f"/payments/{payment['id']}")
    for path in (f"/payments/{payment['id']}", f"/payments/orders/{order['id']}"):
        assert (await other.call("GET", path)).status_code == 404
    assert (await student.call("POST", "/payments/orders", json=wish)).json()["code"] == "already_enrolled"
    assert (await student.call("POST", f"/payments/orders/{order['id']}/cancel")).status_code == 409
    assert await GatewayEvent.rows().count_documents({"object_id": intent_id}) == 2
    assert set((await shop.house.services.journal.totals()).values()) <= {0}


async def nothing_is_open_before_it_is_paid(
    shop: Shop, student: Visitor, order: dict[str, Any], intent_id: str
) -> None:
    """Whoever comes back without paying has nothing, nor does a word help that says nothing new."""
    address = f"/payments/webhooks/paymob?success=true&merchant_order_id={order['id']}-1"
    back = await student.call("GET", address, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (back.status_code, back.headers["Location"]) == (303, f"/payments/orders/{order['id']}")
    await shop.settled(word("evt_early", intent_id))
    assert await state_of(student, order["id"]) == ("pending", [("pending", None)])
    assert not await has_access(student, order["course_id"])


async def test_what_is_not_the_gateways_word_is_refused_and_nothing_of_it_is_kept(shop: Shop) -> None:
    before = await GatewayEvent.rows().count_documents({})
    good = word("evt_forged", "stripe_ord_x-1")
    altered = (
        Word({}, good.body),
        signed(good.body, b"another secret"),
        Word(good.headers, good.body[:-1]),
        Word(good.headers, good.body.replace(b": ", b":")),
        Word(good.headers, b""),
    )
    visitor = await shop.house.visitor()
    for one in altered:
        problem = await visitor.refused(400, "POST", HOOK, content=one.body, headers=one.headers)
        assert problem["code"] == "invalid_signature"
    large = signed(b"x" * (256 * 1024 + 1))
    assert await shop.tell(large) == 413
    assert [await shop.tell(good, f"/payments/webhooks/{name}") for name in ("paymob", "myfatoorah", "none")] == [
        404
    ] * 3
    assert await GatewayEvent.rows().count_documents({}) == before


@EMBEDDED
@pytest.mark.parametrize(
    ("came", "reason"),
    [
        ({"money": Money(1, "USD")}, "amount_mismatch"),
        ({"money": Money(1998, "USD")}, "amount_mismatch"),
        ({"money": Money(4000, "USD")}, "amount_mismatch"),
        ({"money": Money(1999, "KWD")}, "currency_mismatch"),
        ({"key": "ord_of_somebody_else-1"}, "owner_mismatch"),
    ],
)
async def test_money_that_does_not_fit_the_order_waits_for_a_person(
    shop: Shop, came: dict[str, Any], reason: str
) -> None:
    student, course_id = await shop.house.student(), await shop.course()
    checkout = await shop.begun(student, course_id)
    shop.gateway.move(checkout["intent_id"], **came)
    await shop.settled(word(f"evt_{checkout['intent_id']}", checkout["intent_id"]))
    assert await state_of(student, checkout["order_id"]) == ("pending", [("completed", reason)])
    assert not await has_access(student, course_id)
    assert await findings("held_payment", checkout["payment_id"]) == 1
    assert set((await shop.house.services.journal.totals()).values()) <= {0}


@EMBEDDED
async def test_money_of_nobody_we_know_becomes_a_finding_once_it_was_waited_for(shop: Shop) -> None:
    intent = "pi_of_another_merchant"
    shop.gateway.payments[intent] = GatewayPayment(intent, Charged.COMPLETED, Money(5, "USD"), key="ord_0-1")
    assert await shop.tell(word("evt_other", intent)) == 200
    event_id = "stripe:evt_other"
    words = shop.house.services.gateway_words
    with pytest.raises(Exception, match="not before"):
        await words.settle(event_id)
    old = shop.house.services.clock.now().replace(year=2020)
    await GatewayEvent.rows().update_one({"_id": event_id}, {"$set": {"received_at": old}})
    await words.settle(event_id)
    assert await PaymentFinding.find_row(f"unknown_payment:stripe:{intent}") is not None
    told, reads = await GatewayEvent.find_row(event_id), shop.gateway.reads
    assert told is not None
    assert told["outcome"] == "unknown"
    await words.settle(event_id)
    assert shop.gateway.reads == reads, "what is settled is not read again"


@EMBEDDED
async def test_a_word_that_comes_before_its_order_is_written_down_is_waited_for_and_counts_once(shop: Shop) -> None:
    student, course_id = await shop.house.student(), await shop.course()
    checkout = await shop.begun(student, course_id)
    kept = [(Order, checkout["order_id"]), (Payment, checkout["payment_id"])]
    rows = [await document.rows().find_one_and_delete({"_id": key}) for document, key in kept]
    shop.gateway.move(checkout["intent_id"])
    told = word("evt_soon", checkout["intent_id"], key=f"{checkout['order_id']}-1")
    assert [await shop.tell(told) for _ in range(2)] == [200, 200], "and again, word by word"
    words = shop.house.services.gateway_words
    with pytest.raises(NotYet):
        await words.settle("stripe:evt_soon")
    for (document, _), row in zip(kept, rows, strict=True):
        await document.rows().insert_one(row)
    await asyncio.gather(*(words.settle("stripe:evt_soon") for _ in range(2)))
    await shop.settled(told)
    assert await state_of(student, checkout["order_id"]) == ("completed", [("completed", None)])
    assert await has_access(student, course_id)


@EMBEDDED
async def test_a_gateway_that_fails_costs_nobody_anything(shop: Shop) -> None:
    student, course_id = await shop.house.student(), await shop.course()
    order = await student.ok("POST", "/payments/orders", json={"course_id": course_id})
    path, body = f"/payments/create-intent/{order['id']}", {"gateway": "stripe"}
    shop.gateway.faults = ["down", "lost", "refuse"]
    for _ in range(2):
        problem = await student.refused(503, "POST", path, json=body)
        assert problem["retry_after_seconds"] == 5
    # somebody paid what was made although its answer was lost: the word finds it by its key
    intent_id = f"stripe_{order['id']}-1"
    shop.gateway.move(intent_id)
    await shop.settled(word("evt_lost", intent_id, key=f"{order['id']}-1"))
    assert await state_of(student, order["id"]) == ("completed", [("completed", None)])
    shop.gateway.faults = ["refuse"]
    second = await shop.house.student()
    wish = {"course_id": course_id, "gateway": "stripe"}
    problem = await second.refused(422, "POST", "/payments/create-payment-intent", json=wish)
    assert problem["errors"][0]["field"] == "gateway"
    again = await shop.begun(second, course_id)
    assert again["intent_id"].endswith("-2"), "a refused one is over; the next is another"
    problem = await second.refused(422, "POST", "/payments/create-payment-intent", json=wish | {"gateway": "paymob"})
    assert problem["errors"][0]["code"] == "gateway"


@EMBEDDED
async def test_a_method_that_there_is_not_begins_nothing(shop: Shop) -> None:
    student, course_id = await shop.house.student(), await shop.course()
    order = await student.ok("POST", "/payments/orders", json={"course_id": course_id})
    for path, wish in (("create-payment-intent", {"course_id": course_id}), (f"create-intent/{order['id']}", {})):
        body = {"gateway": "stripe", "method": "shells", **wish}
        problem = await student.refused(422, "POST", f"/payments/{path}", json=body)
        assert problem["errors"][0]["field"] == "method"
    assert (await student.ok("GET", "/payments/my-payments"))["items"] == [], "nobody is told of a payment that failed"
    begun = await shop.begun(student, course_id, method="wallet")
    assert begun["intent_id"].endswith("-1")


@EMBEDDED
async def test_who_asks_again_meets_the_same_checkout_and_nothing_of_it_lies_open(shop: Shop) -> None:
    wish = {"course_id": await shop.course(), "gateway": "stripe"}
    # whoever was asking is gone: the next asks with the same key
    third = await shop.house.student()
    shop.gateway.faults = ["die"]
    assert (await third.call("POST", "/payments/create-payment-intent", json=wish)).status_code == 500
    assert (await shop.begun(third, wish["course_id"]))["intent_id"].endswith("-1")
    # a key of a request names one purchase, and its answer lies nowhere in the open
    fourth, key = await shop.house.student(), {"Idempotency-Key": "buy-1"}
    path = "/payments/create-payment-intent"
    first, repeat = [await fourth.ok("POST", path, json=wish, headers=key) for _ in range(2)]
    assert first == repeat
    kept = await IdempotencyRecord.rows().find({"_id": {"$regex": f"^{fourth.user_id}"}}).to_list(9)
    assert kept
    assert first["client_secret"] not in str(kept)
    problem = await fourth.refused(409, "POST", path, json={**wish, "method": "card"}, headers=key)
    assert problem["code"] == "idempotency_key_reused"


@EMBEDDED
async def test_money_that_comes_late_or_twice_is_neither_lost_nor_counted_twice(shop: Shop) -> None:
    services, course_id = shop.house.services, await shop.course()
    student = await shop.house.student()
    first = await shop.begun(student, course_id)
    cancelled = await student.ok("POST", f"/payments/orders/{first['order_id']}/cancel")
    assert cancelled["status"] == "cancelled"
    await shop.settled()
    assert await state_of(student, first["order_id"]) == ("cancelled", [("cancelled", None)])
    second = await shop.begun(student, course_id)
    assert second["order_id"] != first["order_id"]
    shop.gateway.move(first["intent_id"])  # the bank was slower than the click
    await shop.settled(word("evt_late", first["intent_id"]))
    assert await state_of(student, first["order_id"]) == ("completed", [("completed", None)])
    assert await state_of(student, second["order_id"]) == ("cancelled", [("cancelled", None)]), "nobody pays twice"
    assert await has_access(student, course_id)
    shop.gateway.move(second["intent_id"])
    await shop.settled(word("evt_twice", second["intent_id"]))
    assert await state_of(student, second["order_id"]) == ("cancelled", [("completed", "duplicate")])
    assert await findings("duplicate_payment", second["payment_id"]) == 1
    # after its course is not for sale any more, money that comes late waits for a person
    other = await shop.house.student()
    third = await shop.begun(other, course_id)
    await Order.rows().update_one({"_id": third["order_id"]}, {"$set": {"expires_at": services.clock.now()}})
    assert await services.orders.expire_due() == 1
    await shop.teacher.ok("POST", f"/courses/{course_id}/unpublish")
    shop.gateway.move(third["intent_id"])
    await shop.settled(word("evt_after", third["intent_id"]))
    assert await state_of(other, third["order_id"]) == ("expired", [("completed", "late")])


@EMBEDDED
async def test_another_gateway_closes_the_first_checkout_and_two_paid_ones_count_once(shop: Shop) -> None:
    paymob = SmallGateway(GatewayName.PAYMOB)
    shop.house.services.payment_gateways.add(paymob)
    student, course_id = await shop.house.student(), await shop.course()
    undecided = await shop.house.student()
    begun = [await shop.begun(undecided, course_id, gateway=name) for name in ("stripe", "paymob", "paymob")]
    assert begun[1] == begun[2]
    await shop.settled()
    assert await state_of(undecided, begun[0]["order_id"]) == ("pending", [("cancelled", None), ("pending", None)])
    assert shop.gateway.payments[begun[0]["intent_id"]].state is Charged.CANCELLED
    first = await shop.begun(student, course_id)
    second = await shop.begun(student, course_id, gateway="paymob")
    assert second["order_id"] == first["order_id"]
    shop.gateway.move(first["intent_id"])
    paymob.move(second["intent_id"])
    both = (("stripe", first["intent_id"]), ("paymob", second["intent_id"]))
    await asyncio.gather(*(shop.house.services.settling.settle(*one) for one in both))
    status, payments = await state_of(student, first["order_id"])
    assert (status, sorted(str(held) for _, held in payments)) == ("completed", ["None", "duplicate"])
    await shop.settled()
    assert await has_access(student, course_id)
    paid = await Payment.rows().count_documents({"order_id": first["order_id"], "enrollment_id": {"$exists": True}})
    assert paid == 1


@EMBEDDED
async def test_what_costs_nothing_needs_no_gateway_and_impossible_wishes_are_refused(shop: Shop) -> None:
    admin, student, course_id = await shop.house.admin(), await shop.house.student(), await shop.course(price=900)
    await admin.ok("POST", "/payments/coupons", json={"code": "GIFT", "percent_off": "100.00"})
    checkout = await shop.begun(student, course_id, coupon_code="gift")
    assert (checkout["status"], checkout["amount"], checkout["client_secret"]) == ("completed", 0, None)
    await shop.settled()
    assert await has_access(student, course_id)
    [payment] = (await student.ok("GET", "/payments/my-payments"))["items"]
    assert (payment["gateway"], payment["amount"], payment["status"]) == ("none", 0, "completed")
    listed = await student.ok("GET", f"/payments/methods?course_id={course_id}")
    methods = listed["items"]
    assert (listed["page"], listed["pages"], listed["total"]) == (1, 1, len(methods))
    second = await student.ok("GET", f"/payments/methods?course_id={course_id}&page=2&page_size=1")
    assert (second["items"], second["pages"]) == (methods[1:2], len(methods))
    found = [(one["method"], one["name"], one["fee"]) for one in methods if one["gateway"] == "stripe"]
    assert found == [("card", "Card", 0), ("wallet", "Wallet", 25)]
    other, free_id = await shop.house.student(), (await factories.course(shop.teacher))["id"]
    draft = await shop.teacher.ok("POST", "/courses", json={"title": "Draft", "price": 100})
    for body, status in (
        ({"course_id": free_id}, 409),
        ({"course_id": draft["id"]}, 404),
        ({"course_id": course_id, "currency": "KWD"}, 422),
        ({"course_id": course_id, "amount": 1}, 422),
        ({"course_id": course_id, "gateway": "nobody"}, 422),
        ({"course_id": course_id, "coupon_code": "NONE"}, 422),
    ):
        assert (await other.call("POST", "/payments/create-payment-intent", json=body)).status_code == status, body
    orders = (await other.ok("GET", "/payments/orders"))["items"]
    assert orders == []
