"""Buying by Paymob and by MyFatoorah, each a small one on a real socket: page, signed words in any order, and paying back.

What every gateway has in common is tried in `test_payments.py`; here is what these two do otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from documents.gateway_event import GatewayEvent
from documents.order import Order
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from lms_rt.gateways.payments.myfatoorah import MyFatoorah
from lms_rt.gateways.payments.myfatoorah_calls import MyFatoorahAccount
from lms_rt.gateways.payments.paymob import Paymob
from lms_rt.gateways.payments.paymob_calls import PaymobAccount
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.servers import myfatoorah_fake as fatoorah
from tests.servers import paymob_fake as paymob
from tests.servers.gateway_desk import PRIVATE, Word
from tests.servers.myfatoorah_fake import MyFatoorahFake, myfatoorah_running
from tests.servers.paymob_fake import PaymobFake, paymob_running
from tests.working import idle, working

pytestmark = pytest.mark.parametrize("house", ["embedded"], indirect=True)
PRICES = {"paymob": (50_000, "EGP"), "myfatoorah": (10_505, "KWD")}
BOTH = pytest.mark.parametrize("gateway", PRICES)


@dataclass
class Bazaar:
    """A house that sells by both."""

    house: House
    teacher: Visitor
    paymob: PaymobFake
    myfatoorah: MyFatoorahFake

    def fake(self, gateway: str) -> PaymobFake | MyFatoorahFake:
        return self.paymob if gateway == "paymob" else self.myfatoorah

    async def course(self, gateway: str) -> str:
        price, currency = PRICES[gateway]
        return str((await factories.course(self.teacher, price=price, currency=currency))["id"])

    async def begun(self, student: Visitor, course_id: str, gateway: str) -> dict[str, Any]:
        wish = {"course_id": course_id, "gateway": gateway}
        found: dict[str, Any] = await student.ok("POST", "/payments/create-payment-intent", json=wish)
        return found

    async def tell(self, gateway: str, word: Word) -> int:
        visitor = await self.house.visitor()
        path = f"/payments/webhooks/{gateway}"
        sent = await visitor.call("POST", path, params=word.query, content=word.body, headers=word.headers)
        return sent.status_code

    async def settled(self, gateway: str, words: Sequence[Word]) -> None:
        """All words delivered, and all work done."""
        for one in words:
            assert await self.tell(gateway, one) == 200
        async with working(self.house):
            await idle(self.house.services)


@asynccontextmanager
async def open_bazaar(house: House) -> AsyncIterator[Bazaar]:
    """A house with both, until the body ends."""
    clock, gateways = house.services.clock, house.services.payment_gateways
    async with paymob_running() as one, myfatoorah_running() as other:
        account = PaymobAccount(
            base=one.address,
            secret_key=SecretStr(paymob.SECRET_KEY),
            api_key=SecretStr(paymob.API_KEY),
            hmac_secret=SecretStr(paymob.HMAC_SECRET),
            public_key=paymob.PUBLIC_KEY,
            card=paymob.CARD,
            subscription=paymob.THREE_D_SECURE,
            moto=paymob.MOTO,
        )
        opened = (
            Paymob(account, clock),
            MyFatoorah(
                MyFatoorahAccount(other.address, SecretStr(fatoorah.API_KEY), SecretStr(fatoorah.WEBHOOK_SECRET)), clock
            ),
        )
        for gateway in opened:
            gateways.add(gateway)
        yield Bazaar(house, await house.teacher(), one, other)
        for gateway in opened:
            await gateway.close()


@pytest.fixture(scope="module")
async def bazaar(house: House) -> AsyncIterator[Bazaar]:
    async with open_bazaar(house) as opened:
        yield opened


async def state_of(student: Visitor, order_id: str) -> tuple[str, list[tuple[str, str | None]]]:
    order = await student.ok("GET", f"/payments/orders/{order_id}")
    payments = await Payment.find_of_order(order_id)
    return order["status"], [(one["status"], one.get("held")) for one in payments]


async def has_access(student: Visitor, course_id: str) -> bool:
    course = await student.ok("GET", f"/courses/{course_id}")
    return any(lesson["content"] for lesson in course["lessons"])


@BOTH
async def test_from_the_page_of_the_gateway_to_the_course_and_back(
    bazaar: Bazaar, gateway: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fake, student, course_id = bazaar.fake(gateway), await bazaar.house.student(), await bazaar.course(gateway)
    fake.words()
    checkout = await bazaar.begun(student, course_id, gateway)
    again = await bazaar.begun(student, course_id, gateway)
    assert (again["intent_id"], again["redirect_url"]) == (checkout["intent_id"], checkout["redirect_url"])
    assert checkout["redirect_url"].startswith(fake.address)
    intent_id = checkout["intent_id"]
    fake.decline(intent_id)
    await bazaar.settled(gateway, declined := fake.words())
    assert await state_of(student, checkout["order_id"]) == ("pending", [("pending", None)])
    fake.pay(intent_id)
    paid = fake.words()
    await bazaar.settled(gateway, [*paid, *declined, *paid])
    assert await state_of(student, checkout["order_id"]) == ("completed", [("completed", None)])
    assert await has_access(student, course_id)
    kept = await GatewayEvent.rows().find({"gateway": gateway, "object_id": intent_id}).to_list(10)
    assert len(kept) == len(declined) + len(paid)
    assert PRIVATE not in str(kept)
    [payment] = (await student.ok("GET", "/payments/my-payments"))["items"]
    assert (payment["amount"], payment["currency"], payment["gateway"]) == (*PRICES[gateway], gateway)
    await paid_back_in_two_parts(bazaar, gateway, student, checkout)
    assert not await has_access(student, course_id)
    secrets = (PRIVATE, paymob.SECRET_KEY, paymob.API_KEY, fatoorah.API_KEY, checkout["client_secret"] or PRIVATE)
    assert [word for word in secrets if word in caplog.text] == []
    assert set((await bazaar.house.services.journal.totals()).values()) <= {0}


async def paid_back_in_two_parts(bazaar: Bazaar, gateway: str, student: Visitor, checkout: dict[str, Any]) -> None:
    """A part by us, and the rest at the gateway's own desk."""
    fake, intent_id = bazaar.fake(gateway), checkout["intent_id"]
    [payment] = (await student.ok("GET", "/payments/my-payments"))["items"]
    admin = await bazaar.house.admin()
    wish = {"amount": 5_000, "reason": "Half of it was cancelled"}
    await admin.ok("POST", f"/payments/{payment['id']}/refund", json=wish)
    await bazaar.settled(gateway, ())
    await bazaar.settled(gateway, finished(fake))
    assert await state_of(student, checkout["order_id"]) == ("completed", [("partially_refunded", None)])
    rest = payment["amount"] - 5_000
    fake.refund_outside(intent_id, amount=rest if gateway == "paymob" else "5.505")  # type: ignore[arg-type]
    await bazaar.settled(gateway, fake.words())
    assert (await state_of(student, checkout["order_id"]))[1] == [("refunded", None)]
    refunds = (await admin.ok("GET", f"/payments/{payment['id']}/refunds"))["items"]
    assert sorted((one["amount"], one["status"], bool(one["requested_by"])) for one in refunds) == sorted(
        [(5_000, "completed", True), (rest, "completed", False)]
    )


