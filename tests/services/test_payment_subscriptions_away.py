"""Gateways that are away, gone or refuse: what they do not say of one checkout bars nothing that others know of it, or of others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.settings import Settings
from documents.payment_customer import PaymentCustomer
from documents.payment_finding import PaymentFinding
from documents.plan_subscription import PlanSubscription
from lms_rt.contracts.gateways import (
    CheckoutStarted,
    GatewayName,
    GatewayRefused,
    GatewaySubscription,
    GatewayUnavailable,
    SubscriptionWish,
)
from lms_rt.contracts.plans import PlanChange, SubscriptionMove, SubscriptionResume
from lms_rt.errors import Code, Refused
from lms_rt.services.payments.away import MOST_MISSES
from lms_rt.services.payments.subscription_terms import checkouts_of
from tests.services.school import ADMIN, OTHER_STUDENT, STUDENT, School
from tests.services.subscribing import Kiosk, RenewingGateway

pytestmark = pytest.mark.parametrize("engine", ["embedded"])
DAY, HOUR = 86_400.0, 3_700.0


class Counting(RenewingGateway):
    """One at which it is counted what is asked, and that refuses what is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.name = GatewayName.PAYMOB
        self.looked_for: list[str] = []
        self.refuses = False

    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:
        self.looked_for.append(intent_id)
        if self.refuses:
            raise GatewayRefused("no such page", code="not_found")
        return await super().find_subscription(key, intent_id)


@pytest.fixture
def kiosk(school: School, settings: Settings) -> Kiosk:
    return Kiosk(settings, school)


@pytest.fixture
def other(kiosk: Kiosk) -> Counting:
    made = Counting()
    kiosk.gateways.add(made)
    return made


async def switched(kiosk: Kiosk) -> tuple[str, str]:
    """Who left a page of the other gateway and paid at the first one: their subscription, and the gateway's."""
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan, gateway="paymob")).subscription_id
    await kiosk.begin(plan)
    gateway_id = kiosk.renewing.goes_through(f"cs_{subscription_id}-2", kiosk)
    await kiosk.subscriptions.settle("stripe", gateway_id)
    return subscription_id, gateway_id


@pytest.mark.parametrize("how", ["away", "refuses", "gone"])
@pytest.mark.parametrize("what", ["end", "renewal"])
async def test_an_old_page_that_cannot_be_asked_bars_nothing_of_its_subscription(
    kiosk: Kiosk, other: Counting, what: str, how: str
) -> None:
    subscription_id, gateway_id = await switched(kiosk)
    other.is_away, other.refuses = how == "away", how == "refuses"
    if how == "gone":
        kiosk.gateways._gateways.pop("paymob")
    if what == "end":
        await PlanSubscription.forget_person(STUDENT.user_id, kiosk.clock.now())
    else:
        kiosk.clock.advance(30 * DAY)
        kiosk.renewing.renews(gateway_id, kiosk)
    await kiosk.subscriptions.sweep()
    if what == "end":
        assert kiosk.renewing.subscriptions[gateway_id].state == "cancelled"
        await kiosk.relay.sweep(minimum_age_ms=0)
        assert await PaymentFinding.rows().count_documents({}) == 0, "what was to be ended was"
    else:
        assert (await kiosk.row(subscription_id))["end_date"] == kiosk.renewing.subscriptions[gateway_id].period_end


async def test_a_page_whose_gateway_is_gone_is_not_given_up_unasked_but_by_its_bound(
    kiosk: Kiosk, other: Counting
) -> None:
    plan = await kiosk.plan()
    ids = [(await kiosk.begin(plan, who, gateway="paymob")).subscription_id for who in (STUDENT, OTHER_STUDENT)]
    kiosk.gateways._gateways.pop("paymob")
    for _ in range(6):
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    row = await kiosk.row(ids[0])
    assert (row["status"], "asked_at" in row, "check_at" in row) == ("expired", False, True)
    kiosk.gateways.add(other)
    other.goes_through(f"cs_{ids[0]}-1", kiosk)
    kiosk.clock.advance(DAY)
    await kiosk.subscriptions.sweep()
    assert [(await kiosk.row(one))["status"] for one in ids] == ["active", "expired"]
    never = (await kiosk.begin(await kiosk.plan(), OTHER_STUDENT, gateway="paymob")).subscription_id
    kiosk.gateways._gateways.pop("paymob")
    for _ in range(36):
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    assert "check_at" not in await kiosk.row(never), "looked at no more"
    row = await kiosk.row(never)
    moved_on = {"gateway": "stripe", "checkout_intent_id": None, "former": checkouts_of(row), "asked_at": None}
    await PlanSubscription.move(row, {**moved_on, "check_at": kiosk.clock.now()}, at=kiosk.clock.now())
    await kiosk.subscriptions.sweep()
    assert "asked_at" in await kiosk.row(never), "the page that it left was, too"
    await kiosk.relay.sweep(minimum_age_ms=0)
    found = await PaymentFinding.rows().find({"kind": "state_differs"}).to_list(5)
    assert [(one["refs"]["gateway"], one["facts"]) for one in found] == [("paymob", {"reason": "not_asked"})]


