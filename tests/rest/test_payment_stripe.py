"""Whole purchases by Stripe over real sockets: its words doubled, out of order or lost, money paid back and disputed.

Stripe is `tests/servers/stripe_fake.py`; its words are signed as the real ones are, and delivered by the tests.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import generate_latest

from documents.gateway_event import GatewayEvent
from documents.journal_entry import JournalEntry
from documents.payment import Payment
from documents.payment_customer import PaymentCustomer
from documents.payment_finding import PaymentFinding
from documents.user import User
from lms_rt.clock import FakeClock
from lms_rt.contracts.gateways import CheckoutStarted, Payer
from lms_rt.services import figures
from lms_rt.services.payments.customers import keep_customer
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house
from tests.secrets_used import note
from tests.servers.gateway_desk import Word
from tests.servers.stripe_account import CARD, WEBHOOK_SECRET
from tests.servers.stripe_fake import API_KEY, StripeFake, stripe_running
from tests.working import idle, working

HOOK = "/payments/webhooks/stripe"


@dataclass
class Shop:
    """A school that sells by Stripe."""

    house: House
    stripe: StripeFake
    clock: FakeClock
    teacher: Visitor
    admin: Visitor

    async def begun(self, student: Visitor, method: str) -> dict[str, Any]:
        """A course of 19.99 dollars, and how it is paid."""
        course = await factories.course(self.teacher, price=1999, currency="USD")
        wish = {"course_id": course["id"], "gateway": "stripe", "method": method}
        checkout = await student.ok("POST", "/payments/create-payment-intent", json=wish)
        return {**checkout, "course_id": course["id"]}

    async def deliver(self, words: list[Word]) -> None:
        """All of them, and all that follows."""
        sender = await self.house.visitor()
        for word in words:
            reply = await sender.call("POST", HOOK, content=word.body, headers=word.headers)
            assert (reply.status_code, reply.json()) == (200, {"status": "success"})
        await self.work()

    async def wait(self, seconds: float, *people: Visitor) -> None:
        """Time passes; these people sign in again, as their tokens are over."""
        self.clock.advance(seconds)
        for somebody in (self.teacher, self.admin, *people):
            await somebody.sign_in(somebody.user["email"], PASSWORD)

    async def work(self) -> None:
        async with working(self.house):
            await idle(self.house.services)

    async def payments(self, checkout: dict[str, Any]) -> list[tuple[str, str | None, int]]:
        rows = await Payment.find_of_order(checkout["order_id"])
        return [(row["status"], row.get("held"), row["refunded_amount"]) for row in rows]

    async def enrolment(self, student: Visitor, checkout: dict[str, Any]) -> str | None:
        listed = await student.ok("GET", "/enrollments")
        return next((one["status"] for one in listed["items"] if one["course_id"] == checkout["course_id"]), None)


@pytest.fixture(scope="module")
async def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    clock = FakeClock()
    async with stripe_running(now=lambda: clock.now().timestamp()) as stripe:
        keys: dict[str, Any] = {
            "stripe_secret_key": API_KEY,
            "stripe_publishable_key": "pk_test_fake",
            "stripe_webhook_secret": f"whsec_tomorrows_secret,{WEBHOOK_SECRET}",
            "stripe_api_base": stripe.address,
        }
        for name in ("stripe_secret_key", "stripe_webhook_secret"):
            note(keys[name])
        settings = settings_on("embedded", request, tmp_path_factory.mktemp("stripe"), **keys)
        async with open_house(settings, clock=clock) as house:
            yield Shop(house, stripe, clock, await house.teacher(), await house.admin())


def mixed(words: list[Word]) -> list[Word]:
    """Each twice, in any order."""
    doubled = [*words, *words]
    random.Random(7).shuffle(doubled)  # noqa: S311 - a test that goes the same way each time
    return doubled


@pytest.mark.parametrize("method", ["card", "hosted"])
async def test_what_was_paid_once_opens_the_course_once(shop: Shop, method: str) -> None:
    student = await shop.house.student()
    checkout = await shop.begun(student, method)
    assert (checkout["redirect_url"] is None) == (method == "card")
    assert (checkout["client_secret"] is None) == (method == "hosted")
    shop.stripe.decline(checkout["intent_id"])
    await shop.deliver(mixed(shop.stripe.words()))
    assert (await shop.payments(checkout), await shop.enrolment(student, checkout)) == ([("pending", None, 0)], None)
    shop.stripe.pay(checkout["intent_id"])
    await shop.deliver(mixed(shop.stripe.words()))
    assert await shop.payments(checkout) == [("completed", None, 0)]
    assert await shop.enrolment(student, checkout) == "active"
    shown = await student.ok("GET", f"/payments/orders/{checkout['order_id']}")
    assert (shown["status"], shown["gateway_intent_id"]) == ("completed", checkout["intent_id"])


async def test_words_that_are_lost_are_made_up_for_by_looking(shop: Shop) -> None:
    student = await shop.house.student()
    checkout = await shop.begun(student, "hosted")
    shop.stripe.pay(checkout["intent_id"])
    shop.stripe.words()  # nobody ever hears of them
    await shop.work()
    assert await shop.enrolment(student, checkout) is None
    await shop.wait(2 * 3600, student)
    await shop.house.services.open_payments.look()
    await shop.work()
    assert await shop.payments(checkout) == [("completed", None, 0)]
    assert await shop.enrolment(student, checkout) == "active"


async def test_money_goes_back_by_us_and_by_stripes_own_desk(shop: Shop) -> None:
    student = await shop.house.student()
    checkout = await shop.begun(student, "hosted")
    shop.stripe.pay(checkout["intent_id"])
    await shop.deliver(shop.stripe.words())
    (row,) = await Payment.find_of_order(checkout["order_id"])
    body = {"amount": 500, "reason": "The course was shorter than promised"}
    await shop.admin.ok("POST", f"/payments/{row['_id']}/refund", json=body)
    await shop.work()
    assert await shop.payments(checkout) == [("partially_refunded", None, 500)]
    assert await shop.enrolment(student, checkout) == "active"
    shop.stripe.refund_outside(checkout["intent_id"])
    await shop.deliver(mixed(shop.stripe.words()))
    assert await shop.payments(checkout) == [("refunded", None, 1999)]
    assert await shop.enrolment(student, checkout) == "expired"
    assert len(shop.stripe.all("refund", payment_intent=shop.stripe.intent_id_of(checkout["intent_id"]))) == 2


async def test_a_dispute_closes_the_course_until_it_is_won(shop: Shop) -> None:
    student = await shop.house.student()
    checkout = await shop.begun(student, "card")
    shop.stripe.pay(checkout["intent_id"])
    await shop.deliver(shop.stripe.words())
    dispute_id = shop.stripe.dispute(checkout["intent_id"])
    opened = shop.stripe.words()
    await shop.deliver(opened)
    assert await shop.enrolment(student, checkout) == "expired"
    shop.stripe.close_dispute(dispute_id, is_won=True)
    await shop.deliver([*shop.stripe.words(), *opened])  # the word of its beginning comes again, late
    assert await shop.enrolment(student, checkout) == "active"


async def test_a_subscription_lives_by_what_stripe_draws(shop: Shop) -> None:
    student = await shop.house.student()
    draft = {"plan_name": "Everything", "amount": 9900, "currency": "USD", "interval": "month"}
    plan = await shop.admin.ok("POST", "/payments/plans", json=draft)
    wish = {"plan_id": plan["id"], "gateway": "stripe"}
    made, again = [await student.call("POST", "/payments/create-subscription", json=wish) for _ in range(2)]
    assert (made.status_code, again.status_code, again.json()) == (201, 200, made.json())
    started = made.json()
    assert made.headers["Location"].endswith(f"/payments/subscriptions/{started['subscription_id']}")
    assert "Location" not in again.headers
    session_id = next(one["id"] for one in shop.stripe.all("checkout.session") if one["mode"] == "subscription")
    assert session_id in started["redirect_url"]
    shop.stripe.pay(session_id)
    await shop.deliver(mixed(shop.stripe.words()))
    subscription_id = shop.stripe.thing(session_id)["subscription"]
    await shop.wait(30 * 86_400, student)
    shop.stripe.renew(subscription_id)
    await shop.deliver(mixed(shop.stripe.words()))
    (held,) = (await student.ok("GET", "/payments/my-subscriptions"))["items"]
    assert (held["status"], held["gateway_subscription_id"]) == ("active", subscription_id)
    paid = (await student.ok("GET", "/payments/my-payments"))["items"]
    assert [(one["status"], one["amount"]) for one in paid] == [("completed", 9900)] * 2
    shop.stripe.renew(subscription_id, is_paid=False)
    await shop.deliver(mixed(shop.stripe.words()))
    (held,) = (await student.ok("GET", "/payments/my-subscriptions"))["items"]
    assert held["status"] == "past_due"
    shop.stripe.renew(subscription_id)
    await shop.deliver(mixed(shop.stripe.words()))
    await student.ok("POST", f"/payments/subscriptions/{held['id']}/cancel")
    assert shop.stripe.thing(subscription_id)["cancel_at_period_end"] is True
    for _ in range(2):
        going_on = await student.ok("POST", f"/payments/subscriptions/{held['id']}/resume")
        assert (going_on["status"], going_on["cancel_at_period_end"]) == ("active", False)
    assert shop.stripe.thing(subscription_id)["cancel_at_period_end"] is False
    await student.ok("POST", f"/payments/subscriptions/{held['id']}/cancel")
    assert shop.stripe.thing(subscription_id)["cancel_at_period_end"] is True, "said again, it ends again"
    shop.stripe.end(subscription_id)
    await shop.deliver(mixed(shop.stripe.words()))
    (held,) = (await student.ok("GET", "/payments/my-subscriptions"))["items"]
    assert held["status"] == "cancelled"


async def test_what_others_sell_by_the_same_account_is_counted_and_is_nobodys_finding(shop: Shop) -> None:
    counted = figures.PAYMENTS_FOREIGN.labels("stripe")._value.get()
    forms: tuple[dict[str, Any], ...] = (
        {"metadata": {}},
        {"metadata": {"order_id": "1"}},
        {"metadata": {"key": "shop-17"}},
    )
    bought = [shop.stripe.make_intent({"amount": 700, "currency": "usd", **form})["id"] for form in forms]
    recurring = {"currency": "usd", "unit_amount": "900", "recurring": {"interval": "month"}}
    subscribed = shop.stripe.make_session({"mode": "subscription", "line_items": {"0": {"price_data": recurring}}})
    bought.append(shop.stripe.pay(subscribed["id"]))
    for intent_id in bought[:-1]:
        shop.stripe.pay(intent_id)
    refunded = shop.stripe.refund_outside(bought[0])
    shop.stripe.dispute(bought[1])
    await shop.deliver(shop.stripe.words())
    for _ in range(2):
        await shop.wait(3600)
        await shop.work()
        await shop.house.services.payment_comparison.compare_all()
    assert refunded["status"] == "succeeded"
    assert figures.PAYMENTS_FOREIGN.labels("stripe")._value.get() == counted + 2 * len(bought)
    for intent_id in (*bought, subscribed["id"]):
        assert {one["outcome"] for one in await GatewayEvent.find_of("stripe", intent_id)} <= {"foreign"}
        assert await PaymentFinding.rows().count_documents({"refs.intent_id": intent_id}) == 0
    assert await PaymentFinding.rows().count_documents({"kind": "unknown_payment"}) == 0


async def test_who_was_deleted_at_stripe_subscribes_as_somebody_new(shop: Shop) -> None:
    student = await shop.house.student()
    for name in ("Mornings", "Evenings"):
        draft = {"plan_name": name, "amount": 4900, "currency": "USD", "interval": "month"}
        plan = await shop.admin.ok("POST", "/payments/plans", json=draft)
        await student.ok("POST", "/payments/create-subscription", json={"plan_id": plan["id"], "gateway": "stripe"})
        session = shop.stripe.all("checkout.session")[0]
        assert (session["metadata"]["plan_id"], session["metadata"]["user_id"]) == (plan["id"], student.user_id)
        assert shop.stripe.thing(session["customer"])["metadata"] == {"user_id": student.user_id}
        del shop.stripe.things[session["customer"]]  # and Stripe answers the key that made it as before, for a day
    plan = await shop.admin.ok("POST", "/payments/plans", json={**draft, "plan_name": "Nights"})
    await student.ok("POST", "/payments/create-subscription", json={"plan_id": plan["id"], "gateway": "stripe"})
    shop.stripe.pay(shop.stripe.all("checkout.session")[0]["id"])
    await shop.deliver(shop.stripe.words())
    (held,) = (await student.ok("GET", "/payments/my-subscriptions"))["items"]
    assert (held["status"], held["plan_id"]) == ("active", plan["id"])


async def test_one_customer_of_a_person_is_remembered_whatever_was_deleted_and_however_many_began_at_once(
    shop: Shop,
) -> None:
    student = await shop.house.student()
    plans = []
    for number in range(6):
        draft = {"plan_name": f"Plan {number}", "amount": 4900, "currency": "USD", "interval": "month"}
        plans.append((await shop.admin.ok("POST", "/payments/plans", json=draft))["id"])

    def customers() -> set[str]:
        return {one["id"] for one in shop.stripe.all("customer") if one["metadata"]["user_id"] == student.user_id}

    async def subscribe(plan_id: str) -> str:
        wish = {"plan_id": plan_id, "gateway": "stripe"}
        await student.ok("POST", "/payments/create-subscription", json=wish)
        sessions = shop.stripe.all("checkout.session")
        return str(next(one["customer"] for one in sessions if one["metadata"].get("plan_id") == plan_id))

    async def pay() -> str | None:
        intent_id = (await shop.begun(student, "card"))["intent_id"]
        found: str | None = shop.stripe.thing(intent_id)["customer"]
        return found

    first = await subscribe(plans[0])
    assert [await subscribe(plans[1]), await pay(), customers()] == [first, first, {first}]
    del shop.stripe.things[first]
    told = await asyncio.gather(*(subscribe(plan_id) for plan_id in plans[2:4]))
    remembered = await subscribe(plans[4])
    assert (remembered in told, await pay(), customers()) == (True, remembered, set(told)), "none is made any more"
    await PaymentCustomer.keep(student.user_id, "stripe", "cus_late", instead_of=first, at=shop.clock.now())
    assert await PaymentCustomer.find_id(student.user_id, "stripe") == remembered, "whoever comes later takes no place"
    del shop.stripe.things[remembered]
    refused = len(shop.stripe.asked)
    assert [await pay(), await pay()] == [None, None]
    assert len(shop.stripe.asked) - refused == 3, "asked by it once more, and then no longer"
    assert await subscribe(plans[5]) not in {None, remembered}


async def test_whom_only_older_payments_name_is_the_same_customer_and_forgotten_like_any_other(shop: Shop) -> None:
    student = await shop.house.student()
    kept = {"email": "x@example.com", "metadata": {"user_id": student.user_id}, "object": "customer", "id": "cus_older"}
    shop.stripe.things["cus_older"] = kept

    async def paid_by() -> tuple[str | None, str | None]:
        checkout = await shop.begun(student, "card")
        remembered = await PaymentCustomer.find_id(student.user_id, "stripe")
        return shop.stripe.thing(checkout["intent_id"])["customer"], remembered

    assert await paid_by() == (None, None)
    (row,) = await Payment.rows().find({"user_id": student.user_id}).to_list(5)
    await Payment.rows().update_one({"_id": row["_id"]}, {"$set": {"customer_id": "cus_older"}})
    assert [await paid_by() for _ in "ab"] == [("cus_older", "cus_older")] * 2
    del shop.stripe.things["cus_older"]
    assert await paid_by() == (None, None)
    assert await Payment.rows().count_documents({"customer_id": "cus_older"}) == 0
    # whoever is erased while a checkout is under way is remembered by nobody
    await User.rows().update_one({"_id": student.user_id}, {"$set": {"erasing_at": shop.clock.now()}})
    told = CheckoutStarted("pi_late", {}, "cus_late")
    await keep_customer("stripe", Payer(student.user_id, "", ""), told, at=shop.clock.now())
    assert await PaymentCustomer.rows().count_documents({"user_id": student.user_id}) == 0


async def test_what_is_forged_is_not_heard_and_nothing_private_is_written_down(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    student = await shop.house.student()
    checkout = await shop.begun(student, "card")
    caplog.set_level(logging.DEBUG)
    shop.stripe.pay(checkout["intent_id"])
    events, sender = shop.stripe.words(), await shop.house.visitor()
    (word, *_) = events
    at = int(shop.clock.now().timestamp())
    cut = word._replace(body=word.body[:-2])
    encoded = word._replace(body=word.body.decode().encode("utf-16"))
    other = shop.stripe.sign({"id": "evt_x", "type": "payment_intent.succeeded"}, secret="whsec_another")
    old = shop.stripe.sign({"id": "evt_x", "type": "payment_intent.succeeded"}, at=at - 301)
    ahead = shop.stripe.sign({"id": "evt_x", "type": "payment_intent.succeeded"}, at=at + 301)
    for bad in (cut, encoded, other, old, ahead, word._replace(headers={})):
        reply = await sender.call("POST", HOOK, content=bad.body, headers=bad.headers)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_signature")
    shop.stripe.fail_next("html", "error200")
    await shop.deliver(events)
    for _ in range(2):  # its answers were none: it is asked again, later each time
        await shop.wait(900, student)
        await shop.work()
    assert await shop.payments(checkout) == [("completed", None, 0)]
    counted = generate_latest().decode()
    assert "payments_total" in counted
    assert not any(one in counted for one in (student.user_id, checkout["order_id"], checkout["intent_id"]))
    written = caplog.text + counted
    private = ("private.example", CARD, "last4", checkout["client_secret"], API_KEY)
    assert [one for one in private if one in written] == []


async def test_the_book_of_all_this_sums_to_nothing(shop: Shop) -> None:
    sums: dict[str, int] = {}
    async for entry in JournalEntry.rows().find({}):
        for line in entry["lines"]:
            sums[entry["currency"]] = sums.get(entry["currency"], 0) + line["amount"]
    assert set(sums.values()) <= {0}