def finished(fake: PaymobFake | MyFatoorahFake) -> list[Word]:
    """What is told once the gateway's staff has looked at all refunds."""
    if isinstance(fake, MyFatoorahFake):
        for refund_id, row in list(fake.refunds.items()):
            if row["RefundStatus"] == "Pending":
                fake.finish_refund(str(refund_id))
    return fake.words()


@BOTH
async def test_words_that_are_forged_changed_or_cut_are_refused(bazaar: Bazaar, gateway: str) -> None:
    fake, student = bazaar.fake(gateway), await bazaar.house.student()
    checkout = await bazaar.begun(student, await bazaar.course(gateway), gateway)
    fake.words()
    fake.decline(checkout["intent_id"])
    (word,) = fake.words()
    before = await GatewayEvent.rows().count_documents({})
    intent = checkout["intent_id"].encode()
    for bad in (
        Word({}, {}, word.body),
        Word(word.headers, word.query, word.body[:-1]),
        Word(word.headers, word.query, b""),
        Word(word.headers, word.query, word.body.replace(intent, b"9" * len(intent))),
    ):
        assert await bazaar.tell(gateway, bad) == 400
    assert await GatewayEvent.rows().count_documents({}) == before
    assert await bazaar.tell(gateway, Word(word.headers, word.query, word.body + b" ")) == 200, "signed are the values"