async def test_a_gateway_that_hangs_holds_up_nobody_elses(kiosk: Kiosk, other: Counting) -> None:
    plans = [await kiosk.plan() for _ in range(MOST_MISSES + 2)]
    waiting = [(await kiosk.begin(plan, gateway="paymob")).subscription_id for plan in plans]
    begun = await kiosk.begin(await kiosk.plan())
    kiosk.renewing.goes_through(f"cs_{begun.subscription_id}-1", kiosk)
    kiosk.clock.advance(HOUR)
    other.is_away = True
    assert await kiosk.subscriptions.sweep() == len(plans) + 1
    assert (await kiosk.row(begun.subscription_id))["status"] == "active"
    assert len(other.looked_for) == MOST_MISSES, "after some misses it is away for all"
    left_out = {f"cs_{one}-1" for one in waiting} - set(other.looked_for)
    kiosk.clock.advance(HOUR)
    await kiosk.subscriptions.sweep()
    assert set(other.looked_for[MOST_MISSES:][:2]) == left_out, "who was not asked about comes first"
    for one in waiting:
        other.goes_through(f"cs_{one}-1", kiosk)
    other.is_away = False
    for _ in range(2):
        kiosk.clock.advance(HOUR)
        await kiosk.subscriptions.sweep()
    assert {(await kiosk.row(one))["status"] for one in waiting} == {"active"}


@pytest.mark.parametrize("how", [GatewayRefused, GatewayUnavailable])
async def test_that_a_second_one_could_not_be_ended_is_no_answer_about_its_page(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, how: type[Exception]
) -> None:
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan)).subscription_id
    await kiosk.plans.change(ADMIN, plan.id, PlanChange(amount=901))
    await kiosk.begin(plan)
    await kiosk.subscriptions.settle("stripe", kiosk.renewing.goes_through(f"cs_{subscription_id}-2", kiosk))
    surplus = kiosk.renewing.goes_through(f"cs_{subscription_id}-1", kiosk)
    await kiosk.settling.settle("stripe", kiosk.renewing.subscriptions[surplus].intent_ids[0])
    end = kiosk.renewing.cancel_subscription

    async def refuses(*_: object, **__: object) -> GatewaySubscription:
        raise how("not now")

    kiosk.clock.advance(5 * DAY)
    monkeypatch.setattr(kiosk.renewing, "cancel_subscription", refuses)
    await kiosk.subscriptions.sweep()
    monkeypatch.setattr(kiosk.renewing, "cancel_subscription", end)
    kiosk.clock.advance(DAY)
    await kiosk.subscriptions.sweep()
    assert kiosk.renewing.subscriptions[surplus].state == "cancelled"


