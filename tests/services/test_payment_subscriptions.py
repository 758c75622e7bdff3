"""Subscriptions: begun once however often one clicks, paid, renewed, failing, changed, ended; and what is learned by them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from config.settings import Settings
from documents.base import Row
from documents.enrollment import Enrollment, enrollment_id_of
from documents.job import Job
from documents.order import Order
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.plan_subscription import PlanSubscription
from lms_rt.contracts.base import read_model
from lms_rt.contracts.coupons import TaxRateDraft
from lms_rt.contracts.enrollments import EnrollmentDraft
from lms_rt.contracts.plans import (
    OwnSubscriptionQuery,
    PlanChange,
    SubscriptionDraft,
    SubscriptionMove,
    SubscriptionQuery,
    SubscriptionResume,
)
from lms_rt.errors import Code, Refused
from lms_rt.services.payments.tax_rates import TaxRates
from tests.services.school import ADMIN, OTHER_STUDENT, STUDENT, School
from tests.services.subscribing import MONTH, Kiosk

pytestmark = pytest.mark.parametrize("engine", ["embedded"])
DAY = 86_400.0


@pytest.fixture
def kiosk(school: School, settings: Settings) -> Kiosk:
    return Kiosk(settings, school)


async def refusal(asking: Any) -> tuple[Code, str]:
    with pytest.raises(Refused) as caught:
        await asking
    return caught.value.code, caught.value.fields[0].field if caught.value.fields else ""


async def payments() -> list[Row]:
    return await Payment.rows().find({}).sort("created_at", 1).to_list(100)


async def test_whoever_clicks_often_gets_one_checkout_and_is_charged_once(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    await kiosk.account()
    started = await asyncio.gather(*(kiosk.begin(plan) for _ in range(4)))
    assert len({one.subscription_id for one in started}) == 1
    assert {one.redirect_url for one in started} == {f"https://pay.test/{started[0].subscription_id}-1"}
    row = await kiosk.row(started[0].subscription_id)
    assert row["status"] == "pending"
    assert "pay.test" not in row["checkout"], "what it gave is sealed"
    assert (await kiosk.subscriptions.list_own(STUDENT, OwnSubscriptionQuery())).total == 0
    assert (await kiosk.subscriptions.list_own(STUDENT, OwnSubscriptionQuery(status="pending"))).total == 1
    await kiosk.plans.change(ADMIN, plan.id, read_model(PlanChange, {"amount": 1_200}))
    dearer = await kiosk.begin(plan)
    assert (dearer.subscription_id, dearer.subscription.amount) == (row["_id"], 1_200)
    assert kiosk.renewing.closed == [f"cs_{row['_id']}-1"], "nobody shall pay at the old one"
    gateway_id = kiosk.renewing.goes_through(f"cs_{row['_id']}-2", kiosk)
    words = await asyncio.gather(*(kiosk.subscriptions.settle("stripe", gateway_id) for _ in range(3)))
    assert "changed" in words
    assert [(one["status"], one["amount"], one.get("held")) for one in await payments()] == [("completed", 1_200, None)]
    assert await refusal(kiosk.begin(plan)) == (Code.CONFLICT, "")
    shown = (await kiosk.subscriptions.list_own(STUDENT, OwnSubscriptionQuery())).items[0]
    now = kiosk.clock.now()
    assert (shown.status, shown.start_date, shown.end_date) == ("active", now, now + MONTH)
    assert shown.access_until == now + MONTH + timedelta(days=3)
    assert await refusal(kiosk.subscriptions.show(OTHER_STUDENT, row["_id"])) == (Code.NOT_FOUND, "")
    assert (await kiosk.subscriptions.list(ADMIN, SubscriptionQuery(plan_id=plan.id))).total == 1
    assert await refusal(kiosk.subscriptions.list(STUDENT, SubscriptionQuery())) == (Code.FORBIDDEN, "")


async def test_prices_and_taxes_are_what_they_were_when_one_subscribed(kiosk: Kiosk) -> None:
    rates = TaxRates(clock=kiosk.clock, relay=kiosk.relay)
    draft = {"tax_name": "VAT", "rate": "19", "is_included": False}
    await rates.put(ADMIN, "DE", read_model(TaxRateDraft, draft))
    plan = await kiosk.plan(1_000)
    started = await kiosk.begin(plan, country="DE")
    gateway_id = kiosk.renewing.goes_through(f"cs_{started.subscription_id}-1", kiosk)
    await rates.put(ADMIN, "DE", read_model(TaxRateDraft, {**draft, "rate": "25"}))
    await kiosk.plans.change(ADMIN, plan.id, read_model(PlanChange, {"amount": 5_000, "course_ids": "all"}))
    await kiosk.subscriptions.settle("stripe", gateway_id)
    kiosk.clock.advance(30 * DAY)
    kiosk.renewing.renews(gateway_id, kiosk)
    await kiosk.settling.settle("stripe", "pi_1")  # the word about the money came before that about the subscription
    await kiosk.subscriptions.settle("stripe", gateway_id)
    orders = await Order.rows().find({}).sort("created_at", 1).to_list(10)
    assert [(one["amount"], one["list_amount"], one["tax_amount"], one["status"]) for one in orders] == [
        (1_190, 1_000, 190, "completed")
    ] * 2
    assert {one["kind"] for one in orders} == {"subscription"}
    assert [one["subscription_id"] for one in await payments()] == [started.subscription_id] * 2
    kiosk.clock.advance(30 * DAY)
    kiosk.renewing.renews(gateway_id, kiosk, amount=50)
    await kiosk.subscriptions.settle("stripe", gateway_id)
    assert (await payments())[-1]["held"] == "amount_mismatch", "what nobody agreed to waits for a person"


async def test_a_course_stays_open_three_days_longer_and_opens_again_with_the_next_renewal(kiosk: Kiosk) -> None:
    course, other = await kiosk.school.published(price=5_000), await kiosk.school.published(price=1)
    plan = await kiosk.plan(course_ids=[other.id])
    subscription_id, gateway_id = await kiosk.subscribed(plan)
    await kiosk.plans.change(ADMIN, plan.id, read_model(PlanChange, {"course_ids": [course.id]}))
    assert set((await kiosk.row(subscription_id))["course_ids"]) == {course.id, other.id}, "added, and none taken away"
    enroll = kiosk.school.enrollments.enroll
    draft = EnrollmentDraft(course_id=course.id)
    assert (await enroll(STUDENT, draft)).view.status == "active"
    assert (await refusal(enroll(OTHER_STUDENT, draft)))[0] is Code.PAYMENT_REQUIRED

    async def status() -> str:
        await kiosk.subscriptions.sweep()
        await kiosk.carry_out()
        await kiosk.school.enrollments.expire_due()
        found = await Enrollment.find_one_by_id(enrollment_id_of(STUDENT.user_id, course.id))
        assert found is not None
        return f"{(await kiosk.row(subscription_id))['status']} {found.status}"

    kiosk.clock.advance(30 * DAY)
    kiosk.renewing.fails(gateway_id)
    await kiosk.subscriptions.settle("stripe", gateway_id)
    assert await status() == "past_due active"
    kiosk.clock.advance(2.9 * DAY)
    assert await status() == "past_due active"
    kiosk.clock.advance(0.2 * DAY)
    assert await status() == "expired expired"
    kiosk.clock.advance(5 * DAY)
    assert await status() == "expired expired"
    assert await kiosk.carry_out() == ["subscription_past_due"] * 3, "on the day, after three and after seven"
    kiosk.renewing.recovers(gateway_id, kiosk)
    await kiosk.subscriptions.settle("stripe", gateway_id)
    assert await status() == "active active"


async def test_what_no_gateway_told_is_found_by_looking(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    started = await kiosk.begin(plan)
    kiosk.renewing.goes_through(f"cs_{started.subscription_id}-1", kiosk)
    other = await kiosk.begin(plan, OTHER_STUDENT)
    assert await kiosk.subscriptions.sweep() == 0, "the gateway is given time to tell"
    kiosk.clock.advance(3_700)
    kiosk.renewing.is_away = True
    assert await kiosk.subscriptions.sweep() == 2
    kiosk.renewing.is_away = False
    assert await kiosk.subscriptions.sweep() == 0
    kiosk.clock.advance(3_700)
    assert await kiosk.subscriptions.sweep() == 2
    assert [(await kiosk.row(one.subscription_id))["status"] for one in (started, other)] == ["active", "pending"]
    assert [one["status"] for one in await payments()] == ["completed"]
    kiosk.clock.advance(22 * 3_600)
    await kiosk.subscriptions.sweep()
    over = await kiosk.row(other.subscription_id)
    assert (over["status"], "open_key" in over) == ("expired", False)
    assert kiosk.renewing.closed == [f"cs_{other.subscription_id}-1"]
    kiosk.renewing.goes_through(f"cs_{other.subscription_id}-1", kiosk)
    kiosk.clock.advance(6.1 * 3_600)
    await kiosk.subscriptions.sweep()
    assert (await kiosk.row(other.subscription_id))["status"] == "active", "money that comes late counts, told or not"
    never = await kiosk.begin(await kiosk.plan(), OTHER_STUDENT)
    for _ in range(6):
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    assert "check_at" not in await kiosk.row(never.subscription_id), "nobody waits for ever"


async def test_one_that_is_cancelled_lasts_as_long_as_it_is_paid(kiosk: Kiosk) -> None:
    subscription_id, gateway_id = await kiosk.subscribed(await kiosk.plan())
    assert await refusal(kiosk.changes.cancel(OTHER_STUDENT, subscription_id)) == (Code.NOT_FOUND, "")
    kiosk.renewing.is_away = True
    assert (await refusal(kiosk.changes.cancel(STUDENT, subscription_id)))[0] is Code.UNAVAILABLE
    kiosk.renewing.is_away = False
    for _ in range(2):
        ending = await kiosk.changes.cancel(STUDENT, subscription_id)
        assert (ending.status, ending.cancel_at_period_end) == ("active", True)
    assert await kiosk.carry_out() == ["subscription_cancelled"]
    kiosk.clock.advance(30 * DAY)
    kiosk.renewing.moves_to(gateway_id, state="cancelled")
    await kiosk.subscriptions.settle("stripe", gateway_id)
    assert (await kiosk.row(subscription_id))["status"] == "cancelled"
    kiosk.clock.advance(3 * DAY)
    await kiosk.subscriptions.sweep()
    assert (await kiosk.row(subscription_id))["status"] == "expired"
    assert await kiosk.carry_out() == ["subscription_cancelled"], "told once"
    again = await kiosk.begin(await kiosk.plan())
    called_off = await kiosk.changes.cancel(STUDENT, again.subscription_id)
    assert (called_off.status, kiosk.renewing.closed) == ("expired", [f"cs_{again.subscription_id}-1"])


async def test_that_it_ends_is_taken_back_while_it_lasts_and_not_after(kiosk: Kiosk) -> None:
    subscription_id, gateway_id = await kiosk.subscribed(await kiosk.plan())
    resume = partial(kiosk.changes.resume, draft=SubscriptionResume())
    assert (await resume(STUDENT, subscription_id)).status == "active"
    assert not kiosk.renewing.resumed, "one that goes on is left alone"
    await kiosk.changes.cancel(STUDENT, subscription_id)
    assert await refusal(resume(OTHER_STUDENT, subscription_id)) == (Code.NOT_FOUND, "")
    kiosk.renewing.is_away = True
    assert (await refusal(resume(STUDENT, subscription_id)))[0] is Code.UNAVAILABLE
    kiosk.renewing.is_away, kiosk.renewing.loses_answers = False, 1
    assert (await refusal(resume(STUDENT, subscription_id)))[0] is Code.UNAVAILABLE
    going_on = await asyncio.gather(*(resume(STUDENT, subscription_id) for _ in range(3)))
    assert {(one.status, one.cancel_at_period_end, one.cancelled_at) for one in going_on} == {("active", False, None)}
    assert len(set(kiosk.renewing.resumed)) == 1, "however often it is asked for, it is one request"
    kiosk.clock.advance(30 * DAY)
    kiosk.renewing.renews(gateway_id, kiosk)
    await kiosk.subscriptions.settle("stripe", gateway_id)
    await kiosk.changes.cancel(STUDENT, subscription_id)
    told = ["subscription_cancelled", "subscription_resumed", "subscription_cancelled"]
    assert await kiosk.carry_out() == told, "said again, told again"
    kiosk.renewing.moves_to(gateway_id, state="cancelled")  # ended there this moment, and nobody has told us yet
    assert (await refusal(resume(STUDENT, subscription_id)))[0] is Code.CONFLICT
    assert (await kiosk.row(subscription_id))["status"] == "cancelled"
    asked = len(kiosk.renewing.resumed)
    assert (await refusal(resume(STUDENT, subscription_id)))[0] is Code.CONFLICT
    other, _ = await kiosk.subscribed(await kiosk.plan(), OTHER_STUDENT)
    await kiosk.changes.cancel(OTHER_STUDENT, other)
    kiosk.clock.advance(30 * DAY)
    assert (await refusal(resume(OTHER_STUDENT, other)))[0] is Code.CONFLICT, "its time is over"
    begun = await kiosk.begin(await kiosk.plan(), OTHER_STUDENT)
    assert (await refusal(resume(OTHER_STUDENT, begun.subscription_id)))[0] is Code.CONFLICT
    assert len(kiosk.renewing.resumed) == asked, "no gateway is asked for what cannot be"


async def test_who_lets_another_pay_again_says_why_and_its_owner_hears_of_it(kiosk: Kiosk) -> None:
    plan = await kiosk.plan(1_500)
    subscription_id, _ = await kiosk.subscribed(plan)
    await kiosk.changes.cancel(STUDENT, subscription_id)
    silent = kiosk.changes.resume(ADMIN, subscription_id, SubscriptionResume())
    assert await refusal(silent) == (Code.VALIDATION_FAILED, "reason")
    assert not kiosk.renewing.resumed
    going_on = await kiosk.changes.resume(ADMIN, subscription_id, SubscriptionResume(reason="They wrote to us."))
    assert (going_on.status, going_on.cancel_at_period_end) == ("active", False)
    assert (await kiosk.carry_out())[-1] == "subscription_resumed"
    [mail] = await Job.rows().find({"args.template": "subscription_resumed"}).to_list(2)
    told = mail["args"]["data"]
    assert mail["args"]["user_id"] == STUDENT.user_id
    assert (told["plan_name"], told["amount"], told["currency"]) == (plan.plan_name, 1_500, plan.currency)
    assert datetime.fromisoformat(told["until"]) == going_on.end_date, "what is drawn next, and when"


async def test_where_its_buyer_is_is_of_the_checkout_that_stands_and_goes_with_them(kiosk: Kiosk) -> None:
    small = await kiosk.plan(500)
    await kiosk.account(STUDENT)
    for country, seen in (("DE", "DE"), ("FR", "FR"), ("AT", None)):
        draft = read_model(SubscriptionDraft, {"plan_id": small.id, "gateway": "stripe", "country": country})
        started = (await kiosk.subscription_checkouts.start(STUDENT, draft, seen_country=seen)).view
        row = await kiosk.row(started.subscription_id)
        assert (row["country"], row.get("address_country")) == (country, seen)
    await PlanSubscription.rows().update_one({"_id": row["_id"]}, {"$set": {"address_country": "DE"}})
    await PlanSubscription.forget_person(STUDENT.user_id, kiosk.clock.now())
    row = await kiosk.row(row["_id"])
    assert [one["terms"]["amount"] for one in row["former"]] == [500, 500], "what was promised stays, for the books"
    for told in (row, *(one["terms"] for one in row["former"])):
        assert not {"country", "address_country"} & set(told)


async def test_whose_money_went_back_does_not_go_on(kiosk: Kiosk) -> None:
    subscription_id, _ = await kiosk.subscribed(await kiosk.plan())
    await kiosk.changes.cancel(STUDENT, subscription_id)
    assert (await kiosk.subscriptions.show(STUDENT, subscription_id)).may_be_resumed
    await PlanSubscription.rows().update_one({"_id": subscription_id}, {"$set": {"must_end": True}})
    assert not (await kiosk.subscriptions.show(STUDENT, subscription_id)).may_be_resumed
    assert (await refusal(kiosk.changes.resume(STUDENT, subscription_id, SubscriptionResume())))[0] is Code.CONFLICT
    assert not kiosk.renewing.resumed


async def test_going_over_to_another_plan_happens_once_even_if_its_answer_is_lost(kiosk: Kiosk) -> None:
    small, large = await kiosk.plan(500, plan_name="Small"), await kiosk.plan(2_000, plan_name="Large")
    subscription_id, gateway_id = await kiosk.subscribed(small)
    other = await kiosk.plan(500, currency="EUR")
    assert await refusal(kiosk.changes.change(STUDENT, subscription_id, SubscriptionMove(plan_id=other.id))) == (
        Code.VALIDATION_FAILED,
        "plan_id",
    )
    no = await kiosk.plan(500, plan_name="Refused")
    assert (await refusal(kiosk.changes.change(STUDENT, subscription_id, SubscriptionMove(plan_id=no.id))))[
        0
    ] is Code.CONFLICT
    kiosk.renewing.loses_answers = 1
    move = SubscriptionMove(plan_id=large.id)
    assert (await refusal(kiosk.changes.change(STUDENT, subscription_id, move)))[0] is Code.UNAVAILABLE
    shown = await kiosk.subscriptions.show(STUDENT, subscription_id)
    assert (shown.plan_name, shown.changing_to_plan_id) == ("Small", large.id)
    assert (await refusal(kiosk.changes.change(STUDENT, subscription_id, SubscriptionMove(plan_id=no.id))))[
        0
    ] is Code.CONFLICT
    kiosk.clock.advance(700)
    await kiosk.subscriptions.sweep()
    shown = await kiosk.subscriptions.show(STUDENT, subscription_id)
    assert (shown.plan_name, shown.amount, shown.changing_to_plan_id) == ("Large", 2_000, None)
    assert set(kiosk.renewing.closed) == {f"{subscription_id}-change-2"}
    assert len(kiosk.renewing.closed) == 2, "asked for again, under the same key"
    kiosk.renewing.renews(gateway_id, kiosk, amount=1_512)
    await kiosk.subscriptions.settle("stripe", gateway_id)
    assert [(one["amount"], one.get("held")) for one in await payments()] == [(500, None), (1_512, None)], (
        "the rest of the old period was counted against it"
    )


async def test_a_second_one_that_comes_of_the_same_wish_is_ended_and_shown(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    started = await kiosk.begin(plan)
    await kiosk.plans.change(ADMIN, plan.id, read_model(PlanChange, {"amount": 901}))
    await kiosk.begin(plan)
    first, second = (kiosk.renewing.goes_through(f"cs_{started.subscription_id}-{n}", kiosk) for n in (2, 1))
    await kiosk.subscriptions.settle("stripe", first)
    assert await kiosk.subscriptions.settle("stripe", second) == "surplus"
    assert kiosk.renewing.subscriptions[second].state == "cancelled"
    await kiosk.settling.settle("stripe", "pi_1")
    await kiosk.relay.sweep(minimum_age_ms=0)
    found = await PaymentFinding.rows().find({}).to_list(10)
    assert {one["kind"] for one in found} == {"duplicate_payment"}
    assert sorted((one["status"], one.get("held", "")) for one in await payments()) == [
        ("completed", ""),
        ("completed", "duplicate"),
    ]
    assert (await kiosk.row(started.subscription_id))["gateway_subscription_id"] == first


async def test_of_whoever_is_erased_nothing_is_charged_any_more(kiosk: Kiosk) -> None:
    subscription_id, gateway_id = await kiosk.subscribed(await kiosk.plan())
    kiosk.renewing.is_away = True
    await PlanSubscription.forget_person(STUDENT.user_id, kiosk.clock.now())
    await kiosk.subscriptions.sweep()
    kiosk.renewing.is_away = False
    kiosk.clock.advance(3_700)
    await kiosk.subscriptions.sweep()
    assert kiosk.renewing.subscriptions[gateway_id].state == "cancelled"
    row = await kiosk.row(subscription_id)
    assert (row["status"], row["amount"], "checkout" in row) == ("cancelled", 900, False)


async def test_a_dearer_plan_opens_nothing_before_it_is_paid(kiosk: Kiosk) -> None:
    dear = await kiosk.school.published(price=9_000)
    small = await kiosk.plan(500, plan_name="Small", course_ids=[(await kiosk.school.published(price=1)).id])
    large = await kiosk.plan(9_000, plan_name="Large", interval="year", course_ids=[dear.id])
    subscription_id, _ = await kiosk.subscribed(small)
    paid_until = (await kiosk.row(subscription_id))["end_date"]
    kiosk.renewing.draws_changes = False  # it switches the plan, and the card says no
    await kiosk.changes.change(STUDENT, subscription_id, SubscriptionMove(plan_id=large.id))
    for _ in range(2):
        row = await kiosk.row(subscription_id)
        assert (row["plan_name"], row["end_date"], row["status"]) == ("Small", paid_until, "past_due")
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    opened = kiosk.school.enrollments.enroll(STUDENT, EnrollmentDraft(course_id=dear.id))
    assert (await refusal(opened))[0] is Code.PAYMENT_REQUIRED


async def test_a_plan_that_is_drawn_with_the_next_period_opens_with_the_next_period(kiosk: Kiosk) -> None:
    dear, cheap = await kiosk.school.published(price=9_000), await kiosk.school.published(price=1)
    small = await kiosk.plan(500, plan_name="Small", course_ids=[cheap.id])
    large = await kiosk.plan(9_000, plan_name="Large", course_ids=[dear.id])
    subscription_id, gateway_id = await kiosk.subscribed(small)
    kiosk.renewing.changes_at_once = False
    for plan in (large, small, large):  # who thinks again before it is drawn may
        shown = await kiosk.changes.change(STUDENT, subscription_id, SubscriptionMove(plan_id=plan.id))
        assert (shown.plan_name, shown.changing_to_plan_id) == ("Small", plan.id)
    draft = EnrollmentDraft(course_id=dear.id)
    assert (await refusal(kiosk.school.enrollments.enroll(STUDENT, draft)))[0] is Code.PAYMENT_REQUIRED
    asked = len(kiosk.renewing.closed)
    kiosk.clock.advance(2 * DAY)
    await kiosk.subscriptions.sweep()
    assert len(kiosk.renewing.closed) == asked, "agreed once is not asked for again"
    kiosk.clock.advance(28 * DAY)
    kiosk.renewing.renews(gateway_id, kiosk)
    await kiosk.settling.settle("stripe", "pi_1")
    await kiosk.subscriptions.settle("stripe", gateway_id)
    shown = await kiosk.subscriptions.show(STUDENT, subscription_id)
    assert (shown.plan_name, shown.amount, shown.changing_to_plan_id) == ("Large", 9_000, None)
    assert [(one["amount"], one["title"], one.get("held")) for one in await payments()] == [
        (500, "Small", None),
        (9_000, "Large", None),
    ]
    assert (await kiosk.school.enrollments.enroll(STUDENT, draft)).view.status == "active"