async def test_an_order_that_was_paid_with_another_amount_waits_for_a_person(bazaar: Bazaar) -> None:
    student, course_id = await bazaar.house.student(), await bazaar.course("paymob")
    checkout = await bazaar.begun(student, course_id, "paymob")
    bazaar.paymob.words()
    bazaar.paymob.pay(checkout["intent_id"], amount=100)
    await bazaar.settled("paymob", bazaar.paymob.words())
    assert await state_of(student, checkout["order_id"]) == ("pending", [("completed", "amount_mismatch")])
    twice = await bazaar.begun(student, course_id, "paymob")
    assert twice["order_id"] == checkout["order_id"]
    assert await PaymentFinding.rows().count_documents(
        {"kind": "held_payment", "refs.payment_id": checkout["payment_id"]}
    )


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("is_at_once", [True, False], ids=["at_once", "one_by_one"])
async def test_an_invoice_that_was_paid_twice_opens_once_and_each_payment_is_paid_back_for_itself(
    bazaar: Bazaar, *, is_at_once: bool, is_named: bool
) -> None:
    """`is_named`: MyFatoorah tells our name of a refund."""
    fake, student, course_id = bazaar.myfatoorah, await bazaar.house.student(), await bazaar.course("myfatoorah")
    admin, fake.names_refunds = await bazaar.house.admin(), is_named
    checkout = await bazaar.begun(student, course_id, "myfatoorah")
    fake.words()
    fake.pay(checkout["intent_id"])
    if not is_at_once:
        await bazaar.settled("myfatoorah", fake.words())
    second = fake.pay(checkout["intent_id"], is_again=True)
    await bazaar.settled("myfatoorah", fake.words()[::-1])
    assert await state_of(student, checkout["order_id"]) == (
        "completed",
        [("completed", None), ("completed", "duplicate")],
    )
    first_id, again_id = [one["_id"] for one in await Payment.find_of_order(checkout["order_id"])]
    assert await PaymentFinding.rows().count_documents({"kind": "duplicate_payment", "refs.payment_id": again_id}) == 1
    for payment_id in (first_id, again_id):  # as much of each, both under way at once
        wish = {"amount": 5_000, "reason": "It was too dear"}
        await admin.ok("POST", f"/payments/{payment_id}/refund", json=wish)
    await bazaar.settled("myfatoorah", ())
    assert {one.body["KeyType"] for one in fake.of("MakeRefund")[-2:]} == {"PaymentId"}
    await bazaar.settled("myfatoorah", finished(fake))
    fake.refund_outside(checkout["intent_id"], amount="5.505", payment_id=second)
    await bazaar.settled("myfatoorah", fake.words())
    rows = await Payment.find_of_order(checkout["order_id"])
    assert [(one["status"], one["refunded_amount"]) for one in rows] == [
        ("partially_refunded", 5_000),
        ("refunded", 10_505),
    ]
    assert await has_access(student, course_id), "what came on top was paid back"
    await bazaar.house.services.payment_comparison.compare_all()
    which = {"status": "open", "kind": {"$ne": "duplicate_payment"}, "refs.order_id": checkout["order_id"]}
    assert await PaymentFinding.rows().count_documents(which) == 0
    assert set((await bazaar.house.services.journal.totals()).values()) <= {0}
    fake.names_refunds = True