async def test_a_page_is_known_whatever_comes_after_it_was_given(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await kiosk.plan()
    begin = kiosk.renewing.start_subscription

    async def with_customer(wish: SubscriptionWish) -> CheckoutStarted:
        return replace(await begin(wish), customer_id="cus_1")

    async def fails(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(kiosk.renewing, "start_subscription", with_customer)
    with monkeypatch.context() as patched:
        patched.setattr(PaymentCustomer, "keep", fails)
        with pytest.raises(ConnectionError):
            await kiosk.begin(plan)
    [row] = await PlanSubscription.rows().find({}).to_list(2)
    assert row["checkout_intent_id"] == f"cs_{row['_id']}-1"


@pytest.mark.parametrize("what", ["its money", "money of another page", "erasing", "erasing, another page"])
async def test_who_pays_or_goes_while_a_page_is_asked_for_is_given_none(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    plan, begin, started = await kiosk.plan(), kiosk.renewing.start_subscription, list[str]()
    if what == "money of another page":
        await kiosk.begin(plan, country="DE")

    async def slow(wish: SubscriptionWish) -> CheckoutStarted:
        monkeypatch.setattr(kiosk.renewing, "start_subscription", begin)
        given = replace(await begin(wish), customer_id="cus_1")
        started.append(given.intent_id)
        if "money" in what:
            kiosk.renewing.goes_through(f"cs_{wish.subscription_id}-1", kiosk)
            await kiosk.settling.settle("stripe", "pi_0")
        if "another" in what and "erasing" in what:
            await kiosk.begin(plan, country="FR")
        if "erasing" in what:
            await PlanSubscription.forget_person(STUDENT.user_id, kiosk.clock.now())
        return given

    monkeypatch.setattr(kiosk.renewing, "start_subscription", slow)
    with pytest.raises(Refused) as refused:
        await kiosk.begin(plan, country="AT")
    assert (refused.value.code, [one.code for one in refused.value.fields]) == (Code.CONFLICT, ["money_came"])
    assert (started[0] in kiosk.renewing.closed) is (what != "its money"), "nobody shall pay there, too"
    [row] = await PlanSubscription.rows().find({}).to_list(2)
    pages: list[Any] = [row.get("checkout_intent_id"), *(one["intent_id"] for one in row.get("former", []))]
    assert started[0] in pages, "it is known all the same"
    if "erasing" in what:
        assert await PaymentCustomer.find_id(STUDENT.user_id, "stripe") is None
        for told in (row, *(one["terms"] for one in row.get("former", []))):
            assert not {"country", "address_country", "checkout"} & set(told)


async def test_whose_money_is_held_is_not_told_that_they_have_subscribed(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan)).subscription_id
    kiosk.renewing.goes_through(f"cs_{subscription_id}-1", kiosk)
    paid = kiosk.renewing.payments["pi_0"]
    kiosk.renewing.payments["pi_0"] = replace(paid, money=replace(paid.money, amount=1))
    await kiosk.settling.settle("stripe", "pi_0")
    with pytest.raises(Refused) as refused:
        await kiosk.begin(plan)
    assert refused.value.code is Code.CONFLICT
    assert [one.code for one in refused.value.fields] == ["money_came"]
    assert "subscribed" not in refused.value.detail
    await kiosk.subscriptions.sweep()
    assert (await kiosk.row(subscription_id))["status"] == "active", "known by the next sweep, and not after a day"


async def test_a_page_of_a_gateway_that_is_gone_keeps_nobody_from_ending_what_they_began(
    kiosk: Kiosk, other: Counting
) -> None:
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan, gateway="paymob")).subscription_id
    await kiosk.begin(plan)
    other.is_away = True
    with pytest.raises(Refused) as caught:
        await kiosk.changes.cancel(STUDENT, subscription_id)
    assert caught.value.code is Code.UNAVAILABLE, "it may have been paid there"
    kiosk.gateways._gateways.pop("paymob")
    assert (await kiosk.changes.cancel(STUDENT, subscription_id)).status == "expired"


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_page_that_cannot_be_asked_of_keeps_no_word_about_another_from_being_done(
    kiosk: Kiosk, other: Counting, *, is_gone: bool
) -> None:
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan, gateway="paymob")).subscription_id
    await kiosk.begin(plan)
    other.is_away = True
    if is_gone:
        kiosk.gateways._gateways.pop("paymob")
    kiosk.renewing.goes_through(f"cs_{subscription_id}-2", kiosk)
    row = await kiosk.subscriptions.look_begun(subscription_id)
    assert row is not None
    assert row["status"] == "active"


async def test_who_ends_it_after_all_is_not_drawn_for_though_the_answer_that_it_goes_on_was_lost(kiosk: Kiosk) -> None:
    subscription_id, gateway_id = await kiosk.subscribed(await kiosk.plan())
    await kiosk.changes.cancel(STUDENT, subscription_id)
    kiosk.renewing.loses_answers = 1
    with pytest.raises(Refused):
        await kiosk.changes.resume(STUDENT, subscription_id, SubscriptionResume())
    assert not kiosk.renewing.subscriptions[gateway_id].cancel_at_period_end, "it goes on there"
    assert (await kiosk.changes.cancel(STUDENT, subscription_id)).cancel_at_period_end
    assert kiosk.renewing.subscriptions[gateway_id].cancel_at_period_end


async def test_a_change_that_may_have_happened_is_not_forgotten_when_its_gateway_is_away_at_the_next_try(
    kiosk: Kiosk,
) -> None:
    subscription_id, _ = await kiosk.subscribed(await kiosk.plan())
    move = SubscriptionMove(plan_id=(await kiosk.plan(2_000, plan_name="More")).id)
    kiosk.renewing.loses_answers = 1
    for is_away in (False, True):
        kiosk.renewing.is_away = is_away
        with pytest.raises(Refused):
            await kiosk.changes.change(STUDENT, subscription_id, move)
    kiosk.renewing.is_away = False
    kiosk.clock.advance(HOUR)
    await kiosk.subscriptions.sweep()
    row = await kiosk.row(subscription_id)
    assert (row["amount"], row["plan_id"]) == (2_000, move.plan_id)
