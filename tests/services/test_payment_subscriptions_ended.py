"""Who is charged: nobody for what is over, for two of one plan, or for a checkout that they left; whatever gateways still do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.settings import Settings
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.plan_subscription import PlanSubscription
from lms_rt.contracts.gateways import (
    CheckoutStarted,
    Disputed,
    GatewayDispute,
    GatewayName,
    GatewayRefused,
    GatewaySubscription,
    GatewayUnavailable,
    SubscriptionWish,
)
from lms_rt.contracts.plans import PlanChange, SubscriptionMove, SubscriptionResume
from lms_rt.errors import Code, Refused
from lms_rt.services.payments.reconcile_books import Books
from tests.services.school import ADMIN, OTHER_STUDENT, STUDENT, School
from tests.services.subscribing import Kiosk, RenewingGateway

pytestmark = pytest.mark.parametrize("engine", ["embedded"])
DAY, HOUR = 86_400.0, 3_700.0


@pytest.fixture
def kiosk(school: School, settings: Settings) -> Kiosk:
    return Kiosk(settings, school)


async def findings(kiosk: Kiosk) -> list[str]:
    await kiosk.relay.sweep(minimum_age_ms=0)
    return [one["kind"] for one in await PaymentFinding.rows().find({}).to_list(10)]


@pytest.mark.parametrize("by", ["its owner", "erasing", "another", "time"])
async def test_what_is_over_here_is_ended_at_its_gateway_where_it_would_be_drawn_for(kiosk: Kiosk, by: str) -> None:
    plan = await kiosk.plan()
    subscription_id, gateway_id = await kiosk.subscribed(plan)
    kiosk.clock.advance(30 * DAY)
    kiosk.renewing.fails(gateway_id)
    for _ in range(6):
        await kiosk.subscriptions.sweep()
        kiosk.clock.advance(DAY)
    assert (await kiosk.row(subscription_id))["status"] == "expired"
    assert kiosk.renewing.subscriptions[gateway_id].state == "past_due", "its gateway goes on trying for a while"
    if by == "its owner":
        for _ in range(2):
            assert (await kiosk.changes.cancel(STUDENT, subscription_id)).status == "expired"
    elif by == "erasing":
        await PlanSubscription.forget_person(STUDENT.user_id, kiosk.clock.now())
    elif by == "another":
        await kiosk.begin(plan)
    else:
        kiosk.clock.advance(25 * DAY)
        await kiosk.subscriptions.sweep()
        kiosk.clock.advance(3_700)
    await kiosk.subscriptions.sweep()
    assert kiosk.renewing.subscriptions[gateway_id].state == "cancelled"
    kiosk.clock.advance(DAY)
    await kiosk.subscriptions.sweep()
    row = await kiosk.row(subscription_id)
    assert (row["status"], row["is_ended_there"], "check_at" in row) == ("expired", True, False)


async def test_whoever_leaves_a_page_and_pays_at_another_gateways_pays_for_one(kiosk: Kiosk) -> None:
    other = RenewingGateway()
    other.name = GatewayName.PAYMOB
    kiosk.gateways.add(other)
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan)).subscription_id
    await kiosk.begin(plan, gateway="paymob")
    first = kiosk.renewing.goes_through(f"cs_{subscription_id}-1", kiosk)
    kiosk.clock.advance(3_700)
    await kiosk.subscriptions.sweep()  # no word came of the page that was left, and it was paid all the same
    row = await kiosk.row(subscription_id)
    assert (row["status"], row["gateway"], row["gateway_subscription_id"]) == ("active", "stripe", first)
    assert other.closed == [f"cs_{subscription_id}-2"], "nobody shall pay there as well"
    second = other.goes_through(f"cs_{subscription_id}-2", kiosk)
    assert await kiosk.subscriptions.settle("paymob", second) == "surplus"
    assert other.subscriptions[second].state == "cancelled"
    assert kiosk.renewing.subscriptions[first].state == "active"
    assert "duplicate_payment" in await findings(kiosk)


async def test_of_two_of_one_plan_the_newer_is_ended_and_shown(kiosk: Kiosk) -> None:
    small, large = await kiosk.plan(500), await kiosk.plan(900)
    old, old_id = await kiosk.subscribed(small)
    begun = (await kiosk.begin(large)).subscription_id
    await kiosk.changes.change(STUDENT, old, SubscriptionMove(plan_id=large.id))
    assert (await kiosk.row(begun))["status"] == "expired", "what was begun is called off"
    assert f"cs_{begun}-1" in kiosk.renewing.closed
    new_id = kiosk.renewing.goes_through(f"cs_{begun}-1", kiosk)  # not every gateway can close a page
    await kiosk.subscriptions.settle("stripe", new_id)
    await kiosk.subscriptions.sweep()
    assert [kiosk.renewing.subscriptions[one].state for one in (old_id, new_id)] == ["active", "cancelled"]
    assert (await kiosk.row(begun))["status"] == "cancelled", "open as long as it is paid"
    assert await findings(kiosk) == ["duplicate_payment"]


async def test_what_a_gateway_does_not_end_a_person_is_told(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: object, **__: object) -> GatewaySubscription:
        raise GatewayRefused("no", code="not_found")

    await kiosk.subscribed(await kiosk.plan())
    monkeypatch.setattr(kiosk.renewing, "cancel_subscription", refuses)
    await PlanSubscription.forget_person(STUDENT.user_id, kiosk.clock.now())
    for _ in range(2):
        await kiosk.subscriptions.sweep()
        kiosk.clock.advance(DAY)
    assert await findings(kiosk) == ["state_differs"]


@pytest.mark.parametrize(("went_back", "goes_on"), [("part", True), ("all", False), ("dispute", False)])
async def test_whoever_has_their_money_back_is_not_drawn_for_again(kiosk: Kiosk, went_back: str, goes_on: bool) -> None:
    plan = await kiosk.plan(900)
    _, gateway_id = await kiosk.subscribed(plan)
    lost = GatewayDispute("dp_1", 900, Disputed.LOST)
    told = {"part": {"refunded": 300}, "all": {"refunded": 900}, "dispute": {"disputes": (lost,)}}[went_back]
    kiosk.renewing.payments["pi_0"] = replace(kiosk.renewing.payments["pi_0"], **told)  # type: ignore[arg-type]
    await kiosk.settling.settle("stripe", "pi_0")
    await kiosk.relay.sweep(minimum_age_ms=0)
    await kiosk.subscriptions.sweep()
    assert (kiosk.renewing.subscriptions[gateway_id].state == "active") is goes_on
    if not goes_on:
        await kiosk.begin(plan)  # and may begin anew


async def test_a_page_that_was_given_while_another_was_asked_for_is_known(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, begin = await kiosk.plan(900), kiosk.renewing.start_subscription

    async def slow(wish: SubscriptionWish) -> CheckoutStarted:
        monkeypatch.setattr(kiosk.renewing, "start_subscription", begin)
        started = await begin(wish)
        await kiosk.plans.change(ADMIN, plan.id, PlanChange(amount=901))
        await kiosk.begin(plan)
        return started

    monkeypatch.setattr(kiosk.renewing, "start_subscription", slow)
    subscription_id = (await kiosk.begin(plan)).subscription_id
    kiosk.renewing.goes_through(f"cs_{subscription_id}-1", kiosk)
    kiosk.clock.advance(3_700)
    await kiosk.subscriptions.sweep()
    assert (await kiosk.row(subscription_id))["status"] == "active"


@pytest.mark.parametrize("what", ["end", "go on"])
async def test_what_its_owner_asked_for_is_seen_though_somebody_read_how_it_was_before(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    subscription_id, _ = await kiosk.subscribed(await kiosk.plan(900))
    if what == "go on":
        await kiosk.changes.cancel(STUDENT, subscription_id)
    name = {"end": "cancel_subscription", "go on": "resume_subscription"}[what]
    done = getattr(kiosk.renewing, name)

    async def slow(*args: Any, **options: Any) -> GatewaySubscription:
        kiosk.clock.advance(1)
        fields = {"$set": {"read_at": kiosk.clock.now()}, "$inc": {"revision": 1}}
        await PlanSubscription.rows().update_one({"_id": subscription_id}, fields)
        kiosk.clock.advance(1)
        told: GatewaySubscription = await done(*args, **options)
        return told

    monkeypatch.setattr(kiosk.renewing, name, slow)
    if what == "end":
        view = await kiosk.changes.cancel(STUDENT, subscription_id)
    else:
        view = await kiosk.changes.resume(STUDENT, subscription_id, SubscriptionResume())
    assert view.cancel_at_period_end is (what == "end")


async def test_whose_country_was_looked_into_is_not_shown_again_with_each_renewal(kiosk: Kiosk) -> None:
    subscription_id, gateway_id = await kiosk.subscribed(await kiosk.plan(900))
    taxed = {"tax_country": "EG", "address_country": "DE"}
    await PlanSubscription.rows().update_one({"_id": subscription_id}, {"$set": taxed, "$inc": {"revision": 1}})
    for number in range(1, 3):
        kiosk.clock.advance(30 * DAY)
        kiosk.renewing.renews(gateway_id, kiosk)
        await kiosk.settling.settle("stripe", f"pi_{number}")
        await kiosk.relay.sweep(minimum_age_ms=0)
        assert [one["status"] for one in await PaymentFinding.rows().find({}).to_list(10)] == [
            "resolved" if number > 1 else "open"
        ], "who named none is held against the tax that was taken"
        await PaymentFinding.rows().update_many({}, {"$set": {"status": "resolved"}})


async def test_whose_money_was_heard_of_is_given_no_second_page(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    started = await kiosk.begin(plan)
    kiosk.renewing.goes_through(f"cs_{started.subscription_id}-1", kiosk)
    await kiosk.settling.settle("stripe", "pi_0")
    await kiosk.plans.change(ADMIN, plan.id, PlanChange(amount=901))
    with pytest.raises(Refused) as refused:
        await kiosk.begin(plan)
    assert (refused.value.code, list(kiosk.renewing.wishes)) == (Code.CONFLICT, [f"cs_{started.subscription_id}-1"])


async def test_money_that_comes_long_after_a_checkout_was_over_finds_its_subscription(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan)).subscription_id
    gateway_id = kiosk.renewing.goes_through(page := f"cs_{subscription_id}-1", kiosk)
    del kiosk.renewing.by_checkout[page]  # its gateway says nothing of it yet
    for _ in range(6):
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    row = await kiosk.row(subscription_id)
    assert (row["status"], "check_at" in row) == ("expired", False), "it was asked of after its time, and is left alone"
    kiosk.renewing.by_checkout[page] = gateway_id
    await kiosk.settling.settle("stripe", "pi_0")
    await kiosk.subscriptions.sweep()
    assert (await kiosk.row(subscription_id))["status"] == "active"


async def test_one_that_was_not_named_for_long_begins_with_what_is_drawn_next(kiosk: Kiosk) -> None:
    subscription_id = (await kiosk.begin(await kiosk.plan())).subscription_id
    gateway_id = kiosk.renewing.goes_through(page := f"cs_{subscription_id}-1", kiosk)
    del kiosk.renewing.by_checkout[page]
    await kiosk.settling.settle("stripe", "pi_0")
    for _ in range(30):
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    assert "check_at" not in await kiosk.row(subscription_id), "it is not asked any more"
    kiosk.renewing.by_checkout[page] = gateway_id
    kiosk.renewing.renews(gateway_id, kiosk)
    await kiosk.settling.settle("stripe", "pi_1")
    row = await kiosk.subscriptions.look_begun(subscription_id)
    assert row is not None
    assert row["status"] == "active"


async def test_money_of_a_second_one_that_comes_long_after_ends_it(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    subscription_id = (await kiosk.begin(plan)).subscription_id
    await kiosk.plans.change(ADMIN, plan.id, PlanChange(amount=901))
    await kiosk.begin(plan)
    await kiosk.subscriptions.settle("stripe", kiosk.renewing.goes_through(f"cs_{subscription_id}-2", kiosk))
    surplus = kiosk.renewing.goes_through(page := f"cs_{subscription_id}-1", kiosk)
    del kiosk.renewing.by_checkout[page]
    for _ in range(6):
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    kiosk.renewing.by_checkout[page] = surplus
    await kiosk.settling.settle("stripe", kiosk.renewing.subscriptions[surplus].intent_ids[0])
    await kiosk.subscriptions.sweep()
    assert kiosk.renewing.subscriptions[surplus].state == "cancelled"


async def test_a_checkout_is_not_given_up_before_its_gateway_was_asked(kiosk: Kiosk) -> None:
    subscription_id = (await kiosk.begin(await kiosk.plan())).subscription_id
    kiosk.renewing.goes_through(f"cs_{subscription_id}-1", kiosk)
    kiosk.renewing.is_away = True
    for _ in range(10):
        kiosk.clock.advance(DAY)
        await kiosk.subscriptions.sweep()
    kiosk.renewing.is_away = False
    kiosk.clock.advance(DAY)
    await kiosk.subscriptions.sweep()
    assert (await kiosk.row(subscription_id))["status"] == "active"


async def test_who_paid_just_now_and_ends_it_is_not_drawn_for_again(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    begun = await kiosk.begin(plan)
    kiosk.renewing.goes_through(f"cs_{begun.subscription_id}-1", kiosk)  # no word of it has come yet
    kiosk.renewing.is_away = True
    with pytest.raises(Refused) as caught:
        await kiosk.changes.cancel(STUDENT, begun.subscription_id)
    assert caught.value.code is Code.UNAVAILABLE
    assert (await kiosk.row(begun.subscription_id))["status"] == "pending"
    kiosk.renewing.is_away = False
    ending = await kiosk.changes.cancel(STUDENT, begun.subscription_id)
    assert (ending.status, ending.cancel_at_period_end) == ("active", True), "it ends with what was paid for"
    kiosk.clock.advance(DAY)
    await kiosk.subscriptions.sweep()
    after = await kiosk.row(begun.subscription_id)
    assert (after["status"], after["cancel_at_period_end"]) == ("active", True)


async def test_who_paid_for_a_plan_just_now_does_not_go_over_to_it(kiosk: Kiosk) -> None:
    subscription_id, _ = await kiosk.subscribed(await kiosk.plan())
    dearer = await kiosk.plan(2_000, plan_name="More")
    begun = await kiosk.begin(dearer)
    kiosk.renewing.goes_through(f"cs_{begun.subscription_id}-1", kiosk)
    with pytest.raises(Refused) as caught:
        await kiosk.changes.change(STUDENT, subscription_id, SubscriptionMove(plan_id=dearer.id))
    assert caught.value.code is Code.CONFLICT
    assert (await kiosk.row(begun.subscription_id))["status"] == "active"
    assert (await kiosk.row(subscription_id))["amount"] == 900


async def test_who_ends_what_they_paid_for_before_its_gateway_names_it_is_not_drawn_for_again(kiosk: Kiosk) -> None:
    subscription_id, _ = await kiosk.subscribed(await kiosk.plan())
    begun = await kiosk.begin(dearer := await kiosk.plan(2_000, plan_name="More"))
    gateway_id = kiosk.renewing.goes_through(page := f"cs_{begun.subscription_id}-1", kiosk)
    del kiosk.renewing.by_checkout[page]
    await kiosk.settling.settle("stripe", kiosk.renewing.subscriptions[gateway_id].intent_ids[0])
    with pytest.raises(Refused) as caught:
        await kiosk.changes.change(STUDENT, subscription_id, SubscriptionMove(plan_id=dearer.id))
    assert [one.code for one in caught.value.fields] == ["money_came"], "who has paid for it does not go over to it"
    assert (await kiosk.changes.cancel(STUDENT, begun.subscription_id)).status == "expired"
    kiosk.renewing.by_checkout[page] = gateway_id
    for _ in range(3):
        kiosk.clock.advance(HOUR)
        await kiosk.subscriptions.sweep()
    after = await kiosk.row(begun.subscription_id)
    assert (kiosk.renewing.subscriptions[gateway_id].state, after["status"]) == ("cancelled", "cancelled")
    assert after["end_date"] > kiosk.clock.now(), "what was paid for stays paid"


async def test_who_pays_while_it_is_called_off_is_not_drawn_for_again(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await kiosk.begin(await kiosk.plan())
    page = f"cs_{begun.subscription_id}-1"
    close = kiosk.renewing.cancel_checkout

    async def too_late(intent_id: str) -> None:
        kiosk.renewing.goes_through(page, kiosk)
        await close(intent_id)

    monkeypatch.setattr(kiosk.renewing, "cancel_checkout", too_late)
    ending = await kiosk.changes.cancel(STUDENT, begun.subscription_id)
    assert (ending.status, ending.cancel_at_period_end) == ("active", True)


@pytest.mark.parametrize("cut_after", [None, 3])
async def test_what_was_drawn_while_nobody_looked_is_all_found(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, cut_after: int | None
) -> None:
    subscription_id, gateway_id = await kiosk.subscribed(await kiosk.plan())
    for _ in range(24):
        kiosk.clock.advance(30 * DAY)
        kiosk.renewing.renews(gateway_id, kiosk)
    await kiosk.settling.settle("stripe", "pi_24")  # its own word comes first
    settle, done = kiosk.settling.settle, list[str]()

    async def cut(gateway: str, intent_id: str, **options: Any) -> Any:
        if len(done) == cut_after:
            raise GatewayUnavailable("away")
        done.append(intent_id)
        return await settle(gateway, intent_id, **options)

    monkeypatch.setattr(kiosk.settling, "settle", cut)
    if cut_after is not None:
        with pytest.raises(GatewayUnavailable):
            await kiosk.subscriptions.settle("stripe", gateway_id)
        cut_after = None
    await kiosk.subscriptions.settle("stripe", gateway_id)
    assert done == [f"pi_{number}" for number in range(1, 24)], "the oldest first, and each once"
    rows = await Payment.rows().find({"subscription_id": subscription_id}).to_list(50)
    assert [row["status"] for row in rows] == ["completed"] * 25
    kiosk.renewing.asked_older.clear()
    await kiosk.subscriptions.settle("stripe", gateway_id)
    assert kiosk.renewing.asked_older == [], "nothing more is asked of what is known"


async def test_one_that_was_paid_for_and_that_its_gateway_never_names_is_shown_to_people(kiosk: Kiosk) -> None:
    plan = await kiosk.plan()
    begun = await kiosk.begin(plan)
    gateway_id = kiosk.renewing.goes_through(page := f"cs_{begun.subscription_id}-1", kiosk)
    del kiosk.renewing.by_checkout[page]
    await kiosk.subscribed(plan, OTHER_STUDENT)
    kiosk.renewing.payments["pi_0"] = replace(
        kiosk.renewing.payments["pi_0"], key=f"{begun.subscription_id}-1", subscription_id=None
    )
    await kiosk.settling.settle("stripe", "pi_0")
    books = Books(clock=kiosk.clock, access=kiosk.access, journal=kiosk.journal, findings=kiosk.findings)
    shown = []
    for days in (0.5, 0.6, 30):
        kiosk.clock.advance(days * DAY)
        await kiosk.subscriptions.sweep()
        await books.check_all()
        found = await PaymentFinding.rows().find({"kind": "paid_no_access"}).to_list(5)
        shown.append([(one["refs"]["subscription_id"], one["status"]) for one in found])
    told = [(begun.subscription_id, "open")]
    assert shown == [[], told, told]
    assert found[0]["facts"]["reason"] == "not_named"
    await PlanSubscription.ask_again(begun.subscription_id, kiosk.clock.now())
    kiosk.renewing.by_checkout[page] = gateway_id
    await kiosk.subscriptions.sweep()
    await books.check_all()
    [found_one] = await PaymentFinding.rows().find({"kind": "paid_no_access"}).to_list(5)
    assert found_one["status"] == "mended"