async def test_one_refund_of_both_payments_of_an_invoice_is_of_both_and_of_no_other_one_later(bazaar: Bazaar) -> None:
    fake, student, course_id = bazaar.myfatoorah, await bazaar.house.student(), await bazaar.course("myfatoorah")
    checkout = await bazaar.begun(student, course_id, "myfatoorah")
    fake.words()
    fake.pay(checkout["intent_id"])
    second = fake.pay(checkout["intent_id"], is_again=True)
    await bazaar.settled("myfatoorah", fake.words())

    async def stand() -> list[tuple[str, int]]:
        return [(one["status"], one["refunded_amount"]) for one in await Payment.find_of_order(checkout["order_id"])]

    name = fake.refund_outside(checkout["intent_id"], payment_id=second)
    await bazaar.settled("myfatoorah", fake.words())
    assert await stand() == [("completed", 0), ("refunded", 10_505)]
    # one more transaction, which is not told apart: so none of them are, and what was paid back of one is not of another
    fake.pay(checkout["intent_id"], is_again=True)
    invoice = fake.invoices[int(checkout["intent_id"])]
    invoice["InvoiceTransactions"][-1]["PaymentId"] = None
    fake.refund_outside(
        checkout["intent_id"], amount="0.505", payment_id=invoice["InvoiceTransactions"][0]["PaymentId"]
    )
    await bazaar.settled("myfatoorah", fake.words())
    assert await stand() == [("partially_refunded", 505), ("refunded", 10_505)]
    invoice["InvoiceTransactions"].pop()
    fake.refunds[int(name)]["Amount"] = "20.505"
    fake.finish_refund(name)
    await bazaar.settled("myfatoorah", fake.words())
    assert await stand() == [("refunded", 10_505), ("refunded", 10_505)]
    assert not await has_access(student, course_id)


async def test_a_dispute_that_nobody_can_read_is_shown_to_people_and_moves_nothing(bazaar: Bazaar) -> None:
    fake, student, course_id = bazaar.myfatoorah, await bazaar.house.student(), await bazaar.course("myfatoorah")
    checkout = await bazaar.begun(student, course_id, "myfatoorah")
    fake.words()
    fake.pay(checkout["intent_id"])
    fake.dispute(checkout["intent_id"])
    await bazaar.settled("myfatoorah", fake.words())
    fake.dispute(checkout["intent_id"], "CLOSED")
    await bazaar.settled("myfatoorah", fake.words())
    assert await state_of(student, checkout["order_id"]) == ("completed", [("completed", None)])
    admin = await bazaar.house.admin()
    found = (await admin.ok("GET", f"/payments/findings?kind=dispute&payment_id={checkout['payment_id']}"))["items"]
    assert [(one["status"], one["facts"]["state"]) for one in found] == [("open", "CLOSED")]


@pytest.mark.parametrize("named", ["first", "second", "unheard of"])
async def test_a_dispute_is_shown_at_the_payment_of_an_invoice_that_it_is_of(bazaar: Bazaar, named: str) -> None:
    fake, student, course_id = bazaar.myfatoorah, await bazaar.house.student(), await bazaar.course("myfatoorah")
    admin, checkout = await bazaar.house.admin(), await bazaar.begun(student, course_id, "myfatoorah")
    fake.words()
    fake.pay(checkout["intent_id"])
    fake.pay(checkout["intent_id"], is_again=True)
    await bazaar.settled("myfatoorah", fake.words())
    payments = await Payment.find_of_order(checkout["order_id"])
    paid_by = {
        "unheard of": "0706",
        **dict(zip(("first", "second"), (one["transaction_id"] for one in payments), strict=True)),
    }
    fake.dispute(checkout["intent_id"], payment_id=paid_by[named])
    await bazaar.settled("myfatoorah", fake.words())
    path = "/payments/findings?kind=dispute&payment_id="
    shown = [len((await admin.ok("GET", path + one["_id"]))["items"]) for one in payments]
    assert shown == ([0, 1] if named == "second" else [1, 0])
    for payment, status in zip(payments, (201, 409) if named == "second" else (409, 201), strict=True):
        wish = {"amount": 5_000, "reason": "It was too dear"}
        reply = await admin.call("POST", f"/payments/{payment['_id']}/refund", json=wish)
        assert (reply.status_code, reply.json().get("dispute")) == (status, "open" if status == 409 else None)


@BOTH
async def test_an_answer_that_got_lost_is_found_and_no_second_one_is_made(bazaar: Bazaar, gateway: str) -> None:
    fake, student, course_id = bazaar.fake(gateway), await bazaar.house.student(), await bazaar.course(gateway)
    fake.words()
    fake.lose("v1/intention" if gateway == "paymob" else "SendPayment")
    wish = {"course_id": course_id, "gateway": gateway}
    await student.refused(503, "POST", "/payments/create-payment-intent", json=wish)
    made = list(fake.orders if isinstance(fake, PaymobFake) else fake.invoices)[-1]
    fake.pay(str(made))  # its page was open in another tab
    await bazaar.settled(gateway, fake.words())
    [order] = await Order.rows().find({"user_id": student.user_id}).to_list(5)
    assert await state_of(student, order["_id"]) == ("completed", [("completed", None)])
    assert await has_access(student, course_id)


@BOTH
async def test_subscribing_renewing_and_ending(bazaar: Bazaar, gateway: str) -> None:
    fake, admin, student = bazaar.fake(gateway), await bazaar.house.admin(), await bazaar.house.student()
    price, currency = PRICES[gateway]
    draft = {"plan_name": f"All by {gateway}", "amount": price, "currency": currency, "interval": "month"}
    plan = await admin.ok("POST", "/payments/plans", json=draft)
    fake.words()
    started = await student.ok(
        "POST", "/payments/create-subscription", json={"plan_id": plan["id"], "gateway": gateway}
    )
    [row] = await subscriptions(student, status="pending")
    intent_id = str(list(fake.orders if isinstance(fake, PaymobFake) else fake.invoices)[-1])
    assert started["redirect_url"].startswith(fake.address)
    fake.pay(intent_id)
    of_the_payment, *of_the_subscription = fake.words()
    await bazaar.settled(gateway, [of_the_payment])
    [row] = await subscriptions(student)
    assert (row["status"], row["amount"], row["currency"]) == ("active", price, currency), (
        "whose payment came is let in"
    )
    assert of_the_subscription
    await bazaar.settled(gateway, of_the_subscription)
    assert [one["status"] for one in await subscriptions(student)] == ["active"]
    fake.renew(row["gateway_subscription_id"])
    drawn = fake.words()
    await bazaar.settled(gateway, [*drawn[::-1], *drawn])
    payments = (await student.ok("GET", "/payments/my-payments"))["items"]
    assert [(one["status"], one["amount"]) for one in payments] == [("completed", price)] * 2
    await student.ok("POST", f"/payments/subscriptions/{row['id']}/cancel", json={})
    await bazaar.settled(gateway, fake.words())
    [row] = await subscriptions(student)
    assert row["cancel_at_period_end"] or row["status"] == "cancelled"
    assert set((await bazaar.house.services.journal.totals()).values()) <= {0}


async def subscriptions(student: Visitor, **query: str) -> list[dict[str, Any]]:
    found = await student.call("GET", "/payments/my-subscriptions", params=query)
    return list(found.json()["items"])
